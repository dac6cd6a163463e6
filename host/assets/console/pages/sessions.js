// The open stream connections: as many as there are, of which the page has only the rows that are seen.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { bytes, duration, number, t } from "../i18n.js";
import { latest } from "../live.js";
import { link } from "../route.js";
import { cell, Filters, heading, ListEnd, PageHead, Table, Text, useGet, useList } from "../ui.js";

const PAGE = 1000;
const ROW_PX = 30;
// Rows above and below those that are seen.
const MARGIN = 12;

function closeSession(session, done) {
  ask({
    title: t("session.close.title", { id: session.id }),
    text: t("session.close.text", { frontend: session.frontend, address: session.address }),
    action: t("session.close"), isDangerous: true,
    run: async () => {
      await call("DELETE", path`/sessions/${session.id}`);
      done(session);
      return t("session.closing", { id: session.id });
    },
  });
}

function columns({ onClosed }) {
  const user = session => session.uid !== undefined && session.uid !== null
    ? html`<a href=${link(["users", session.uid])}><${Text} value=${session.user} max=${40} /></a>`
    : html`<${Text} value=${session.user} max=${40} />`;
  const rooms = session => html`${session.rooms.slice(0, 3).map((room, at) => html`${at > 0 && ", "}
    <a href=${link(["rooms", room])}><${Text} value=${room} max=${24} /></a>`)}
    ${session.rooms.length > 3 && ` +${session.rooms.length - 3}`}`;
  return [
    { head: t("id"), cell: session => session.id, number: true },
    { head: t("frontend"), cell: session => html`<${Text} value=${session.frontend} max=${30} />` },
    { head: t("address"), cell: session => html`<${Text} value=${session.address} max=${46} />` },
    { head: t("user"), cell: user },
    { head: t("rooms"), cell: rooms },
    { head: t("age"), cell: session => duration(session.age_s), number: true },
    { head: t("idle"), cell: session => duration(session.idle_s), number: true },
    { head: t("in"), cell: session => number(session.in), number: true },
    { head: t("out"), cell: session => bytes(session.out_bytes), number: true },
    { head: t("mailbox"), cell: session => number(session.mailbox), number: true },
    { cell: session => html`
      ${may("operator") && html`<a class="button" href=${link(["tap"], { session: session.id })}
        aria-label=${t("session.tap.label", { id: session.id })}>${t("nav.tap")}</a>`}
      ${may("moderator") && html`<button class="danger" aria-label=${t("session.close.label", { id: session.id })}
        onClick=${() => closeSession(session, onClosed)}>${t("session.close")}</button>`}` },
  ];
}

export function Sessions({ query }) {
  const list = useList(path`/sessions`, pick(query), { limit: PAGE });
  const frontends = useGet(path`/frontends`).data?.items ?? [];
  const [closed, setClosed] = useState(new Set());
  const rows = list.items.filter(session => !closed.has(session.id));
  const names = [["", t("all")], ...frontends.map(({ name }) => [name, name])];
  return html`
    <${PageHead} title=${t("nav.sessions")}><button onClick=${list.reload}>${t("refresh")}</button><//>
    <${Filters} label=${t("session.filter")} parts=${["sessions"]} query=${query} fields=${[
      { name: "frontend", label: t("frontend"), options: names },
      { name: "user", label: t("user"), placeholder: "ann, guest:zed" },
      { name: "room", label: t("room") },
      { name: "address", label: t("address"), placeholder: "10.0.0.0/8" },
    ]} />
    <p role="status" class="muted">${t(list.hasMore ? "session.some" : "session.count", {
      count: rows.length, all: latest.value?.connections ?? rows.length,
    })}</p>
    <${Rows} rows=${rows} columns=${columns({ onClosed: ({ id }) => setClosed(new Set([...closed, id])) })}
      onEnd=${list.problem ? () => {} : list.more} isWhole=${!list.hasMore} isEmpty=${!rows.length && !list.isLoading && !list.problem} />
    <${ListEnd} list=${list} />`;
}

function pick({ frontend, user, room, address }) {
  return { frontend, user, room, address };
}

// The sessions of a user or a room, on another page.
export function SessionTable({ query }) {
  const list = useList(path`/sessions`, query);
  return html`<${Table} label=${t("nav.sessions")} rows=${list.items} id=${row => row.id} empty=${t("session.none")}
      columns=${columns({ onClosed: list.reload })} />
    <${ListEnd} list=${list} />`;
}

// A table of rows of the same height, of which those outside of the view are two empty rows.
function Rows({ rows, columns: heads, onEnd, isWhole, isEmpty }) {
  const view = useRef(null);
  const [first, setFirst] = useState(0);
  const [height, setHeight] = useState(600);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => setHeight(view.current.clientHeight));
    watch.observe(view.current);
    return () => watch.disconnect();
  }, []);
  const from = Math.max(0, Math.min(first, rows.length) - MARGIN);
  const to = Math.min(rows.length, first + Math.ceil(height / ROW_PX) + MARGIN);
  useEffect(() => {
    if (!isWhole && rows.length && to >= rows.length - MARGIN) onEnd();
  });
  const onScroll = event => setFirst(Math.floor(event.currentTarget.scrollTop / ROW_PX));
  return html`<div class="scroll rows" role="region" tabindex="0" aria-label=${t("nav.sessions")} ref=${view} onScroll=${onScroll}>
    <table aria-rowcount=${isWhole ? rows.length + 1 : -1}>
      <thead><tr aria-rowindex="1">${heads.map(heading)}</tr></thead>
      <tbody>
        <${Gap} rows=${from} span=${heads.length} key="above" />
        ${rows.slice(from, to).map((row, at) => html`<tr key=${row.id} aria-rowindex=${from + at + 2}>
          ${heads.map((column, place) => cell(column, place, row))}</tr>`)}
        <${Gap} rows=${rows.length - to} span=${heads.length} key="below" />
      </tbody>
    </table>
    ${isEmpty && html`<p class="muted">${t("session.none")}</p>`}
  </div>`;
}

function Gap({ rows, span }) {
  if (rows <= 0) return null;
  return html`<tr class="gap" aria-hidden="true"><td colspan=${span} style=${{ height: `${rows * ROW_PX}px` }}></td></tr>`;
}
