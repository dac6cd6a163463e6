// The list of rooms: those of the user first, then the others that fit what is searched for.

import { bdi, h, setText, sync } from "./dom.js";
import { t } from "./words.js";

/** Of the other rooms; the rest is found by searching. */
const SHOWN_MAX = 100;

export class RoomList {
  #joined;
  #others;
  #note;
  #search;
  #open;
  #items = new Map();

  /** `open(name)`: the user picked this room. */
  constructor({ joined, others, note, search }, open) {
    this.#joined = joined;
    this.#others = others;
    this.#note = note;
    this.#search = search;
    this.#open = open;
  }

  render(chat, current) {
    const wanted = this.#search.value.trim().toLocaleLowerCase();
    const fits = (name) => wanted === "" || name.toLocaleLowerCase().includes(wanted);
    const population = new Map(chat.list.map((room) => [room.name, room.population]));
    const items = new Map();
    const show = (name) => {
      const item = this.#items.get(name) ?? this.#item(name);
      item.update(chat.rooms.get(name), population.get(name), name === current);
      items.set(name, item);
      return item.element;
    };
    const joined = [...chat.rooms.keys()].filter(fits).map(show);
    const others = chat.list.filter(({ name }) => !chat.rooms.has(name) && fits(name));
    sync(this.#joined, joined);
    sync(this.#others, others.slice(0, SHOWN_MAX).map(({ name }) => show(name)));
    const more = others.length - SHOWN_MAX;
    const isEmpty = joined.length + others.length === 0;
    setText(this.#note, more > 0 ? t("moreRooms", { n: more }) : isEmpty && wanted !== "" ? t("noRooms") : "");
    this.#items = items;
  }

  #item(name) {
    const count = number("population");
    const unread = number("unread");
    const button = h("button", { type: "button", click: () => this.#open(name) }, bdi(name), unread.element, count.element);
    const element = h("li", {}, button);
    const update = (room, population, isCurrent) => {
      const isUnread = room !== undefined && room.unread > 0;
      count.set(population, "inRoom");
      unread.set(isUnread ? room.unread : undefined, "unread");
      element.className = room?.state ?? "";
      if (isCurrent) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    };
    return { element, update };
  }
}

/** A number that is seen, with the words to it for those who hear it. */
function number(kind) {
  const seen = h("span", { "aria-hidden": "true" });
  const heard = h("span", { class: "hidden" });
  const element = h("span", { class: kind }, seen, heard);
  const set = (n, key) => {
    element.hidden = n === undefined;
    setText(seen, n === undefined ? "" : String(n));
    setText(heard, n === undefined ? "" : `, ${t(key, { n })}`);
  };
  return { element, set };
}
