//! A layout of Kaitai Struct, written as JSON: the numbers that have names, and the fields of each
//! type in the order in which they come.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::html::{Html, code, escaped, link};

pub(crate) fn page(title: &str, layout: &Value) -> Html {
    let mut page = Html::plain(title);
    page.paragraphs(text(layout, "doc"));
    page.table(["field", "type", "", ""], fields(layout, layout));
    for (name, rows) in objects(&layout["enums"]) {
        page.heading(name);
        let rows = in_order(rows).into_iter().map(|(number, row)| {
            let shown = format!("{number} (0x{number:04x})");
            [code(&shown), code(text(row, "id")), escaped(text(row, "doc")).into_owned()]
        });
        page.table(["number", "name", ""], rows.collect());
    }
    for (name, body) in objects(&layout["types"]) {
        page.heading(name);
        page.paragraphs(text(body, "doc"));
        let fields = fields(layout, body);
        if fields.is_empty() {
            page.element("p", "It has no fields.");
        }
        page.table(["field", "type", "", ""], fields);
    }
    page
}

/// An object's entries.
fn objects(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// An object's entries by number: their keys are numbers.
fn in_order(value: &Value) -> BTreeMap<u64, &Value> {
    objects(value).filter_map(|(key, value)| Some((key.parse().ok()?, value))).collect()
}

fn fields(layout: &Value, body: &Value) -> Vec<[String; 4]> {
    let fields = body["seq"].as_array().into_iter().flatten().filter_map(Value::as_object);
    let row = |field: &Map<String, Value>| {
        let text = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
        let kind = field.get("type").map_or("bytes".into(), |kind| kind_of(layout, kind));
        let about = escaped(text("doc")).into_owned();
        [code(text("id")), kind, how(field), about]
    };
    fields.map(row).collect()
}

/// A type by name, or by what stands in another field.
fn kind_of(layout: &Value, kind: &Value) -> String {
    let Some(cases) = kind.get("cases") else {
        return named(layout, kind.as_str().unwrap_or_default());
    };
    let cases = in_order(cases).into_iter().map(|(number, kind)| {
        format!("{number} {}", named(layout, kind.as_str().unwrap_or_default()))
    });
    let on = kind.get("switch-on").and_then(Value::as_str).unwrap_or_default();
    format!("by {}: {}", code(on), cases.collect::<Vec<_>>().join(", "))
}

fn named(layout: &Value, name: &str) -> String {
    match layout["types"].get(name) {
        Some(_) => link(&format!("#{name}"), name),
        None => escaped(primitive(name)).into_owned(),
    }
}

/// Kaitai's short names in words.
fn primitive(name: &str) -> &str {
    match name {
        "u1" => "u8",
        "u2" => "u16",
        "u4" => "u32",
        "u8" => "u64",
        "s4" => "i32",
        "str" => "text",
        other => other,
    }
}

/// What else is said of a field: how long it is, how often it comes, and when.
fn how(field: &Map<String, Value>) -> String {
    let said = [("size", "bytes:"), ("repeat-expr", "times:"), ("if", "if"), ("enum", "one of")];
    let mut words: Vec<String> = Vec::new();
    for (key, word) in said {
        if let Some(value) = field.get(key).and_then(Value::as_str) {
            words.push(format!("{word} {}", code(value)));
        }
    }
    if field.get("size-eos").is_some() || field.get("repeat").is_some_and(|how| how == "eos") {
        words.push("to the end".into());
    }
    words.join(", ")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
