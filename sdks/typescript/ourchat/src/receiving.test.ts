import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import test from "node:test";

import { type WebSocket, WebSocketServer } from "ws";

import { OurchatClient } from "./index.js";

/** Answers a login with three texts, and a status; what it was sent. */
async function gateway() {
  const received: { code: number; cid?: number }[] = [];
  const connections: WebSocket[] = [];
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (connection) => {
    connections.push(connection);
    connection.on("message", (data) => {
      const { code, cid } = JSON.parse(data.toString()) as { code: number; cid?: number };
      received.push(cid === undefined ? { code } : { code, cid });
      const send = (message: object) => connection.send(JSON.stringify({ time: 1, ...message }));
      if (code === 12) send({ code, status: 0 });
      if (code !== 6) return;
      send({ code: 7, state: 0, status: 0, ocid: 1 });
      for (const cid of [5, 7, 9]) send({ code: 0, cid, sender: { ocid: 2, private_id: 1 }, msg: "hi" });
    });
  });
  await once(server, "listening");
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { received, connections, server, url };
}

test("a text counts as received when the program asks for the next", async () => {
  const { received, connections, server, url } = await gateway();
  let reconnected = () => {};
  const again = new Promise<void>((resolve) => (reconnected = resolve));
  const client = new OurchatClient({ url, onReconnect: () => reconnected() });
  const pushed = client.pushed();
  const next = async () => {
    const { value } = await pushed.next();
    return value?.code === 0 ? value.cid : undefined;
  };
  await client.login("ann@example.org", "tea for two");
  assert.deepEqual([await next(), await next()], [5, 7]);
  await client.status();
  const [login, status] = [{ code: 6 }, { code: 12 }];
  const said = [login, { code: 17, cid: 0 }, { code: 17, cid: 5 }, status];
  assert.deepEqual(received, said, "7 is under way, and 9 waits");

  // The next login says it again, and what comes again is pushed once.
  connections[0]?.close();
  await again;
  await client.status();
  assert.deepEqual(received.slice(4), [login, { code: 17, cid: 5 }, status]);
  assert.equal(await next(), 9);
  await client.status();
  assert.deepEqual(received.slice(7), [{ code: 17, cid: 7 }, status]);
  client.close();
  server.close();
});
