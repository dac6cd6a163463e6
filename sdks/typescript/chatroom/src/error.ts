import type { components } from "./api.js";

/** What `res` of a refusal can be over HTTP. Over the WebSocket it is `msg` of a packet `error`. */
export type Refusal = components["schemas"]["Res"] | (string & {});

/** The gateway said no. The dialect's codes are words. */
export class ChatroomError extends Error {
  override readonly name = "ChatroomError";

  constructor(
    readonly code: Refusal,
    /** Of the HTTP reply, 200 for what the dialect itself refuses; 0 over the WebSocket. */
    readonly status: number,
  ) {
    super(code);
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return ["slow down", "server busy", "server error"].includes(this.code) || this.status === 429 || this.status >= 500;
  }
}
