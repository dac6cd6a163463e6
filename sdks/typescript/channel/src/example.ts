// Registers, says hello in a channel, and shows what others say there, in whatever dialect, until it has heard enough.
//
//     node dist/example.js [NAME [CHANNEL [BASE_URL [HOW_MANY]]]]

import { ChannelClient, ChannelError } from "./index.js";

const [name = `ann-${process.pid}`, channel = "TEST", baseUrl = "http://127.0.0.1:5004", howMany = "1"] = process.argv.slice(2);
const client = new ChannelClient({ baseUrl });

await client.register(name, "tea for two");
await client.login(name, "tea for two");
console.log(`signed in: ${name}`);

const hello = `hello from ${name}`;
await client.sendToChannel(channel, hello);
console.log(`said hello in: ${channel}`);

const onTrouble = (error: unknown) => console.log(`trying again: ${error}`);
let isNew = false;
let heard = 0;
for await (const message of client.listenToChannel(channel, { intervalMs: 200, onTrouble })) {
  // A new member is given the last messages of a channel, too.
  if (message.name === name && message.msg === hello) isNew = true;
  if (message.name === name || !isNew) continue;
  console.log(`heard ${message.name}: ${message.msg}`);
  await client.sendToChannel(channel, `thanks for ${message.msg}`);
  heard += 1;
  if (heard === Number(howMany)) break;
}

try {
  await client.send("no user of this name", "hello?");
} catch (error) {
  if (!(error instanceof ChannelError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: ${error.message}`);
}
