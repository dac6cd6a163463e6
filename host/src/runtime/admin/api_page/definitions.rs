//! A JSON Schema with definitions, each as a table of its fields with its examples.

use serde_json::{Map, Value};

use super::html::{Html, code, escaped, link};

const DEFS: &str = "#/$defs/";

pub(crate) fn page(title: &str, schema: &Value) -> Html {
    let mut page = Html::plain(title);
    page.paragraphs(text(schema, "description"));
    let definitions = schema["$defs"].as_object().into_iter().flatten();
    for (name, definition) in definitions {
        page.heading(name);
        page.paragraphs(text(definition, "description"));
        let whole = kind(definition);
        if definition.get("properties").is_none() {
            page.raw(&format!("<p>{whole}</p>\n"));
        }
        page.table(["field", "", "", ""], fields(definition));
        for example in definition["examples"].as_array().into_iter().flatten() {
            page.element("pre", &example.to_string());
        }
    }
    page
}

fn fields(definition: &Value) -> Vec<[String; 4]> {
    let required = definition["required"].as_array().cloned().unwrap_or_default();
    let row = |(name, schema): (&String, &Value)| {
        let needed = required.iter().any(|one| one == name);
        let about = escaped(text(schema, "description")).replace('\n', "<br>");
        let needed = if needed { "required" } else { "" };
        [code(name), kind(schema), needed.to_owned(), about]
    };
    let properties = definition["properties"].as_object();
    properties.into_iter().flatten().map(row).collect()
}

/// What may stand there, in a few words.
fn kind(schema: &Value) -> String {
    let Some(schema) = schema.as_object() else { return "anything".into() };
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let name = target.strip_prefix(DEFS).unwrap_or(target);
        return link(&format!("#{name}"), name);
    }
    if let Some(value) = schema.get("const") {
        return code(&value.to_string());
    }
    if let Some(values) = list("enum") {
        return values.iter().map(|value| code(&value.to_string())).collect::<Vec<_>>().join(" ");
    }
    if let Some(choices) = list("oneOf").or_else(|| list("anyOf").filter(|_| !has_fields(schema))) {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(elements) = list("prefixItems") {
        let elements: Vec<String> = elements.iter().map(kind).collect();
        return format!("[{}]", elements.join(", "));
    }
    if let Some(elements) = schema.get("items") {
        return format!("list of {}", kind(elements));
    }
    match schema.get("type") {
        Some(Value::String(kind)) => escaped(kind).into_owned(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".into(),
    }
}

fn has_fields(schema: &Map<String, Value>) -> bool {
    schema.contains_key("properties")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
