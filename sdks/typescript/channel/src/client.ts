import { randomUUID } from "node:crypto";

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./api.js";
import { Backoff, type BackoffOptions, sleep } from "./backoff.js";
import { ChannelError, codes } from "./error.js";

type Schemas = components["schemas"];

/** A message of a channel: `name` of who said it, `datetime`, `msg`. */
export type ChannelMessage = Schemas["ChannelMessage"];

/** Messages that are not kept any more: after one id and before another, `count` of them, where that is known. */
export type Gap = Schemas["Gap"];

export interface ClientOptions {
  /** Where the gateway listens. Default `http://127.0.0.1:5004`. */
  baseUrl?: string;
  /** Headers of every request, such as `X-Api-Key`. */
  headers?: Record<string, string>;
  /** Instead of the global one. */
  fetch?: (request: Request) => Promise<Response>;
  /** How long a request is sent again whose reply was lost, in ms. Default 30000. */
  patienceMs?: number;
}

export interface ListenOptions extends BackoffOptions {
  /** Where to read from: the `cursor` of an earlier reply. Without it, what was not received yet. */
  after?: number;
  /** How long to wait where there is nothing new, in ms. Default 1000. */
  intervalMs?: number;
  /** Ends the iteration. */
  signal?: AbortSignal;
  /** Told of each attempt that failed and will be repeated. */
  onTrouble?: (error: unknown) => void;
  /** Told of a gap before the messages that follow it. */
  onGap?: (gap: Gap) => void;
}

/** What an operation of the generated client gives. */
interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * A user of the channel API.
 *
 * Every method throws {@link ChannelError} where the gateway says no, and what `fetch` throws where it cannot be reached. A
 * request whose reply was lost is sent again, for `patienceMs`, and takes effect once.
 */
export class ChannelClient {
  /** Every operation as it was generated, with the token; `done` makes errors of what they refuse. */
  readonly api: Client<paths>;
  readonly #patienceMs: number;
  #account: { name: string; password: string } | undefined;
  #token: string | undefined;

  constructor({ baseUrl = "http://127.0.0.1:5004", headers = {}, fetch, patienceMs = 30_000 }: ClientOptions = {}) {
    this.#patienceMs = patienceMs;
    this.api = createClient<paths>({ baseUrl, headers, ...(fetch && { fetch }) });
    this.api.use({
      onRequest: ({ request }) => {
        if (this.#token) request.headers.set("token", this.#token);
        return request;
      },
    });
  }

  /** Makes an account. It does not sign in. */
  async register(name: string, password: string): Promise<void> {
    const body = { name, password, password_repete: password };
    const headers = { "Idempotency-Key": randomUUID() };
    await this.#once(() => done(this.api.POST("/register", { body, headers })));
  }

  /** Signs in. Where the token runs out later, the client signs in anew by itself. */
  async login(name: string, password: string): Promise<void> {
    const { token } = await this.#once(() => done(this.api.POST("/login", { body: { name, password } })));
    this.#token = token;
    this.#account = { name, password };
  }

  /** Whether there is a user of this name. */
  async userExists(name: string): Promise<boolean> {
    try {
      await this.call(() => this.api.POST("/user/info", { body: { name } }));
      return true;
    } catch (error) {
      if (error instanceof ChannelError && error.code === codes.noSuchUser) return false;
      throw error;
    }
  }

  /** Sends a direct message, once. With the same `key`, 1 to 200 bytes, it is the same message for a day. */
  async send(name: string, msg: string, key: string = randomUUID()): Promise<void> {
    const headers = { "Idempotency-Key": key };
    await this.#once(() => this.call(() => this.api.POST("/send", { body: { name, msg }, headers })));
  }

  /**
   * Says something in a channel, once. Joins it, and makes it where there is none. With the same `key`, 1 to 200 bytes, it
   * is the same message for a day.
   */
  async sendToChannel(name: string, message: string, key: string = randomUUID()): Promise<void> {
    const headers = { "Idempotency-Key": key };
    await this.#once(() => this.call(() => this.api.POST("/channel/send", { body: { name, message }, headers })));
  }

  /** Does again what may not have been done; its key has it take effect once. */
  async #once<T>(send: () => Promise<T>): Promise<T> {
    const until = Date.now() + this.#patienceMs;
    const backoff = new Backoff();
    for (;;) {
      try {
        return await send();
      } catch (error) {
        const isPassing = !(error instanceof ChannelError) || error.isPassing;
        if (!isPassing || Date.now() > until) throw error;
        await backoff.wait(error instanceof ChannelError ? error.retryAfterMs : 0);
      }
    }
  }

  /** The members of a channel. */
  async members(name: string): Promise<string[]> {
    const { users } = await this.call(() => this.api.POST("/channel/list_users", { body: { name } }));
    return users.map((user) => user.name);
  }

  /** The messages of a channel, the own ones too, as they come. Joins it. Goes on where the gateway is away for a while. */
  async *listenToChannel(name: string, options: ListenOptions = {}): AsyncGenerator<ChannelMessage, void> {
    const once = onceFirst();
    const receive = (cursor: Cursor) =>
      this.call(() => this.api.POST("/channel/receive", { body: { name, ...cursor }, ...once(cursor) }));
    for await (const messages of poll(receive, options)) yield* messages;
  }

  /** Direct messages to this user, as they come. */
  async *listen(options: ListenOptions = {}): AsyncGenerator<{ from: string; msg: string }, void> {
    const once = onceFirst();
    const receive = (cursor: Cursor) =>
      this.call(() => this.api.POST("/receive", { body: { ...cursor }, ...once(cursor) }));
    for await (const messages of poll(receive, options)) {
      for (const [from, texts] of Object.entries(messages)) {
        for (const msg of texts) yield { from, msg };
      }
    }
  }

  /** What an operation that needs a token gives, after a new login where the token ran out. */
  async call<T extends { code: number; data?: unknown }>(operation: () => Promise<Reply<T>>): Promise<Data<T>> {
    try {
      return await done(operation());
    } catch (error) {
      const ranOut = error instanceof ChannelError && error.code === codes.notSignedIn;
      if (!ranOut || !this.#account) throw error;
      await this.login(this.#account.name, this.#account.password);
      return await done(operation());
    }
  }
}

/** The `data` of a success. */
export type Data<T> = Extract<T, { code: 0 }> extends { data: infer D } ? D : undefined;

/** Waits for a reply: the `data` of a success, or throws {@link ChannelError}. */
export async function done<T extends { code: number; data?: unknown }>(call: Promise<Reply<T>>): Promise<Data<T>> {
  const { data, error, response } = await call;
  if (data?.code === 0) return data.data as Data<T>;
  const { code, msg } = (data ?? error ?? {}) as Partial<Schemas["Failure"]>;
  const retryAfter = response.headers.get("retry-after");
  throw new ChannelError(
    code ?? codes.serverError,
    msg ?? `HTTP status ${response.status}`,
    response.status,
    retryAfter === null ? undefined : Number(retryAfter) * 1000,
  );
}

/** Where to read from: after this message, or what was not received yet. */
type Cursor = { after?: number };

/** Headers for a request without a cursor: made again after a lost reply, it gives the same messages. */
function onceFirst(): (cursor: Cursor) => { headers?: { "Idempotency-Key": string } } {
  const headers = { "Idempotency-Key": randomUUID() };
  return ({ after }) => (after === undefined ? { headers } : {});
}

/** Asks again and again, each time from where the last reply ended, so that a reply that is lost loses no message. */
async function* poll<M extends object>(
  receive: (cursor: Cursor) => Promise<{ messages: M; cursor: number; gap?: Gap }>,
  { after, intervalMs = 1000, signal, onTrouble, onGap, ...waits }: ListenOptions,
): AsyncGenerator<M, void> {
  const backoff = new Backoff(waits);
  while (!signal?.aborted) {
    try {
      const reply = await receive(after === undefined ? {} : { after });
      backoff.reset();
      after = reply.cursor;
      if (reply.gap) onGap?.(reply.gap);
      if (Object.keys(reply.messages).length > 0) yield reply.messages;
      else await sleep(intervalMs, signal);
    } catch (error) {
      if (error instanceof ChannelError && !error.isPassing) throw error;
      onTrouble?.(error);
      await backoff.wait(error instanceof ChannelError ? error.retryAfterMs : 0, signal);
    }
  }
}
