// Front ends: where they listen, how near their limits are, and what they did.
import { html } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { bytes, named, number, t } from "../i18n.js";
import { link } from "../route.js";
import { Facts, PageHead, Pending, Share, State, Table, Text, Time, useGet } from "../ui.js";

export function Frontends({ steps }) {
  return steps.length ? html`<${Detail} name=${steps[0]} />` : html`<${List} />`;
}

function Condition({ frontend }) {
  if (frontend.serving) return html`<${State} kind="ok">${t("serving")}<//>`;
  return html`<${State} kind="bad">${t("down")}<//> <${Text} value=${frontend.down ?? t("not_listening")} max=${200} />`;
}

function Addresses({ of }) {
  if (!of?.length) return html`<span class="muted">–</span>`;
  return html`<ul class="plain">${of.map(address => html`<li><${Text} value=${address} /></li>`)}</ul>`;
}

function List() {
  const found = useGet(path`/frontends`, undefined, 3000);
  return html`
    <${PageHead} title=${t("nav.frontends")} />
    <${Pending} of=${found} />
    ${found.data && html`<${Table} label=${t("nav.frontends")} rows=${found.data.items} id=${row => row.name} columns=${[
      { head: t("name"), cell: row => html`<a href=${link(["frontends", row.name])}><${Text} value=${row.name} max=${60} /></a>` },
      { head: t("dialect"), cell: row => named("dialect", row.dialect) },
      { head: t("state"), cell: row => html`<${Condition} frontend=${row} />` },
      { head: t("figure.connections"), cell: row => number(row.connections), number: true },
      { head: t("listening"), cell: row => html`<${Addresses} of=${row.listening} />` },
      may("operator") && { cell: row => html`<${Actions} frontend=${row} reload=${found.reload} />` },
    ].filter(Boolean)} />`}`;
}

function Actions({ frontend, reload }) {
  const { name, serving, down } = frontend;
  const act = (verb, question) => ask({
    title: t(`frontend.${verb}.title`, { name }), text: t(`frontend.${verb}.text`), action: t(`frontend.${verb}`), ...question,
    run: async body => {
      await call("POST", path`/frontends/${name}/` + verb, question.fields && { body });
      reload();
      return t(`frontend.${verb}.done`, { name });
    },
  });
  const labelled = verb => t("action.label", { action: t(`frontend.${verb}`), name });
  const drain = () => act("drain", { isDangerous: true });
  const disable = () => act("disable", { isDangerous: true, fields: [{ name: "reason", label: t("reason"), hint: t("reason.hint") }] });
  return html`
    ${serving && html`<button onClick=${drain} aria-label=${labelled("drain")}>${t("frontend.drain")}</button>`}
    ${down ? html`<button onClick=${() => act("enable", {})} aria-label=${labelled("enable")}>${t("frontend.enable")}</button>`
      : html`<button class="danger" onClick=${disable} aria-label=${labelled("disable")}>${t("frontend.disable")}</button>`}`;
}

function Detail({ name }) {
  const found = useGet(path`/frontends/${name}`, undefined, 3000);
  const data = found.data;
  return html`
    <${PageHead} title=${html`<${Text} value=${name} max=${60} />`} back=${[link(["frontends"]), t("nav.frontends")]}>
      <a class="button" href=${link(["sessions"], { frontend: name })}>${t("nav.sessions")}</a>
      ${may("operator") && html`<a class="button" href=${link(["tap"], { frontend: name })}>${t("nav.tap")}</a>`}
      ${data && may("operator") && html`<${Actions} frontend=${data} reload=${found.reload} />`}
    <//>
    <${Pending} of=${found} />
    ${data && html`<${Parts} of=${data} />`}`;
}

function Parts({ of }) {
  return html`
    <${Facts} rows=${[
      [t("dialect"), html`<${Text} value=${of.title ?? of.dialect} max=${200} />`],
      [t("state"), html`<${Condition} frontend=${of} />`],
      [t("figure.connections"), number(of.connections)],
      of.kept && [t("frontend.kept"), html`<${Text} value=${of.kept} max=${500} />`],
      of.plugin && [t("frontend.plugin"), html`<${Text} value=${of.plugin} max=${300} />`],
    ]} />
    <h2>${t("listeners")}</h2><${Listeners} rows=${of.listeners} />
    <h2>${t("limits")}</h2><${Limits} rows=${of.limits} />
    ${of.certificates.length > 0 && html`<h2>${t("certificates")}</h2><${Certificates} rows=${of.certificates} />`}
    ${of.operations.length > 0 && html`<h2>${t("operations")}</h2><${Operations} rows=${of.operations} />`}
    <div class="pair">
      <section><h2>${t("refusals")}</h2><${Counts} label=${t("refusals")} rows=${of.refusals} /></section>
      <section><h2>${t("sign_ins")}</h2><${Counts} label=${t("sign_ins")} rows=${of.sign_ins} /></section>
      <section><h2>${t("counts")}</h2><${Counts} label=${t("counts")} rows=${of.counts} /></section>
      <section><h2>${t("responses")}</h2><${Counts} label=${t("responses")} rows=${of.responses} /></section>
    </div>
    ${of.documents.length > 0 && html`<h2>${t("documents")}</h2><ul class="plain">${of.documents.map(({ name, href, page }) => html`
      <li><a href=${page ?? href} target="_blank" rel="noreferrer">${name}</a></li>`)}</ul>`}`;
}

function Listeners({ rows }) {
  return html`<${Table} label=${t("listeners")} rows=${rows} columns=${[
    { head: t("address"), cell: row => html`<${Text} value=${row.address} />` },
    { head: t("config.key"), cell: row => html`<code>${row.listener}</code>` },
    { head: t("transport"), cell: row => `${row.transport}${row.tls ? ", TLS" : ""}` },
    { head: t("public_url"), cell: row => html`<${Text} value=${row.public_url} />` },
    { head: t("state"), cell: row => row.open
      ? html`<${State} kind="ok">${t("open")}<//>` : html`<${State} kind="bad">${t("not_listening")}<//>` },
  ]} />`;
}

function Limits({ rows }) {
  return html`<${Table} label=${t("limits")} rows=${rows} id=${row => row.name} columns=${[
    { head: t("limit"), cell: row => html`<code>${row.name}</code>` },
    { head: t("use"), cell: row => html`<${Use} of=${row} />` },
    { head: t("refused"), cell: row => number(row.refused), number: true },
  ]} />`;
}

function Use({ of: { name, value, limit, unit } }) {
  if (!limit) return html`<span class="muted">${t("limit.none")}</span>`;
  const isBytes = unit.startsWith("bytes");
  if (value !== undefined) return html`<${Share} label=${name} value=${value} limit=${limit} format=${isBytes ? bytes : number} />`;
  if (isBytes) return unit === "bytes" ? bytes(limit) : `${bytes(limit)}/s`;
  return `${number(limit)} ${named("unit", unit)}`;
}

function Certificates({ rows }) {
  return html`<${Table} label=${t("certificates")} rows=${rows} columns=${[
    { head: t("names"), cell: row => html`<${Text} value=${row.names.join(", ") || row.subject} max=${200} />` },
    { head: t("until"), cell: row => html`<${Expiry} at=${row.not_after} />` },
    { head: t("config.file"), cell: row => html`<${Text} value=${row.file} max=${200} />` },
  ]} />`;
}

const SOON_MS = 21 * 86400_000;

function Expiry({ at }) {
  const left = new Date(at) - Date.now();
  const kind = left < 0 ? "bad" : left < SOON_MS ? "warn" : "ok";
  return html`<${State} kind=${kind}>${t(left < 0 ? "certificate.expired" : "certificate.days", { days: Math.floor(left / 86400_000) })}<//>
    ${" "}<${Time} at=${at} />`;
}

function Operations({ rows }) {
  return html`<${Table} label=${t("operations")} rows=${rows.toSorted((a, b) => b.count - a.count)} columns=${[
    { head: t("operation"), cell: row => html`<code><${Text} value=${row.name} /></code>` },
    { head: t("count"), cell: row => number(row.count), number: true },
    { head: "p50", cell: row => `${number(row.p50_ms)} ms`, number: true },
    { head: "p99", cell: row => `${number(row.p99_ms)} ms`, number: true },
  ]} />`;
}

function Counts({ label, rows }) {
  const sorted = rows.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
  return html`<${Table} label=${label} rows=${sorted} empty=${t("counts.none")} columns=${[
    { head: t("kind"), cell: row => html`<code><${Text} value=${row.name ?? row.kind} /></code>` },
    { head: t("count"), cell: row => number(row.count), number: true },
  ]} />`;
}
