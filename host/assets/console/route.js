// Where the console is: #/page/part?name=value.
import { signal } from "./lib.js";

export const route = signal(read());

function read() {
  const [steps, query] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    hash: location.hash,
    parts: steps.split("/").filter(Boolean).map(decode),
    query: Object.fromEntries(new URLSearchParams(query ?? "")),
  };
}

function decode(step) {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

export function link(parts, query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "");
  return `#/${parts.map(encodeURIComponent).join("/")}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

export function go(parts, query) {
  location.hash = link(parts, query);
}

addEventListener("hashchange", () => { route.value = read(); });
