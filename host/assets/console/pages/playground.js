// Two clients of two dialects in one room, and the frames of each.
import { html, useEffect, useRef, useState } from "../lib.js";
import { call, path } from "../api.js";
import { say } from "../dialog.js";
import { t } from "../i18n.js";
import { Dropped, Frames, useFrames } from "../passing.js";
import { transcript } from "../transcript.js";
import { Alert, Field, PageHead, Text, useGet } from "../ui.js";

// Names that accounts hardly have: of an account, irc would ask for the password.
const NAMES = ["play1", "play2"];

export function Playground() {
  const found = useGet(path`/frontends`);
  const [room, setRoom] = useState("tea");
  const serving = (found.data?.items ?? []).filter(({ serving: isServing }) => isServing);
  return html`
    <${PageHead} title=${t("nav.playground")} />
    <p class="muted">${t("playground.text")}</p>
    <div class="filters"><div class="field"><label for="playground-room">${t("room")}</label>
      <input id="playground-room" value=${room} autocomplete="off" onInput=${event => setRoom(event.target.value)} /></div></div>
    <${Alert} problem=${found.problem} retry=${found.reload} />
    <div class="panes">${serving.length > 0 && [0, 1].map(side => html`
      <${Pane} key=${side} side=${side} frontends=${serving} room=${room} />`)}</div>`;
}

function Pane({ side, frontends, room }) {
  const [client, setClient] = useState(null);
  const label = t("playground.pane", { number: side + 1 });
  return html`<section class="pane" aria-label=${label}>
    <h2>${label}${client && html` · <${Text} value=${client.name} max=${40} />`}</h2>
    ${client ? html`<${Client} client=${client} onEnd=${() => setClient(null)} />`
      : html`<${Start} side=${side} frontends=${frontends} room=${room} onStart=${setClient} />`}
  </section>`;
}

function Start({ side, frontends, room, onStart }) {
  const [problem, setProblem] = useState(null);
  const onSubmit = async event => {
    event.preventDefault();
    const { frontend, name } = Object.fromEntries(new FormData(event.target));
    try {
      const made = await call("POST", path`/playground/sessions`, { body: { frontend, name, room: room || undefined } });
      onStart(made);
    } catch (error) {
      setProblem(error);
    }
  };
  const first = frontends[Math.min(side, frontends.length - 1)].name;
  return html`<form class="filters" onSubmit=${onSubmit}>
    <${Field} name="frontend" label=${t("dialect")} value=${first} options=${frontends.map(({ name }) => [name, name])} />
    <${Field} name="name" label=${t("name")} value=${NAMES[side]} required />
    <button type="submit" class="primary">${t("playground.start")}</button>
    <${Alert} problem=${problem} />
  </form>`;
}

function Client({ client, onEnd }) {
  const found = useFrames(path`/playground/sessions/${client.id}/frames`, undefined, false);
  const [sent, setSent] = useState([]);
  const [problem, setProblem] = useState(null);
  const isOver = useRef(false);
  const end = () => call("DELETE", path`/playground/sessions/${client.id}`, { keepalive: true }).catch(() => {});
  useEffect(() => {
    addEventListener("pagehide", end);
    return () => {
      removeEventListener("pagehide", end);
      if (!isOver.current) end();
    };
  }, []);
  const send = async body => {
    setProblem(null);
    try {
      const done = await call("POST", path`/playground/sessions/${client.id}/input`, { body });
      setSent(before => [...before, done]);
      return true;
    } catch (error) {
      setProblem(error);
      return false;
    }
  };
  const onStop = () => {
    isOver.current = true;
    end();
    onEnd();
  };
  return html`
    <${Input} label=${t("playground.say")} action=${t("send")} onSend=${text => send({ say: text })} />
    <${Input} label=${t(`playground.raw.${form(client.dialect)}`)} action=${t("send")} isCode onSend=${text => send(raw(client.dialect, text))} />
    <${Alert} problem=${problem ?? found.problem} />
    <${Frames} frames=${found.frames} label=${t("playground.frames", { name: client.name })} isShort />
    <div class="actions">
      <${Copy} sent=${sent} frames=${found.frames} />
      <button onClick=${onStop}>${t("playground.stop")}</button>
      <${Dropped} count=${found.dropped} />
    </div>`;
}

// How a frame of a dialect is typed.
function form(dialect) {
  return { token: "hex", usr_room: "http", channel: "http" }[dialect] ?? "text";
}

// A frame as it is typed: hexadecimal digits, `METHOD /path BODY`, or a text.
function raw(dialect, text) {
  if (form(dialect) === "hex") {
    const digits = text.replace(/\s+/g, "").match(/..?/g) ?? [];
    return { base64: btoa(String.fromCharCode(...digits.map(digit => Number.parseInt(digit, 16) || 0))) };
  }
  if (form(dialect) === "http") {
    const [, method, target, body = ""] = /^(\S+)\s*(\S*)\s*([^]*)$/.exec(text.trim()) ?? [];
    const type = body.startsWith("{") ? "application/json" : "application/x-www-form-urlencoded";
    return { http: { method, target, headers: body ? [["content-type", type]] : [], body } };
  }
  return { text };
}

function Input({ label, action, isCode, onSend }) {
  const onSubmit = async event => {
    event.preventDefault();
    const form = event.target;
    if (await onSend(new FormData(form).get("text"))) form.reset();
  };
  return html`<form class="filters line" onSubmit=${onSubmit}>
    <${Field} name="text" label=${label} required type=${isCode ? "code" : "text"} />
    <button type="submit">${action}</button>
  </form>`;
}

// What was sent, as the gateway writes it for other clients.
function Copy({ sent, frames }) {
  const copy = async (name, text) => {
    try {
      await navigator.clipboard.writeText(text);
      say(t("copied", { name }));
    } catch {
      say(t("not_copied"));
    }
  };
  const curl = sent.flatMap(({ curl: lines }) => lines ?? []).join("\n");
  const code = sent.map(({ code: line }) => line).filter(Boolean).join("\n");
  return html`
    <button disabled=${!curl} onClick=${() => copy("curl", `${curl}\n`)}>${t("copy.curl")}</button>
    <button disabled=${!code} onClick=${() => copy("TypeScript", `${code}\n`)}>${t("copy.code")}</button>
    <button disabled=${!frames.length} onClick=${() => copy(t("transcript"), transcript(frames))}>${t("copy.transcript")}</button>`;
}
