// Frames as a script that the testkit plays, one input a line: what `dragoman tap` saves.
import { decode } from "./frames.js";

function hex(bytes) {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join(" ");
}

// A line end within JSON is white space.
function oneLine(text) {
  return (text ?? "").replace(/[\r\n]/g, " ");
}

function request({ method, target, headers, body }) {
  const lines = [`> ${method ?? "-"} ${oneLine(target ?? "-")}`];
  lines.push(...headers.map(([name, value]) => `>> ${oneLine(name)}: ${oneLine(value)}`));
  if (body) lines.push(`>>> ${oneLine(body)}`);
  return lines;
}

function binary(frame) {
  if (frame.base64) return `<hex ${hex(decode(frame.base64))}`;
  if (frame.bytes) return null;
  return `<binary ${hex(new TextEncoder().encode(frame.text ?? ""))}`;
}

// What a frame that came in is as input; null if the tap does not show it.
function input(frame) {
  const text = oneLine(frame.text);
  switch (frame.kind) {
    case "opened": return [`~ ${text}`];
    case "answer": return [`= ${text}`];
    case "event": return [`* ${text}`];
    case "http": return request(frame.http);
    case "binary": return binary(frame) && [binary(frame)];
    default: return [`< ${text}`];
  }
}

function lines(frame) {
  if (frame.kind === "closed") return ["! closed"];
  if (frame.direction === "in") {
    const found = input(frame);
    return found ? [`@ ${frame.at_ms}`, ...found] : [`# ${frame.bytes} bytes that the tap does not show`];
  }
  if (frame.kind === "http") return [`# responded: ${frame.http.status} ${oneLine(frame.http.body)}`];
  return [`# sent: ${frame.base64 ? hex(decode(frame.base64)) : oneLine(frame.text)}`];
}

export function transcript(frames) {
  const sessions = [...new Set(frames.map(({ session }) => session))].sort((a, b) => a - b);
  const written = sessions.flatMap(session => {
    const own = frames.filter(frame => frame.session === session);
    return [`# session ${session} of ${own[0].frontend}, ${own[0].dialect}`, ...own.flatMap(lines)];
  });
  return `${written.join("\n")}\n`;
}
