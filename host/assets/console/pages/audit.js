// The audit log: what was changed, or refused.
import { html } from "../lib.js";
import { path } from "../api.js";
import { t } from "../i18n.js";
import { ListEnd, PageHead, State, Table, Text, Time, useList } from "../ui.js";

const WITH_MAX = 300;

export function Audit() {
  const list = useList(path`/audit`, {}, { cursor: "before" });
  return html`
    <${PageHead} title=${t("nav.audit")}><button onClick=${list.reload}>${t("refresh")}</button><//>
    <${Table} label=${t("nav.audit")} rows=${list.items} id=${entry => entry.id} empty=${list.isLoading ? " " : t("nothing")} columns=${[
      { head: t("time"), cell: entry => html`<${Time} at=${entry.at} />` },
      { head: t("who"), cell: entry => html`<${Text} value=${entry.who} max=${60} />` },
      { head: t("from"), cell: entry => html`<${Text} value=${entry.from} max=${46} />` },
      { head: t("operation"), cell: entry => html`<code>${entry.operation}</code>${" "}
        ${(entry.path ?? []).map(part => html`<${Text} value=${part} max=${60} /> `)}` },
      { head: t("with"), cell: entry => html`<${Text} value=${given(entry.with)} max=${WITH_MAX} />` },
      { head: t("outcome"), cell: entry => entry.problem
        ? html`<${State} kind="bad">${entry.status}<//> <${Text} value=${entry.problem} max=${200} />`
        : html`<${State} kind="ok">${t("done")}<//>` },
    ]} />
    <${ListEnd} list=${list} />`;
}

function given(value) {
  if (!value || !Object.keys(value).length) return "";
  return JSON.stringify(value);
}
