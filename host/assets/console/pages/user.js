// One account: who it is, its sessions and messages, what can be done about it, and how others see it.
import { html } from "../lib.js";
import { call, get, may, path, save } from "../api.js";
import { ask, say } from "../dialog.js";
import { t } from "../i18n.js";
import { go, link } from "../route.js";
import { Views } from "../frames.js";
import { Facts, PageHead, Pending, State, Table, Tabs, Text, Time, useGet } from "../ui.js";
import { Messages } from "./messages.js";
import { SessionTable } from "./sessions.js";

export function User({ who, query }) {
  const user = useGet(path`/users/${who}`);
  const account = user.data;
  const tabs = account && [
    ["account", t("user.account"), () => html`<${Account} user=${user} />`],
    ["sign-ins", t("user.signins"), () => html`<${SignIns} account=${account} />`],
    ["sessions", t("nav.sessions"), () => html`<${SessionTable} query=${{ user: String(account.uid) }} />`],
    may("moderator") && ["messages", t("messages"), () => html`<${Written} account=${account} query=${query} />`],
    may("moderator") && ["views", t("user.views"), () => html`<${UserViews} uid=${account.uid} />`],
  ].filter(Boolean);
  return html`
    <${PageHead} title=${html`<${Text} value=${account?.handle ?? who} max=${80} />`} back=${[link(["users"]), t("nav.users")]}>
      ${account && html`<${Actions} user=${user} />`}
    <//>
    <${Pending} of=${user} />
    ${account && html`<${Tabs} label=${t("user.parts")} tabs=${tabs} chosen=${query.tab}
      address=${tab => link(["users", who], { tab })} />`}`;
}

export function AccountState({ account }) {
  if (account.deleted) return html`<${State} kind="bad">${t("user.deleted")}<//>`;
  if (account.disabled) return html`<${State} kind="bad">${t("user.disabled")}<//>`;
  return html`<${State} kind=${account.online ? "ok" : "off"}>${t(account.online ? "user.online" : "user.offline")}<//>`;
}

// Asks, sends, and shows the account as it is then.
function act(user, { title, text, action, isDangerous, fields, account }, request, done) {
  ask({
    title, text, action, isDangerous, fields, account,
    run: async values => {
      const [method, to, options] = request(values);
      await call(method, to, options);
      user.reload();
      return done;
    },
  });
}

function Actions({ user }) {
  const { uid, handle, disabled, deleted } = user.data;
  const name = { handle };
  if (deleted) return null;
  const reason = { name: "reason", label: t("reason"), hint: t("reason.hint") };
  const disable = () => act(user, {
    title: t("user.disable.title", name), text: t("user.disable.text"), action: t("user.disable"), isDangerous: true, fields: [reason],
  }, body => ["POST", path`/users/${uid}/disable`, { body }], t("user.disable.done", name));
  const enable = () => act(user, { title: t("user.enable.title", name), action: t("user.enable") },
    () => ["POST", path`/users/${uid}/enable`], t("user.enable.done", name));
  const revoke = () => act(user, {
    title: t("user.revoke.title", name), text: t("user.revoke.text"), action: t("user.revoke"), isDangerous: true,
  }, () => ["POST", path`/users/${uid}/revoke`], t("user.revoke.done", name));
  const rename = () => act(user, {
    title: t("user.rename"), action: t("save"), fields: [{ name: "name", label: t("name"), value: user.data.name, required: true }],
  }, body => ["PATCH", path`/users/${uid}`, { body }], t("saved"));
  const password = () => act(user, {
    title: t("user.password.title", name), text: t("user.password.text"), action: t("save"), account: handle,
    fields: [{ name: "password", label: t("password"), type: "password", required: true, autocomplete: "new-password" }],
  }, body => ["PUT", path`/users/${uid}/password`, { body }], t("saved"));
  return html`
    ${may("operator") && html`<a class="button" href=${link(["tap"], { user: String(uid) })}>${t("nav.tap")}</a>
      <button onClick=${rename}>${t("user.rename")}</button>
      <button onClick=${password}>${t("user.password")}</button>
      <button onClick=${() => download(user.data)}>${t("export")}</button>`}
    ${may("moderator") && html`<button onClick=${revoke}>${t("user.revoke")}</button>
      ${disabled ? html`<button onClick=${enable}>${t("user.enable")}</button>`
        : html`<button class="danger" onClick=${disable}>${t("user.disable")}</button>`}`}
    ${may("operator") && html`<button class="danger" onClick=${() => remove(user)}>${t("delete")}</button>`}`;
}

function remove(user) {
  const { uid, handle } = user.data;
  ask({
    title: t("user.delete.title", { handle }), text: t("user.delete.text"), action: t("delete"), isDangerous: true,
    fields: [{ name: "messages", label: t("user.delete.messages"), options: ["keep", "anonymize", "remove"].map(fate => [fate, t(`fate.${fate}`)]) }],
    run: async ({ messages }) => {
      await call("DELETE", path`/users/${uid}`, { query: { messages } });
      go(["users"]);
      return t("user.delete.done", { handle });
    },
  });
}

// All that the store has of the person, as JSON lines.
async function download({ uid, handle }) {
  try {
    const lines = [];
    let after;
    do {
      const { messages, ...person } = await get(path`/users/${uid}/export`, { limit: 1000, after });
      if (!lines.length) lines.push(JSON.stringify(person));
      lines.push(...messages.items.map(message => JSON.stringify(message)));
      after = messages.next;
    } while (after !== undefined);
    save(`user-${uid}.jsonl`, "application/jsonl", `${lines.join("\n")}\n`);
    say(t("export.done", { handle }));
  } catch (problem) {
    say(problem.message);
  }
}

function Account({ user }) {
  const account = user.data;
  const { uid } = account;
  const unlink = identity => act(user, { title: t("identity.unlink"), text: identity, action: t("identity.unlink"), isDangerous: true },
    () => ["DELETE", path`/users/${uid}/identities`, { query: { identity } }], t("saved"));
  const add = () => act(user, {
    title: t("identity.link"), action: t("identity.link"),
    fields: [{ name: "identity", label: t("identity"), required: true, placeholder: "tel/5551234", hint: t("user.identities.hint") }],
  }, body => ["POST", path`/users/${uid}/identities`, { body }], t("saved"));
  return html`
    <${Facts} rows=${[
      ["uid", uid],
      [t("handle"), html`<${Text} value=${account.handle} max=${300} />`],
      [t("name"), html`<${Text} value=${account.name} max=${300} />`],
      [t("state"), html`<${AccountState} account=${account} />`],
      account.disabled && [t("reason"), html`<${Text} value=${account.disabled.reason} max=${300} />`],
      account.disabled?.until && [t("until"), html`<${Time} at=${account.disabled.until} />`],
      [t("created"), html`<${Time} at=${account.created} />`],
      [t("password"), t(account.password ? "yes" : "no")],
    ]} />
    <h2>${t("identities")}</h2>
    ${account.identities.length ? html`<ul class="plain">${account.identities.map(identity => html`<li key=${identity}>
      <${Text} value=${identity} max=${200} />${" "}
      ${may("operator") && html`<button onClick=${() => unlink(identity)}
        aria-label=${t("identity.unlink.label", { identity })}>${t("identity.unlink")}</button>`}</li>`)}</ul>`
      : html`<p class="muted">${t("nothing")}</p>`}
    ${may("operator") && !account.deleted && html`<button onClick=${add}>${t("identity.link")}</button>`}`;
}

// The tokens and addresses that sign the person in; each can be revoked alone.
function SignIns({ account }) {
  const list = useGet(path`/users/${account.uid}/sign-ins`);
  const revoke = one => act(list, {
    title: t("user.signin.title", { id: one.id, handle: account.handle }), text: t("user.signin.text"),
    action: t("user.signin.revoke"), isDangerous: true,
  }, () => ["DELETE", path`/users/${account.uid}/sign-ins/${one.id}`], t("user.signin.done", one));
  const at = when => when ? html`<${Time} at=${when} />` : html`<span class="muted">${t("unknown")}</span>`;
  const hasDevices = list.data?.items.some(one => one.device);
  const columns = [
    { head: t("id"), cell: one => html`<code>${one.id}</code>` },
    { head: t("frontend"), cell: one => one.frontend ? html`<${Text} value=${one.frontend} max=${80} />`
      : html`<span class="muted">${t(one.kind === "address" ? "user.signin.address" : "unknown")}</span>` },
    hasDevices && { head: t("user.signin.device"), cell: one => one.device ? html`<${Text} value=${one.device} max=${80} />` : "–" },
    { head: t("created"), cell: one => at(one.created) },
    { head: t("user.signin.used"), cell: one => at(one.used) },
    { head: t("until"), cell: one => html`<${Time} at=${one.expires} />` },
    may("moderator") && { cell: one => html`<button class="danger" onClick=${() => revoke(one)}
      aria-label=${t("user.signin.label", one)}>${t("user.signin.revoke")}</button>` },
  ].filter(Boolean);
  return html`<p class="muted">${t("user.signins.text")}</p><${Pending} of=${list} />
    ${list.data && html`<${Table} label=${t("user.signins")} rows=${list.data.items} id=${one => one.id} columns=${columns} />`}`;
}

// The messages of the person that have the words; a search needs some.
function Written({ account, query }) {
  const onSubmit = event => {
    event.preventDefault();
    go(["users", String(account.uid)], { tab: "messages", text: new FormData(event.target).get("text").trim() });
  };
  return html`
    <form class="filters" role="search" onSubmit=${onSubmit} key=${query.text}>
      <div class="field"><label for="words">${t("messages.words")}</label>
        <input id="words" name="text" required autocomplete="off" defaultValue=${query.text ?? ""} /></div>
      <button type="submit">${t("search")}</button>
    </form>
    ${query.text && html`<${Messages} to=${path`/messages`} query=${{ author: String(account.uid), text: query.text }} hasRoom />`}`;
}

function UserViews({ uid }) {
  const views = useGet(path`/users/${uid}/views`);
  return html`<p class="muted">${t("user.views.text")}</p><${Pending} of=${views} />
    ${views.data && html`<${Views} items=${views.data.items} />`}`;
}
