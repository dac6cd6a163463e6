/** What is pushed, for everyone who iterates over it: each from the moment it began to. */

export class Feed<T> {
  readonly #readers = new Set<(item: T) => void>();

  push(item: T): void {
    for (const reader of this.#readers) reader(item);
  }

  /**
   * All that is pushed from this call on, until `closed` is aborted. What is not taken yet is kept, however much it is.
   * Ends without an error if `closed` was aborted with one that is `quiet`.
   */
  read(closed: AbortSignal, quiet: (reason: unknown) => boolean): AsyncIterableIterator<T> {
    const items: T[] = [];
    let wake = () => {};
    const reader = (item: T) => {
      items.push(item);
      wake();
    };
    this.#readers.add(reader);
    const wakeUp = () => wake();
    closed.addEventListener("abort", wakeUp);
    const end = () => {
      this.#readers.delete(reader);
      closed.removeEventListener("abort", wakeUp);
    };
    const next = async (): Promise<IteratorResult<T, void>> => {
      while (items.length === 0 && !closed.aborted) await new Promise<void>((resolve) => (wake = resolve));
      if (items.length > 0) return { done: false, value: items.shift() as T };
      end();
      if (!quiet(closed.reason)) throw closed.reason;
      return { done: true, value: undefined };
    };
    return {
      next,
      return: async () => {
        end();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
