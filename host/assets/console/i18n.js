// The language of the console: texts, numbers, dates.
import { effect, signal } from "./lib.js";
import { plain } from "./visible.js";
import en from "./i18n/en.js";
import zh from "./i18n/zh.js";

const TEXTS = { en, zh };
const STORED = "dragoman.language";

export const LANGUAGES = [["en", "English"], ["zh", "中文"]];
export const language = signal(first());

function first() {
  const stored = localStorage.getItem(STORED);
  if (stored in TEXTS) return stored;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export function setLanguage(name) {
  localStorage.setItem(STORED, name);
  language.value = name;
}

effect(() => { document.documentElement.lang = language.value === "zh" ? "zh-Hans" : "en"; });

// The text of a key. Texts among the values are data: they are isolated from the direction of the sentence, with their
// invisible characters spelled out.
export function t(key, values) {
  const text = TEXTS[language.value][key] ?? TEXTS.en[key] ?? key;
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? number(value) : `\u2068${plain(value, 80)}\u2069`;
  });
}

// A text for a name of the API, such as a state; the name itself where there is no text for it.
export function named(group, name) {
  const key = `${group}.${name}`;
  return key in TEXTS.en ? t(key) : String(name);
}

const formats = new Map();

function format(kind, options) {
  const key = `${language.value} ${kind} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl[kind](language.value, options));
  return formats.get(key);
}

export function number(value, digits) {
  if (value === undefined || value === null || Number.isNaN(value)) return "–";
  const places = digits ?? (Math.abs(value) < 10 && !Number.isInteger(value) ? 2 : Math.abs(value) < 100 ? 1 : 0);
  return format("NumberFormat", { maximumFractionDigits: Number.isInteger(value) ? 0 : places }).format(value);
}

export function bytes(value) {
  if (value === undefined || value === null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${number(size, size < 10 && unit ? 2 : size < 100 && unit ? 1 : 0)} ${units[unit]}`;
}

// A date and a time of the machine that the browser runs on; `at` is RFC 3339 or Unix milliseconds.
export function time(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  return format("DateTimeFormat", { dateStyle: "short", timeStyle: "medium" }).format(date);
}

export function clock(at) {
  return format("DateTimeFormat", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false })
    .format(new Date(at)) + "." + String(Math.floor(at % 1000)).padStart(3, "0");
}

// Seconds as "3d 4h", "4m 5s".
export function duration(seconds) {
  if (seconds === undefined || seconds === null) return "–";
  const steps = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
  const at = steps.findIndex(([, length]) => seconds >= length);
  if (at < 0) return "0s";
  const [unit, length] = steps[at];
  const rest = at < 3 ? Math.floor(seconds % length / steps[at + 1][1]) : 0;
  return `${Math.floor(seconds / length)}${unit}${rest ? ` ${rest}${steps[at + 1][0]}` : ""}`;
}
