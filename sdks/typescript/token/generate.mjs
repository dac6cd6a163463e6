// Makes generated/ from schemas/token.ksy: the reader that the Kaitai Struct compiler writes, its types, which that does not
// write, and the fields of the requests, for the encoder.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import compiler from "kaitai-struct-compiler";

const layout = JSON.parse(readFileSync("schemas/token.ksy", "utf8"));
const { "Token.js": reader } = await compiler.compile("javascript", layout, null, false);
if (!reader) throw new Error("the compiler makes no Token.js of schemas/token.ksy");

const upper = (name) => name.replace(/(^|_)([a-z])/g, (_, __, letter) => letter.toUpperCase());
const lower = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const numbers = ["u1", "u2", "u4", "u8", "s4"];
const typeOf = ({ type, enum: names, repeat }) => {
  const one = names ? "number" : type === "str" ? "string" : numbers.includes(type) ? "number" : upper(type);
  return repeat ? `${one}[]` : one;
};

const { types } = layout;
const { cases } = types.content.seq.find(({ id }) => id === "body").type;
const bodies = Object.entries(cases).map(([kind, name]) => [Number(kind), name]);

const classes = Object.entries(types)
  .filter(([name]) => name !== "content" && name !== "frame")
  .map(([name, { doc, seq }]) => {
    const fields = seq.map((field) => `    /** ${field.doc ?? field.id} */\n    readonly ${lower(field.id)}: ${typeOf(field)};\n`);
    return `  /** ${doc} */\n  interface ${upper(name)} {\n${fields.join("")}  }\n`;
  });
const enumeration = (name) =>
  Object.entries(layout.enums[name])
    .map(([code, { id, doc }]) => `    /** ${doc} */\n    readonly ${id.toUpperCase()}: ${code};\n`)
    .join("");

/** What the encoder is given: a text as a string, a token as a bigint. */
const given = ({ id, type }) => (type.startsWith("string") ? "string" : id === "token" ? "bigint" : "number");
const requests = bodies.filter(([kind]) => kind < 0x4000);
const requestTypes = requests.map(([command, name]) => {
  const fields = types[name].seq.map((field) => `${lower(field.id)}: ${given(field)}`);
  return `  ${command}: { ${fields.join("; ")} };\n`;
});

mkdirSync("generated", { recursive: true });
// What a module exports is found by looking at its text, where a UMD wrapper hides it.
const exported = `exports.Token = exports.Token;
exports.decode = (content) => new exports.Token.Content(new (require("kaitai-struct").KaitaiStream)(content));
`;
writeFileSync("generated/token.cjs", `${reader}\n${exported}`);
writeFileSync(
  "generated/token.d.cts",
  `// Made by generate.mjs from schemas/token.ksy.

export declare namespace Token {
${classes.join("\n")}
  const Command: {
${enumeration("command")}  } & { readonly [code: number]: string };

  const Result: {
${enumeration("result")}  } & { readonly [code: number]: string };

  /** What a frame is about. */
  interface Content {
    readonly command: number;
    readonly sequence: number;
    /** In replies only. */
    readonly result?: number;
    readonly isReply: boolean;
    readonly body: unknown;
    /** The bytes of the body. */
    readonly _raw_body: Uint8Array;
  }

  /** The bodies of successful replies and of notifications, by the number of the frame. */
  interface Bodies {
${bodies.filter(([kind]) => kind >= 0x4000 && kind < 0x10000).map(([kind, name]) => `    ${kind}: ${upper(name)};\n`).join("")}  }
}

/** Reads what is after the length of a frame. */
export declare function decode(content: Uint8Array): Token.Content;

/** The fields of each command. */
export interface Requests {
${requestTypes.join("")}}
`,
);
const fields = requests.map(([command, name]) => [command, types[name].seq.map(({ id, type }) => [lower(id), type])]);
writeFileSync("generated/requests.json", `${JSON.stringify(Object.fromEntries(fields))}\n`);
