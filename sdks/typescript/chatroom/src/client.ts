import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./api.js";
import { ChatroomError } from "./error.js";
import { Feed } from "./feed.js";
import { ConnectionLost, Link, type LinkOptions } from "./link.js";
import type { FromClient, FromServer, ServerError, ServerMsg, ServerUser } from "./packets.js";
import { Pending } from "./pending.js";
import { openWebSocket } from "./websocket.js";

type Schemas = components["schemas"];

/** A pushed event: a message, or a member who came or went. */
export type Packet = ServerMsg | ServerUser;

export interface ClientOptions extends LinkOptions {
  /** Where the gateway listens for HTTP. Default `http://127.0.0.1:5000`. */
  baseUrl?: string;
  /** Where it listens for WebSockets. Default `ws://127.0.0.1:2333`. */
  webSocketUrl?: string;
  /** Headers of every request and of the WebSocket's handshake, such as `X-Api-Key`. */
  headers?: Record<string, string>;
}

/**
 * A client of the chatroom: an account, or a guest.
 *
 * The WebSocket is opened by the first `join`. When it breaks it is made again: the client logs in anew and joins
 * its rooms again. What is called meanwhile waits for that; what was under way fails with {@link ConnectionLost}.
 * Every method throws {@link ChatroomError} where the gateway says no.
 */
export class ChatroomClient {
  /** Every operation of the HTTP part as it was generated. */
  readonly api: Client<paths>;
  readonly #options: ClientOptions;
  readonly #link: Link<FromServer, FromClient>;
  readonly #pending = new Pending<FromServer>();
  readonly #feed = new Feed<Packet>();
  readonly #rooms = new Set<string>();
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

  /** Takes a seat in a room ahead of `join`, which then uses it. Hardly anybody needs it: `join` takes one where there is none. */
  async takeSeat(room_name: string): Promise<void> {
    const body = { room_name, user_name: this.name, status: 1 } as const;
    await done(this.api.POST("/chatroom/room", { body }), "join chatroom");
  }

  /** Gives back a seat that `takeSeat` took. */
  async giveSeatBack(room_name: string): Promise<void> {
    const body = { room_name, user_name: this.name, status: 0 } as const;
    await done(this.api.POST("/chatroom/room", { body }), "leave chatroom");
  }

  /** Enters a room: what is said in it comes from now on, also after the connection broke. */
  async join(room: string): Promise<void> {
    await this.#link.up();
    await this.#enter(room);
    this.#rooms.add(room);
  }

  /** Leaves a room. */
  async leave(room: string): Promise<void> {
    await this.#link.up();
    this.#rooms.delete(room);
    await this.#ask({ type: "leave", data: this.#given(room) }, this.#ownUser(room, (msg) => msg === "leave"));
  }

  /** Says something in a room that was joined. Resolves when it is in the room. */
  async say(room: string, text: string): Promise<void> {
    await this.#link.up();
    const isEcho = (packet: FromServer): packet is ServerMsg =>
      packet.type === "msg" && packet.data.msg === text && this.#isOwn(packet, room);
    await this.#ask({ type: "msg", data: { ...this.#given(room), msg: text } }, isEcho);
  }

  /** What is said in the rooms that were joined, and who comes and goes, the own ones too, from this call on. */
  packets(): AsyncIterableIterator<Packet> {
    return this.#feed.read(this.#link.closed, (reason) => reason instanceof ConnectionLost);
  }

  /** Hangs up. Iterations end. */
  close(): void {
    this.#link.close();
  }

  /** Who this is. */
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
        await this.#enter(room);
      } catch (error) {
        // A room that is gone or full does not keep the client from the others.
        if (!(error instanceof ChatroomError)) throw error;
        this.#rooms.delete(room);
        this.#options.onTrouble?.(error);
      }
    }
  }

  async #enter(room: string): Promise<void> {
    await this.#ask({ type: "join", data: this.#given(room) }, this.#ownUser(room, (msg) => msg !== "leave"));
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
    // These come only to a client that asks for them, which this one does not.
    if (packet.type === "gap" || packet.type === "posted") return;
    this.#pending.take(packet);
    this.#feed.push(packet);
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
