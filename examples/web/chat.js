// The rooms of a user and what is said in them, over the SDK. Knows nothing of the page.

import { dropUnanswered, forgetRoom, keep, keepRead, keepUnanswered, kept, newestRead } from "./keep.js";
import { Backoff, ChatroomClient, ChatroomError } from "./sdk.js";

/** The entries of a room that are kept in memory. */
const ENTRIES_MAX = 3000;

/** Of those who are in a room. */
const MEMBERS_MAX = 1000;

/** What a refusal or a failure is called, as `refusal` of words.js has it. */
export function codeOf(error) {
  return error instanceof ChatroomError ? error.code : "unreachable";
}

/** A name for a message. The API that makes UUIDs is missing on pages without https. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Resolves when every packet that has come was read: the client tells of a join before its reader has the packets. */
function allRead() {
  return new Promise((resolve) => setTimeout(resolve));
}

/** A room that the user is in, or was. */
class Room {
  /** "joining", "in", or "out" with the reason in `why`. */
  state = "joining";
  why = "";
  /**
   * In the order in which they are shown: `{kind: "message", id, time, author, text, own, state, why, clientId}`,
   * where `state` is "sending" or "failed" until the message is in the room; `{kind: "gap", id, count}`;
   * `{kind: "joined" | "left", author}`.
   */
  entries = [];
  members = new Set();
  unread = 0;
  /** The newest message that there is, and that was seen. */
  newest = 0;
  read;
  /** The user looks at it. */
  isViewed = false;
  /** What comes is being said now, and not caught up with. */
  isLive = false;

  constructor(name) {
    this.name = name;
    this.read = newestRead(name);
  }

  /** Puts an entry after those with smaller ids. What has no answer yet stays last. */
  insert(entry) {
    let at = this.entries.length;
    while (at > 0 && isAfter(this.entries[at - 1], entry)) at -= 1;
    this.entries.splice(at, 0, entry);
    if (this.entries.length > ENTRIES_MAX) this.#forgetOldest();
  }

  has(id) {
    return this.entries.findLast((entry) => entry.kind === "message" && entry.id === id);
  }

  remove(entry) {
    const at = this.entries.indexOf(entry);
    if (at >= 0) this.entries.splice(at, 1);
  }

  #forgetOldest() {
    const gone = this.entries.splice(0, this.entries.length - ENTRIES_MAX + 1);
    const count = gone.reduce((sum, { kind, count }) => sum + (kind === "gap" ? (count ?? NaN) : kind === "message"), 0);
    this.entries.unshift({ kind: "gap", id: 0, count: Number.isNaN(count) ? undefined : count });
  }
}

function isAfter(entry, other) {
  const isOpen = entry.kind === "message" && entry.id === undefined;
  return isOpen ? other.id !== undefined || other.kind !== "message" : entry.id > other.id;
}

export class Chat {
  rooms = new Map();
  /** Every room there is: `{name, population}`. */
  list = [];
  /** "idle" without a room, "connecting", "online" or "offline". */
  connection = "idle";
  isReachable = true;
  #client;
  #changed;
  #denied;

  /** `changed()` is called after each change, `denied(code)` when the name needs a sign-in. */
  constructor(name, urls, { changed, denied }) {
    this.name = name;
    this.#changed = changed;
    this.#denied = denied;
    this.#client = clientOf(urls, {
      onTrouble: (error) => this.#trouble(error),
      onReconnect: () => this.#back(),
      onRoomLost: (room, error) => this.#lose(room, codeOf(error)),
    });
    this.#client.beGuest(name);
    this.#read();
  }

  /** Enters the rooms of before, with the messages that had no answer. */
  resume() {
    const { rooms, outbox } = kept();
    for (const name of rooms) this.join(name);
    for (const { room, clientId, text, time } of outbox) {
      const unanswered = { kind: "message", author: this.name, text, own: true, time, clientId };
      this.rooms.get(room)?.insert({ ...unanswered, state: "failed", why: "interrupted" });
    }
  }

  /** Reads the list of rooms again. What fails shows in `isReachable`. */
  async refresh() {
    try {
      this.list = await this.#client.rooms();
      this.isReachable = true;
    } catch {
      this.isReachable = false;
    }
    this.#changed();
  }

  async create(name) {
    await this.#client.createRoom(name);
    this.join(name);
  }

  /** Enters a room, until it works or is refused. */
  async join(name) {
    const room = this.rooms.get(name) ?? new Room(name);
    this.rooms.set(name, room);
    room.state = "joining";
    if (this.connection === "idle") this.connection = "connecting";
    keep((all) => (all.rooms = [...this.rooms.keys()]));
    this.#changed();
    for (const patience = new Backoff({ firstMs: 500 }); this.rooms.get(name) === room; await patience.wait()) {
      try {
        await this.#client.join(name, room.newest);
        return await this.#arrive(room);
      } catch (error) {
        if (error instanceof ChatroomError && !error.isPassing) return this.#lose(name, error.code);
        this.#become("offline");
      }
    }
  }

  leave(name) {
    const room = this.rooms.get(name);
    this.rooms.delete(name);
    keep((all) => (all.rooms = [...this.rooms.keys()]));
    forgetRoom(name);
    if (room.state === "in") this.#client.leave(name).catch(() => {});
    if (this.rooms.size === 0) this.connection = "idle";
    this.#changed();
  }

  say(room, text) {
    const entry = { kind: "message", author: this.name, text, own: true, time: Date.now(), clientId: newId() };
    keepUnanswered({ room: room.name, ...entry });
    room.insert(entry);
    this.#deliver(room, entry);
  }

  /** The same message, if it is in the room already. The button may be pressed again before it is gone. */
  retry(room, entry) {
    if (entry.state === "failed") this.#deliver(room, entry);
  }

  discard(room, entry) {
    dropUnanswered(entry.clientId);
    room.remove(entry);
    this.#changed();
  }

  /** The user looks at this room, or at none. */
  view(viewed) {
    for (const room of this.rooms.values()) {
      room.isViewed = room === viewed;
      if (room.isViewed) this.#see(room);
    }
  }

  close() {
    this.rooms.clear();
    this.#client.close();
  }

  async #deliver(room, entry) {
    entry.state = "sending";
    this.#changed();
    try {
      const id = await this.#client.say(room.name, entry.text, entry.clientId);
      this.#settle(room, entry, id, entry.time);
    } catch (error) {
      if (entry.id !== undefined) return;
      entry.state = "failed";
      entry.why = codeOf(error);
      if (entry.why === "user not exist" && room.state === "in") this.#lose(room.name, entry.why);
      if (entry.why === "not signed in") this.#denied(entry.why);
    }
    this.#changed();
  }

  /** The message is in the room. */
  #settle(room, entry, id, time) {
    dropUnanswered(entry.clientId);
    entry.state = undefined;
    if (entry.id !== undefined) return;
    room.remove(entry);
    if (room.has(id)) return;
    room.insert(Object.assign(entry, { id, time }));
    this.#note(room, id);
  }

  async #read() {
    try {
      for await (const packet of this.#client.packets()) {
        const room = this.rooms.get(packet.data.room_name);
        if (room) this.#take(room, packet);
        this.#changed();
      }
    } catch (error) {
      for (const room of this.rooms.values()) this.#lose(room.name, codeOf(error));
    }
  }

  #take(room, { type, data }) {
    if (type === "msg") this.#hear(room, data);
    else if (type === "gap") room.insert({ kind: "gap", id: data.after + 0.5, count: data.count ?? undefined });
    else this.#meet(room, data.user.user_name, data.msg !== "leave");
  }

  #hear(room, { id, time, msg: text, user: { user_name: author } }) {
    const own = author === this.name;
    const sameText = (entry) => entry.state === "sending" && entry.id === undefined && entry.text === text;
    const sent = own && room.entries.find(sameText);
    const known = room.has(id);
    if (known) known.time = time;
    else if (sent) this.#settle(room, sent, id, time);
    else room.insert({ kind: "message", id, time, author, text, own });
    this.#note(room, id);
    if (room.isLive) this.#add(room, author);
    // What is caught up with is seen in one, when it is all there.
    if (room.isViewed && room.isLive) this.#see(room);
    else if (!room.isViewed && !own && !known && room.read !== undefined && id > room.read) room.unread += 1;
  }

  /** A member came or went. Its own coming is no news for the user. */
  #meet(room, author, comes) {
    if (comes) this.#add(room, author);
    else room.members.delete(author);
    if (author === this.name && comes) return;
    const listed = this.list.find(({ name }) => name === room.name);
    if (listed && author !== this.name) listed.population = Math.max(0, listed.population + (comes ? 1 : -1));
    room.insert({ kind: comes ? "joined" : "left", author, time: Date.now() });
  }

  #add(room, author) {
    if (room.members.size < MEMBERS_MAX) room.members.add(author);
  }

  #note(room, id) {
    room.newest = Math.max(room.newest, id);
  }

  #see(room) {
    room.unread = 0;
    room.read = Math.max(room.read ?? 0, room.newest);
    keepRead(room.name, room.read);
  }

  /** What was there before the user first came counts as seen. */
  async #arrive(room) {
    await allRead();
    if (this.rooms.get(room.name) !== room) return this.#client.leave(room.name);
    Object.assign(room, { state: "in", isLive: true });
    if (room.read === undefined || room.isViewed) this.#see(room);
    this.#become("online");
    // Its population is another.
    await this.refresh();
  }

  #lose(name, why) {
    const room = this.rooms.get(name);
    if (!room) return;
    Object.assign(room, { state: "out", why, isLive: false });
    room.members.clear();
    if (why === "not signed in") this.#denied(why);
    this.#changed();
  }

  #trouble(error) {
    if (error instanceof ChatroomError) return;
    for (const room of this.rooms.values()) {
      room.members.clear();
      room.isLive = false;
    }
    this.#become("offline");
  }

  async #back() {
    await allRead();
    for (const room of this.rooms.values()) {
      room.isLive = room.state === "in";
      if (room.isViewed) this.#see(room);
    }
    this.#become("online");
  }

  #become(connection) {
    this.connection = this.rooms.size === 0 ? "idle" : connection;
    this.#changed();
  }
}

function clientOf({ baseUrl, webSocketUrl }, options = {}) {
  return new ChatroomClient({ baseUrl, webSocketUrl, ...options });
}

/** Signs in; gives the name of the account. The cookie is the proof from then on. */
export async function signIn(urls, tel, password) {
  const { user_name } = await clientOf(urls).login(tel, password);
  return user_name;
}

export async function register(urls, tel, name, password) {
  await clientOf(urls).register(tel, name, password);
}

/** Has the browser forget the cookie. */
export async function signOut(page) {
  await fetch(new URL("sign_out", page), { method: "POST" });
}
