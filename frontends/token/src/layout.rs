//! The layout as a Kaitai Struct description, generated from the codec's tables. It is JSON, which
//! is also valid YAML.

use frontend_api::schema::text_of;
use serde_json::{Map, Value, json};

use crate::fields::{
    FAILURE, Field, HEADER, Kind, NOTIFICATIONS, OPERATIONS, REPLY, RESULT, RESULTS,
};

/// The key of the error body: a reply to command 0, which does not exist. It fits the type of
/// `command`, which Kaitai's Rust code also uses for the look-up.
const FAILED: u16 = REPLY;

/// `token.ksy`
pub(crate) fn ksy(version: &str) -> String {
    let about = format!(
        "Frames of the token dialect of Dragoman {version}, as they follow each other on a TCP \
         stream, in either direction."
    );
    text_of(&json!({
        "meta": {
            "id": "token",
            "title": "token dialect",
            "license": "MIT",
            "endian": "be",
            "encoding": "UTF-8",
            "ks-version": "0.10",
        },
        "doc": about,
        "seq": [{ "id": "frames", "type": "frame", "repeat": "eos" }],
        "types": types(),
        "enums": { "command": commands(), "result": results() },
    }))
}

fn types() -> Value {
    let mut types = Map::new();
    let mut add = |name: &str, about: &str, fields: &[Field]| {
        types.insert(name.to_owned(), body(about, fields));
    };
    for row in OPERATIONS {
        add(&format!("{}_request", row.name), row.about, row.request);
        let about = format!("That it was done: {}", row.name);
        add(&format!("{}_reply", row.name), &about, row.reply);
    }
    for row in NOTIFICATIONS {
        add(&format!("{}_notification", row.name), row.about, row.body);
    }
    add("failure", "That it was not done.", FAILURE);
    let long = "A text, or an object of JSON: u32 byte count and UTF-8.";
    types.insert("string16".into(), counted("A text: u16 byte count and UTF-8.", "u2"));
    types.insert("string32".into(), counted(long, "u4"));
    types.insert("array_u32".into(), array());
    types.insert("frame".into(), frame());
    types.insert("content".into(), content());
    Value::Object(types)
}

fn body(about: &str, fields: &[Field]) -> Value {
    json!({ "doc": about, "seq": fields.iter().map(field).collect::<Vec<_>>() })
}

fn field(field: &Field) -> Value {
    json!({ "id": field.name, "type": type_of(field.kind), "doc": field.about })
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::U8 => "u1",
        Kind::U16 => "u2",
        Kind::U32 => "u4",
        Kind::U64 => "u8",
        Kind::I32 => "s4",
        Kind::String => "string16",
        Kind::Text | Kind::JsonString { .. } => "string32",
        Kind::ArrayU32 => "array_u32",
    }
}

fn counted(about: &str, count: &str) -> Value {
    json!({
        "doc": about,
        "seq": [
            { "id": "byte_count", "type": count },
            { "id": "text", "type": "str", "size": "byte_count" },
        ],
    })
}

fn array() -> Value {
    json!({
        "doc": "u16 count and so many u32.",
        "seq": [
            { "id": "count", "type": "u2" },
            { "id": "elements", "type": "u4", "repeat": "expr", "repeat-expr": "count" },
        ],
    })
}

/// The first field of the header is the number of bytes after it.
fn frame() -> Value {
    let [length, _, _] = HEADER else { unreachable!("a header has three fields") };
    json!({
        "doc": "One frame.",
        "seq": [field(length), { "id": "content", "size": length.name, "type": "content" }],
    })
}

fn content() -> Value {
    let [_, command, sequence] = HEADER else { unreachable!("a header has three fields") };
    let [result] = RESULT else { unreachable!("a reply has one result") };
    let mut result = field(result);
    result["enum"] = "result".into();
    result["if"] = "is_reply".into();
    let mut cases = Map::new();
    for row in OPERATIONS {
        cases.insert(row.command().to_string(), format!("{}_request", row.name).into());
        let reply = row.command() | REPLY;
        cases.insert(reply.to_string(), format!("{}_reply", row.name).into());
    }
    for row in NOTIFICATIONS {
        cases.insert(row.command().to_string(), format!("{}_notification", row.name).into());
    }
    cases.insert(FAILED.to_string(), "failure".into());
    json!({
        "doc": "What a frame is about.",
        "seq": [
            field(command),
            field(sequence),
            result,
            {
                "id": "body",
                "size-eos": true,
                "type": { "switch-on": "kind", "cases": cases },
                "doc": "by command, or the reason where a reply is not OK",
            },
        ],
        "instances": {
            "is_reply": { "value": format!("(command & {REPLY}) != 0") },
            "about": {
                "value": format!("command & {}", !REPLY),
                "enum": "command",
                "doc": "the operation or the notification",
            },
            "kind": {
                "value": format!("is_reply ? (result == result::ok ? command : {FAILED}) : command"),
                "doc": "which body it has",
            },
        },
    })
}

fn commands() -> Value {
    let mut commands = Map::new();
    for row in OPERATIONS {
        let about = json!({ "id": row.name, "doc": row.about });
        commands.insert(row.command().to_string(), about);
    }
    for row in NOTIFICATIONS {
        let about = json!({ "id": row.name, "doc": row.about });
        commands.insert(row.command().to_string(), about);
    }
    Value::Object(commands)
}

fn results() -> Value {
    let row = |row: &crate::fields::ResultRow| {
        let about = json!({ "id": row.name.to_lowercase(), "doc": row.about });
        ((row.code as u16).to_string(), about)
    };
    Value::Object(RESULTS.iter().map(row).collect())
}
