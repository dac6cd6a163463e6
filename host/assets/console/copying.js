// What a session of the playground did, as something to run elsewhere.
import { decode } from "./frames.js";

const ENCODER = new TextEncoder();

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function request(base, { method, target, headers, body }) {
  const given = headers.filter(([name]) => !["host", "content-length", "connection"].includes(name.toLowerCase()));
  const options = given.map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`);
  return ["curl", "-X", method, ...options, ...(body ? [`--data ${quote(body)}`] : []), quote(`http://${base}${target}`)].join(" ");
}

// What a client of a stream sent, for printf.
function octets(frame) {
  const bytes = frame.base64 ? decode(frame.base64) : ENCODER.encode(`${frame.text ?? ""}\r\n`.replace(/(\r?\n)+$/, "\r\n"));
  return Array.from(bytes, byte => byte > 31 && byte < 127 && !"\\%'".includes(String.fromCharCode(byte))
    ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

// Requests as curl; frames of a WebSocket by curl too; those of another stream as bytes for nc.
export function asCurl({ dialect, address }, frames) {
  const base = address ?? "127.0.0.1:PORT";
  const sent = frames.filter(({ direction, kind }) => direction === "in" && ["text", "binary", "http"].includes(kind));
  const requests = sent.filter(({ http }) => http);
  if (requests.length) return `${requests.map(({ http }) => request(base, http)).join("\n")}\n`;
  if (["chatroom", "ourchat"].includes(dialect)) {
    const lines = sent.map(frame => quote((frame.text ?? "").trim())).join(" ");
    return `printf '%s\\n' ${lines} | websocat ws://${base}/\n`;
  }
  return `printf '${sent.map(octets).join("")}' | nc ${base.replace(/:(\w+)$/, " $1")}\n`;
}

// A program with the Python SDK of a dialect (docs/sdk.md) that says the same.
const PROGRAMS = {
  channel: ({ name, room }, said) => [
    "from dragoman_channel import ChannelClient", "",
    "async def main() -> None:",
    '    async with ChannelClient("http://127.0.0.1:5004") as client:',
    `        await client.register(${name}, "tea for two")`,
    `        await client.login(${name}, "tea for two")`,
    ...said.map(text => `        await client.send_to_channel(${room}, ${text})`),
  ],
  chatroom: ({ name, room }, said) => [
    "from dragoman_chatroom import ChatroomClient", "",
    "async def main() -> None:",
    '    async with ChatroomClient("http://127.0.0.1:5000", "ws://127.0.0.1:2333") as client:',
    `        await client.register(15550001, ${name}, "tea for two")`,
    '        await client.login(15550001, "tea for two")',
    `        await client.join(${room})`,
    ...said.map(text => `        await client.say(${room}, ${text})`),
  ],
};

export function asCode(pane, said) {
  const program = PROGRAMS[pane.dialect];
  if (!program) return null;
  const text = JSON.stringify;
  const lines = program({ name: text(pane.name), room: text(pane.room) }, said.map(one => text(one)));
  return `import asyncio\n${lines.join("\n")}\n\nasyncio.run(main())\n`;
}
