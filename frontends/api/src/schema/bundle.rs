//! A JSON Schema 2020-12 of a dialect: every message is a definition.

use schemars::generate::Contract;
use serde_json::{Map, Value, json};

use super::description::{Description, FROM_CLIENT, FROM_SERVER};
use super::json::Json;
use super::shapes::{self, DEFS, Defs, Shape};

const META_SCHEMA: &str = "https://json-schema.org/draft/2020-12/schema";

pub(super) fn of(described: &Description, roots: &[String], defs: &Defs) -> String {
    let dialect = &described.manifest.dialect;
    let any = roots.iter().map(|name| Json::of(&json!({ "$ref": format!("{DEFS}{name}") })));
    let any = any.collect();
    let shown = defs.iter().map(|(name, schema)| {
        let tagged = match name.as_str() {
            FROM_CLIENT | FROM_SERVER => with_discriminator(described.tag, schema, defs),
            _ => schema.clone(),
        };
        (name.clone(), described.shown(name, &tagged))
    });
    let shown = shown.collect();
    Json::map([
        ("$schema", Json::string(META_SCHEMA)),
        ("$id", Json::string(&format!("urn:dragoman:{dialect}"))),
        ("title", Json::string(&described.manifest.title)),
        ("description", Json::string(described.about)),
        ("anyOf", Json::List(any)),
        ("$defs", Json::Map(shown)),
    ])
    .text()
}

pub(super) fn of_type(id: &str, title: &str, shape: &Shape, contract: &Contract) -> String {
    let (name, mut defs) = shapes::of_shape(shape, contract);
    let mut schema = json!({ "$schema": META_SCHEMA, "$id": format!("urn:dragoman:{id}") });
    let fields = schema.as_object_mut().expect("it is written as an object");
    if defs.values().any(|schema| shapes::targets(schema).contains(&name)) {
        fields.insert("$ref".into(), format!("{DEFS}{name}").into());
    } else if let Some(Value::Object(root)) = defs.remove(&name) {
        fields.extend(root);
    }
    fields.insert("title".into(), title.into());
    if !defs.is_empty() {
        fields.insert("$defs".into(), Value::Object(Map::from_iter(defs)));
    }
    Json::of(&schema).text()
}

/// Maps values of the tag to messages, for generators that need a discriminator.
fn with_discriminator(tag: &str, schema: &Value, defs: &Defs) -> Value {
    let mut schema = schema.clone();
    let (Some(choices), Some(fields)) =
        (schema.get("oneOf").and_then(Value::as_array).cloned(), schema.as_object_mut())
    else {
        return schema;
    };
    let mut mapping = Map::new();
    for choice in &choices {
        let target = choice.get("$ref").and_then(Value::as_str).unwrap_or_default();
        let name = target.strip_prefix(DEFS).unwrap_or_default();
        match defs.get(name).map(|one| &one["properties"][tag]["const"]) {
            Some(Value::String(value)) => drop(mapping.insert(value.clone(), target.into())),
            Some(Value::Number(value)) => drop(mapping.insert(value.to_string(), target.into())),
            // Something other than the tag distinguishes them.
            _ => return schema,
        }
    }
    let discriminator = json!({ "propertyName": tag, "mapping": mapping });
    fields.insert("discriminator".into(), discriminator);
    schema
}
