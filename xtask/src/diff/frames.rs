//! A layout of Kaitai Struct: no byte may move.

use serde_json::{Map, Value};

use super::Break;

/// The description of a field.
const WORDS: [&str; 2] = ["doc", "doc-ref"];

pub(crate) fn compare(former: &Value, now: &Value) -> Vec<Break> {
    let mut broken = Vec::new();
    for key in ["endian", "encoding"] {
        if former["meta"][key] != now["meta"][key] {
            broken.push(Break::new("meta", &format!("/{key}"), "is another"));
        }
    }
    if fields(former) != fields(now) {
        broken.push(Break::new("seq", "", "the layout is another"));
    }
    for (name, was) in entries(&former["types"]) {
        match now["types"].get(name) {
            None => broken.push(Break::new(name, "", "is gone")),
            Some(is) => body(name, was, is, &mut broken),
        }
    }
    for (name, was) in entries(&former["enums"]) {
        for (number, row) in entries(was) {
            let is = &now["enums"][name][number]["id"];
            if *is != row["id"] {
                let place = format!("/{number}");
                let what = format!("{} is {is} now", row["id"]);
                broken.push(Break::new(name, &place, what));
            }
        }
    }
    broken
}

fn body(name: &str, was: &Value, is: &Value, broken: &mut Vec<Break>) {
    let given = fields(was);
    let taken = fields(is);
    for (at, field) in given.iter().enumerate() {
        let id = field.get("id").and_then(Value::as_str).unwrap_or_default();
        let place = format!("/{id}");
        match taken.get(at) {
            Some(other) if same(field, other) => (),
            Some(_) => broken.push(Break::new(name, &place, "the layout is another")),
            None => broken.push(Break::new(name, &place, "is gone")),
        }
    }
    for field in taken.iter().skip(given.len()) {
        let id = field.get("id").and_then(Value::as_str).unwrap_or_default();
        broken.push(Break::new(name, &format!("/{id}"), "is more than was there"));
    }
    let values = |body: &Value| without_words(&body["instances"]);
    if values(was) != values(is) {
        broken.push(Break::new(name, "/instances", "are others"));
    }
}

/// The same field; a field that is selected by a number may get more numbers.
fn same(was: &Map<String, Value>, is: &Map<String, Value>) -> bool {
    let cases = |field: &Map<String, Value>| {
        field.get("type").and_then(|kind| kind.get("cases")?.as_object()).cloned()
    };
    let (Some(given), Some(taken)) = (cases(was), cases(is)) else { return was == is };
    let without = |field: &Map<String, Value>| {
        let mut field = field.clone();
        if let Some(Value::Object(kind)) = field.get_mut("type") {
            kind.remove("cases");
        }
        field
    };
    without(was) == without(is)
        && given.iter().all(|(number, kind)| taken.get(number) == Some(kind))
}

fn fields(body: &Value) -> Vec<Map<String, Value>> {
    let fields = body["seq"].as_array().into_iter().flatten();
    fields.filter_map(|field| without_words(field).as_object().cloned()).collect()
}

fn without_words(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !WORDS.contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key.clone(), without_words(value))).collect())
        }
        Value::Array(list) => list.iter().map(without_words).collect(),
        other => other.clone(),
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
