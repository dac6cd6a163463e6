import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./api.js";
import { Backoff } from "./backoff.js";
import { ChatroomError } from "./error.js";
import { Feed } from "./feed.js";
import { ConnectionLost, Link, type LinkOptions } from "./link.js";
import type {
  FromClient,
  FromServer,
  ServerCaughtUp,
  ServerError,
  ServerGap,
  ServerMsg,
  ServerPosted,
  ServerUser,
} from "./packets.js";
import { Pending } from "./pending.js";
import { openWebSocket } from "./websocket.js";

type Schemas = components["schemas"];

/** A pushed event: a message, a member who came or went, or messages that were missed and are not there any more. */
export type Packet = ServerMsg | ServerUser | ServerGap;

/** The `since` of a client that wants nothing of the past. */
const BEGIN_NOW = Number.MAX_SAFE_INTEGER;

export interface ClientOptions extends LinkOptions {
  /** Where the gateway listens for HTTP. Default `http://127.0.0.1:5000`. */
  baseUrl?: string;
  /** Where it listens for WebSockets. Default `ws://127.0.0.1:2333`. */
  webSocketUrl?: string;
  /** Headers of every request and of the WebSocket's handshake, such as `X-Api-Key`. */
  headers?: Record<string, string>;
  /** Told that a room could not be joined again after the connection broke, and why: it is left. */
  onRoomLost?: (room: string, error: ChatroomError) => void;
}

/**
 * A client of the chatroom: an account, or a guest.
 *
 * The WebSocket is opened by the first `join`. When it breaks it is made again: the client logs in anew, joins its
 * rooms again and gets what was said there meanwhile, each message once. What is called meanwhile waits for that. A
 * `say` that was under way is repeated, and the gateway posts it once; other calls that were under way fail with
 * {@link ConnectionLost}. Every method throws {@link ChatroomError} where the gateway says no.
 */
export class ChatroomClient {
  /** Every operation of the HTTP part as it was generated. */
  readonly api: Client<paths>;
  readonly #options: ClientOptions;
  readonly #link: Link<FromServer, FromClient>;
  readonly #pending = new Pending<FromServer>();
  readonly #feed = new Feed<Packet>();
  readonly #rooms = new Set<string>();
  /** Up to which message what was said in a room has come. */
  readonly #newest = new Map<string, number>();
  readonly #patience = new Backoff({});
  #account: { user_tel: number; user_password: string } | undefined;
  #cookie: string | undefined;
  #name: string | undefined;

  constructor(options: ClientOptions = {}) {
    const { baseUrl = "http://127.0.0.1:5000", webSocketUrl = "ws://127.0.0.1:2333", headers = {} } = options;
    this.#options = options;
    this.api = createClient<paths>({ baseUrl, headers });
    this.api.use({
      onRequest: ({ request }) => {
        if (this.#cookie) request.headers.set("cookie", this.#cookie);
        return request;
      },
    });
    this.#link = new Link(
      {
        open: async (told) => {
          // A login shows in the handshake, by its cookie.
          if (this.#account) await this.#login(this.#account);
          return openWebSocket(webSocketUrl, { ...headers, ...(this.#cookie && { cookie: this.#cookie }) }, told);
        },
        greet: () => this.#joinAgain(),
        message: (packet) => this.#receive(packet),
        lost: (why) => this.#pending.fail(why),
        isFinal: (error) => error instanceof ChatroomError && !error.isPassing,
      },
      options,
    );
  }

  /** Makes an account. `name` is who it is in every dialect, for good. It does not sign in. */
  async register(tel: number, name: string, password: string): Promise<void> {
    const body = { user_tel: tel, user_name: name, user_password: password };
    await done(this.api.POST("/auth/register", { body }), "register successfully");
  }

  /** Signs in: the client is this account from now on. */
  async login(tel: number, password: string): Promise<Schemas["Account"]> {
    const account = { user_tel: tel, user_password: password };
    const data = await this.#login(account);
    this.#account = account;
    this.#name = data.user_name;
    return data;
  }

  /** Goes by a name that no account has, without signing in. */
  beGuest(name: string): void {
    this.#name = name;
  }

  /** Every room that is open, with how many are in it. */
  async rooms(): Promise<Schemas["Room"][]> {
    const reply = await done(this.api.POST("/chatroom/list"));
    return reply.rooms;
  }

  /** Makes a room without an owner. */
  async createRoom(room_name: string): Promise<void> {
    await done(this.api.POST("/chatroom/create", { body: { room_name } }), "chatroom create successfully");
  }

  /** Takes a seat in a room ahead of `join`, which then uses it. Rarely needed: `join` takes one where there is none. */
  async takeSeat(room_name: string): Promise<void> {
    const body = { room_name, user_name: this.name, status: 1 } as const;
    await done(this.api.POST("/chatroom/room", { body }), "join chatroom");
  }

  /** Gives back a seat that `takeSeat` took. */
  async giveSeatBack(room_name: string): Promise<void> {
    const body = { room_name, user_name: this.name, status: 0 } as const;
    await done(this.api.POST("/chatroom/room", { body }), "leave chatroom");
  }

  /**
   * Enters a room: what is said in it comes from now on, also what is said while the connection is broken.
   * `since`: the `id` of a message; what was said after it comes first. 0 for all that there is.
   */
  async join(room: string, since?: number): Promise<void> {
    await this.#link.up();
    const known = this.#rooms.has(room) ? this.#newest.get(room) : undefined;
    await this.#enter(room, since ?? known ?? BEGIN_NOW);
    this.#rooms.add(room);
  }

  /** Leaves a room. */
  async leave(room: string): Promise<void> {
    await this.#link.up();
    this.#rooms.delete(room);
    await this.#ask({ type: "leave", data: this.#given(room) }, this.#ownUser(room, (msg) => msg === "leave"));
  }

  /**
   * Says something in a room that was joined, once. Resolves when it is in the room, with its `id`.
   *
   * Where the connection breaks before the answer, it is sent again with the same `clientId`: a name for the message,
   * 1 to 200 bytes, of the client's own. Sent again by another run of the program, it is the same message for a day.
   */
  async say(room: string, text: string, clientId: string = crypto.randomUUID()): Promise<number> {
    const packet: FromClient = { type: "msg", data: { ...this.#given(room), msg: text, client_id: clientId } };
    const isAnswer = (told: FromServer): told is ServerPosted =>
      told.type === "posted" && told.data.client_id === clientId;
    for (;;) {
      await this.#link.up();
      try {
        const id = (await this.#ask(packet, isAnswer)).data.id;
        this.#patience.reset();
        return id;
      } catch (error) {
        const isUnknown = error instanceof ChatroomError && error.code === "outcome unknown";
        if (!isUnknown && !(error instanceof ConnectionLost)) throw error;
        this.#options.onTrouble?.(error);
        if (isUnknown) await this.#patience.wait(0, this.#link.closed);
      }
    }
  }

  /**
   * What is said in the rooms that were joined, and who comes and goes, the own ones too, from this call on. A packet
   * `gap` stands for messages that are not there any more: too many were missed, or they were removed.
   */
  packets(): AsyncIterableIterator<Packet> {
    return this.#feed.read(this.#link.closed, (reason) => reason instanceof ConnectionLost);
  }

  /** Hangs up. Iterations end. */
  close(): void {
    this.#link.close();
  }

  /** The user name. */
  get name(): string {
    if (this.#name === undefined) throw new Error("not logged in: call login or beGuest first");
    return this.#name;
  }

  async #login(account: { user_tel: number; user_password: string }): Promise<Schemas["Account"]> {
    const call = await this.api.POST("/auth/login", { body: account });
    const { data } = await done(Promise.resolve(call), "login successfully");
    const cookies = call.response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
    if (cookies.length > 0) this.#cookie = cookies.join("; ");
    return data;
  }

  async #joinAgain(): Promise<void> {
    for (const room of [...this.#rooms]) {
      try {
        await this.#enter(room, this.#newest.get(room) ?? BEGIN_NOW);
      } catch (error) {
        // A room that is gone or full does not keep the client from the others. Where only the moment is wrong, all
        // are joined again a little later.
        if (!(error instanceof ChatroomError) || error.isPassing) throw error;
        this.#rooms.delete(room);
        this.#options.onTrouble?.(error);
        this.#options.onRoomLost?.(room, error);
      }
    }
  }

  async #enter(room: string, since: number): Promise<void> {
    if (since !== BEGIN_NOW) this.#newest.set(room, since);
    const isAnswer = (told: FromServer): told is ServerCaughtUp =>
      told.type === "caught_up" && told.data.room_name === room;
    await this.#ask({ type: "join", data: { ...this.#given(room), since } }, isAnswer);
  }

  async #ask<A extends FromServer>(packet: FromClient, fits: (packet: FromServer) => packet is A): Promise<A> {
    this.#link.send(packet);
    return await this.#pending.answer(fits);
  }

  /** A success is what the whole room receives; an error belongs to the oldest request. */
  #receive(packet: FromServer): void {
    if (packet.type === "error") {
      const error = new ChatroomError(packet.data.msg, 0);
      if (!this.#pending.refuse(error)) this.#options.onTrouble?.(error);
      return;
    }
    const { room_name } = packet.data;
    // What is caught up with may come twice. Within a room, ids ascend.
    if (packet.type === "msg" && packet.data.id != null && !this.#note(room_name, packet.data.id)) return;
    if (packet.type === "caught_up") this.#note(room_name, packet.data.id);
    this.#pending.take(packet);
    if (packet.type !== "caught_up" && packet.type !== "posted") this.#feed.push(packet);
  }

  /** The messages of a room up to this one have come. Whether that is news. */
  #note(room: string, id: number): boolean {
    if (id <= (this.#newest.get(room) ?? -1)) return false;
    this.#newest.set(room, id);
    return true;
  }

  #given(room_name: string): { user: { user_name: string; user_avatar: string }; room_name: string; msg: string } {
    return { user: { user_name: this.name, user_avatar: "" }, room_name, msg: "" };
  }

  #isOwn(packet: Exclude<FromServer, ServerError>, room: string): boolean {
    return packet.data.room_name === room && packet.data.user.user_name === this.name;
  }

  #ownUser(room: string, is: (msg: ServerUser["data"]["msg"]) => boolean) {
    return (packet: FromServer): packet is ServerUser =>
      packet.type === "user" && is(packet.data.msg) && this.#isOwn(packet, room);
  }
}

/** What an operation of the generated client gives. */
interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Waits for a reply that says one of these, or that has no `res` where none is named; throws {@link ChatroomError} for others. */
export async function done<T extends object, R extends (T & { res: string })["res"] = never>(
  call: Promise<Reply<T>>,
  ...expected: R[]
): Promise<[R] extends [never] ? Exclude<T, { res: string }> : Extract<T, { res: R }>> {
  const { data, error, response } = await call;
  const { res } = (data ?? error ?? {}) as { res?: string };
  const isDone = res === undefined ? expected.length === 0 : (expected as string[]).includes(res);
  if (data === undefined || !isDone) throw new ChatroomError(res ?? `HTTP status ${response.status}`, response.status);
  return data as Awaited<ReturnType<typeof done<T, R>>>;
}
