// A user of an app says hello in a room; shows what others say there, in whatever dialect, until it has heard enough.
//
//     node dist/example.js [OPENID [ROOM [BASE_URL [HOW_MANY]]]]

import { UsrRoomClient, UsrRoomError } from "./index.js";

const [openid = `ann-${process.pid}`, name = "TEST", baseUrl = "http://127.0.0.1:5001", howMany = "1"] = process.argv.slice(2);
const client = new UsrRoomClient({ baseUrl });

await client.completeUser(openid, { sex: "1", preference: ["tea"] });
console.log(`signed in: ${openid}`);

const found = (await client.searchRooms(name)).find((room) => room.name === name);
const room = found?.room_id ?? (await client.addRoom(openid, { name }));
await client.joinRoom(room, openid);
const [last] = await client.messages(room, { limit: 1 });
await client.sendMessage(room, openid, `hello from ${openid}`);
console.log(`said hello in: ${name}`);

const onTrouble = (error: unknown) => console.log(`trying again: ${error}`);
let heard = 0;
for await (const { from, text } of client.listen(room, { openid, after: last?.id ?? 0, intervalMs: 200, onTrouble })) {
  if (from === openid) continue;
  console.log(`heard ${from}: ${text}`);
  await client.sendMessage(room, openid, `thanks for ${text}`);
  heard += 1;
  if (heard === Number(howMany)) break;
}

try {
  await client.joinRoom(4_000_000_000, openid);
} catch (error) {
  if (!(error instanceof UsrRoomError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: ${error.message}`);
}
