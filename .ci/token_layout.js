// Compiles schemas/token/token.ksy, and reads with the generated parser every frame of the token dialect's transcripts and
// of its page: each must say what is written beside it.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const compiler = require("kaitai-struct-compiler");
const KaitaiStream = require("kaitai-struct/KaitaiStream");

const layout = JSON.parse(fs.readFileSync("schemas/token/token.ksy", "utf8"));
const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

async function parser() {
  for (const language of ["python", "java", "go", "rust", "csharp"]) {
    await compiler.compile(language, layout, null, false);
  }
  const files = await compiler.compile("javascript", layout, null, false);
  const module = { exports: {} };
  new Function("module", "exports", "require", files["Token.js"])(module, module.exports, () => KaitaiStream);
  return module.exports.Token ?? module.exports;
}

/** `hex` and what it should say, from the transcripts' snapshots and the page. */
function examples() {
  const found = [];
  const snapshots = "frontends/token/tests/it/snapshots";
  for (const file of fs.readdirSync(snapshots)) {
    const lines = fs.readFileSync(path.join(snapshots, file), "utf8").split("\n");
    lines.forEach((line, at) => {
      const hex = /^ {4}(?:send|broadcast) ([0-9a-f][0-9a-f ]+)$/.exec(line);
      const said = /^ {6}; (.*)$/.exec(lines[at + 1] ?? "");
      if (hex && said) found.push([hex[1], said[1]]);
    });
  }
  const page = fs.readFileSync("docs/dialects/token.md", "utf8");
  for (const block of page.split("```frame\n").slice(1)) {
    const [said, ...lines] = block.split("```")[0].trimEnd().split("\n");
    found.push([lines.map((line) => line.split("  ")[0]).join(" "), said]);
  }
  return found;
}

/** What a frame says, in the words of the transcripts. */
function describe(Token, hex) {
  const bytes = Uint8Array.from(hex.match(/[0-9a-f]{2}/gi), (pair) => parseInt(pair, 16));
  const { frames } = new Token(new KaitaiStream(bytes.buffer, 0));
  if (frames.length !== 1) throw new Error(`${frames.length} frames in ${hex}`);
  const { about, command, sequence, isReply, result, body } = frames[0].content;
  const isNotification = !isReply && command >= 0x4000;
  // A client cannot ask for a notification; its code is only a number.
  const known = !isReply || about < 0x4000 ? layout.enums.command[about]?.id : undefined;
  const operation = known ?? `command 0x${about.toString(16)}`;
  const words = isNotification ? [operation] : [operation, `#${sequence}`];
  if (isReply) words.push(layout.enums.result[result].id.toUpperCase());
  const cases = layout.types.content.seq.find((field) => field.id === "body").type.cases;
  const type = cases[frames[0].content.kind];
  for (const { id } of type ? layout.types[type].seq : []) {
    words.push(`${id}=${show(body[camel(id)])}`);
  }
  return words.join(" ");
}

function show(value) {
  if (typeof value === "number") return String(value);
  if (value.elements) return `[${value.elements.join(", ")}]`;
  return value.text.startsWith("{") ? value.text : JSON.stringify(value.text);
}

/** Numbers beyond 2^53 are rounded here, and characters are escaped otherwise there. */
function alike(text) {
  return text
    .replace(/\d{16,}/g, (digits) => String(Number(digits)))
    .replace(/\\u\{?[0-9a-f]+\}?|\\x[0-9a-f]{2}|\\0|\\'/g, "?");
}

parser().then((Token) => {
  const all = examples();
  if (all.length < 50) throw new Error(`only ${all.length} frames were found`);
  for (const [hex, said] of all) {
    const read = describe(Token, hex);
    if (alike(read) !== alike(said)) throw new Error(`${hex}\n  should be ${said}\n  is ${read}`);
  }
  console.log(`token.ksy: ${all.length} frames say what they should`);
}).catch((error) => {
  console.error(error);
  process.exit(1);
});
