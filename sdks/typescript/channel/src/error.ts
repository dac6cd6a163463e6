import type { components } from "./api.js";

/** What a failure's `code` can be. */
export type Code = components["schemas"]["Failure"]["code"];

/** The codes by name, as the dialect's page has them. */
export const codes = {
  badRequest: 1,
  notSignedIn: 2,
  wrongNameOrPassword: 3,
  nameTaken: 4,
  passwordsDiffer: 5,
  noSuchUser: 6,
  noSuchChannel: 7,
  notAllowed: 8,
  channelFull: 9,
  slowDown: 10,
  serverError: 11,
} as const satisfies Record<string, Code>;

/** The gateway said no. Compare `code`; the message is for people, and may change. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";

  constructor(
    readonly code: Code,
    reason: string,
    /** Of the HTTP reply: 200 for what the dialect itself refuses. */
    readonly status: number,
    /** When to try again, where the gateway says so (429 and 503). */
    readonly retryAfterMs: number | undefined,
  ) {
    super(reason);
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return this.code === codes.slowDown || this.code === codes.serverError;
  }
}
