// Registers, says hello in a room, and shows what others say there, in whatever dialect, until it has heard enough.
//
// Killed and started again with the same arguments, it goes on where it was: what it keeps is in NAME.notes.json until it
// is done.
//
//     node dist/example.js [NAME [ROOM [BASE_URL [WEB_SOCKET_URL [HOW_MANY]]]]]

import { createHash, randomUUID } from "node:crypto";

import { ChatroomClient, ChatroomError } from "./index.js";
import { Notes } from "./notes.js";

const [
  name = `ann-${process.pid}`,
  room = "TEST",
  baseUrl = "http://127.0.0.1:5000",
  webSocketUrl = "ws://127.0.0.1:2333",
  howMany = "1",
] = process.argv.slice(2);
const notes = new Notes<{ run: string; cursor: number; heard: number }>(`${name}.notes.json`);
const client = new ChatroomClient({
  baseUrl,
  webSocketUrl,
  onTrouble: (error) => console.log(`trying again: ${error}`),
  onReconnect: () => console.log("connected again"),
});

// A number of its own: an account signs in by it.
const tel = 20_000_000_000 + createHash("sha256").update(name).digest().readUInt32BE();
try {
  await client.register(tel, name, "tea for two");
} catch (error) {
  if (!(error instanceof ChatroomError) || error.code !== "user exist") throw error;
}
await client.login(tel, "tea for two");
console.log(`signed in: ${name}`);

const rooms = await client.rooms();
if (!rooms.some((one) => one.name === room)) await client.createRoom(room);
// Names of what is sent: sent again by the next run, it is the same.
const run = notes.values.run ?? randomUUID();
notes.keep({ run });
await client.join(room);
let cursor = notes.values.cursor;
if (cursor === undefined) {
  cursor = await client.say(room, `hello from ${name}`, `${run} hello`);
  notes.keep({ cursor });
}
const packets = client.packets();
await client.join(room, cursor);
console.log(`said hello in: ${room}`);

let heard = notes.values.heard ?? 0;
for await (const { type, data } of packets) {
  if (type !== "msg" || data.id === undefined || data.id <= cursor) continue;
  cursor = data.id;
  if (data.user.user_name === name) continue;
  console.log(`heard ${data.user.user_name}: ${data.msg}`);
  await client.say(room, `thanks for ${data.msg}`, `${run} ${cursor}`);
  heard += 1;
  notes.keep({ cursor, heard });
  if (heard === Number(howMany)) break;
}

try {
  await client.takeSeat("no room of this name");
} catch (error) {
  if (!(error instanceof ChatroomError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: by HTTP ${error.status}`);
}
client.close();
notes.forget();
