/** Requests that wait for their answers, in the order in which they were sent. */

interface Waiting<M> {
  fits(message: M): boolean;
  resolve(message: M): void;
  reject(why: Error): void;
}

export class Pending<M> {
  #waiting: Waiting<M>[] = [];

  /** Resolves with the first message that fits and that no earlier request took. */
  answer<A extends M>(fits: (message: M) => message is A): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ fits, resolve: resolve as (message: M) => void, reject });
    });
  }

  /** Whether the message is the answer to a request. */
  take(message: M): boolean {
    const waiting = this.#waiting.find((one) => one.fits(message));
    if (!waiting) return false;
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    waiting.resolve(message);
    return true;
  }

  /** The oldest request was refused. Whether there was one. */
  refuse(why: Error): boolean {
    const waiting = this.#waiting.shift();
    waiting?.reject(why);
    return waiting !== undefined;
  }

  /** None will be answered any more. */
  fail(why: Error): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(why);
  }
}
