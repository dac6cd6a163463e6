/** JSON over a WebSocket, as a wire of a link. */

import WebSocket from "ws";

import { ConnectionLost, type Told, type Wire } from "./link.js";

/** The gateway pings every 30 seconds; one that has been silent for so long is gone. */
const SILENCE_MS = 95_000;

export function openWebSocket<In, Out>(url: string, headers: Record<string, string>, told: Told<In>): Promise<Wire<Out>> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers, handshakeTimeout: 10_000 });
    const silence = setTimeout(() => socket.terminate(), SILENCE_MS).unref();
    let error: Error | undefined;
    socket.on("open", () =>
      resolve({ send: (message) => socket.send(JSON.stringify(message)), close: () => socket.close() }),
    );
    socket.on("ping", () => silence.refresh());
    socket.on("message", (data) => {
      silence.refresh();
      told.message(JSON.parse(data.toString()) as In);
    });
    socket.on("error", (why) => (error = why));
    socket.on("close", (code, reason) => {
      clearTimeout(silence);
      const why = error?.message ?? `closed with ${code} ${reason}`;
      const lost = new ConnectionLost(`${url}: ${why}`, { cause: error });
      reject(lost);
      told.ended(lost);
    });
  });
}
