// The messages of the room that the user looks at.

import { bdi, color, h, phrase, sync } from "./dom.js";
import { refusal, spoken, t } from "./words.js";

/** Entries that are shown at first, and further ones with each page. */
const PAGE = 80;

/** A message of the same author within this time has no head of its own. */
const GROUP_MS = 5 * 60_000;

/** From this length on a message is folded. */
const FOLD_CHARS = 1500;
const FOLD_LINES = 20;

/** The end of the messages is in sight, give or take this many pixels. */
const NEAR = 60;

/** Names that a notice shows; the others are counted. */
const NAMES = 3;

export class Log {
  #scroller;
  #list;
  #button;
  #actions;
  #room;
  #size = PAGE;
  /** The message after which all was new when the room was opened. */
  #mark;
  #items = new Map();
  #keys = new WeakMap();
  #nextKey = 0;
  #language = "";
  #isAtEnd = true;

  /** `actions`: `retry(entry)`, `discard(entry)`. */
  constructor({ scroller, list, button }, actions) {
    this.#scroller = scroller;
    this.#list = list;
    this.#button = button;
    this.#actions = actions;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => this.#toEnd());
    new ResizeObserver(() => this.#isAtEnd && this.#toEnd()).observe(scroller);
  }

  /** Shows another room, from its end. `mark`: the newest message that the user has seen. */
  open(room, mark) {
    this.#room = room;
    this.#mark = mark;
    this.#size = PAGE;
    this.#items = new Map();
    this.#isAtEnd = true;
    // What is there already is not to be read out as news.
    this.#scroller.setAttribute("aria-busy", "true");
    this.#list.replaceChildren();
    this.render();
    this.#scroller.setAttribute("aria-busy", "false");
  }

  render() {
    if (this.#language !== spoken()) {
      this.#language = spoken();
      this.#items = new Map();
    }
    const items = new Map();
    for (const [key, make] of this.#wanted()) {
      const item = this.#items.get(key) ?? make();
      items.set(key, item);
      item.update?.();
    }
    this.#items = items;
    sync(this.#list, Array.from(items.values(), (item) => item.element));
    if (this.#isAtEnd) this.#toEnd();
  }

  /** The items in order, each with what makes it where it is not there yet. */
  *#wanted() {
    const { entries, state } = this.#room;
    const from = Math.max(0, entries.length - this.#size);
    if (from > 0) yield ["earlier", () => this.#earlier()];
    else if (state === "in" && entries[0]?.kind === "message") yield ["beginning", () => line("note", t("beginning"))];
    let before;
    let isMarked = this.#mark === undefined;
    for (let at = from; at < entries.length; at += 1) {
      const entry = entries[at];
      const day = entry.time && new Date(entry.time).toDateString();
      if (day && day !== before?.day) yield [`day ${day}`, () => line("day", date(entry.time))];
      if (!isMarked && entry.id > this.#mark && !entry.own && entry.kind === "message") {
        isMarked = true;
        yield ["mark", () => line("mark", t("newMessages"))];
        before = undefined;
      }
      if (entry.kind === "message") yield this.#message(entry, before);
      else if (entry.kind === "gap") yield [this.#key(entry), () => gap(entry)];
      else {
        const notices = [entry];
        while (entries[at + 1]?.kind === entry.kind) notices.push(entries[(at += 1)]);
        yield [`${this.#key(entry)} ${notices.length}`, () => notice(entry.kind, notices)];
      }
      before = { ...entry, day: day ?? before?.day };
    }
  }

  #message(entry, before) {
    const isFirst =
      before?.kind !== "message" || before.author !== entry.author || entry.time - before.time > GROUP_MS;
    const key = this.#key(entry);
    const item = this.#items.get(key) ?? message(entry, this.#actions);
    item.element.classList.toggle("first", isFirst);
    return [key, () => item];
  }

  #key(entry) {
    if (!this.#keys.has(entry)) this.#keys.set(entry, `entry ${(this.#nextKey += 1)}`);
    return this.#keys.get(entry);
  }

  #earlier() {
    const button = h("button", { type: "button", click: () => this.#more() }, t("earlier"));
    return { element: h("li", { class: "note" }, button) };
  }

  /** A page more, with what is in sight where it is. */
  #more() {
    const fromEnd = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    const hadFocus = this.#list.querySelector(".note button") === document.activeElement;
    this.#size += PAGE;
    this.render();
    this.#scroller.scrollTop = this.#scroller.scrollHeight - fromEnd;
    if (hadFocus) (this.#list.querySelector(".note button") ?? this.#scroller).focus({ preventScroll: true });
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#button.hidden = this.#isAtEnd;
    if (scrollTop < NEAR && this.#room && this.#size < this.#room.entries.length && scrollHeight > clientHeight) this.#more();
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#isAtEnd = true;
    this.#button.hidden = true;
  }
}

function line(kind, text) {
  return { element: h("li", { class: kind }, h("span", {}, text)) };
}

function gap({ count }) {
  return line("gap", count == null ? t("gapUnknown") : t("gap", { n: count }));
}

/** Who came or went, one after the other. */
function notice(kind, entries) {
  const names = [...new Set(entries.map((entry) => entry.author))];
  const some = h("span", {}, ...names.slice(0, NAMES).flatMap((name, nth) => [nth ? ", " : "", bdi(name)]));
  const more = names.length - NAMES;
  const all = h("span", {}, ...(more > 0 ? phrase((marks) => t("andMore", { ...marks, n: more }), { names: some }) : [some]));
  return { element: h("li", { class: "notice" }, ...phrase((marks) => t(kind, marks), { names: all })) };
}

/** A message; `update` follows its state. */
function message(entry, actions) {
  const time = h("time");
  const author = bdi(entry.author, { class: `author ${color(entry.author)}` });
  const state = h("div", { class: "state" });
  const element = h(
    "li",
    { class: entry.own ? "message own" : "message" },
    h("div", { class: "head" }, author, " ", time),
    ...text(entry.text),
    state,
  );
  let seen;
  const update = () => {
    const now = `${entry.state} ${entry.why} ${entry.time}`;
    if (now === seen) return;
    seen = now;
    const at = new Date(entry.time);
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString(spoken(), { hour: "2-digit", minute: "2-digit" });
    time.title = at.toLocaleString(spoken());
    element.dataset.state = entry.state ?? "sent";
    state.replaceChildren(...stateOf(entry, actions));
  };
  return { element, update };
}

function stateOf(entry, { retry, discard }) {
  if (entry.state === "sending") return [t("sending")];
  if (entry.state !== "failed") return entry.own ? [h("span", { class: "hidden" }, t("sent"))] : [];
  const button = (key, act) => h("button", { type: "button", click: () => act(entry) }, t(key));
  return [h("span", {}, t("failed", { why: refusal(entry.why) })), " ", button("retry", retry), " ", button("discard", discard)];
}

/** The text, folded where it is long. */
function text(words) {
  const body = bdi(words, { class: "text" });
  if (words.length < FOLD_CHARS && words.split("\n", FOLD_LINES).length < FOLD_LINES) return [body];
  body.classList.add("folded");
  const button = h("button", { type: "button", class: "fold", "aria-expanded": "false" }, t("showAll"));
  button.addEventListener("click", () => {
    const isFolded = body.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(!isFolded));
    button.textContent = t(isFolded ? "showAll" : "showLess");
  });
  return [body, button];
}

function date(time) {
  return new Date(time).toLocaleDateString(spoken(), { weekday: "long", year: "numeric", month: "long", day: "numeric" });
}
