// The page: entering, the room that is looked at, and what the user types.

import { Chat, codeOf, register, signIn, signOut } from "./chat.js";
import { bdi, h, isolated, setText, shown, sync } from "./dom.js";
import { draft, forget, keep, keepDraft, kept } from "./keep.js";
import { Log } from "./log.js";
import { RoomList } from "./rooms.js";
import { refusal, speak, spoken, t, translate } from "./words.js";

const PAGE = new URL(".", location.href);

/** The gateway below which the page is, and the WebSocket beside it. */
const URLS = {
  baseUrl: new URL("..", PAGE).href.replace(/\/$/, ""),
  webSocketUrl: new URL("socket", PAGE).href.replace(/^http/, "ws"),
};

/** How often the list of rooms is read while the page is in sight. */
const REFRESH_MS = 15_000;

/** The height of the box to type in, at most. */
const TEXT_PX_MAX = 200;

const $ = (id) => document.getElementById(id);

let chat;
/** The name of the room that is looked at. */
let current;
let isDue = false;

const log = new Log(
  { scroller: $("scroller"), list: $("log"), button: $("latest") },
  { retry: (entry) => chat.retry(room(), entry), discard: (entry) => chat.discard(room(), entry) },
);
const roomList = new RoomList({ joined: $("joined"), others: $("others"), note: $("rooms-note"), search: $("search") }, open);

function room() {
  return chat?.rooms.get(current);
}

/** Shows what has changed, soon: a thousand messages that were missed are drawn once. */
function changed() {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    render();
  }, 16);
}

function render() {
  if (!chat) return;
  const unread = [...chat.rooms.values()].reduce((sum, { unread }) => sum + unread, 0);
  document.title = (unread > 0 ? `(${unread}) ` : "") + t("title");
  const connection = chat.connection === "idle" && !chat.isReachable ? "offline" : chat.connection;
  setText($("connection"), connection === "idle" ? "" : t(connection));
  $("connection").dataset.state = connection;
  roomList.render(chat, current);
  if (room()) renderRoom(room());
  else if (current !== undefined) open(undefined);
}

function renderRoom(room) {
  log.render();
  const population = chat.list.find(({ name }) => name === room.name)?.population;
  setText($("population"), population === undefined ? "" : String(population));
  const isIn = room.state !== "out";
  $("outside").hidden = isIn;
  $("composer").hidden = !isIn;
  if (!isIn) setText($("outside-why"), t("notIn", { why: refusal(room.why) }));
  if ($("members").hidden) return;
  const names = [...room.members].sort((a, b) => a.localeCompare(b));
  const known = new Map([...$("member-list").children].map((item) => [item.dataset.name, item]));
  const item = (name) => {
    const you = name === chat.name ? h("span", { class: "hint" }, ` (${t("you")})`) : null;
    return known.get(name) ?? h("li", { "data-name": name }, bdi(name), you);
  };
  sync($("member-list"), names.map(item));
}

/** Looks at a room, and enters it where the user is not in it; undefined: at the list. */
function open(name) {
  const text = $("text");
  current = name;
  if (name !== undefined && !chat.rooms.has(name)) chat.join(name);
  document.body.dataset.view = name === undefined ? "rooms" : "room";
  if (name === undefined) {
    chat.view(undefined);
    return render();
  }
  keep((all) => (all.last = name));
  nameRoom();
  text.value = draft(name);
  fit();
  log.open(room(), room().unread > 0 ? room().read : undefined);
  look();
  render();
  if (isWide()) text.focus();
  else $("scroller").focus({ preventScroll: true });
}

/** Rooms and messages are beside each other. */
function isWide() {
  return matchMedia("(min-width: 641px)").matches;
}

function nameRoom() {
  const name = isolated(current);
  setText($("room-name"), shown(current));
  $("scroller").setAttribute("aria-label", t("messages", { room: name }));
  $("text").setAttribute("aria-label", t("write", { room: name }));
}

/** What is in sight has been read. */
function look() {
  chat?.view(document.visibilityState === "visible" ? room() : undefined);
  changed();
}

function showMembers(isShown) {
  $("members").hidden = !isShown;
  $("show-members").setAttribute("aria-expanded", String(isShown));
  render();
  $(isShown ? "hide-members" : "show-members").focus();
}

/** The box is as high as its text. */
function fit() {
  const text = $("text");
  text.style.height = "auto";
  const height = text.scrollHeight + text.offsetHeight - text.clientHeight;
  text.style.height = `${Math.min(height, TEXT_PX_MAX)}px`;
  text.style.overflowY = height > TEXT_PX_MAX ? "auto" : "hidden";
}

function send() {
  const text = $("text");
  if (text.value.trim() === "" || room()?.state === "out") return;
  chat.say(room(), text.value);
  text.value = "";
  keepDraft(current, "");
  fit();
}

function refresh() {
  if (document.visibilityState === "visible") chat?.refresh();
}

/** Begins as this user. */
function begin(name) {
  keep((all) => (all.name = name));
  const own = new Chat(name, URLS, { changed, denied: (why) => chat === own && denied(why) });
  chat = own;
  setText($("me"), shown(name));
  $("sign-out").hidden = false;
  chat.resume();
  const { last } = kept();
  open(chat.rooms.has(last) && isWide() ? last : undefined);
  refresh();
}

/** Back to the form, with what is kept. */
function end(why) {
  const name = chat?.name ?? "";
  chat?.close();
  chat = undefined;
  current = undefined;
  for (const id of ["joined", "others", "log", "member-list"]) $(id).replaceChildren();
  setText($("me"), "");
  setText($("connection"), "");
  document.title = t("title");
  $("sign-out").hidden = true;
  $("members").hidden = true;
  document.body.dataset.view = "enter";
  const form = $("enter");
  form.elements.password.value = "";
  form.elements.name.value ||= name;
  setText($("enter-error"), why ? refusal(why) : "");
}

/** The name needs a sign-in. */
function denied(why) {
  if (!chat) return;
  keep((all) => (all.name = ""));
  $("enter").elements.how.value = "sign-in";
  end(why);
  showFields();
}

function how() {
  return $("enter").elements.how.value;
}

/** The fields of the way in that was chosen. */
function showFields() {
  const form = $("enter");
  for (const label of form.querySelectorAll("[data-for]")) {
    const isUsed = label.dataset.for.split(" ").includes(how());
    label.hidden = !isUsed;
    label.querySelector("input").required = isUsed;
  }
  form.elements.password.autocomplete = how() === "register" ? "new-password" : "current-password";
  setText($("enter-hint"), how() === "guest" ? t("guestHint") : how() === "register" ? t("registerHint") : "");
}

/** The name of the user, by the way that was chosen. Throws what is refused. */
async function enter({ tel, name, password }) {
  if (how() === "guest") return name;
  if (how() === "register") await register(URLS, tel, name, password);
  return await signIn(URLS, tel, password);
}

/** Why what was typed cannot be right. */
function mistake({ tel, name }) {
  if (how() !== "guest" && !/^\d{1,20}$/.test(tel)) return t("badTel");
  if (how() !== "sign-in" && (!/^.{1,64}$/su.test(name) || /^(@|guest:)|\p{Cc}/u.test(name))) return t("badName");
  return undefined;
}

/** Runs what a form does, with its button off meanwhile, and shows why it failed. */
async function attempt(form, error, act) {
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  setText(error, "");
  try {
    await act();
  } catch (failure) {
    setText(error, refusal(codeOf(failure)));
  }
  button.disabled = false;
}

function submitEnter(event) {
  event.preventDefault();
  const { tel, name, password } = event.target.elements;
  const typed = { tel: tel.value.trim(), name: name.value.trim().normalize("NFC"), password: password.value };
  const wrong = mistake(typed);
  if (wrong) return setText($("enter-error"), wrong);
  attempt(event.target, $("enter-error"), async () => {
    begin(await enter(typed));
    if (current === undefined) $("search").focus();
  });
}

function submitCreate(event) {
  event.preventDefault();
  const input = event.target.elements.room;
  const name = input.value.trim().normalize("NFC");
  if (name === "") return input.focus();
  attempt(event.target, $("create-error"), async () => {
    await chat.create(name);
    input.value = "";
    open(name);
  });
}

function leave() {
  const name = current;
  open(undefined);
  chat.leave(name);
  $("search").focus();
}

/** The room above or below in the list of the user's. */
function step(by) {
  const names = [...chat.rooms.keys()];
  if (names.length > 0) open(names[(names.indexOf(current) + by + names.length) % names.length]);
}

function keyPressed(event) {
  if (!chat || event.isComposing) return;
  if (event.key === "Escape" && !$("members").hidden) showMembers(false);
  else if (event.key === "Escape" && current !== undefined && !isWide()) open(undefined);
  else if (event.altKey && event.key === "ArrowUp") step(-1);
  else if (event.altKey && event.key === "ArrowDown") step(1);
  else return;
  event.preventDefault();
}

function setLanguage(language) {
  speak(language);
  translate(document);
  showFields();
  setText($("enter-error"), "");
  $("member-list").replaceChildren();
  if (current !== undefined) nameRoom();
  changed();
}

function listen() {
  $("enter").addEventListener("submit", submitEnter);
  $("enter").addEventListener("change", showFields);
  $("create").addEventListener("submit", submitCreate);
  $("search").addEventListener("input", changed);
  $("leave").addEventListener("click", leave);
  $("back").addEventListener("click", () => open(undefined));
  $("join-again").addEventListener("click", () => chat.join(current));
  $("show-members").addEventListener("click", () => showMembers($("members").hidden));
  $("hide-members").addEventListener("click", () => showMembers(false));
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  $("text").addEventListener("input", () => {
    keepDraft(current, $("text").value);
    fit();
  });
  $("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  $("sign-out").addEventListener("click", () => {
    end();
    forget();
    $("enter").elements.name.value = "";
    signOut(PAGE).catch(() => {});
  });
  $("language").addEventListener("change", ({ target }) => {
    keep((all) => (all.language = target.value));
    setLanguage(target.value);
  });
  $("theme").addEventListener("change", ({ target }) => {
    keep((all) => (all.theme = target.value));
    document.documentElement.dataset.theme = target.value;
  });
  document.addEventListener("visibilitychange", () => (look(), refresh()));
  document.addEventListener("keydown", keyPressed);
  setInterval(refresh, REFRESH_MS);
}

const { language, theme, name } = kept();
document.documentElement.dataset.theme = theme;
$("theme").value = theme;
setLanguage(language || (navigator.language.startsWith("zh") ? "zh" : "en"));
$("language").value = spoken();
listen();
if (name) begin(name);
document.body.dataset.ready = "true";
