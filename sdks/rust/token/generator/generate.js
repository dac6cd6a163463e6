// Makes src/generated from token.ksy: the parser with kaitai-struct-compiler; and around it what Kaitai does not make
// for Rust, which is the requests with their encoder, plain types of what comes, and the calls of Client.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const compiler = require("kaitai-struct-compiler");

const home = path.join(__dirname, "..");
const layout = JSON.parse(fs.readFileSync(path.join(home, "schemas/token.ksy"), "utf8"));
const head = "// Generated from token.ksy by generator/generate.js. Do not edit.\n";

const pascal = (name) => name.replace(/(?:^|_)(.)/g, (_, letter) => letter.toUpperCase());
const doc = (text, indent = "") => `${indent}/// ${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.\n`;

const INTEGERS = { u1: "u8", u2: "u16", u4: "u32", u8: "u64", s4: "i32" };

/** How a field's type is in Rust, how it is written, and how it is had from Kaitai's parser. */
function kind(type) {
  if (INTEGERS[type]) {
    const integer = INTEGERS[type];
    return { owned: integer, borrowed: integer, own: () => "", write: (it) => `out.extend(${it}.to_be_bytes());`, read: (it) => `*${it}` };
  }
  const [count, rest] = layout.types[type].seq;
  const length = (it) => `length::<${INTEGERS[count.type]}>(${it}.len(), out)?;`;
  if (rest.type === "str") {
    return { owned: "String", borrowed: "&str", own: (name) => `: ${name}.to_owned()`, write: (it) => `${length(it)}\n        out.extend(${it}.as_bytes());`, read: (it) => `${it}.text().clone()` };
  }
  const element = kind(rest.type);
  return { owned: `Vec<${element.owned}>`, borrowed: `&[${element.owned}]`, own: (name) => `: ${name}.to_vec()`, write: (it) => `${length(it)}\n        ${it}.iter().for_each(|one| { ${element.write("one")} });`, read: (it) => `${it}.elements().clone()` };
}

const commands = Object.entries(layout.enums.command).map(([code, { id, doc }]) => ({ code: Number(code), id, doc }));
commands.sort((a, b) => a.code - b.code);
const operations = commands.filter(({ code }) => code < 0x4000);
const notifications = commands.filter(({ code }) => code >= 0x4000);
const results = Object.entries(layout.enums.result).map(([code, { id, doc }]) => ({ code: Number(code), id, doc }));
results.sort((a, b) => a.code - b.code);

function struct(name) {
  const { doc: what, seq } = layout.types[name];
  const fields = seq.map((field) => `${doc(field.doc, "    ")}    pub ${field.id}: ${kind(field.type).owned},\n`).join("");
  return `${doc(what)}#[derive(Clone, Debug, PartialEq)]\npub struct ${pascal(name)} {\n${fields}}\n\n`;
}

function code() {
  const rows = (row) => results.map(row).join("");
  return `/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
${rows(({ id, doc: what }) => `${doc(what, "    ")}    ${pascal(id)},\n`)}    /// One that this client does not know.
    Unknown(u16),
}

impl Code {
    /// As it is on the wire.
    pub fn number(self) -> u16 {
        match self {
${rows(({ code, id }) => `            Self::${pascal(id)} => ${code},\n`)}            Self::Unknown(number) => number,
        }
    }
}

impl From<u16> for Code {
    fn from(number: u16) -> Self {
        match number {
${rows(({ code, id }) => `            ${code} => Self::${pascal(id)},\n`)}            _ => Self::Unknown(number),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
${rows(({ id }) => `            Self::${pascal(id)} => out.write_str("${id.toUpperCase()}"),\n`)}            Self::Unknown(number) => write!(out, "result {number}"),
        }
    }
}

`;
}

function requests() {
  const variants = operations.map(({ id, doc: what }) => `${doc(what, "    ")}    ${pascal(id)}(${pascal(id)}Request),\n`);
  const codes = operations.map(({ code, id }) => `            Self::${pascal(id)}(_) => ${code},\n`);
  const bodies = operations.map(({ id }) => `            Self::${pascal(id)}(request) => request.write(out),\n`);
  const writers = operations.map(({ id }) => {
    const { seq } = layout.types[`${id}_request`];
    const body = seq.map((field) => `        ${kind(field.type).write(`self.${field.id}`)}\n`).join("");
    return `impl ${pascal(id)}Request {\n    fn write(&self, ${seq.length ? "out" : "_out"}: &mut Vec<u8>) -> Result<(), TooLong> {\n${body}        Ok(())\n    }\n}\n\n`;
  });
  return `/// What can be asked of the gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
${variants.join("")}}

impl Request {
    /// As it is on the wire.
    pub fn command(&self) -> u16 {
        match self {
${codes.join("")}        }
    }

    /// The body of the frame, behind command and sequence.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        match self {
${bodies.join("")}        }
    }
}

${writers.join("")}`;
}

function replies(name, what, list, suffix) {
  const variants = list.map(({ id, doc: said }) => `${doc(said, "    ")}    ${pascal(id)}(${pascal(id)}${suffix}),\n`);
  return `/// ${what}\n#[derive(Clone, Debug, PartialEq)]\npub enum ${name} {\n${variants.join("")}}\n\n`;
}

/** From the parser's body to ours. */
function readers() {
  const arms = (list, suffix, outer) => list.map(({ id }) => {
    const type = `${id}_${suffix}`;
    const { seq } = layout.types[type];
    const fields = seq.map((field) => `${field.id}: ${kind(field.type).read(`body.${field.id}()`)}, `).join("");
    return `        Body::Token_${pascal(type)}(${seq.length ? "body" : "_"}) => ${outer}::${pascal(id)}(${pascal(type)} { ${fields}}),\n`;
  });
  return `/// The reply that a body is, if it is one.
pub(crate) fn reply(body: &Body) -> Option<Reply> {
    Some(match body {
${arms(operations, "reply", "Reply").join("")}        _ => return None,
    })
}

/// The notification that a body is, if it is one.
pub(crate) fn notification(body: &Body) -> Option<Notification> {
    Some(match body {
${arms(notifications, "notification", "Notification").join("")}        _ => return None,
    })
}
`;
}

function types() {
  const structs = [
    ...operations.flatMap(({ id }) => [`${id}_request`, `${id}_reply`]),
    ...notifications.map(({ id }) => `${id}_notification`),
  ];
  return `${head}//! What is sent and what comes, as plain types.

use std::fmt;

use super::token::Token_Content_Body as Body;
use crate::frame::{TooLong, length};

${code()}${requests()}${replies("Reply", "What came of a request that was done.", operations, "Reply")}${replies("Notification", "What comes unasked.", notifications, "Notification")}${structs.map(struct).join("")}${readers()}`;
}

function calls() {
  const methods = operations.map(({ id, doc: what }) => {
    const { seq } = layout.types[`${id}_request`];
    const parameters = seq.map((field) => `, ${field.id}: ${kind(field.type).borrowed}`).join("");
    const fields = seq.map((field) => `${field.id}${kind(field.type).own(field.id)}, `).join("");
    const said = seq.map((field) => `    /// * \`${field.id}\`: ${field.doc}\n`).join("");
    return `${doc(what, "    ")}${said ? `    ///\n${said}` : ""}    pub fn ${id}(&self${parameters}) -> Result<${pascal(id)}Reply, Error> {
        match self.call(Request::${pascal(id)}(${pascal(id)}Request { ${fields}}))? {
            Reply::${pascal(id)}(reply) => Ok(reply),
            _ => Err(Error::Protocol("the reply is to another command".to_owned())),
        }
    }
`;
  });
  return `${head}//! One call a command.

use super::types::*;
use crate::{Client, Error};

impl Client {
${methods.join("\n")}}
`;
}

/** The compiler's, but that it finds its runtime in this package. */
function parser(text) {
  const made = text.replace("extern crate kaitai;\nuse kaitai::*;", "use crate::kaitai::*;");
  if (made === text) throw new Error("the compiler's imports are not where they were");
  return made.replace("#![allow(unused_imports)]", "#![allow(unused, clippy::all)]\n#![allow(unused_imports)]");
}

compiler.compile("rust", layout, null, false).then((files) => {
  const out = path.join(home, "src/generated");
  fs.mkdirSync(out, { recursive: true });
  const write = (name, text) => fs.writeFileSync(path.join(out, name), text);
  write("token.rs", parser(files["token.rs"]));
  write("types.rs", types());
  write("calls.rs", calls());
  write("mod.rs", `${head}//! Generated.\n\nmod calls;\npub(crate) mod token;\npub(crate) mod types;\n`);
}).catch((error) => {
  console.error(error);
  process.exit(1);
});
