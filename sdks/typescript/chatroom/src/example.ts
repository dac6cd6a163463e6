// Registers, says hello in a room, and shows what others say there, in whatever dialect, until it has heard enough.
//
//     node dist/example.js [NAME [ROOM [BASE_URL [WEB_SOCKET_URL [HOW_MANY]]]]]

import { ChatroomClient, ChatroomError } from "./index.js";

const [
  name = `ann-${process.pid}`,
  room = "TEST",
  baseUrl = "http://127.0.0.1:5000",
  webSocketUrl = "ws://127.0.0.1:2333",
  howMany = "1",
] = process.argv.slice(2);
const client = new ChatroomClient({
  baseUrl,
  webSocketUrl,
  onTrouble: (error) => console.log(`trying again: ${error}`),
  onReconnect: () => console.log("connected again"),
});

const tel = Date.now() * 1000 + (process.pid % 1000);
await client.register(tel, name, "tea for two");
await client.login(tel, "tea for two");
console.log(`signed in: ${name}`);

const rooms = await client.rooms();
if (!rooms.some((one) => one.name === room)) await client.createRoom(room);
await client.join(room);
const packets = client.packets();
await client.say(room, `hello from ${name}`);
console.log(`said hello in: ${room}`);

let heard = 0;
for await (const { type, data } of packets) {
  if (type !== "msg" || data.user.user_name === name) continue;
  console.log(`heard ${data.user.user_name}: ${data.msg}`);
  await client.say(room, `thanks for ${data.msg}`);
  heard += 1;
  if (heard === Number(howMany)) break;
}

try {
  await client.takeSeat("no room of this name");
} catch (error) {
  if (!(error instanceof ChatroomError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: by HTTP ${error.status}`);
}
client.close();
