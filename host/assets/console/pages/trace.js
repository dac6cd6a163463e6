// The way of one message: the frame that came in, what became of it, and what each front end sent.
import { html } from "../lib.js";
import { path } from "../api.js";
import { FrameRow } from "../frames.js";
import { named, number, t } from "../i18n.js";
import { go } from "../route.js";
import { Facts, Field, PageHead, Pending, State, Table, Text, useGet } from "../ui.js";
import { MessageList } from "./messages.js";

export function Trace({ steps, query }) {
  const id = steps[0] ?? query.id;
  const onSubmit = event => {
    event.preventDefault();
    go(["trace", new FormData(event.target).get("id").trim()]);
  };
  return html`
    <${PageHead} title=${t("nav.trace")} />
    <p class="muted">${t("trace.text")}</p>
    <form class="filters" role="search" onSubmit=${onSubmit} key=${id}>
      <${Field} name="id" label=${t("trace.id")} value=${id} required />
      <button type="submit" class="primary">${t("trace.show")}</button>
    </form>
    ${id && html`<${Way} id=${id} key=${id} />`}`;
}

function Way({ id }) {
  const found = useGet(path`/messages/${id}/trace`);
  const trace = found.data;
  return html`<${Pending} of=${found} />
    ${trace && html`
      <${MessageList} items=${[trace.message]} hasRoom onDeleted=${found.reload} label=${t("message")} />
      <h2>${t("trace.stages")}</h2>
      ${trace.recorded ? html`<${Stages} rows=${trace.stages} />` : html`<p class="muted">${t("trace.unrecorded")}</p>`}
      <h2>${t("trace.in")}</h2><${FrameList} frames=${trace.frames_in} />
      <h2>${t("trace.out")}</h2>
      ${trace.deliveries.map(delivery => html`<${Delivery} of=${delivery} key=${delivery.frontend} />`)}
      <h2>${t("trace.readers")}</h2>
      <p class="muted">${t("trace.readers.text")}</p>
      ${!trace.readers_complete && html`<p class="muted">${t("trace.readers.some")}</p>`}
      <${Readers} rows=${trace.readers} />`}`;
}

function Stages({ rows }) {
  const begin = rows[0]?.at_us;
  return html`<${Table} label=${t("trace.stages")} rows=${rows} columns=${[
    { head: t("trace.stage"), cell: row => named("stage", row.stage) },
    { head: t("trace.after"), cell: row => `${number((row.at_us - begin) / 1000, 3)} ms`, number: true },
    { head: t("frontend"), cell: row => html`<${Text} value=${row.frontend} />` },
    { head: t("session"), cell: row => html`<${Text} value=${row.connection} />` },
    { head: t("address"), cell: row => html`<${Text} value=${row.peer} />` },
  ]} />`;
}

function FrameList({ frames }) {
  if (!frames.length) return html`<p class="muted">${t("trace.unknown")}</p>`;
  return html`<ul class="frames" aria-label=${t("frames")}>${frames.map(frame => html`<${FrameRow} frame=${frame} isShort />`)}</ul>`;
}

function Delivery({ of: { frontend, pushed, frames, sessions, audience, guests } }) {
  return html`<section class="view">
    <h3><${Text} value=${frontend} /></h3>
    <${Facts} rows=${[
      [t("trace.way"), t(pushed ? "trace.pushed" : "trace.polled")],
      sessions !== undefined && [t("trace.sessions"), number(sessions)],
      audience !== undefined && [t("trace.audience"), number(audience)],
      pushed && guests > 0 && [t("trace.guests"), number(guests)],
    ]} />
    <${FrameList} frames=${frames} />
  </section>`;
}

const KINDS = { acknowledged: "ok", fetched: "ok", pending: "warn", owed: "warn", unknown: "", deleted: "off" };

function Readers({ rows }) {
  return html`<${Table} label=${t("trace.readers")} rows=${rows} columns=${[
    { head: t("user"), cell: row => html`<${Text} value=${row.user} max=${60} />` },
    { head: t("trace.way"), cell: row => named("reader.way", row.way) },
    { head: t("state"), cell: row => html`<${State} kind=${KINDS[row.state]}>${named("reader.state", row.state)}<//>` },
    { head: t("trace.reader.sessions"), cell: row => number(row.sessions), number: true },
  ]} />`;
}
