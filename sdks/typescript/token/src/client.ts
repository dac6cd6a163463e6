import { randomUUID } from "node:crypto";
import { connect } from "node:net";

import { type Requests, Token } from "../generated/token.cjs";
import { Backoff } from "./backoff.js";
import { TokenError } from "./error.js";
import { Feed } from "./feed.js";
import { bigAtStart, Cutter, decode, encode, type Message, type Notification, notification } from "./frames.js";
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

/** What a client asks to catch up from that wants nothing of the past. */
const BEGIN_NOW = Number.MAX_SAFE_INTEGER;

const CATCH_UP_REPLY = 0x8000 + 11;

/** How the reason begins where the gateway failed at a moment when the request may have been done. */
const OUTCOME_UNKNOWN = "the outcome is unknown";

/** A room whose missed messages are on their way. */
interface CatchingUp {
  /** How many still follow the last reply. */
  left: number;
  more: boolean;
  cursor: number;
  /** What was posted meanwhile. */
  held: Message[];
  /** Of the last reply: all that follows it has come. */
  done?: { resolve(): void; reject(why: Error): void };
}

interface Waiting {
  resolve(content: Token.Content): void;
  reject(why: Error): void;
}

/**
 * A connection of the token dialect, and the user who logged in on it.
 *
 * The connection is made by the first call. When it breaks it is made again: the client logs in anew, enters its rooms
 * again and gets what was posted there meanwhile, each message once. What is called meanwhile waits for that. A `post`
 * that was under way is repeated, and the gateway posts it once; other calls that were under way fail with
 * {@link ConnectionLost}. Every method throws {@link TokenError} where the gateway says no.
 */
export class TokenClient {
  readonly #options: ClientOptions;
  readonly #link: Link<Buffer, Buffer>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #feed = new Feed<Notification>();
  readonly #rooms = new Set<number>();
  /** Up to which message those of a room have come. */
  readonly #newest = new Map<number, number>();
  readonly #catchingUp = new Map<number, CatchingUp>();
  readonly #patience = new Backoff();
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

  /**
   * Creates a room that belongs to the token's user, once. `info.name`, `section` and `description` are the room's.
   *
   * Where the connection breaks before the answer, it is asked for again with the same `clientId`, as in `post`.
   */
  async createRoom(token: bigint, info?: Info, appCode = 0, clientId: string = randomUUID()): Promise<Room> {
    return room(await this.#askOnce(13, { appCode, token, clientId, info: text(info) }));
  }

  /**
   * Enters a room: what happens in it comes from now on, and what is posted while the connection is broken.
   * `since`: the id of a message; what was posted after it comes first. 0 for all that there is.
   */
  async enterRoom(roomId: number, since?: number): Promise<Room> {
    await this.#link.up();
    const known = this.#rooms.has(roomId) ? this.#newest.get(roomId) : undefined;
    const entered = await this.#enter(roomId, since ?? known);
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

  /**
   * Says something in a room that was entered, once; gives the message's id.
   *
   * Where the connection breaks before the answer, it is sent again with the same `clientId`: a name for the message,
   * 1 to 200 bytes, of the client's own. Sent again by another run of the program, it is the same message for a day.
   */
  async post(roomId: number, text: string, clientId: string = randomUUID()): Promise<number> {
    return (await this.#askOnce(12, { roomId, clientId, text })).messageId;
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
        await this.#enter(roomId, this.#newest.get(roomId));
      } catch (error) {
        // A room that is gone or full does not keep the client from the others.
        if (!(error instanceof TokenError)) throw error;
        this.#rooms.delete(roomId);
        this.#options.onTrouble?.(error);
      }
    }
  }

  /** Enters a room, and catches up with what came after `since`, else with what comes from now on. */
  async #enter(roomId: number, since: number | undefined): Promise<Room> {
    if (!(this.#options.messages ?? true)) return room((await this.#ask(4, { roomId })).body as Token.EnterRoomReply);
    const catchUp = (after: number) => this.#ask(11, { roomId, after, limit: 0 });
    const newest = since ?? ((await catchUp(BEGIN_NOW)).body as Token.CatchUpReply).cursor;
    this.#newest.set(roomId, newest);
    const state: CatchingUp = { left: 0, more: true, cursor: newest, held: [] };
    this.#catchingUp.set(roomId, state);
    try {
      const { body } = await this.#ask(4, { roomId });
      while (state.more) {
        const done = new Promise<void>((resolve, reject) => (state.done = { resolve, reject }));
        done.catch(() => {});
        await catchUp(this.#newest.get(roomId) ?? newest);
        await done;
      }
      return room(body as Token.EnterRoomReply);
    } finally {
      if (this.#catchingUp.get(roomId) === state) this.#release(roomId, state);
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

  /** Sends a request that has a `clientId` until its outcome is known; resolves with the body of its success. */
  async #askOnce<C extends keyof Requests>(command: C, fields: Requests[C]): Promise<Done<C>> {
    for (;;) {
      await this.#link.up();
      try {
        const { body } = await this.#ask(command, fields);
        this.#patience.reset();
        return body as Done<C>;
      } catch (error) {
        const isUnknown = error instanceof TokenError && error.message.startsWith(OUTCOME_UNKNOWN);
        if (!isUnknown && !(error instanceof ConnectionLost)) throw error;
        this.#options.onTrouble?.(error);
        if (isUnknown) await this.#patience.wait(0, this.#link.closed);
      }
    }
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
      if (told?.kind === "message") this.#hear(told);
      else if (told) this.#feed.push(told);
      return;
    }
    if ((content.command as number) === CATCH_UP_REPLY && content.result === Token.Result.OK) {
      this.#beginToCatchUp(content.body as Token.CatchUpReply);
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

  /** The missed messages follow this reply at once; the others of the room wait for them. */
  #beginToCatchUp({ roomId, count, more, gapBefore, gapCount, cursor }: Token.CatchUpReply): void {
    const state = this.#catchingUp.get(roomId);
    if (!state) return;
    Object.assign(state, { left: count, more: more === 1, cursor });
    if (gapBefore !== 0) {
      const after = this.#newest.get(roomId) ?? 0;
      this.#feed.push({ kind: "gap", roomId, after, before: gapBefore, ...(gapCount !== 0 && { count: gapCount }) });
    }
    this.#endOfBatch(roomId, state);
  }

  #hear(message: Message): void {
    const state = this.#catchingUp.get(message.roomId);
    if (state?.left === 0) {
      state.held.push(message);
      return;
    }
    this.#passOn(message);
    if (!state) return;
    state.left -= 1;
    this.#endOfBatch(message.roomId, state);
  }

  #endOfBatch(roomId: number, state: CatchingUp): void {
    if (state.left > 0) return;
    if (!state.more) this.#release(roomId, state);
    state.done?.resolve();
  }

  /** What waited for the missed messages. */
  #release(roomId: number, state: CatchingUp): void {
    this.#catchingUp.delete(roomId);
    for (const message of state.held) this.#passOn(message);
    if (!state.more) this.#newest.set(roomId, Math.max(this.#newest.get(roomId) ?? 0, state.cursor));
  }

  /** What is caught up with may come twice. Within a room, ids ascend. */
  #passOn(message: Message): void {
    if (message.messageId <= (this.#newest.get(message.roomId) ?? -1)) return;
    this.#newest.set(message.roomId, message.messageId);
    this.#feed.push(message);
  }

  #fail(why: Error): void {
    for (const state of this.#catchingUp.values()) {
      // They come again on the next connection.
      state.held.length = 0;
      state.done?.reject(why);
    }
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
  11: Token.CatchUpReply;
  12: Token.PostOnceReply;
  13: Token.CreateRoomOnceReply;
}
type Done<C extends keyof Requests> = C extends keyof Replies ? Replies[C] : unknown;

function user({ uid, info }: Token.LoginReply | Token.CreateAccountReply): User {
  return { uid, info: JSON.parse(info.text) as Info };
}

function room({ roomId, info }: Token.EnterRoomReply | Token.CreateRoomOnceReply): Room {
  return { roomId, info: JSON.parse(info.text) as Info };
}

/** An info as it is sent: absent is empty. */
function text(info: Info | undefined): string {
  return info === undefined ? "" : JSON.stringify(info);
}
