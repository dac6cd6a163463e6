/** The gateway said no. The dialect has one code for that, 0; the message says why, for the client's developer. */
export class UsrRoomError extends Error {
  override readonly name = "UsrRoomError";
  /** `response_code`. */
  readonly code = 0;

  constructor(
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
    return this.status === 429 || this.status >= 500;
  }
}
