import { randomUUID } from "node:crypto";

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./api.js";
import { Backoff, type BackoffOptions, sleep } from "./backoff.js";
import { UsrRoomError } from "./error.js";

type Schemas = components["schemas"];

/** A room, in the flavor that this package was made for. */
export type Room = Schemas["Room"];

/** A message of a room, the same in both flavors. */
export interface RoomMessage {
  /** Unique in the gateway, and increasing. */
  id: number;
  /** Whose it is: an openid, or `@<handle>`. */
  from: string;
  text: string;
  time: Date;
}

/** Messages that are not kept any more: after one id and before another, `count` of them, where that is known. */
export type Gap = Schemas["Gap"];

export interface ClientOptions {
  /** Where the gateway listens. Default `http://127.0.0.1:5001`. */
  baseUrl?: string;
  /** Headers of every request, such as `X-Api-Key`. */
  headers?: Record<string, string>;
  /** Instead of the global one. */
  fetch?: (request: Request) => Promise<Response>;
  /** How long a request is sent again whose reply was lost, in ms. Default 30000. */
  patienceMs?: number;
}

export interface ListenOptions extends BackoffOptions {
  /** Who reads: needed where the room is closed. */
  openid?: string;
  /** The id of the last message that is known. Default 0: from the first that is kept. */
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

/**
 * An app whose users are in the rooms. It says which of them acts; passwords are not needed.
 *
 * Every method throws {@link UsrRoomError} where the gateway says no, and what `fetch` throws where it cannot be reached. A
 * request whose reply was lost is sent again, for `patienceMs`, and takes effect once.
 */
export class UsrRoomClient {
  /** Every operation as it was generated; {@link done} makes errors of what they refuse. */
  readonly api: Client<paths>;

  readonly #patienceMs: number;

  constructor({ baseUrl = "http://127.0.0.1:5001", headers = {}, fetch, patienceMs = 30_000 }: ClientOptions = {}) {
    this.#patienceMs = patienceMs;
    this.api = createClient<paths>({ baseUrl, headers, ...(fetch && { fetch }) });
  }

  /** Makes a user, or changes what is given of one. */
  async completeUser(openid: string, facts: Omit<Schemas["CompleteUserRequest"], "openid" | "open_id"> = {}): Promise<void> {
    const body = { ...facts, openid };
    await this.#once((headers) => this.api.POST("/usr/complete", { body, headers }));
  }

  /** Makes a room that belongs to this user. Gives its `room_id`. */
  async addRoom(openid: string, facts: Omit<Schemas["AddRoomRequest"], "room_owner_id"> = {}): Promise<number> {
    const body = { ...facts, room_owner_id: openid };
    const added = await this.#once((headers) => this.api.POST("/room/add", { body, headers }));
    return added.room_id;
  }

  /** Makes a user a member of a room; twice is as good as once. */
  async joinRoom(room_id: number, openid: string): Promise<void> {
    await this.#once((headers) => this.api.POST("/usr/join", { body: { room_id, openid }, headers }));
  }

  /** Rooms by a number or by words, best first. */
  async searchRooms(key: string): Promise<Room[]> {
    return listed<Room>(await done(this.api.POST("/search", { body: { key } })), "rooms");
  }

  /**
   * A member says something in a room, once: what may not have arrived is sent again, for `patienceMs`. With the same `key`,
   * 1 to 200 bytes, it is the same message for a day.
   */
  async sendMessage(room_id: number, openid: string, message: string, key: string = randomUUID()): Promise<void> {
    const body = { room_id, openid, message };
    await this.#once((headers) => this.api.POST("/room/send_message", { body, headers }), key);
  }

  /** Does again what may not have been done; its key has it take effect once. */
  async #once<T>(send: (headers: Record<string, string>) => Promise<Reply<T>>, key: string = randomUUID()): Promise<Success<T>> {
    const until = Date.now() + this.#patienceMs;
    const backoff = new Backoff();
    for (;;) {
      try {
        return await done(send({ "Idempotency-Key": key }));
      } catch (error) {
        const isPassing = !(error instanceof UsrRoomError) || error.isPassing;
        if (!isPassing || Date.now() > until) throw error;
        await backoff.wait(error instanceof UsrRoomError ? error.retryAfterMs : 0);
      }
    }
  }

  /** Messages of a room, oldest first: the oldest after a message, or the newest. */
  async messages(room_id: number, which: { openid?: string; after?: number; limit?: number } = {}): Promise<RoomMessage[]> {
    return (await this.#page(room_id, which)).messages;
  }

  async #page(
    room_id: number,
    which: { openid?: string; after?: number; limit?: number },
  ): Promise<{ messages: RoomMessage[]; gap: Gap | undefined }> {
    const reply: unknown = await done(this.api.POST("/room/get_message", { body: { room_id, ...which } }));
    // Flavor document: a field. Flavor miniprogram: a field of the first of two.
    const { gap } = (Array.isArray(reply) ? reply[0] : reply) as { gap?: Gap };
    return { messages: listed<EitherMessage>(reply, "messages").map(message), gap };
  }

  /** What is said in a room, as it comes. Goes on where the gateway is away for a while. */
  async *listen(room_id: number, options: ListenOptions = {}): AsyncGenerator<RoomMessage, void> {
    const { openid, intervalMs = 1000, signal, onTrouble, onGap, ...waits } = options;
    const backoff = new Backoff(waits);
    let after = options.after ?? 0;
    while (!signal?.aborted) {
      let messages: RoomMessage[] = [];
      try {
        const page = await this.#page(room_id, { after, ...(openid && { openid }) });
        backoff.reset();
        messages = page.messages;
        if (page.gap) {
          after = Math.max(after, page.gap.before - 1);
          onGap?.(page.gap);
        }
      } catch (error) {
        if (error instanceof UsrRoomError && !error.isPassing) throw error;
        onTrouble?.(error);
        await backoff.wait(error instanceof UsrRoomError ? error.retryAfterMs : 0, signal);
        continue;
      }
      for (const message of messages) {
        after = message.id;
        yield message;
      }
      if (messages.length === 0) await sleep(intervalMs, signal);
    }
  }
}

/** What an operation of the generated client gives. */
interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** A reply that is no failure. */
export type Success<T> = Exclude<T, { error: string }>;

/** Waits for a reply: a success, or throws {@link UsrRoomError}. */
export async function done<T>(call: Promise<Reply<T>>): Promise<Success<T>> {
  const { data, error, response } = await call;
  const failure = (data ?? error) as { error?: string } | undefined;
  if (data !== undefined && failure?.error === undefined) return data as Success<T>;
  const retryAfter = response.headers.get("retry-after");
  throw new UsrRoomError(
    failure?.error ?? `HTTP status ${response.status}`,
    response.status,
    retryAfter === null ? undefined : Number(retryAfter) * 1000,
  );
}

/** The list of a reply. Flavor document: a field. Flavor miniprogram: the second of two, or nothing where nothing is listed. */
function listed<T>(reply: unknown, field: "rooms" | "messages"): T[] {
  if (Array.isArray(reply)) return reply[1] as T[];
  return (reply as { [field in string]?: T[] })[field] ?? [];
}

/** A message in the one flavor or the other. */
type EitherMessage =
  | { openid: string; message: string; time: number; id: number }
  | { user: string; content: string; time: { $date: number }; id: number };

function message(said: EitherMessage): RoomMessage {
  return "openid" in said
    ? { id: said.id, from: said.openid, text: said.message, time: new Date(said.time) }
    : { id: said.id, from: said.user, text: said.content, time: new Date(said.time.$date) };
}
