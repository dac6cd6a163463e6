//! Rewrites what schemars generates into what code generators understand alike.
//!
//! Each rule is here because a well-known generator fails on what it removes.

use serde_json::{Map, Value, json};

/// The largest number that every JSON parser reads exactly, 2^53 - 1. No id and no time is larger.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// Keywords whose value is one schema.
const ONE: &[&str] = &["items", "additionalProperties", "x-accepts"];
/// Keywords whose value is a list of schemas.
const LISTS: &[&str] = &["anyOf", "oneOf", "allOf", "prefixItems"];
/// Keywords whose value is an object of schemas.
const MAPS: &[&str] = &["properties", "$defs"];

/// Cleans a schema and all schemas in it.
pub(super) fn clean(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    plain_words(fields);
    leave_out_null(fields);
    enumerate(fields);
    bound_numbers(fields);
    if fields.get("default").is_some_and(Value::is_null) {
        fields.remove("default");
    }
    each(schema, clean);
}

/// Calls `change` with each schema directly within a schema.
pub(super) fn each(schema: &mut Value, mut change: impl FnMut(&mut Value)) {
    let Some(fields) = schema.as_object_mut() else { return };
    for (key, value) in fields {
        match value {
            Value::Array(list) if LISTS.contains(&key.as_str()) => {
                list.iter_mut().for_each(&mut change);
            }
            Value::Object(map) if MAPS.contains(&key.as_str()) => {
                map.values_mut().for_each(&mut change);
            }
            one if ONE.contains(&key.as_str()) => change(one),
            _ => (),
        }
    }
}

/// An optional field is absent, never null: generators would make both `undefined` and `null` of
/// it, or a type of its own.
fn leave_out_null(fields: &mut Map<String, Value>) {
    let required = fields.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = fields.get_mut("properties") else { return };
    for (name, property) in properties {
        if !required.iter().any(|required| required == name) {
            not_null(property);
        }
    }
}

fn not_null(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            fields.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(any)) = fields.get_mut("anyOf") else { return };
    any.retain(|one| *one != json!({ "type": "null" }));
    if let [Value::Object(only)] = any.as_slice() {
        let only = only.clone();
        fields.remove("anyOf");
        for (key, value) in only {
            fields.entry(key).or_insert(value);
        }
    }
}

/// A choice of documented constants becomes an `enum`, with their meanings in the description.
fn enumerate(fields: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = fields.get("oneOf") else { return };
    let mut values = Vec::new();
    let mut meanings = Vec::new();
    for choice in choices {
        let meaning = choice.get("description").and_then(Value::as_str);
        let found: Vec<Value> = match (choice.get("const"), choice.get("enum")) {
            (Some(value), _) => vec![value.clone()],
            (None, Some(Value::Array(several))) => several.clone(),
            _ => return,
        };
        if let (Some(meaning), [value]) = (meaning, found.as_slice()) {
            meanings.push(format!("{value}: {}", plain(meaning)));
        }
        values.extend(found);
    }
    if !values.iter().all(Value::is_string) {
        return;
    }
    fields.remove("oneOf");
    fields.insert("type".into(), "string".into());
    fields.insert("enum".into(), values.into());
    if !meanings.is_empty() {
        let before =
            fields.get("description").and_then(Value::as_str).map(|text| format!("{text}\n"));
        let text = format!("{}{}", before.unwrap_or_default(), meanings.join("\n"));
        fields.insert("description".into(), text.into());
    }
}

/// Generators ignore formats such as `uint64`, and then assume 32 bits.
fn bound_numbers(fields: &mut Map<String, Value>) {
    if fields.contains_key("const") || fields.contains_key("enum") {
        for key in ["format", "minimum", "maximum"] {
            fields.remove(key);
        }
        return;
    }
    let Some(format) = fields.get("format").and_then(Value::as_str) else { return };
    let (format, maximum) = match format {
        "uint8" => ("int32", u64::from(u8::MAX)),
        "uint16" => ("int32", u64::from(u16::MAX)),
        "uint32" => ("int64", u64::from(u32::MAX)),
        "uint64" | "uint" => ("int64", EXACT_MAX),
        _ => return,
    };
    fields.insert("format".into(), format.into());
    fields.entry("minimum").or_insert(0.into());
    fields.entry("maximum").or_insert(maximum.into());
}

/// Removes from descriptions what only rustdoc understands, and the line breaks of the source.
fn plain_words(fields: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = fields.get_mut("description") {
        *text = plain(text);
    }
}

/// ``[`Text`](path)`` is `` `Text` ``; paragraphs stay apart.
fn plain(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    let mut plain = paragraphs.collect::<Vec<_>>().join("\n\n");
    while let Some((before, rest)) = plain.split_once("[`") {
        let Some((name, after)) = rest.split_once("`]") else { break };
        let link = after.strip_prefix('(').and_then(|link| link.split_once(')'));
        let after = link.map_or(after, |(_, after)| after);
        plain = format!("{before}`{name}`{after}");
    }
    plain
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Sample {
        /// See [`Sample`], [`there`](crate::x).
        maybe: Option<String>,
        null: (),
        count: u64,
        small: Option<u8>,
        kind: Option<Kind>,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Kind {
        /// The one.
        One,
        /// The other.
        Other,
    }

    #[test]
    fn keywords_that_generators_fail_on_are_removed() {
        let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
        let mut sample = Sample::json_schema(&mut generator).to_value();
        clean(&mut sample);
        let properties = &sample["properties"];
        let maybe = json!({ "type": "string", "description": "See `Sample`, `there`." });
        assert_eq!(properties["maybe"], maybe);
        let count =
            json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": EXACT_MAX });
        assert_eq!(properties["count"], count);
        let small = json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 255 });
        assert_eq!(properties["small"], small);
        assert_eq!(properties["kind"], json!({ "$ref": "#/$defs/Kind" }));
        let mut kind = Kind::json_schema(&mut generator).to_value();
        clean(&mut kind);
        assert_eq!(kind["enum"], json!(["one", "other"]));
        assert_eq!(kind["description"], "\"one\": The one.\n\"other\": The other.");
    }
}
