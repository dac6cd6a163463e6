// What the page keeps in the browser: choices, rooms, drafts and messages without an answer. No password and no token:
// the cookie of a sign-in is the browser's, and scripts cannot read it.

/** One gateway may serve several pages from one origin. */
const KEY = `dragoman-chat ${location.pathname}`;

/** Of a draft, and of a message without an answer, so that the browser's space is not used up. */
const TEXT_MAX = 20_000;
const OUTBOX_MAX = 50;

const EMPTY = {
  language: "",
  theme: "",
  /** Who the user was; it enters again with the page. */
  name: "",
  rooms: [],
  /** The room that was looked at. */
  last: "",
  /** The newest message that was seen, and the draft, by room: see `by`. */
  read: {},
  drafts: {},
  /** `{room, clientId, text, time}`, until there is an answer. */
  outbox: [],
};

/** What is kept. Another window may have changed it. */
export function kept() {
  try {
    return { ...structuredClone(EMPTY), ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return structuredClone(EMPTY);
  }
}

/** Changes what is kept. A browser that keeps nothing forgets it with the page. */
export function keep(change) {
  const all = kept();
  change(all);
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // The page works without it.
  }
}

/** The key of a room, which may be called `__proto__`. */
const by = (room) => `#${room}`;

export function keepDraft(room, text) {
  keep((all) => {
    if (text === "") delete all.drafts[by(room)];
    else all.drafts[by(room)] = text.slice(0, TEXT_MAX);
  });
}

export function draft(room) {
  return kept().drafts[by(room)] ?? "";
}

export function keepRead(room, id) {
  keep((all) => {
    if (id > (all.read[by(room)] ?? -1)) all.read[by(room)] = id;
  });
}

/** Undefined: the room was never looked at. */
export function newestRead(room) {
  return kept().read[by(room)];
}

export function keepUnanswered({ room, clientId, text, time }) {
  if (text.length > TEXT_MAX) return;
  keep((all) => {
    all.outbox = [...all.outbox.filter((one) => one.clientId !== clientId), { room, clientId, text, time }];
    all.outbox = all.outbox.slice(-OUTBOX_MAX);
  });
}

export function dropUnanswered(clientId) {
  keep((all) => (all.outbox = all.outbox.filter((one) => one.clientId !== clientId)));
}

/** The user has left a room. */
export function forgetRoom(room) {
  keep((all) => {
    delete all.read[by(room)];
    delete all.drafts[by(room)];
    all.outbox = all.outbox.filter((one) => one.room !== room);
  });
}

/** Forgets the user, but not the language and the colors. */
export function forget() {
  keep((all) => Object.assign(all, structuredClone(EMPTY), { language: all.language, theme: all.theme }));
}
