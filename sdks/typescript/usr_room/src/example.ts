// A user of an app says hello in a room; shows what others say there, in whatever dialect, until it has heard enough.
//
// Killed and started again with the same arguments, it goes on where it was: what it keeps is in OPENID.notes.json until it
// is done.
//
//     node dist/example.js [OPENID [ROOM [BASE_URL [HOW_MANY]]]]

import { randomUUID } from "node:crypto";

import { UsrRoomClient, UsrRoomError } from "./index.js";
import { Notes } from "./notes.js";

const [openid = `ann-${process.pid}`, name = "TEST", baseUrl = "http://127.0.0.1:5001", howMany = "1"] = process.argv.slice(2);
const notes = new Notes<{ run: string; cursor: number; heard: number }>(`${openid}.notes.json`);
const client = new UsrRoomClient({ baseUrl });

await client.completeUser(openid, { sex: "1", preference: ["tea"] });
console.log(`signed in: ${openid}`);

// Names of what is sent: sent again by the next run, it is the same.
const run = notes.values.run ?? randomUUID();
notes.keep({ run });
const found = (await client.searchRooms(name)).find((room) => room.name === name);
const room = found?.room_id ?? (await client.addRoom(openid, { name }));
await client.joinRoom(room, openid);
if (notes.values.cursor === undefined) {
  const [last] = await client.messages(room, { limit: 1 });
  notes.keep({ cursor: last?.id ?? 0 });
}
await client.sendMessage(room, openid, `hello from ${openid}`, `${run} hello`);
console.log(`said hello in: ${name}`);

const onTrouble = (error: unknown) => console.log(`trying again: ${error}`);
let { cursor: after = 0, heard = 0 } = notes.values;
for await (const { id, from, text } of client.listen(room, { openid, after, intervalMs: 200, onTrouble })) {
  if (from === openid) continue;
  console.log(`heard ${from}: ${text}`);
  await client.sendMessage(room, openid, `thanks for ${text}`, `${run} ${id}`);
  heard += 1;
  notes.keep({ cursor: id, heard });
  if (heard === Number(howMany)) break;
}

try {
  await client.joinRoom(4_000_000_000, openid);
} catch (error) {
  if (!(error instanceof UsrRoomError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: ${error.message}`);
}
notes.forget();
