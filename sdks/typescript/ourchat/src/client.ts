import { randomUUID } from "node:crypto";

import { Backoff } from "./backoff.js";
import { OurchatError } from "./error.js";
import { Feed } from "./feed.js";
import { ConnectionLost, Link, type LinkOptions } from "./link.js";
import type {
  AccountData,
  Account,
  Failure,
  FromClient,
  FromServer,
  Gap,
  GroupCreated,
  Kept,
  LoggedIn,
  Login,
  Registered,
  Sender,
  Status,
  Text,
  Verified,
} from "./messages.js";
import { Pending } from "./pending.js";
import { openWebSocket } from "./websocket.js";

/** A user: a number, or a string of digits where the gateway is configured so. */
export type Ocid = Sender["ocid"];

/** The recipient of a text: a group, or one user. */
export type To = { group_id: number } | { private_id: Ocid };

/**
 * A pushed event: a text, a new group with this user in it, or, with a `device`, texts that it missed and that are not
 * there any more.
 */
export type Pushed = Text | GroupCreated | Gap;

export interface ClientOptions extends LinkOptions {
  /** Where the gateway listens. Default `ws://127.0.0.1:7777`. */
  url?: string;
  /** Headers of the WebSocket's handshake. */
  headers?: Record<string, string>;
  /**
   * The name of this device, 1 to 64 bytes, the same each time: it then gets all that it has not had itself, whatever the
   * user's other devices have, and a `Gap` for what is missing of that.
   */
  device?: string;
}

/** How the reason begins where the gateway failed at a moment when the text may have been stored. */
const OUTCOME_UNKNOWN = "the outcome is unknown";

/** After a break a text may be sent again; of so many the client knows that it had them. */
const KNOWN_MAX = 16_384;

/** The messages that answer a request. */
type Answer = Exclude<FromServer, Failure>;

/**
 * A session of OurChat.
 *
 * The connection is made by the first call. When it breaks it is made again, and the client logs in anew; texts that came
 * meanwhile are then pushed, each once. What is called meanwhile waits for that. A `send` that was under way is repeated,
 * and the gateway stores the text once; other calls that were under way fail with {@link ConnectionLost}. Every method
 * throws {@link OurchatError} where the gateway says no.
 *
 * A text counts as received when every iteration over `pushed` has asked for what comes after it, or at once where there
 * is none; what the program had not come to when it ended is pushed again after its next login, with the same `cid`.
 */
export class OurchatClient {
  readonly #link: Link<FromServer, FromClient>;
  readonly #pending = new Pending<FromServer>();
  readonly #feed = new Feed<Pushed>();
  readonly #options: ClientOptions;
  /** The `cid` of texts that were pushed. */
  readonly #known = new Set<number>();
  readonly #patience = new Backoff();
  #account: Omit<Login, "code"> | undefined;
  #ocid: Ocid | undefined;
  /** How many accounts it has logged in as: what one has received says nothing of another. */
  #logins = 0;
  /** The `cid` up to which the program is done with the texts to this account. */
  #received = 0;

  constructor(options: ClientOptions = {}) {
    const { url = "ws://127.0.0.1:7777", headers = {} } = options;
    this.#options = options;
    this.#link = new Link(
      {
        open: (told) => openWebSocket(url, headers, told),
        greet: async () => {
          if (this.#account) await this.#login(this.#account);
        },
        message: (message) => this.#receive(message),
        lost: (why) => this.#pending.fail(why),
        isFinal: (error) => error instanceof OurchatError && error.code === 7 && error.state === 1,
      },
      options,
    );
  }

  /** Makes an account; gives its ocid. `name` is what others see, and who it is in other dialects if it is free. It logs in as it. */
  async register(email: string, password: string, name?: string): Promise<Ocid> {
    await this.#link.up();
    const request = { code: 4, email, password, ...(name !== undefined && { name }) } as const;
    const account = { login_type: 0, account: email, password } as const;
    this.#ocid = registered(await this.#signIn<Registered>(request, 5, account));
    return this.#ocid;
  }

  /** Logs in with an email; gives the ocid. Texts that arrived while the user was logged out are pushed after it. */
  async login(email: string, password: string): Promise<Ocid> {
    return await this.#logInAs({ login_type: 0, account: email, password });
  }

  /** Logs in with an ocid, as accounts that were made in other dialects do. */
  async loginByOcid(ocid: Ocid, password: string): Promise<Ocid> {
    return await this.#logInAs({ login_type: 1, account: String(ocid), password });
  }

  /**
   * Sends a text, once. Resolves with it when it is stored, with its `cid`.
   *
   * Where the connection breaks before the answer, it is sent again with the same `clientId`: a name for the text, 1 to
   * 200 bytes, of the client's own. Sent again by another run of the program, it is the same text for a day.
   */
  async send(to: To, msg: string, clientId: string = randomUUID()): Promise<Text> {
    const isAnswer = (message: FromServer): message is Kept => message.code === 19 && message.client_id === clientId;
    for (;;) {
      await this.#link.up();
      try {
        const sender = { ocid: this.ocid, ...to };
        this.#link.send({ code: 0, sender, msg, client_id: clientId });
        const { time, cid } = await this.#pending.answer(isAnswer);
        this.#patience.reset();
        return { code: 0, time, cid, sender, msg } as Text;
      } catch (error) {
        const isUnknown = error instanceof OurchatError && error.message.includes(OUTCOME_UNKNOWN);
        if (!isUnknown && !(error instanceof ConnectionLost)) throw error;
        this.#options.onTrouble?.(error);
        if (isUnknown) await this.#patience.wait(0, this.#link.closed);
      }
    }
  }

  /**
   * Makes a group of this user and others; gives its `group_id`. Asked for again within a day with the same `clientId`, 1
   * to 200 bytes, it is the same group.
   */
  async createGroup(members: Ocid[], name?: string, clientId?: string): Promise<number> {
    await this.#link.up();
    const named = { ...(name !== undefined && { name }), ...(clientId !== undefined && { client_id: clientId }) };
    const request = { code: 8, members, ...named } as FromClient;
    // To others in it, and other sessions of this user, the same code tells the members.
    const isReply = (message: FromServer): message is GroupCreated => message.code === 9 && message.members === undefined;
    this.#link.send(request);
    const { success, msg, group_id } = await this.#pending.answer(isReply);
    if (!success || group_id === undefined) throw new OurchatError(9, msg);
    return group_id;
  }

  /** What is known of an account, of what is asked for. */
  async account(ocid: Ocid, values: (keyof AccountData)[]): Promise<AccountData> {
    await this.#link.up();
    const { status, data } = await this.#ask<Account>({ code: 10, ocid, request_values: values }, 11);
    if (status !== 0) throw new OurchatError(11, "no such account", status);
    return data;
  }

  /** Whether the server is well: 0. */
  async status(): Promise<Status["status"]> {
    await this.#link.up();
    return (await this.#ask<Status>({ code: 12 }, 12)).status;
  }

  /** Asks that an email be verified. */
  async verify(): Promise<void> {
    await this.#link.up();
    await this.#ask<Verified>({ code: 14 }, 15);
  }

  /** What is pushed, the own texts too, from this call on. */
  pushed(): AsyncIterableIterator<Pushed> {
    return this.#feed.read(this.#link.closed, (reason) => reason instanceof ConnectionLost);
  }

  /** Hangs up. Iterations end. */
  close(): void {
    this.#link.close();
  }

  /** The ocid of the user. */
  get ocid(): Ocid {
    if (this.#ocid === undefined) throw new Error("not logged in: call login first");
    return this.#ocid;
  }

  async #logInAs(account: Omit<Login, "code">): Promise<Ocid> {
    await this.#link.up();
    return await this.#login(account);
  }

  async #login(account: Omit<Login, "code">): Promise<Ocid> {
    const { device } = this.#options;
    const login = { code: 6, ...account, ...(device !== undefined && { device }) } as const;
    this.#ocid = registered(await this.#signIn<LoggedIn>(login, 7, account));
    return this.#ocid;
  }

  /** From the first 17 on nothing else counts as received: no pong, which the library sends by itself. */
  async #signIn<A extends Registered | LoggedIn>(
    request: FromClient,
    code: A["code"],
    account: Omit<Login, "code">,
  ): Promise<A> {
    this.#link.send(request);
    this.#link.send({ code: 17, cid: this.#isCurrent(account) ? this.#received : 0 });
    return await this.#pending.answer((message): message is A => {
      if (message.code !== code) return false;
      // What follows at once is for this account.
      if ((message as A).state === 0) this.#become(account);
      return true;
    });
  }

  #become(account: Omit<Login, "code">): void {
    if (!this.#isCurrent(account)) {
      this.#logins += 1;
      this.#received = 0;
    }
    this.#account = account;
  }

  #isCurrent({ login_type, account }: Omit<Login, "code">): boolean {
    return this.#account?.login_type === login_type && this.#account.account === account;
  }

  async #ask<A extends Answer>(request: FromClient, code: A["code"]): Promise<A> {
    this.#link.send(request);
    return await this.#pending.answer((message): message is A => message.code === code);
  }

  /** Replies come in the order of the requests; an 18 is for the oldest. */
  #receive(message: FromServer): void {
    if (message.code === 18) {
      const error = new OurchatError(18, message.details);
      if (!this.#pending.refuse(error)) this.#options.onTrouble?.(error);
      return;
    }
    const isAnswer = this.#pending.take(message);
    if (message.code === 0) {
      if (this.#isNew(message.cid)) this.#push(message, message.cid);
    } else if (message.code === 16) {
      this.#push(message, message.before - 1);
    } else if (message.code === 9 && !isAnswer) {
      this.#feed.push(message);
    }
  }

  /** When the program is done with it, it has all up to this `cid`. */
  #push(message: Pushed, cid: number): void {
    const login = this.#logins;
    this.#feed.push(message, () => {
      if (login !== this.#logins || cid <= this.#received) return;
      this.#received = cid;
      try {
        this.#link.send({ code: 17, cid });
      } catch {
        // There is no connection now. The next login says it.
      }
    });
  }

  #isNew(cid: number): boolean {
    if (this.#known.has(cid)) return false;
    this.#known.add(cid);
    const [oldest] = this.#known;
    if (this.#known.size > KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
    return true;
  }
}

/** The ocid of a 5 or a 7. */
function registered({ code, state, details, ocid }: Registered | LoggedIn): Ocid {
  if (state !== 0 || ocid === undefined) {
    throw new OurchatError(code, details ?? "wrong account or password", state);
  }
  return ocid;
}
