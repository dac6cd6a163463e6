// The admin API: requests, streams, and who the console is signed in as.
import { signal } from "./lib.js";
import { t } from "./i18n.js";

// Proves to the gateway that a page of its own has made the request.
const HEADERS = { "x-dragoman-admin": "console" };
const ROLES = ["monitor", "moderator", "operator"];

// {who, role, signed_in, playground}; null: not signed in; undefined: not known yet.
export const session = signal(undefined);

export function may(role) {
  return ROLES.indexOf(session.value?.role) >= ROLES.indexOf(role);
}

// A request that was refused: `message` is the `detail` of the problem.
class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// A path with its parameters encoded: path`/rooms/${name}/kick`.
export function path(texts, ...values) {
  return "/api/v1" + texts.reduce((done, text, at) => done + encodeURIComponent(values[at - 1]) + text);
}

function address(to, query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${to}?${new URLSearchParams(given)}` : to;
}

async function refusal(response) {
  const text = await response.text();
  let detail;
  try {
    const problem = JSON.parse(text);
    detail = problem.detail || problem.title;
  } catch {
    detail = text.slice(0, 500);
  }
  if (response.status === 401) session.value = null;
  return new Problem(response.status, detail || t("error.status", { status: response.status }));
}

async function send(method, to, { query, body, signal, keepalive } = {}) {
  const headers = { ...HEADERS };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(address(to, query), {
      method, headers, signal, keepalive, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, t("error.unreachable"));
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

// The JSON that an operation answers.
export async function call(method, to, options) {
  const response = await send(method, to, options);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

export function get(to, query, signal) {
  return call("GET", to, { query, signal });
}

// Lines of text as they come in, with what was left over at a cut.
async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const found = (rest + value).split(/\r\n|\n/);
      rest = found.pop();
      yield* found;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// The events of a stream (text/event-stream) until it ends or `signal` aborts it: yields [name, JSON].
export async function* stream(to, { query, signal } = {}) {
  const response = await send("GET", to, { query, signal });
  let name = "message";
  let data = [];
  for await (const line of lines(response.body)) {
    if (line === "") {
      if (data.length) yield [name, JSON.parse(data.join("\n"))];
      name = "message";
      data = [];
    } else if (line.startsWith("event:")) {
      name = line.slice(6).trim();
    } else if (line.startsWith("data:")) {
      data.push(line.slice(5).replace(/^ /, ""));
    }
  }
}

export async function loadSession() {
  try {
    const found = await call("GET", "/console/session");
    session.value = found?.role ? found : null;
  } catch (problem) {
    session.value = null;
    if (problem.status !== 401) throw problem;
  }
}

export async function signIn(token) {
  await call("POST", "/console/session", { body: { token } });
  await loadSession();
}

export async function signOut() {
  await call("DELETE", "/console/session");
  await loadSession();
}

// Gives a file to the browser to save.
export function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
