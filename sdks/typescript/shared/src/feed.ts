/** What is pushed, for everyone who iterates over it: each from the moment it began to. */

/** One item, and for how many iterations it is still to be done with. */
interface Entry<T> {
  item: T;
  left: number;
  taken: () => void;
}

export class Feed<T> {
  readonly #readers = new Set<(entry: Entry<T>) => void>();

  /** Calls `taken` when every iteration has asked for what comes after the item: its program is done with it. */
  push(item: T, taken: () => void = () => {}): void {
    if (this.#readers.size === 0) return taken();
    const entry = { item, left: this.#readers.size, taken };
    for (const reader of this.#readers) reader(entry);
  }

  /**
   * All that is pushed from this call on, until `closed` is aborted. What is not taken yet is kept, however much it is.
   * Ends without an error if `closed` was aborted with one that is `quiet`.
   */
  read(closed: AbortSignal, quiet: (reason: unknown) => boolean): AsyncIterableIterator<T> {
    const entries: Entry<T>[] = [];
    let last: Entry<T> | undefined;
    let wake = () => {};
    const reader = (entry: Entry<T>) => {
      entries.push(entry);
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
      if (last && --last.left === 0) last.taken();
      last = undefined;
      while (entries.length === 0 && !closed.aborted) await new Promise<void>((resolve) => (wake = resolve));
      last = entries.shift();
      if (last) return { done: false, value: last.item };
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
