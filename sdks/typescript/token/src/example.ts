// Makes an account and a room, says hello there, and shows what others say, in whatever dialect, until it has heard enough.
//
//     node dist/example.js [OPENID [ROOM_NAME [HOST:PORT [HOW_MANY]]]]

import { TokenClient, TokenError } from "./index.js";

const [openid = `ann-${process.pid}`, name = `tea-${process.pid}`, address = "127.0.0.1:5100", howMany = "1"] = process.argv.slice(2);
const [host = "127.0.0.1", port = "5100"] = address.split(":");
const client = new TokenClient({
  host,
  port: Number(port),
  onTrouble: (error) => console.log(`trying again: ${error}`),
  onReconnect: () => console.log("connected again"),
});

await client.createAccount(openid, "wechat", { name: openid });
const { uid } = await client.login(openid, "wechat");
console.log(`signed in: ${openid}`);

const token = await client.applyForToken();
const { roomId } = await client.createRoom(token, { name });
const { info } = await client.enterRoom(roomId);
const notifications = client.notifications();
await client.post(roomId, `hello from ${openid}`);
console.log(`said hello in: ${info.name}`);

let heard = 0;
for await (const told of notifications) {
  if (told.kind !== "message" || told.uid === uid) continue;
  console.log(`heard ${told.uid}: ${told.text}`);
  await client.post(roomId, `thanks for ${told.text}`);
  heard += 1;
  if (heard === Number(howMany)) break;
}

try {
  await client.enterRoom(4_000_000_000);
} catch (error) {
  if (!(error instanceof TokenError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: ${error.result}, ${error.message}`);
}
client.close();
