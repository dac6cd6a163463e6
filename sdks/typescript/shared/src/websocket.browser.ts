/** The same in a browser, whose WebSocket has no headers but the cookies of the site, and shows no pings. */

import { ConnectionLost, type Told, type Wire } from "./link.js";

/** How long a handshake may take. */
const OPENING_MS = 10_000;

export function openWebSocket<In, Out>(url: string, _headers: Record<string, string>, told: Told<In>): Promise<Wire<Out>> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    let isOver = false;
    const end = (why: string) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(opening);
      removeEventListener("offline", offline);
      // Without a network the closing handshake of the WebSocket takes minutes.
      socket.close();
      const lost = new ConnectionLost(`${url}: ${why}`);
      reject(lost);
      told.ended(lost);
    };
    const opening = setTimeout(() => end("no answer to the handshake"), OPENING_MS);
    const offline = () => end("the network is gone");
    addEventListener("offline", offline);
    socket.addEventListener("open", () => {
      clearTimeout(opening);
      resolve({ send: (message) => socket.send(JSON.stringify(message)), close: () => end("closed by the client") });
    });
    socket.addEventListener("message", ({ data }) => {
      if (!isOver) told.message(JSON.parse(data as string) as In);
    });
    socket.addEventListener("close", ({ code, reason }) => end(`closed with ${code} ${reason}`));
  });
}
