// Registers two accounts, makes a group of both, says hello there, and shows what comes, in whatever dialect it was said,
// until it has heard enough. Groups are closed: to answer, be the friend, NAME-friend with the same password.
//
//     node dist/example.js [NAME [GROUP [URL [HOW_MANY]]]]

import { OurchatClient, OurchatError } from "./index.js";

const [name = `ann-${process.pid}`, group = `tea-${process.pid}`, url = "ws://127.0.0.1:7777", howMany = "1"] = process.argv.slice(2);
const client = new OurchatClient({
  url,
  onTrouble: (error) => console.log(`trying again: ${error}`),
  onReconnect: () => console.log("connected again"),
});

const friend = await client.register(`${name}-friend@example.org`, "tea for two", `${name}-friend`);
await client.register(`${name}@example.org`, "tea for two", name);
const ocid = await client.login(`${name}@example.org`, "tea for two");
console.log(`signed in: ${name}`);

const group_id = await client.createGroup([friend], group);
const pushed = client.pushed();
await client.send({ group_id }, `hello from ${name}`);
console.log(`said hello in: ${group}#${group_id}`);

let heard = 0;
for await (const message of pushed) {
  if (message.code !== 0 || message.sender.ocid === ocid) continue;
  console.log(`heard ${message.sender.ocid}: ${message.msg}`);
  await client.send({ group_id }, `thanks for ${message.msg}`);
  heard += 1;
  if (heard === Number(howMany)) break;
}

try {
  await client.send({ group_id: 4_000_000_000 }, "hello?");
} catch (error) {
  if (!(error instanceof OurchatError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: ${error.message}`);
}
client.close();
