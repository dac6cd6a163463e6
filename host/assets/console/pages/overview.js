// How the gateway is: its health, its figures over time, and who talks to whom.
import { html, useState } from "../lib.js";
import { bytes, named, number, t } from "../i18n.js";
import { coarse, fine, latest, state } from "../live.js";
import { Plot } from "../plot.js";
import { link } from "../route.js";
import { Alert, PageHead, Scroll, State, Table, Text } from "../ui.js";

const withUnit = unit => value => Number.isFinite(value) ? `${number(value)} ${unit}` : "–";
const percent = withUnit("%");
const ms = withUnit("ms");

// The plots: a title, a format, and one or two series by the name of their figure.
const PLOTS = [
  ["connections", number, ["connections", "rooms_in_use"]],
  ["traffic", number, ["messages_per_s", "deliveries_per_s"]],
  ["refused", number, ["refused_per_s"]],
  ["commits", ms, ["commit_p50_ms", "commit_p99_ms"]],
  ["batches", number, ["batch_mean", "queue_depth"]],
  ["cpu", percent, ["cpu_percent"]],
  ["memory", bytes, ["resident_bytes"]],
  ["disk", bytes, ["disk_free_bytes", "store_bytes"]],
];

export function Overview() {
  const [range, setRange] = useState("fine");
  const samples = range === "fine" ? fine.value : coarse.value;
  return html`
    <${PageHead} title=${t("nav.overview")}>
      <div class="switch" role="group" aria-label=${t("range")}>
        ${["fine", "coarse"].map(id => html`<button aria-pressed=${String(id === range)} onClick=${() => setRange(id)}>
          ${t(`range.${id}`)}</button>`)}
      </div>
    <//>
    ${state.value !== "open" && state.value !== "connecting" && html`<${Alert} problem=${{ message: state.value }} />`}
    ${latest.value ? html`<${Health} sample=${latest.value} />` : html`<p class="muted" role="status">${t("loading")}</p>`}
    <div class="plots">${PLOTS.map(([title, format, names]) => html`
      <${Plot} title=${t(`plot.${title}`)} samples=${samples} format=${format}
        series=${names.map(name => ({ label: t(`figure.${name}`), read: sample => sample[name] }))} />`)}
    </div>
    ${latest.value && html`
      <div class="pair">
        <section><h2>${t("overview.frontends")}</h2><${Rates} rows=${latest.value.frontends ?? []} /></section>
        <section><h2>${t("overview.flow")}</h2><p class="muted">${t("overview.flow.text")}</p>
          <${Flow} sample=${latest.value} /></section>
      </div>`}`;
}

function Health({ sample }) {
  const rows = [["engine", sample.engine], ["store", sample.store]];
  return html`<ul class="health" aria-label=${t("overview.health")}>
    ${rows.map(([part, reason]) => html`<li>
      <${State} kind=${reason === "ok" ? "ok" : "bad"}>${t(`part.${part}`)}<//>${" "}
      ${reason === "ok" ? t("well") : html`<${Text} value=${reason} max=${300} />`}
    </li>`)}
    ${(sample.frontends ?? []).map(({ name, state: reason }) => html`<li>
      <${State} kind=${reason === "serving" ? "ok" : "bad"}><a href=${link(["frontends", name])}><${Text} value=${name} /></a><//>
      ${" "}${named("serving", reason)}
    </li>`)}
  </ul>`;
}

function Rates({ rows }) {
  return html`<${Table} label=${t("overview.frontends")} rows=${rows} id=${row => row.name} columns=${[
    { head: t("name"), cell: row => html`<a href=${link(["frontends", row.name])}><${Text} value=${row.name} /></a>` },
    { head: t("dialect"), cell: row => named("dialect", row.dialect) },
    { head: t("figure.connections"), cell: row => number(row.connections), number: true },
    { head: t("figure.messages_per_s"), cell: row => number(row.messages_per_s), number: true },
    { head: t("figure.deliveries_per_s"), cell: row => number(row.deliveries_per_s), number: true },
    { head: t("figure.reads_per_s"), cell: row => number(row.reads_per_s), number: true },
    { head: t("figure.refused_per_s"), cell: row => number(row.refused_per_s), number: true },
  ]} />`;
}

// Messages a second from each front end (rows) to each (columns), shaded by their share of the largest.
function Flow({ sample }) {
  const flow = sample.flow ?? [];
  const names = [...new Set([...(sample.frontends ?? []).map(({ name }) => name), ...flow.flatMap(({ from, to }) => [from, to])])];
  const rates = new Map(flow.map(({ from, to, per_s: rate }) => [JSON.stringify([from, to]), rate]));
  const most = Math.max(0, ...rates.values());
  if (!names.length) return html`<p class="muted">${t("nothing")}</p>`;
  return html`<${Scroll} label=${t("overview.flow")}>
    <table class="flow">
      <thead><tr><th scope="col">${t("overview.from_to")}</th>
        ${names.map(name => html`<th scope="col" class="number"><${Text} value=${name} max=${24} /></th>`)}</tr></thead>
      <tbody>${names.map(from => html`<tr key=${from}><th scope="row"><${Text} value=${from} max=${24} /></th>
        ${names.map(to => html`<${Cell} rate=${rates.get(JSON.stringify([from, to])) ?? 0} most=${most} />`)}</tr>`)}
      </tbody>
    </table>
  <//>`;
}

function Cell({ rate, most }) {
  const heat = rate && most ? 0.15 + 0.85 * rate / most : 0;
  return html`<td class=${rate ? "number heat" : "number muted"} style=${{ "--heat": heat }}>${rate ? number(rate) : "·"}</td>`;
}
