import { connect } from "node:net";

import { type Requests, Token } from "../generated/token.cjs";
import { TokenError } from "./error.js";
import { Feed } from "./feed.js";
import { bigAtStart, Cutter, decode, encode, type Notification, notification } from "./frames.js";
import { ConnectionLost, Link, type LinkOptions, type Told, type Wire } from "./link.js";

/** What a client keeps with a user or a room, and what the gateway adds: `name`, for rooms `population`, `capacity`… */
export type Info = { [key: string]: unknown };

export interface User {
  uid: number;
  info: Info;
}

export interface Room {
  roomId: number;
  info: Info;
}

export interface ClientOptions extends LinkOptions {
  /** Where the gateway listens. Default 127.0.0.1. */
  host?: string;
  /** Default 5100. */
  port?: number;
  /** Whether to be told of messages before the first `post`, too. Default true. */
  messages?: boolean;
  /** How often to ask whether the gateway is there, in ms. A connection without an answer until the next time is given up. Default 30000. */
  heartbeatMs?: number;
}

interface Waiting {
  resolve(content: Token.Content): void;
  reject(why: Error): void;
}

/**
 * A connection of the token dialect, and the user who logged in on it.
 *
 * The connection is made by the first call. When it breaks it is made again: the client logs in anew and enters its
 * rooms again. What is called meanwhile waits for that; what was under way fails with {@link ConnectionLost}. Every
 * method throws {@link TokenError} where the gateway says no.
 */
export class TokenClient {
  readonly #options: ClientOptions;
  readonly #link: Link<Buffer, Buffer>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #feed = new Feed<Notification>();
  readonly #rooms = new Set<number>();
  #account: Requests[2] | undefined;
  #sequence = 0;

  constructor(options: ClientOptions = {}) {
    this.#options = options;
    this.#link = new Link(
      {
        open: (told) => this.#open(told),
        greet: () => this.#greet(),
        message: (content) => this.#receive(decode(content)),
        lost: (why) => this.#fail(why),
        isFinal: (error) => error instanceof TokenError && !error.isPassing,
      },
      options,
    );
  }

  /** Makes an account for an openid. It does not log in. */
  async createAccount(openid: string, openidType: string, info?: Info): Promise<User> {
    return user(await this.#call(1, { openid, openidType, info: text(info) }));
  }

  /** Logs in; with `autoCreate` makes the account where there is none. */
  async login(openid: string, openidType: string, { autoCreate = false, info }: { autoCreate?: boolean; info?: Info } = {}): Promise<User> {
    const account = { openid, openidType, autoCreate: autoCreate ? 1 : 0, info: text(info) };
    await this.#link.up();
    const who = await this.#logIn(account);
    // The account is there now, and the gateway keeps its info: another login makes and changes nothing.
    this.#account = { ...account, autoCreate: 0, info: "" };
    this.#rooms.clear();
    return who;
  }

  /** A token, with which rooms are made. It is good for a day, or as long as the gateway's `token_ttl`. */
  async applyForToken(): Promise<bigint> {
    await this.#link.up();
    const { _raw_body } = await this.#ask(8, {});
    return bigAtStart(_raw_body);
  }

  /** Creates a room that belongs to the token's user. `info.name`, `section` and `description` are the room's. */
  async createRoom(token: bigint, info?: Info, appCode = 0): Promise<Room> {
    return room(await this.#call(3, { appCode, token, info: text(info) }));
  }

  /** Enters a room: what happens in it comes from now on, also after the connection broke. */
  async enterRoom(roomId: number): Promise<Room> {
    const entered = room(await this.#call(4, { roomId }));
    this.#rooms.add(roomId);
    return entered;
  }

  /** The numbers of all open rooms. */
  async rooms(): Promise<number[]> {
    const all: number[] = [];
    for (;;) {
      const { roomList } = await this.#call(5, { roomId: all.at(-1) ?? 0 });
      if (roomList.elements.length === 0) return all;
      all.push(...roomList.elements);
    }
  }

  /** Leaves a room. */
  async leaveRoom(roomId: number): Promise<void> {
    this.#rooms.delete(roomId);
    await this.#call(6, { roomId });
  }

  /** Ends the login, and leaves every room. */
  async leaveApplication(): Promise<void> {
    this.#account = undefined;
    this.#rooms.clear();
    await this.#call(7, {});
  }

  /** Says something in a room that was entered; gives the message's id. */
  async post(roomId: number, text: string): Promise<number> {
    return (await this.#call(10, { roomId, text })).messageId;
  }

  /** What the gateway tells by itself, the own messages too, from this call on. */
  notifications(): AsyncIterableIterator<Notification> {
    return this.#feed.read(this.#link.closed, (reason) => reason instanceof ConnectionLost);
  }

  /** Hangs up. Iterations end. */
  close(): void {
    this.#link.close();
  }

  #open(told: Told<Buffer>): Promise<Wire<Buffer>> {
    const { host = "127.0.0.1", port = 5100, heartbeatMs = 30_000 } = this.#options;
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      const cutter = new Cutter();
      let error: Error | undefined;
      let isAnswered = true;
      const heartbeat = setInterval(() => {
        if (!isAnswered) return socket.destroy(new Error("no answer to a heartbeat"));
        isAnswered = false;
        this.#ask(9, {}).then(() => (isAnswered = true)).catch(() => {});
      }, heartbeatMs).unref();
      socket.on("connect", () => resolve({ send: (frame) => socket.write(frame), close: () => socket.end() }));
      socket.on("data", (bytes) => {
        for (const content of cutter.add(bytes)) told.message(content);
      });
      socket.on("error", (why) => (error = why));
      socket.on("close", () => {
        clearInterval(heartbeat);
        const lost = new ConnectionLost(`${host}:${port}: ${error?.message ?? "the gateway hung up"}`, { cause: error });
        reject(lost);
        told.ended(lost);
      });
    });
  }

  async #greet(): Promise<void> {
    if (!this.#account) return;
    await this.#logIn(this.#account);
    for (const roomId of [...this.#rooms]) {
      try {
        await this.#ask(4, { roomId });
      } catch (error) {
        // A room that is gone or full does not keep the client from the others.
        if (!(error instanceof TokenError)) throw error;
        this.#rooms.delete(roomId);
        this.#options.onTrouble?.(error);
      }
    }
  }

  async #logIn(account: Requests[2]): Promise<User> {
    const { body } = await this.#ask(2, account);
    if (this.#options.messages ?? true) {
      // a connection receives messages once it has used the command to post, even with an empty text.
      await this.#ask(10, { roomId: 0, text: "" }).catch((error) => {
        if (!(error instanceof TokenError)) throw error;
      });
    }
    return user(body as Token.LoginReply);
  }

  async #call<C extends keyof Requests>(command: C, fields: Requests[C]): Promise<Done<C>> {
    await this.#link.up();
    return (await this.#ask(command, fields)).body as Done<C>;
  }

  /** Sends a request on the connection there is; resolves with the frame of its success. */
  async #ask<C extends keyof Requests>(command: C, fields: Requests[C]): Promise<Token.Content> {
    // 0 is for what answers no request.
    this.#sequence = (this.#sequence % 0xffff_ffff) + 1;
    const sequence = this.#sequence;
    const reply = new Promise<Token.Content>((resolve, reject) => this.#waiting.set(sequence, { resolve, reject }));
    try {
      this.#link.send(encode(command, sequence, fields));
    } catch (error) {
      this.#waiting.delete(sequence);
      throw error;
    }
    return await reply;
  }

  #receive(content: Token.Content): void {
    if (!content.isReply) {
      const told = notification(content);
      if (told) this.#feed.push(told);
      return;
    }
    const waiting = this.#waiting.get(content.sequence);
    this.#waiting.delete(content.sequence);
    if (content.result === Token.Result.OK) return waiting?.resolve(content);
    const { reason } = content.body as Token.Failure;
    const error = new TokenError(content.result ?? 0, reason.text);
    // With sequence 0 the gateway says why it hangs up.
    if (waiting) waiting.reject(error);
    else this.#options.onTrouble?.(error);
  }

  #fail(why: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.reject(why);
  }
}

/** The body of a success, by command. */
interface Replies {
  1: Token.CreateAccountReply;
  2: Token.LoginReply;
  3: Token.CreateRoomReply;
  4: Token.EnterRoomReply;
  5: Token.RoomListReply;
  6: Token.LeaveRoomReply;
  7: Token.LeaveApplicationReply;
  8: Token.ApplyForTokenReply;
  9: Token.HeartbeatReply;
  10: Token.PostMessageReply;
}
type Done<C extends keyof Requests> = C extends keyof Replies ? Replies[C] : unknown;

function user({ uid, info }: Token.LoginReply | Token.CreateAccountReply): User {
  return { uid, info: JSON.parse(info.text) as Info };
}

function room({ roomId, info }: Token.EnterRoomReply | Token.CreateRoomReply): Room {
  return { roomId, info: JSON.parse(info.text) as Info };
}

/** An info as it is sent: absent is empty. */
function text(info: Info | undefined): string {
  return info === undefined ? "" : JSON.stringify(info);
}
