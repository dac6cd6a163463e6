// Frames of a dialect, as text or byte by byte.
import { html, useState } from "./lib.js";
import { clock, named, t } from "./i18n.js";
import { Table, Text } from "./ui.js";

const TEXT_MAX = 2000;
const BYTES_MAX = 512;
// Of a row of a hex dump; the latter where there is less room.
const ROW_BYTES = 16;
const NARROW_ROW_BYTES = 8;
const NARROW_PX = 760;
// What is no frame of the dialect.
const OTHER_KINDS = ["opened", "closed", "answer", "event"];

export function decode(base64) {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
}

// What the frame has, as text: for text frames, and for the parts of HTTP.
function asText(frame) {
  if (frame.http) {
    const { method, target, status, headers, body } = frame.http;
    const lines = [method ? `${method} ${target}` : `${status}`, ...headers.map(([name, value]) => `${name}: ${value}`)];
    return body ? `${lines.join("\n")}\n\n${body}` : lines.join("\n");
  }
  return frame.base64 ? null : frame.text ?? "";
}

function Content({ frame, isNarrow }) {
  const text = asText(frame);
  if (text === null) return html`<${Hex} bytes=${decode(frame.base64)} fields=${frame.fields ?? []} isNarrow=${isNarrow} />`;
  if (text === "") return null;
  return html`<code class="frame"><${Text} value=${text.replace(/\r?\n$/, "")} max=${TEXT_MAX} lines more /></code>`;
}

function hex(bytes) {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join(" ");
}

// The bytes in rows, and what they are by the description of the dialect.
function Hex({ bytes, fields, isNarrow }) {
  const width = isNarrow || innerWidth < NARROW_PX ? NARROW_ROW_BYTES : ROW_BYTES;
  const [isOpen, setOpen] = useState(false);
  const shown = bytes.subarray(0, BYTES_MAX);
  const rows = [];
  for (let at = 0; at < shown.length; at += width) rows.push(at);
  return html`<code class="frame">${rows.map(at => {
    const row = shown.subarray(at, at + width);
    const letters = Array.from(row, byte => byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·").join("");
    return `${at.toString(16).padStart(4, "0")}  ${hex(row).padEnd(width * 3)} ${letters}\n`;
  })}${bytes.length > BYTES_MAX && t("frame.more", { bytes: bytes.length - BYTES_MAX })}</code>
  ${fields.length > 0 && html`<button class="link" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      ${t("frame.notes")}</button>
    ${isOpen && html`<${Fields} bytes=${bytes} fields=${fields} />`}`}`;
}

function Fields({ bytes, fields }) {
  return html`<${Table} label=${t("frame.notes")} rows=${fields} columns=${[
    { head: t("frame.offset"), cell: field => field.offset, number: true },
    { head: t("frame.bytes"), cell: field => html`<code>${hex(bytes.subarray(field.offset, field.offset + Math.min(field.length, ROW_BYTES)))}</code>` },
    { head: t("frame.field"), cell: field => html`<code><${Text} value=${field.name} /></code>` },
    { head: t("value"), cell: field => html`<${Text} value=${field.value} max=${200} />` },
    { head: t("description"), cell: field => html`<${Text} value=${field.about} max=${200} />` },
  ]} />`;
}

// One line for a frame that passed: when, which way, whose, and what.
export function FrameRow({ frame, isShort, isNarrow }) {
  const way = frame.direction === "in" ? "in" : "out";
  return html`<li class=${`passed ${way}`}>
    <span class="way" title=${t(`frame.${way}`)}><span aria-hidden="true">${way === "in" ? "→" : "←"}</span>
      <span class="hidden">${t(`frame.${way}`)}</span></span>
    ${frame.at_ms !== undefined && html`<span class="when">${clock(frame.at_ms)}</span>`}
    ${!isShort && html`<span class="whose"><${Text} value=${frame.frontend} max=${24} />
      ${frame.session !== undefined && ` #${frame.session}`} <${Text} value=${frame.user ?? frame.peer} max=${40} />
      ${frame.masked && html` · ${t("frame.masked")}`}</span>`}
    ${OTHER_KINDS.includes(frame.kind) && html`<span class="whose">${t(`frame.kind.${frame.kind}`)}</span>`}
    <${Content} frame=${frame} isNarrow=${isNarrow} />
  </li>`;
}

// What each front end shows of a room or a person.
export function Views({ items }) {
  if (!items.length) return html`<p class="muted">${t("nothing")}</p>`;
  return items.map(item => html`<section class="view" key=${item.frontend}>
    <h2><${Text} value=${item.frontend} />${item.dialect !== item.frontend && html` <span class="muted">${named("dialect", item.dialect)}</span>`}</h2>
    ${item.note && html`<p class="muted"><${Text} value=${item.note} max=${300} /></p>`}
    ${item.frames?.length ? html`<ul class="frames" aria-label=${t("frames")}>${item.frames.map(frame => html`
      <${FrameRow} frame=${frame} isShort />`)}</ul>` : html`<p class="muted">${t("views.none")}</p>`}
  </section>`);
}

