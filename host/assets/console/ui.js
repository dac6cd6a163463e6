// The parts that pages are made of.
import { html, useEffect, useMemo, useRef, useState } from "./lib.js";
import { get } from "./api.js";
import { bytes, duration, number, t, time } from "./i18n.js";
import { link } from "./route.js";
import { cut, parts, plain } from "./visible.js";

const TITLE_MAX = 2000;

// A text of others, isolated from the direction of what is around it and cut to `max` characters. `lines`: its line ends
// count. `more`: a button shows all of it.
export function Text({ value, max = 120, lines, more }) {
  const [whole, setWhole] = useState(false);
  if (value === undefined || value === null || value === "") return html`<span class="muted">–</span>`;
  const [shown, isCut] = whole ? [String(value), false] : cut(value, max);
  return html`<bdi class=${lines ? "text lines" : "text"} title=${isCut ? plain(value, TITLE_MAX) : undefined}>
    ${parts(shown, lines).map(part => typeof part === "string" ? part : html`<span class="code">${part[0]}</span>`)}
    ${isCut && "…"}
  </bdi>${isCut && more && html` <button class="link" onClick=${() => setWhole(true)}>${t("show_all")}</button>`}`;
}

export function Time({ at }) {
  return at ? html`<time datetime=${at} title=${at}>${time(at)}</time>` : html`<span class="muted">–</span>`;
}

export function Alert({ problem, retry }) {
  if (!problem) return null;
  return html`<div class="alert" role="alert">
    <${Text} value=${problem.message} max=${1000} lines />
    ${retry && html`<button onClick=${retry}>${t("retry")}</button>`}
  </div>`;
}

export function State({ kind, children }) {
  return html`<span class=${`state ${kind}`}>${children}</span>`;
}

export function PageHead({ title, children, back }) {
  return html`<header class="page-head">
    ${back && html`<p class="back"><a href=${back[0]}>${"← "}${back[1]}</a></p>`}
    <h1 tabindex="-1">${title}</h1>
    ${children && html`<div class="actions">${children}</div>`}
  </header>`;
}

export function Button({ onClick, kind, children, disabled, label }) {
  return html`<button type="button" class=${kind} onClick=${onClick} disabled=${disabled} aria-label=${label}>
    ${children}
  </button>`;
}

// A region that scrolls by itself, where a table is wider than the page.
export function Scroll({ label, children }) {
  return html`<div class="scroll" role="region" tabindex="0" aria-label=${label}>${children}</div>`;
}

// columns: [{name, head, cell(row), number}]; the first one heads its row. The last one may have buttons, and no head.
export function Table({ label, columns, rows, id, empty }) {
  if (!rows.length) return html`<p class="muted">${empty ?? t("nothing")}</p>`;
  return html`<${Scroll} label=${label}>
    <table>
      <thead><tr>${columns.map(heading)}</tr></thead>
      <tbody>${rows.map((row, at) => html`<tr key=${id ? id(row) : at}>
        ${columns.map((column, place) => cell(column, place, row))}
      </tr>`)}</tbody>
    </table>
  <//>`;
}

export function heading(column) {
  const kind = column.number ? "number" : undefined;
  if (!column.head) return html`<th scope="col"><span class="hidden">${t("actions")}</span></th>`;
  return html`<th scope="col" class=${kind}>${column.head}</th>`;
}

export function cell(column, place, row) {
  const kind = column.number ? "number" : column.head ? undefined : "buttons";
  const content = column.cell(row);
  return place === 0
    ? html`<th scope="row" class=${kind}>${content}</th>`
    : html`<td class=${kind}>${content}</td>`;
}

// Names and values: [[name, value]…]; undefined values are left out.
export function Facts({ rows }) {
  return html`<dl class="facts">${rows.filter(row => row && row[1] !== undefined).map(([name, value]) => html`
    <div><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

// Any JSON of the API, with its own names: for parts whose fields differ from one kind to another.
export function Json({ value, name }) {
  if (Array.isArray(value)) {
    if (!value.length) return html`<span class="muted">–</span>`;
    if (value.every(item => typeof item !== "object")) {
      return html`<ul class="plain">${value.map(item => html`<li><${Json} value=${item} name=${name} /></li>`)}</ul>`;
    }
    return html`<ul class="plain">${value.map(item => html`<li><${Json} value=${item} /></li>`)}</ul>`;
  }
  if (value && typeof value === "object") {
    return html`<${Facts} rows=${Object.entries(value).map(([key, inner]) => [
      key, html`<${Json} value=${inner} name=${key} />`])} />`;
  }
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value === "number") return figure(name ?? "", value);
  return html`<${Text} value=${value} max=${300} lines />`;
}

function figure(name, value) {
  if (name.endsWith("bytes")) return bytes(value);
  if (name.endsWith("_s")) return duration(value);
  if (name.endsWith("at_ms")) return time(value);
  return number(value);
}

// [[id, label, content()]…]; the chosen one is part of the address.
export function Tabs({ label, tabs, chosen, address }) {
  const list = useRef(null);
  const at = Math.max(0, tabs.findIndex(([id]) => id === chosen));
  const onKey = event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (at + step + tabs.length) % tabs.length;
    location.hash = address(tabs[next][0]);
    requestAnimationFrame(() => list.current?.children[next].focus());
  };
  return html`
    <div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${onKey}>
      ${tabs.map(([id, name], place) => html`<button role="tab" id=${`tab-${id}`} aria-selected=${String(place === at)}
        aria-controls=${place === at ? "tab-panel" : undefined} tabindex=${place === at ? 0 : -1}
        onClick=${() => { location.hash = address(id); }}>${name}</button>`)}
    </div>
    <section role="tabpanel" id="tab-panel" aria-labelledby=${`tab-${tabs[at][0]}`} key=${tabs[at][0]}>
      ${tabs[at][2]()}
    </section>`;
}

// A share of a limit, as a bar and in words.
export function Share({ label, value, limit, format = number }) {
  const share = limit ? Math.min(1, value / limit) : 0;
  const kind = share >= 0.9 ? "bad" : share >= 0.7 ? "warn" : "ok";
  return html`<span class="share">
    <span class="bar" role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax=${limit} aria-valuenow=${value}>
      <span class=${kind} style=${{ width: `${share * 100}%` }}></span>
    </span>
    <span>${t("share", { value: format(value), limit: format(limit) })}</span>
  </span>`;
}

// What a request answers: {data, problem, isLoading, reload}. It is asked again when its address changes, and every
// `every_ms` if that is given.
export function useGet(to, query, everyMs) {
  const [state, setState] = useState({ isLoading: true });
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify([to, query]);
  useEffect(() => {
    if (!to) return undefined;
    const abort = new AbortController();
    let timer;
    const ask = () => get(to, query, abort.signal).then(
      data => setState({ data, isLoading: false }),
      problem => problem.name === "AbortError" || setState(old => ({ ...old, problem, isLoading: false })),
    ).finally(() => {
      if (everyMs && !abort.signal.aborted) timer = setTimeout(ask, everyMs);
    });
    setState(old => ({ ...old, problem: undefined, isLoading: true }));
    ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, turn, everyMs]);
  return { ...state, reload: () => setTurn(turn + 1) };
}

// A list that is asked for page by page: {items, hasMore, isLoading, problem, more, reload}. `cursor` is the parameter
// that `next` goes into.
export function useList(to, query = {}, { cursor = "after", limit = 100 } = {}) {
  const [state, setState] = useState({ items: [], isLoading: true });
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify([to, query, turn]);
  const current = useRef(null);
  const ask = (abort, items, next) => {
    setState(old => ({ ...old, problem: undefined, isLoading: true }));
    get(to, { ...query, limit, [cursor]: next }, abort.signal).then(
      page => setState({ items: [...items, ...page.items], next: page.next, page, isLoading: false }),
      problem => problem.name === "AbortError" || setState(old => ({ ...old, problem, isLoading: false })),
    );
  };
  useEffect(() => {
    const abort = new AbortController();
    current.current = abort;
    ask(abort, [], undefined);
    return () => abort.abort();
  }, [key]);
  const isMore = state.next !== undefined && !state.isLoading;
  return {
    ...state,
    hasMore: state.next !== undefined,
    more: () => isMore && ask(current.current, state.items, state.next),
    reload: () => setTurn(turn + 1),
  };
}

// What is below a list: its problem, that it is loading, and a button for more.
export function ListEnd({ list }) {
  return html`<div class="list-end">
    <${Alert} problem=${list.problem} retry=${list.hasMore ? list.more : list.reload} />
    ${list.isLoading && html`<p class="muted" role="status">${t("loading")}</p>`}
    ${list.hasMore && !list.isLoading && html`<${Button} onClick=${list.more}>${t("more")}<//>`}
  </div>`;
}

// The states of useGet but that in which there is data.
export function Pending({ of }) {
  if (of.problem) return html`<${Alert} problem=${of.problem} retry=${of.reload} />`;
  return of.data ? null : html`<p class="muted" role="status">${t("loading")}</p>`;
}

// A form whose fields go into the address: [{name, label, options?, placeholder?}].
export function Filters({ label, fields, parts: steps, query }) {
  const onSubmit = event => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    location.hash = link(steps, Object.fromEntries(Object.entries(given).map(([name, text]) => [name, text.trim()])));
  };
  return html`<form class="filters" role="search" aria-label=${label} onSubmit=${onSubmit} key=${JSON.stringify(query)}>
    ${fields.map(field => html`<${Field} ...${field} value=${query[field.name] ?? ""} />`)}
    <button type="submit">${t("search")}</button>
  </form>`;
}

// Of a field in hours, what the API takes.
export function seconds(hours) {
  return hours ? Math.round(Number(hours) * 3600) : undefined;
}

let fields = 0;

// An input with its label; options: [[value, label]…].
export function Field({ name, label, type = "text", value, options, hint, required, placeholder, autocomplete, rows }) {
  const id = useMemo(() => `field-${fields += 1}`, []);
  const common = {
    id, name, required, autocomplete: autocomplete ?? "off", "aria-describedby": hint ? `${id}-hint` : undefined,
  };
  const control = options
    ? html`<select ...${common}>${options.map(([option, text]) => html`
        <option value=${option} selected=${option === value}>${text}</option>`)}</select>`
    : type === "textarea"
      ? html`<textarea ...${common} rows=${rows ?? 3} spellcheck="false" defaultValue=${value}></textarea>`
      : type === "checkbox"
        ? html`<input ...${common} type="checkbox" defaultChecked=${value} />`
        : html`<input ...${common} type=${type} defaultValue=${value} placeholder=${placeholder} spellcheck="false" />`;
  return html`<div class=${`field of-${type}`}>
    <label for=${id}>${label}</label>${control}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}
