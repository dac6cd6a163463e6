// Accounts.
import { html } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { t } from "../i18n.js";
import { go, link } from "../route.js";
import { Filters, ListEnd, PageHead, Table, Text, Time, useList } from "../ui.js";
import { AccountState, User } from "./user.js";

export function Users({ steps, query }) {
  return steps.length ? html`<${User} who=${steps[0]} query=${query} />` : html`<${List} query=${query} />`;
}

function List({ query }) {
  const list = useList(path`/users`, { search: query.search });
  return html`
    <${PageHead} title=${t("nav.users")}>
      ${may("operator") && html`<button class="primary" onClick=${create}>${t("user.create")}</button>`}
    <//>
    <${Filters} label=${t("user.search")} parts=${["users"]} query=${query} fields=${[
      { name: "search", label: t("user.search.field") }]} />
    <${Table} label=${t("nav.users")} rows=${list.items} id=${user => user.uid} empty=${list.isLoading ? " " : t("nothing")}
      columns=${[
        { head: t("handle"), cell: user => html`<a href=${link(["users", user.uid])}><${Text} value=${user.handle} max=${60} /></a>` },
        { head: "uid", cell: user => user.uid, number: true },
        { head: t("name"), cell: user => html`<${Text} value=${user.name} max=${60} />` },
        { head: t("identities"), cell: user => html`<${Text} value=${user.identities.join(", ")} max=${60} />` },
        { head: t("created"), cell: user => html`<${Time} at=${user.created} />` },
        { head: t("state"), cell: user => html`<${AccountState} account=${user} />` },
      ]} />
    <${ListEnd} list=${list} />`;
}

function create() {
  ask({
    title: t("user.create"), action: t("create"), account: "new",
    fields: [
      { name: "handle", label: t("handle"), required: true },
      { name: "name", label: t("name") },
      { name: "identities", label: t("identities"), hint: t("user.identities.hint") },
      { name: "password", label: t("password"), type: "password", autocomplete: "new-password", hint: t("optional") },
    ],
    run: async ({ handle, name, identities, password }) => {
      const made = await call("POST", path`/users`, { body: {
        handle, name: name || undefined, identities: identities.split(/[\s,]+/).filter(Boolean), password: password || undefined,
      } });
      go(["users", String(made.uid)]);
      return t("user.created", { handle });
    },
  });
}
