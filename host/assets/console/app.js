// The console: its frame, its navigation, and which page is shown.
import { effect, html, render, signal, useEffect, useErrorBoundary, useRef } from "./lib.js";
import { loadSession, may, session, signOut } from "./api.js";
import { ask, Dialogs } from "./dialog.js";
import { LANGUAGES, language, setLanguage, t } from "./i18n.js";
import * as live from "./live.js";
import { theme } from "./plot.js";
import { link, route } from "./route.js";
import { Alert, State, Text } from "./ui.js";
import { Audit } from "./pages/audit.js";
import { Bans } from "./pages/bans.js";
import { Configuration } from "./pages/configuration.js";
import { Frontends } from "./pages/frontends.js";
import { Overview } from "./pages/overview.js";
import { Playground } from "./pages/playground.js";
import { Plugins } from "./pages/plugins.js";
import { Rooms } from "./pages/rooms.js";
import { Sessions } from "./pages/sessions.js";
import { SignIn } from "./pages/sign_in.js";
import { Store } from "./pages/store.js";
import { Tap } from "./pages/tap.js";
import { Tokens } from "./pages/tokens.js";
import { Trace } from "./pages/trace.js";
import { Users } from "./pages/users.js";
import { Webhooks } from "./pages/webhooks.js";

// The pages, in groups: [name, component, the role that it needs, whether the gateway has it].
const GROUPS = [
  ["watch", [
    ["overview", Overview, "monitor"],
    ["frontends", Frontends, "monitor"],
    ["sessions", Sessions, "monitor"],
    ["rooms", Rooms, "monitor"],
    ["users", Users, "monitor"],
    ["bans", Bans, "monitor"],
  ]],
  ["look", [
    ["tap", Tap, "operator"],
    ["trace", Trace, "moderator"],
    ["playground", Playground, "operator", () => session.value.playground],
  ]],
  ["run", [
    ["configuration", Configuration, "monitor"],
    ["store", Store, "monitor"],
    ["plugins", Plugins, "monitor"],
    ["webhooks", Webhooks, "monitor"],
    ["tokens", Tokens, "operator"],
    ["audit", Audit, "operator"],
  ]],
];

const THEMES = ["auto", "light", "dark"];
const chosenTheme = signal(localStorage.getItem("dragoman.theme") ?? "auto");
const menuIsOpen = signal(false);
const failed = signal(null);

effect(() => {
  document.documentElement.dataset.theme = chosenTheme.value;
  localStorage.setItem("dragoman.theme", chosenTheme.value);
  theme.value = theme.peek() + 1;
});

function isOffered([, , role, isThere]) {
  return may(role) && (!isThere || isThere());
}

function Select({ label, value, options, onChange }) {
  return html`<label class="choice"><span class="hidden">${label}</span>
    <select value=${value} onChange=${event => onChange(event.target.value)}>
      ${options.map(([id, text]) => html`<option value=${id} selected=${id === value}>${text}</option>`)}
    </select>
  </label>`;
}

function Choices() {
  return html`
    <${Select} label=${t("language")} value=${language.value} options=${LANGUAGES} onChange=${setLanguage} />
    <${Select} label=${t("theme")} value=${chosenTheme.value} options=${THEMES.map(name => [name, t(`theme.${name}`)])}
      onChange=${name => { chosenTheme.value = name; }} />`;
}

function Health() {
  const sample = live.latest.value;
  if (live.state.value === "connecting") return null;
  if (live.state.value !== "open") return html`<${State} kind="warn">${t("live.none")}<//>`;
  if (!sample) return null;
  const isWell = sample.engine === "ok" && sample.store === "ok";
  return html`<${State} kind=${isWell ? "ok" : "bad"}>${t(isWell ? "live.ok" : "live.trouble")}<//>`;
}

function Navigation({ page }) {
  return html`<nav aria-label=${t("pages")} class=${menuIsOpen.value ? "open" : ""} id="pages">
    ${GROUPS.map(([name, pages]) => html`
      ${pages.some(isOffered) && html`<h2 id=${`group-${name}`}>${t(`group.${name}`)}</h2>`}
      <ul aria-labelledby=${`group-${name}`}>${pages.filter(isOffered).map(([id]) => html`
        <li><a href=${link([id])} aria-current=${id === page ? "page" : undefined}>${t(`nav.${id}`)}</a></li>`)}
      </ul>`)}
  </nav>`;
}

function confirmSignOut() {
  ask({
    title: t("sign_out"), text: t("sign_out.text"), action: t("sign_out"),
    run: async () => { await signOut(); },
  });
}

function Top() {
  const { who, role, signed_in: isSignedIn } = session.value;
  return html`<header class="top">
    <a class="skip" href="#main" onClick=${event => {
      event.preventDefault();
      document.querySelector("main h1")?.focus();
    }}>${t("skip")}</a>
    <button class="menu" aria-expanded=${String(menuIsOpen.value)} aria-controls="pages"
      onClick=${() => { menuIsOpen.value = !menuIsOpen.value; }}>${t("menu")}</button>
    <a class="name" href=${link(["overview"])}>Dragoman</a>
    <${Health} />
    <span class="spring"></span>
    <span class="who"><${Text} value=${who} max=${40} /> <span class="muted">${t(`role.${role}`)}</span></span>
    ${isSignedIn && html`<button onClick=${confirmSignOut}>${t("sign_out")}</button>`}
    <${Choices} />
  </header>`;
}

// The page, or what went wrong in it; it gets another chance at another address.
function Page({ component: Component, address }) {
  const [problem, reset] = useErrorBoundary(error => console.error(error));
  if (problem) return html`<h1 tabindex="-1">${t("error.page")}</h1><${Alert} problem=${problem} retry=${reset} />`;
  return html`<${Component} steps=${address.parts.slice(1)} query=${address.query} />`;
}

function Main() {
  const address = route.value;
  const pages = GROUPS.flatMap(([, inGroup]) => inGroup).filter(isOffered);
  const [id, component] = pages.find(([name]) => name === address.parts[0]) ?? pages[0];
  const place = address.parts.slice(0, 2).join("/");
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${t(`nav.${id}`)} · Dragoman`;
  }, [id, language.value]);
  useEffect(() => {
    menuIsOpen.value = false;
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    scrollTo(0, 0);
    document.querySelector("main h1")?.focus({ preventScroll: true });
  }, [place]);
  return html`
    <${Top} />
    <div class="frame">
      <${Navigation} page=${id} />
      <main id="main" data-address=${address.hash}><${Page} component=${component} address=${address} key=${place} /></main>
    </div>`;
}

function App() {
  if (failed.value) {
    return html`<main class="alone"><h1 tabindex="-1">Dragoman</h1><${Alert} problem=${failed.value} retry=${begin} /></main>`;
  }
  if (session.value === undefined) return html`<main class="alone"><p role="status">${t("loading")}</p></main>`;
  return html`
    ${session.value ? html`<${Main} />` : html`<${SignIn} choices=${html`<${Choices} />`} />`}
    <${Dialogs} />`;
}

async function begin() {
  failed.value = null;
  try {
    await loadSession();
  } catch (problem) {
    failed.value = problem;
  }
}

render(html`<${App} />`, document.getElementById("app"));
live.start();
begin();
