// Makes Token, TokenCalls and Request in src/main/java/dragoman/token from schemas/token.ksy: the parser with
// kaitai-struct-compiler; and around it what the client needs
// of the same layout, which is the requests with their encoder, and one call a command.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const compiler = require("kaitai-struct-compiler");

const home = path.join(__dirname, "..");
const layout = JSON.parse(fs.readFileSync(path.join(home, "schemas/token.ksy"), "utf8"));
const head = "// Generated from schemas/token.ksy by generator/generate.js. Do not edit.\npackage dragoman.token;\n\n";

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(`_${name}`);
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

const INTEGERS = { u1: "int", u2: "int", u4: "long", u8: "long", s4: "int" };

/** How a field's type is in Java, and how it is written. */
function kind(type) {
  if (INTEGERS[type]) return { java: INTEGERS[type], write: (it) => `out.${type}(${it})` };
  const [count, rest] = layout.types[type].seq;
  if (rest.type !== "str") throw new Error(`no request had a ${type} when this was written`);
  return { java: "String", write: (it) => `out.text(${it}, ${count.type.slice(1)})` };
}

const commands = Object.entries(layout.enums.command).map(([code, { id, doc }]) => ({ code: Number(code), id, doc }));
const operations = commands.filter(({ code }) => code < 0x4000).sort((a, b) => a.code - b.code);
const fields = (id) => layout.types[`${id}_request`].seq;
const parameters = (id) => fields(id).map((field) => `${kind(field.type).java} ${camel(field.id)}`).join(", ");
const said = (id, indent) => fields(id).map((field) => `${indent} * @param ${camel(field.id)} ${field.doc}\n`).join("");
const doc = (what, id, indent) => {
  const rest = said(id, indent);
  return rest ? `${indent}/**\n${indent} * ${sentence(what)}\n${indent} *\n${rest}${indent} */\n` : `${indent}/** ${sentence(what)} */\n`;
};

function request() {
  const records = operations.map(({ code, id, doc: what }) => {
    const body = fields(id).map((field) => `            ${kind(field.type).write(camel(field.id))};\n`).join("");
    return `${doc(what, id, "    ")}    record ${pascal(id)}(${parameters(id)}) implements Request {
        @Override
        public int command() {
            return ${code};
        }

        @Override
        public void write(Frame.Writer out) {
${body}        }
    }
`;
  });
  return `${head}/** What can be asked of the gateway. */
public sealed interface Request {
    /** As it is on the wire. */
    int command();

    /** The body of the frame, behind command and sequence. */
    void write(Frame.Writer out);

${records.join("\n")}}
`;
}

function calls() {
  const methods = operations.map(({ id, doc: what }) => {
    const names = fields(id).map((field) => camel(field.id)).join(", ");
    return `${doc(what, id, "    ")}    public Token.${pascal(id)}Reply ${camel(id)}(${parameters(id)}) throws TokenException, IOException, InterruptedException {
        return (Token.${pascal(id)}Reply) call(new Request.${pascal(id)}(${names}));
    }
`;
  });
  return `${head}import dragoman.token.kaitai.KaitaiStruct;
import java.io.IOException;

/**
 * One call a command. What the gateway refuses is a {@link TokenException}; an {@link IOException} is a connection that ended before
 * the reply came, or none for too long: whether the request was done is unknown.
 */
public abstract class TokenCalls {
    /** Asks, and waits for the body of the reply, which is the one of that request. */
    public abstract KaitaiStruct call(Request request) throws TokenException, IOException, InterruptedException;

${methods.join("\n")}}
`;
}

/** The compiler's, but that it is in the package, and finds its runtime there. */
function parser(text) {
  const made = text.replaceAll("import io.kaitai.struct.", "import dragoman.token.kaitai.");
  if (made === text) throw new Error("the compiler's imports are not where they were");
  return made.replace("\nimport ", "\npackage dragoman.token;\n\nimport ");
}

compiler.compile("java", layout, null, false).then((files) => {
  const out = path.join(home, "src/main/java/dragoman/token");
  fs.mkdirSync(out, { recursive: true });
  const write = (name, text) => fs.writeFileSync(path.join(out, name), text);
  write("Token.java", parser(Object.values(files)[0]));
  write("Request.java", request());
  write("TokenCalls.java", calls());
}).catch((error) => {
  console.error(error);
  process.exit(1);
});
