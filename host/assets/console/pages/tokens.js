// Tokens of the admin API.
import { html } from "../lib.js";
import { call, path } from "../api.js";
import { ask } from "../dialog.js";
import { t } from "../i18n.js";
import { PageHead, Pending, seconds, Table, Text, Time, useGet } from "../ui.js";

export function Tokens() {
  const list = useGet(path`/tokens`);
  return html`
    <${PageHead} title=${t("nav.tokens")}><button class="primary" onClick=${() => create(list)}>${t("token.create")}</button><//>
    <p class="muted">${t("token.text")}</p>
    <${Pending} of=${list} />
    ${list.data && html`<${Table} label=${t("nav.tokens")} rows=${list.data.items} id=${token => token.id} columns=${[
      { head: t("id"), cell: token => html`<code>${token.id}</code>` },
      { head: t("role"), cell: token => t(`role.${token.role}`) },
      { head: t("label"), cell: token => html`<${Text} value=${token.label} />` },
      { head: t("created"), cell: token => html`<${Time} at=${token.created} />` },
      { head: t("until"), cell: token => token.expires ? html`<${Time} at=${token.expires} />` : t("until.revoked") },
      { cell: token => html`<button class="danger" onClick=${() => revoke(token, list)}
        aria-label=${t("token.revoke.label", token)}>${t("token.revoke")}</button>` },
    ]} />`}`;
}

function create(list) {
  ask({
    title: t("token.create"), action: t("create"),
    fields: [
      { name: "role", label: t("role"), options: ["monitor", "moderator", "operator"].map(role => [role, t(`role.${role}`)]) },
      { name: "label", label: t("label") },
      { name: "hours", label: t("ttl.hours"), type: "number", hint: t("ttl.hint") },
    ],
    run: async ({ role, label, hours }) => {
      const made = await call("POST", path`/tokens`, { body: { role, label, ttl_s: seconds(hours) } });
      list.reload();
      return { show: html`<p>${t("token.once")}</p><p><code class="secret">${made.token}</code></p>` };
    },
  });
}

function revoke(token, list) {
  ask({
    title: t("token.revoke.title", token), action: t("token.revoke"), isDangerous: true,
    run: async () => {
      await call("DELETE", path`/tokens/${token.id}`);
      list.reload();
      return t("token.revoked", token);
    },
  });
}
