// Webhooks: what waits for their receivers.
import { html } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { named, number, t } from "../i18n.js";
import { PageHead, Pending, State, Table, Text, Time, useGet } from "../ui.js";

const KINDS = { active: "ok", failing: "warn", gone: "bad" };

export function Webhooks() {
  const found = useGet(path`/webhooks`, undefined, 3000);
  const act = (verb, { name }) => ask({
    title: t(`webhook.${verb}.title`, { name }), text: t(`webhook.${verb}.text`), action: t(`webhook.${verb}`),
    run: async () => {
      const { dead_letters: letters } = await call("POST", path`/webhooks/${name}/` + verb);
      found.reload();
      return t("webhook.begun", { letters });
    },
  });
  const labelled = (verb, { name }) => t("action.label", { action: t(`webhook.${verb}`), name });
  return html`
    <${PageHead} title=${t("nav.webhooks")} />
    <${Pending} of=${found} />
    ${found.data && html`<${Table} label=${t("nav.webhooks")} rows=${found.data.items} id=${row => row.name} empty=${t("webhooks.none")}
      columns=${[
        { head: t("name"), cell: row => html`<${Text} value=${row.name} />` },
        { head: t("server"), cell: row => html`<${Text} value=${row.server} />` },
        { head: t("state"), cell: row => html`<${State} kind=${KINDS[row.state] ?? "off"}>${named("webhook.state", row.state)}<//>` },
        { head: t("webhook.delivered"), cell: row => number(row.delivered), number: true },
        { head: t("webhook.lag"), cell: row => number(row.lag_messages), number: true },
        { head: t("webhook.waiting"), cell: row => html`<${Time} at=${row.waiting_since_ms} />` },
        { head: t("webhook.dead"), cell: row => number(row.dead_letters), number: true },
        { head: t("webhook.failure"), cell: row => html`<${Text} value=${row.last_failure} max=${200} />` },
        may("operator") && { cell: row => html`
          ${row.dead_letters > 0 && html`<button onClick=${() => act("replay", row)} aria-label=${labelled("replay", row)}>${t("webhook.replay")}</button>`}
          ${row.state === "gone" && html`<button onClick=${() => act("resume", row)}
            aria-label=${labelled("resume", row)}>${t("webhook.resume")}</button>`}` },
      ].filter(Boolean)} />`}`;
}
