// The store: what it holds and keeps, and backups of it.
import { html } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { bytes, duration, number, t } from "../i18n.js";
import { Facts, Json, PageHead, Pending, State, Table, Text, Time, useGet } from "../ui.js";

export function Store() {
  const store = useGet(path`/store`);
  const backups = useGet(path`/store/backups`);
  const stats = useGet(path`/store/stats`);
  const canBackUp = may("operator") && store.data?.backup;
  const reload = () => [store, backups, stats].forEach(one => one.reload());
  return html`
    <${PageHead} title=${t("nav.store")}>
      <button onClick=${reload}>${t("refresh")}</button>
      ${canBackUp && html`<button class="primary" onClick=${() => backUp(backups)}>${t("store.backup")}</button>`}
    <//>
    <${Pending} of=${store} />
    ${store.data && html`<${Kept} store=${store.data} />`}
    <h2>${t("store.backups")}</h2>
    <${Pending} of=${backups} />
    ${store.data && backups.data && html`<${Backups} schedule=${store.data.backup} items=${backups.data.items} canVerify=${canBackUp} />`}
    <h2>${t("store.tables")}</h2>
    <${Pending} of=${stats} />
    ${stats.data && html`<${Tables} report=${stats.data} />`}`;
}

function Kept({ store }) {
  return html`<${Facts} rows=${[
    [t("store.file"), html`<${Text} value=${store.path} max=${300} />`],
    [t("store.size"), bytes(store.file_bytes)],
    store.free_bytes !== undefined && [t("store.free"), bytes(store.free_bytes)],
    [t("store.free_min"), store.free_space_min ? bytes(store.free_space_min) : t("limit.none")],
    [t("store.keep_days"), store.keep_days ? t("store.days", { days: store.keep_days }) : t("store.for_ever")],
    [t("store.keep_messages"), store.keep_messages_per_room ? number(store.keep_messages_per_room) : t("store.all")],
    [t("store.search"), t(store.search ? "yes" : "no")],
  ]} />`;
}

function Backups({ schedule, items, canVerify }) {
  if (!schedule && !items.length) return html`<p class="muted">${t("store.no_backups")}</p>`;
  return html`
    ${schedule && html`<${Facts} rows=${[
      [t("store.folder"), html`<${Text} value=${schedule.folder} max=${300} />`],
      [t("store.every"), duration(schedule.every_s)],
      [t("store.keep"), number(schedule.keep)],
    ]} />`}
    <${Table} label=${t("store.backups")} rows=${items} id=${row => row.file} columns=${[
      { head: t("config.file"), cell: row => html`<${Text} value=${row.file} max=${100} />` },
      { head: t("store.size"), cell: row => bytes(row.bytes), number: true },
      { head: t("time"), cell: row => html`<${Time} at=${row.at} />` },
      canVerify && { cell: row => html`<button onClick=${() => verify(row.file)}
        aria-label=${t("action.label", { action: t("store.verify"), name: row.file })}>${t("store.verify")}</button>` },
    ].filter(Boolean)} />`;
}

function Tables({ report }) {
  return html`
    <${Table} label=${t("store.tables")} rows=${report.tables} id=${row => row.table} columns=${[
      { head: t("store.table"), cell: row => html`<code>${row.table}</code>` },
      { head: t("store.rows"), cell: row => number(row.rows), number: true },
      { head: t("store.stored"), cell: row => bytes(row.stored_bytes), number: true },
      { head: t("store.overhead"), cell: row => bytes(row.overhead_bytes), number: true },
    ]} />`;
}

function backUp(backups) {
  ask({
    title: t("store.backup"), text: t("store.backup.text"), action: t("store.backup"),
    run: async () => {
      const made = await call("POST", path`/store/backups`);
      backups.reload();
      return { show: html`<p><${State} kind="ok">${t("done")}<//></p><${Json} value=${made} />` };
    },
  });
}

function verify(file) {
  ask({
    title: t("store.verify.title", { file }), text: t("store.verify.text"), action: t("store.verify"),
    run: async () => {
      const found = await call("POST", path`/store/verify`, { body: { file } });
      const problems = found.problem_count;
      return { show: html`
        <p><${State} kind=${problems ? "bad" : "ok"}>${t(problems ? "store.problems" : "store.whole", { count: problems })}<//></p>
        <${Json} value=${found} />` };
    },
  });
}
