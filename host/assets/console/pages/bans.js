// Who may not act: users, identities, networks.
import { html } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { t } from "../i18n.js";
import { ListEnd, PageHead, seconds, Table, Text, Time, useList } from "../ui.js";

export function Bans() {
  const list = useList(path`/bans`);
  return html`
    <${PageHead} title=${t("nav.bans")}>
      ${may("moderator") && html`<button class="primary" onClick=${() => add(list)}>${t("ban.add")}</button>`}
    <//>
    <${Table} label=${t("nav.bans")} rows=${list.items} id=${ban => ban.target} empty=${list.isLoading ? " " : t("ban.none")}
      columns=${[
        { head: t("ban.target"), cell: ban => html`<${Text} value=${ban.target} max=${100} />` },
        { head: t("created"), cell: ban => html`<${Time} at=${ban.created} />` },
        { head: t("until"), cell: ban => ban.until ? html`<${Time} at=${ban.until} />` : t("until.lifted") },
        { head: t("reason"), cell: ban => html`<${Text} value=${ban.reason} max=${256} />` },
        may("moderator") && { cell: ban => !ban.deleted && html`<button onClick=${() => lift(ban, list)}
          aria-label=${t("ban.lift.label", ban)}>${t("ban.lift")}</button>` },
      ].filter(Boolean)} />
    <${ListEnd} list=${list} />`;
}

function add(list) {
  ask({
    title: t("ban.add"), text: t("ban.text"), action: t("ban.add"), isDangerous: true,
    fields: [
      { name: "kind", label: t("ban.kind"), options: ["user", "identity", "network"].map(kind => [kind, t(`ban.kind.${kind}`)]) },
      { name: "target", label: t("ban.target"), required: true, hint: t("ban.target.hint") },
      { name: "reason", label: t("reason"), hint: t("reason.hint") },
      { name: "hours", label: t("ttl.hours"), type: "number", hint: t("ttl.hint") },
    ],
    run: async ({ kind, target, reason, hours }) => {
      const ban = await call("POST", path`/bans`, { body: { target: `${kind}:${target}`, reason, ttl_s: seconds(hours) } });
      list.reload();
      return t("ban.done", ban);
    },
  });
}

function lift(ban, list) {
  ask({
    title: t("ban.lift.title", ban), action: t("ban.lift"),
    run: async () => {
      await call("DELETE", path`/bans`, { query: { target: ban.target } });
      list.reload();
      return t("ban.lift.done", ban);
    },
  });
}
