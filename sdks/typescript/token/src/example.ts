// Makes an account and a room, says hello there, and shows what others say, in whatever dialect, until it has heard enough.
//
// Killed and started again with the same arguments, it goes on where it was: what it keeps is in OPENID.notes.json until it
// is done.
//
//     node dist/example.js [OPENID [ROOM_NAME [HOST:PORT [HOW_MANY]]]]

import { randomUUID } from "node:crypto";

import { TokenClient, TokenError } from "./index.js";
import { Notes } from "./notes.js";

const [openid = `ann-${process.pid}`, name = `tea-${process.pid}`, address = "127.0.0.1:5100", howMany = "1"] = process.argv.slice(2);
const [host = "127.0.0.1", port = "5100"] = address.split(":");
const notes = new Notes<{ run: string; roomId: number; cursor: number; heard: number }>(`${openid}.notes.json`);
const client = new TokenClient({
  host,
  port: Number(port),
  onTrouble: (error) => console.log(`trying again: ${error}`),
  onReconnect: () => console.log("connected again"),
});

const { uid } = await client.login(openid, "wechat", { autoCreate: true, info: { name: openid } });
console.log(`signed in: ${openid}`);

// Names of what is sent: sent again by the next run, it is the same.
const run = notes.values.run ?? randomUUID();
notes.keep({ run });
let roomId = notes.values.roomId;
if (roomId === undefined) {
  const token = await client.applyForToken();
  ({ roomId } = await client.createRoom(token, { name }, 0, `${run} room`));
  notes.keep({ roomId });
}
const notifications = client.notifications();
const { info } = await client.enterRoom(roomId, notes.values.cursor ?? 0);
await client.post(roomId, `hello from ${openid}`, `${run} hello`);
console.log(`said hello in: ${info.name}`);

let heard = notes.values.heard ?? 0;
for await (const told of notifications) {
  if (told.kind !== "message" || told.uid === uid) continue;
  console.log(`heard ${told.uid}: ${told.text}`);
  await client.post(roomId, `thanks for ${told.text}`, `${run} ${told.messageId}`);
  heard += 1;
  notes.keep({ cursor: told.messageId, heard });
  if (heard === Number(howMany)) break;
}

try {
  await client.enterRoom(4_000_000_000);
} catch (error) {
  if (!(error instanceof TokenError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: ${error.result}, ${error.message}`);
}
client.close();
notes.forget();
