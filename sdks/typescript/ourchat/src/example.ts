// Registers two accounts, makes a group of both, says hello there, and shows what comes, in whatever dialect it was said,
// until it has heard enough. Groups are closed: to answer, be the friend, NAME-friend with the same password.
//
// Killed and started again with the same arguments, it goes on where it was: what it keeps is in NAME.notes.json until it
// is done.
//
//     node dist/example.js [NAME [GROUP [URL [HOW_MANY]]]]

import { randomUUID } from "node:crypto";

import { type Ocid, OurchatClient, OurchatError } from "./index.js";
import { Notes } from "./notes.js";

const [name = `ann-${process.pid}`, group = `tea-${process.pid}`, url = "ws://127.0.0.1:7777", howMany = "1"] = process.argv.slice(2);
const notes = new Notes<{ run: string; group_id: number; cursor: number; heard: number }>(`${name}.notes.json`);
const client = new OurchatClient({
  url,
  onTrouble: (error) => console.log(`trying again: ${error}`),
  onReconnect: () => console.log("connected again"),
});

async function signIn(name: string): Promise<Ocid> {
  try {
    return await client.register(`${name}@example.org`, "tea for two", name);
  } catch (error) {
    const isTaken = error instanceof OurchatError && error.code === 5 && error.state === 2;
    if (!isTaken) throw error;
  }
  return await client.login(`${name}@example.org`, "tea for two");
}

let { group_id, cursor = 0, heard = 0 } = notes.values;
const friend = group_id === undefined ? await signIn(`${name}-friend`) : undefined;
const pushed = client.pushed();
const ocid = await signIn(name);
console.log(`signed in: ${name}`);

// Names of what is sent: sent again by the next run, it is the same.
const run = notes.values.run ?? randomUUID();
notes.keep({ run });
if (group_id === undefined) {
  group_id = await client.createGroup([friend as Ocid], group, `${run} group`);
  ({ cid: cursor } = await client.send({ group_id }, `hello from ${name}`, `${run} hello`));
  notes.keep({ group_id, cursor });
}
console.log(`said hello in: ${group}#${group_id}`);

for await (const message of pushed) {
  // What it had not asked to go on from comes again.
  if (message.code !== 0 || message.sender.ocid === ocid || message.cid <= cursor) continue;
  console.log(`heard ${message.sender.ocid}: ${message.msg}`);
  await client.send({ group_id }, `thanks for ${message.msg}`, `${run} ${message.cid}`);
  heard += 1;
  cursor = message.cid;
  notes.keep({ cursor, heard });
  if (heard === Number(howMany)) break;
}

try {
  await client.send({ group_id: 4_000_000_000 }, "hello?");
} catch (error) {
  if (!(error instanceof OurchatError)) throw error;
  console.log(`refused: ${error.name} ${error.code}: ${error.message}`);
}
client.close();
notes.forget();
