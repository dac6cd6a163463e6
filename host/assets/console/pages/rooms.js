// Rooms, and the search in their messages.
import { html } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { number, t } from "../i18n.js";
import { go, link } from "../route.js";
import { Filters, ListEnd, PageHead, Share, Table, Tabs, Text, useList } from "../ui.js";
import { Messages, announcementFields } from "./messages.js";
import { Room } from "./room.js";

export function Rooms({ steps, query }) {
  if (steps.length) return html`<${Room} name=${steps[0]} query=${query} />`;
  const tabs = [["list", t("nav.rooms"), () => html`<${List} query=${query} />`]];
  if (may("moderator")) tabs.push(["messages", t("messages.search"), () => html`<${Search} query=${query} />`]);
  return html`
    <${PageHead} title=${t("nav.rooms")}>
      ${may("operator") && html`<button onClick=${announceToAll}>${t("announce.all")}</button>
        <button class="primary" onClick=${create}>${t("room.create")}</button>`}
    <//>
    <${Tabs} label=${t("nav.rooms")} tabs=${tabs} chosen=${query.tab} address=${tab => link(["rooms"], { tab })} />`;
}

function List({ query }) {
  const list = useList(path`/rooms`, { search: query.search });
  return html`
    <${Filters} label=${t("room.search")} parts=${["rooms"]} query=${query} fields=${[
      { name: "search", label: t("room.search.field") }]} />
    <${Table} label=${t("nav.rooms")} rows=${list.items} id=${room => room.room_id} empty=${list.isLoading ? " " : t("nothing")}
      columns=${[
        { head: t("name"), cell: room => html`<a href=${link(["rooms", room.name])}><${Text} value=${room.name} max=${60} /></a>` },
        { head: t("id"), cell: room => room.room_id, number: true },
        { head: t("title"), cell: room => html`<${Text} value=${room.title} max=${60} />` },
        { head: t("section"), cell: room => html`<${Text} value=${room.section} max=${40} />` },
        { head: t("owner"), cell: room => html`<${Text} value=${room.owner} max=${40} />` },
        { head: t("closed"), cell: room => t(room.closed ? "yes" : "no") },
        { head: t("population"), cell: room => html`<${Share} label=${t("population")} value=${room.population} limit=${room.capacity} />` },
      ]} />
    <${ListEnd} list=${list} />`;
}

function Search({ query }) {
  return html`
    <${Filters} label=${t("messages.search")} parts=${["rooms"]} query=${{ ...query, tab: "messages" }} fields=${[
      { name: "text", label: t("messages.words"), required: true },
      { name: "room", label: t("room") },
      { name: "author", label: t("author") },
      { name: "tab", label: "", value: "messages", type: "hidden" },
    ]} />
    ${query.text && html`<${Messages} to=${path`/messages`} query=${{ text: query.text, room: query.room, author: query.author }} hasRoom />`}`;
}

function create() {
  ask({
    title: t("room.create"), action: t("create"),
    fields: [
      { name: "name", label: t("name"), required: true },
      { name: "description", label: t("description") },
      { name: "section", label: t("section") },
      { name: "capacity", label: t("capacity"), type: "number", placeholder: "500" },
      { name: "owner", label: t("owner"), hint: t("room.owner.hint") },
    ],
    run: async ({ name, description, section, capacity, owner }) => {
      await call("POST", path`/rooms`, { body: {
        name, description, section, capacity: capacity ? Number(capacity) : undefined, owner: owner || undefined,
      } });
      go(["rooms", name]);
      return t("room.created", { name });
    },
  });
}

function announceToAll() {
  ask({
    title: t("announce.all"), text: t("announce.all.text"), action: t("announce"),
    fields: announcementFields(),
    run: async ({ text, name }) => {
      const { rooms } = await call("POST", path`/announce`, { body: { text, name: name || undefined } });
      return t("announced", { rooms: number(rooms) });
    },
  });
}
