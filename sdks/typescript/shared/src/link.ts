/** A connection that is made again whenever it breaks. */

import { Backoff, type BackoffOptions } from "./backoff.js";

/** The connection broke, or was closed, before there was an answer: whether it was done is unknown. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** One connection. */
export interface Wire<Out> {
  send(message: Out): void;
  close(): void;
}

/** What a connection tells. */
export interface Told<In> {
  message(message: In): void;
  /** Once, when it has ended. */
  ended(why: ConnectionLost): void;
}

export interface LinkHandler<In, Out> {
  /** Makes a connection; resolves when it is open. */
  open(told: Told<In>): Promise<Wire<Out>>;
  /** Logs in and takes rooms up again: each time a connection is open, before `up` resolves. */
  greet(): Promise<void>;
  message(message: In): void;
  /** A connection has ended: nothing that was asked on it will be answered. */
  lost(why: ConnectionLost): void;
  /** Whether what `open` or `greet` threw will be the same next time. The link is then closed. */
  isFinal(error: unknown): boolean;
}

export interface LinkOptions extends BackoffOptions {
  /** Told why the connection broke or could not be made again, each time. */
  onTrouble?: (error: unknown) => void;
  /** Told when a connection that broke has been made again, and the rooms are taken up again. */
  onReconnect?: () => void;
}

export class Link<In, Out> {
  readonly #handler: LinkHandler<In, Out>;
  readonly #options: LinkOptions;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  #wire: Wire<Out> | undefined;
  #up: Promise<void> | undefined;

  constructor(handler: LinkHandler<In, Out>, options: LinkOptions) {
    this.#handler = handler;
    this.#options = options;
    this.#backoff = new Backoff(options);
  }

  /** Resolves when there is a connection that was greeted. Makes the first one; throws where that fails, or once the link is closed. */
  up(): Promise<void> {
    this.#up ??= this.#attempt().catch((error) => {
      if (!this.closed.aborted) this.#up = undefined;
      throw error;
    });
    return this.#up;
  }

  /** Sends on the connection that there is. */
  send(message: Out): void {
    if (!this.#wire) throw new ConnectionLost("there is no connection");
    this.#wire.send(message);
  }

  /** Ends it, for good. */
  close(why: Error = new ConnectionLost("closed")): void {
    if (this.closed.aborted) return;
    this.#closing.abort(why);
    this.#up = Promise.reject(why);
    this.#up.catch(() => {});
    this.#wire?.close();
  }

  /** Aborted when the link is closed, with the reason. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  async #attempt(): Promise<void> {
    let isUp = false;
    let lost: ConnectionLost | undefined;
    const ended = (why: ConnectionLost) => {
      lost = why;
      this.#wire = undefined;
      this.#handler.lost(why);
      if (isUp) this.#comeBack(why);
    };
    const wire = await this.#handler.open({ message: (message) => this.#handler.message(message), ended });
    this.#wire = wire;
    try {
      this.closed.throwIfAborted();
      await this.#handler.greet();
      if (lost) throw lost;
    } catch (error) {
      wire.close();
      throw error;
    }
    isUp = true;
    this.#backoff.reset();
  }

  #comeBack(why: ConnectionLost): void {
    if (this.closed.aborted) return;
    this.#options.onTrouble?.(why);
    this.#up = this.#retry();
    this.#up.catch(() => {});
  }

  async #retry(): Promise<void> {
    for (;;) {
      await this.#backoff.wait(0, this.closed);
      this.closed.throwIfAborted();
      try {
        await this.#attempt();
        break;
      } catch (error) {
        if (this.#handler.isFinal(error)) this.close(error as Error);
        this.closed.throwIfAborted();
        this.#options.onTrouble?.(error);
      }
    }
    this.#options.onReconnect?.();
  }
}
