// One room: its messages as they come, who is in it, its settings, and how each dialect shows it.
import { html, useEffect, useRef, useState } from "../lib.js";
import { call, get, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { number, t } from "../i18n.js";
import { go, link } from "../route.js";
import { Views } from "../frames.js";
import { Alert, Button, Facts, ListEnd, PageHead, Pending, seconds, Share, Table, Tabs, Text, Time, useGet, useList } from "../ui.js";
import { announcementFields, MessageList } from "./messages.js";
import { SessionTable } from "./sessions.js";

const POLL_MS = 2000;
const SHOWN = 100;
// Seats that are counted by front end, at most.
const COUNTED = 10_000;

export function Room({ name, query }) {
  const room = useGet(path`/rooms/${name}`, undefined, 5000);
  const tabs = [
    may("moderator") && ["messages", t("messages"), () => html`<${Live} name=${name} />`],
    ["members", t("members"), () => html`<${Members} name=${name} />`],
    ["settings", t("settings"), () => html`<${Settings} room=${room} />`],
    may("moderator") && ["views", t("room.views"), () => html`<${RoomViews} name=${name} />`],
  ].filter(Boolean);
  return html`
    <${PageHead} title=${html`<${Text} value=${name} max=${80} />`} back=${[link(["rooms"]), t("nav.rooms")]}>
      ${may("operator") && html`<a class="button" href=${link(["tap"], { room: name })}>${t("nav.tap")}</a>`}
      ${may("moderator") && html`<button onClick=${() => announce(name)}>${t("announce")}</button>`}
      ${may("operator") && html`<button class="danger" onClick=${() => remove(name)}>${t("delete")}</button>`}
    <//>
    <${Pending} of=${room} />
    ${room.data && html`
      <${Facts} rows=${[
        [t("id"), room.data.room_id],
        [t("title"), html`<${Text} value=${room.data.title} />`],
        [t("owner"), html`<${Text} value=${room.data.owner} />`],
        [t("closed"), t(room.data.closed ? "yes" : "no")],
        [t("population"), html`<${Share} label=${t("population")} value=${room.data.population} limit=${room.data.capacity} />`],
      ]} />
      <${Tabs} label=${t("room.parts")} tabs=${tabs} chosen=${query.tab} address=${tab => link(["rooms", name], { tab })} />`}`;
}

function announce(room) {
  ask({
    title: t("announce.title", { room }), action: t("announce"), fields: announcementFields(),
    run: async ({ text, name }) => {
      const { rooms } = await call("POST", path`/rooms/${room}/announce`, { body: { text, name: name || undefined } });
      return t("announced", { rooms: number(rooms) });
    },
  });
}

function remove(name) {
  ask({
    title: t("room.delete", { name }), text: t("room.delete.text"), action: t("delete"), isDangerous: true,
    run: async () => {
      await call("DELETE", path`/rooms/${name}`);
      go(["rooms"]);
      return t("room.deleted", { name });
    },
  });
}

// The newest messages, asked for again and again, and older ones on demand.
function Live({ name }) {
  const [items, setItems] = useState(null);
  const [older, setOlder] = useState(undefined);
  const [problem, setProblem] = useState(null);
  const known = useRef([]);
  const show = messages => {
    known.current = messages;
    setItems(messages);
  };
  useEffect(() => {
    const abort = new AbortController();
    let timer;
    const poll = async () => {
      try {
        const page = await get(path`/rooms/${name}/messages`, { limit: SHOWN }, abort.signal);
        const first = page.items[0]?.id ?? Infinity;
        if (!known.current.length) setOlder(page.next);
        show([...known.current.filter(({ id }) => id < first), ...page.items]);
        setProblem(null);
      } catch (error) {
        if (error.name === "AbortError") return;
        setProblem(error);
      }
      timer = setTimeout(poll, POLL_MS);
    };
    poll();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [name]);
  const loadOlder = async () => {
    try {
      const page = await get(path`/rooms/${name}/messages`, { limit: SHOWN, before: older });
      setOlder(page.next);
      show([...page.items, ...known.current]);
    } catch (error) {
      setProblem(error);
    }
  };
  return html`
    <${Alert} problem=${problem} />
    ${items && html`<p class="muted">${t("messages.live")}</p>
      <${MessageList} items=${items.toReversed()} label=${t("messages")}
        onDeleted=${({ id }) => show(known.current.filter(message => message.id !== id))} />`}
    ${older !== undefined && html`<${Button} onClick=${loadOlder}>${t("messages.older")}<//>`}`;
}

// How many seats each front end has in the room.
function Seats({ name }) {
  const [counts, setCounts] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    const abort = new AbortController();
    count(name, abort.signal).then(setCounts, error => error.name === "AbortError" || setProblem(error));
    return () => abort.abort();
  }, [name]);
  if (problem) return html`<${Alert} problem=${problem} />`;
  if (!counts) return null;
  return html`<${Facts} rows=${[...counts].sort().map(([frontend, seats]) => [
    html`<${Text} value=${frontend} max=${30} />`, t("seats", { seats })])} />`;
}

async function count(room, signal) {
  const counts = new Map();
  let after;
  let seen = 0;
  do {
    const page = await get(path`/sessions`, { room, limit: 1000, after }, signal);
    for (const { frontend } of page.items) counts.set(frontend, (counts.get(frontend) ?? 0) + 1);
    seen += page.items.length;
    after = page.next;
  } while (after !== undefined && seen < COUNTED);
  return counts;
}

function Members({ name }) {
  const list = useList(path`/rooms/${name}/members`);
  const muted = new Map((list.page?.muted ?? []).map(user => [user.uid, user]));
  const all = [...list.items, ...[...muted.values()].filter(({ uid }) => !list.items.some(member => member.uid === uid))];
  return html`
    <h2>${t("members.seats")}</h2><${Seats} name=${name} />
    <${SessionTable} query=${{ room: name }} />
    <h2>${t("members.durable")}</h2>
    <${Table} label=${t("members.durable")} rows=${all} id=${row => row.uid} columns=${[
      { head: t("handle"), cell: row => html`<a href=${link(["users", row.uid])}><${Text} value=${row.handle} max=${60} /></a>` },
      { head: t("name"), cell: row => html`<${Text} value=${row.name} max=${60} />` },
      { head: "uid", cell: row => row.uid, number: true },
      { head: t("muted"), cell: row => muted.has(row.uid) ? mutedUntil(muted.get(row.uid)) : html`<span class="muted">–</span>` },
      may("moderator") && { cell: row => html`
        ${muted.has(row.uid)
          ? html`<button onClick=${() => unmute(name, row, list)} aria-label=${t("unmute.label", row)}>${t("unmute")}</button>`
          : html`<button onClick=${() => mute(name, row, list)} aria-label=${t("mute.label", row)}>${t("mute")}</button>`}
        <button class="danger" onClick=${() => kick(name, row, list)} aria-label=${t("kick.label", row)}>${t("kick")}</button>` },
    ].filter(Boolean)} />
    <${ListEnd} list=${list} />`;
}

function mutedUntil(user) {
  return user.until ? html`${t("until")} <${Time} at=${user.until} />` : t("until.lifted");
}

function mute(room, { uid, handle }, list) {
  ask({
    title: t("mute.title", { handle, room }), action: t("mute"),
    fields: [{ name: "hours", label: t("ttl.hours"), type: "number", hint: t("ttl.hint") }],
    run: async ({ hours }) => {
      await call("POST", path`/rooms/${room}/mute`, { body: { user: String(uid), ttl_s: seconds(hours) } });
      list.reload();
      return t("mute.done", { handle });
    },
  });
}

function unmute(room, { uid, handle }, list) {
  ask({
    title: t("unmute.title", { handle, room }), action: t("unmute"),
    run: async () => {
      await call("POST", path`/rooms/${room}/unmute`, { body: { user: String(uid) } });
      list.reload();
      return t("unmute.done", { handle });
    },
  });
}

function kick(room, { uid, handle }, list) {
  ask({
    title: t("kick.title", { handle, room }), action: t("kick"), isDangerous: true,
    fields: [{ name: "reason", label: t("reason"), hint: t("kick.hint") }],
    run: async ({ reason }) => {
      await call("POST", path`/rooms/${room}/kick`, { body: { user: String(uid), reason } });
      list.reload();
      return t("kick.done", { handle });
    },
  });
}

function Settings({ room }) {
  const { data } = room;
  const known = ["name", "room_id", "title", "description", "section", "capacity", "closed", "owner", "population"];
  const others = Object.entries(data).filter(([name]) => !known.includes(name));
  const change = () => ask({
    title: t("room.change"), action: t("save"),
    fields: [
      { name: "title", label: t("title"), value: data.title },
      { name: "section", label: t("section"), value: data.section },
      { name: "description", label: t("description"), type: "textarea", value: data.description },
    ],
    run: async body => {
      await call("PATCH", path`/rooms/${data.name}`, { body });
      room.reload();
      return t("saved");
    },
  });
  const give = () => ask({
    title: t("room.give"), action: t("save"),
    fields: [{ name: "owner", label: t("owner"), value: data.owner, hint: t("room.owner.hint") }],
    run: async ({ owner }) => {
      await call("PUT", path`/rooms/${data.name}/owner`, { body: { owner: owner || undefined } });
      room.reload();
      return t("saved");
    },
  });
  return html`
    <${Facts} rows=${[
      [t("title"), html`<${Text} value=${data.title} max=${300} />`],
      [t("section"), html`<${Text} value=${data.section} max=${300} />`],
      [t("description"), html`<${Text} value=${data.description} max=${500} lines more />`],
      [t("capacity"), number(data.capacity)],
      [t("owner"), html`<${Text} value=${data.owner} />`],
      ...others.map(([name, value]) => [name, html`<${Text} value=${JSON.stringify(value)} max=${300} />`]),
    ]} />
    <div class="actions">
      ${may("moderator") && html`<button onClick=${change}>${t("room.change")}</button>`}
      ${may("operator") && html`<button onClick=${give}>${t("room.give")}</button>`}
    </div>`;
}

function RoomViews({ name }) {
  const views = useGet(path`/rooms/${name}/views`);
  return html`<p class="muted">${t("room.views.text")}</p><${Pending} of=${views} />
    ${views.data && html`<${Views} items=${views.data.items} />`}`;
}
