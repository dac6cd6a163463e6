import { Token } from "../generated/token.cjs";

/** The results by name, such as `results.E_ROOM_FULL`. */
export const results = Token.Result;

/** The gateway said no. Compare `code`; the message is for people, and may change. */
export class TokenError extends Error {
  override readonly name = "TokenError";

  constructor(
    /** One of {@link results}. */
    readonly code: number,
    reason: string,
  ) {
    super(reason);
  }

  /** The name of the code: `E_ROOM_FULL`. */
  get result(): string {
    return results[this.code] ?? `result ${this.code}`;
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return this.code === results.E_LIMIT || this.code === results.E_SERVER;
  }
}
