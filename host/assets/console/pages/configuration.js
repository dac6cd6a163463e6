// The configuration: what is in effect, and how it is changed.
import { html, useState } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { named, t } from "../i18n.js";
import { link } from "../route.js";
import { Alert, Facts, Field, PageHead, Pending, State, Table, Tabs, Text, useGet } from "../ui.js";

export function Configuration({ query }) {
  const state = useGet(path`/config`);
  const tabs = [
    may("operator") && ["effective", t("config.effective"), () => html`<${Effective} />`],
    may("operator") && ["check", t("config.check"), () => html`<${Check} />`],
    may("operator") && ["plan", t("config.plan"), () => html`<${Reload} onApplied=${state.reload} />`],
  ].filter(Boolean);
  return html`
    <${PageHead} title=${t("nav.configuration")} />
    <${Pending} of=${state} />
    ${state.data && html`<${Facts} rows=${[
      [t("config.file"), html`<${Text} value=${state.data.file} max=${300} />`],
      [t("nav.store"), html`<${Text} value=${state.data.store} max=${300} />`],
      [t("listening"), html`<${Text} value=${state.data.listening.join(", ")} max=${500} />`],
      state.data.restart.length > 0 && [t("config.restart"), html`<${Keys} of=${state.data.restart} />`],
    ]} />`}
    ${tabs.length > 0 && html`<${Tabs} label=${t("config.parts")} tabs=${tabs} chosen=${query.tab} address=${tab => link(["configuration"], { tab })} />`}`;
}

function Keys({ of }) {
  return html`<ul class="plain">${of.map(key => html`<li><code><${Text} value=${key} max=${300} /></code></li>`)}</ul>`;
}

function shown(value) {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Effective() {
  const found = useGet(path`/config/effective`);
  const [wanted, setWanted] = useState("");
  const rows = (found.data?.items ?? []).filter(({ key }) => key.includes(wanted));
  return html`<${Pending} of=${found} />
    ${found.data && html`
      <div class="filters"><div class="field"><label for="keys">${t("config.keys")}</label>
        <input id="keys" autocomplete="off" value=${wanted} onInput=${event => setWanted(event.target.value)} /></div></div>
      <${Table} label=${t("config.effective")} rows=${rows} id=${row => row.key} columns=${[
        { head: t("config.key"), cell: row => html`<code><${Text} value=${row.key} max=${200} /></code>` },
        { head: t("value"), cell: row => row.secret ? html`<span class="muted">${t("config.secret")}</span>`
          : html`<code><${Text} value=${shown(row.value)} max=${200} /></code>` },
        { head: t("config.layer"), cell: row => named("layer", row.layer) },
        { head: t("from"), cell: row => row.layer !== "default" && html`<${Text} value=${row.from} max=${120} />` },
      ]} />`}`;
}

function Check() {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const onSubmit = async event => {
    event.preventDefault();
    setProblem(null);
    try {
      setFound(await call("POST", path`/config/check`, { body: { text: new FormData(event.target).get("text") } }));
    } catch (error) {
      setFound(null);
      setProblem(error);
    }
  };
  return html`
    <form onSubmit=${onSubmit}>
      <${Field} name="text" type="textarea" rows=${16} label="gateway.toml" hint=${t("config.check.hint")} required />
      <button type="submit" class="primary">${t("config.check")}</button>
    </form>
    <${Alert} problem=${problem} />
    ${found && html`<div role="status">${found.problems?.length ? null : html`<p><${State} kind="ok">${t("config.valid")}<//></p>`}
      <${Plan} plan=${found} /></div>`}`;
}

function Reload({ onApplied }) {
  const [file, setFile] = useState("");
  const plan = useGet(path`/config/plan`, { file });
  const onSubmit = event => {
    event.preventDefault();
    const name = new FormData(event.target).get("file").trim();
    if (name === file) plan.reload(); else setFile(name);
  };
  const act = (verb, body) => ask({
    title: t(`config.${verb}`), text: t(`config.${verb}.text`), action: t(`config.${verb}`), isDangerous: true,
    run: async () => {
      const done = await call("POST", path`/config/` + verb, { body });
      plan.reload();
      onApplied();
      return { show: html`<${Plan} plan=${done} />` };
    },
  });
  return html`
    <form class="filters" onSubmit=${onSubmit}>
      <${Field} name="file" label=${t("config.other")} placeholder="gateway.toml" hint=${t("config.other.hint")} />
      <button type="submit">${t("config.plan")}</button>
    </form>
    <${Pending} of=${plan} />
    ${plan.data && html`<${Plan} plan=${plan.data} />`}
    <div class="actions">
      <button class="primary" disabled=${!plan.data || plan.data.problems?.length > 0}
        onClick=${() => act("apply", { file: file || undefined })}>${t("config.apply")}</button>
      <button onClick=${() => act("rollback", undefined)}>${t("config.rollback")}</button>
    </div>`;
}

function Plan({ plan }) {
  const lists = ["problems", "warnings", "changed", "restart"].filter(name => plan[name]?.length);
  const frontends = (plan.frontends ?? []).filter(({ fate }) => fate !== "untouched");
  const listeners = (plan.listeners ?? []).filter(({ fate }) => fate !== "untouched");
  return html`
    ${lists.map(name => html`<section key=${name}><h2>${t(`config.list.${name}`)}</h2><ul class=${`plain ${name}`}>
      ${plan[name].map(line => html`<li><${Text} value=${typeof line === "string" ? line : JSON.stringify(line)} max=${1000} lines /></li>`)}</ul></section>`)}
    ${frontends.length > 0 && html`<h2>${t("nav.frontends")}</h2><${Table} label=${t("nav.frontends")} rows=${frontends} columns=${[
      { head: t("name"), cell: row => html`<${Text} value=${row.name} />` },
      { head: t("config.fate"), cell: row => named("frontend.fate", row.fate) },
      { head: t("config.keys"), cell: row => html`<${Text} value=${(row.keys ?? []).join(", ")} max=${300} />` },
      { head: t("config.drops"), cell: row => row.drops, number: true },
      { head: t("reason"), cell: row => html`<${Text} value=${row.why} max=${300} />` },
    ]} />`}
    ${listeners.length > 0 && html`<h2>${t("listeners")}</h2><${Table} label=${t("listeners")} rows=${listeners} columns=${[
      { head: t("address"), cell: row => html`<${Text} value=${row.address} />` },
      { head: t("nav.frontends"), cell: row => html`<${Text} value=${row.frontends.join(", ")} />` },
      { head: t("config.fate"), cell: row => named("listener.fate", row.fate) },
      { head: t("config.drops"), cell: row => row.drops, number: true },
    ]} />`}
    ${!lists.length && !frontends.length && !listeners.length && html`<p class="muted">${t("config.nothing")}</p>`}`;
}
