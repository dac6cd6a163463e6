/** How long to wait between attempts that fail: longer each time, and not all clients at once. */

export interface BackoffOptions {
  /** The first wait, in ms. Default 250. */
  firstMs?: number;
  /** The longest wait, in ms. Default 15000. */
  maxMs?: number;
}

export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  #nextMs: number;

  constructor({ firstMs = 250, maxMs = 15_000 }: BackoffOptions = {}) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
    this.#nextMs = firstMs;
  }

  /** Waits for the next time, at least `leastMs`; each wait is twice the last, less up to a half by chance. */
  async wait(leastMs = 0, signal?: AbortSignal): Promise<void> {
    const ms = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs);
    await sleep(Math.max(ms, leastMs), signal);
  }

  /** It worked: the next wait is the first again. */
  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}

/** Resolves after so many ms, or as soon as the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
