// Front ends that are plugins, and how they behave.
import { html } from "../lib.js";
import { path } from "../api.js";
import { named, number, t } from "../i18n.js";
import { link } from "../route.js";
import { PageHead, Pending, State, Table, Text, useGet } from "../ui.js";

export function Plugins() {
  const found = useGet(path`/plugins`, undefined, 5000);
  return html`
    <${PageHead} title=${t("nav.plugins")} />
    <${Pending} of=${found} />
    ${found.data && html`<${Table} label=${t("nav.plugins")} rows=${found.data.items} id=${row => row.frontend}
      empty=${t("plugins.none")} columns=${[
        { head: t("frontend"), cell: row => html`<a href=${link(["frontends", row.frontend])}><${Text} value=${row.frontend} /></a>` },
        { head: t("dialect"), cell: row => html`<${Text} value=${row.title} />` },
        { head: t("version"), cell: row => html`<${Text} value=${row.version} />${row.newer && ` (${t("plugin.newer")})`}` },
        { head: t("state"), cell: row => html`<${State} kind=${row.state === "serving" ? "ok" : "bad"}>${named("serving", row.state)}<//>
          ${row.down && html` <${Text} value=${row.down} max=${200} />`}` },
        { head: t("figure.connections"), cell: row => number(row.connections), number: true },
        { head: t("plugin.faults"), cell: row => html`<${Faults} of=${row} />` },
        { head: t("plugin.encoding_faults"), cell: row => number(row.encoding_faults), number: true },
        { head: t("plugin.path"), cell: row => html`<${Text} value=${row.path} max=${200} />` },
      ]} />`}`;
}

function Faults({ of: { faults, faults_by_kind: kinds } }) {
  const counted = kinds.filter(({ count }) => count > 0).map(({ kind, count }) => `${kind} ${count}`);
  return html`${number(faults)}${counted.length > 0 && html` <span class="muted">(${counted.join(", ")})</span>`}`;
}
