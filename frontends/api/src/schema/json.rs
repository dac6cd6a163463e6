//! JSON for people to read: keywords in a helpful order, and on one line what fits there.

use serde_json::Value;
use serde_json::value::RawValue;

/// The width of a line.
const COLUMNS: usize = 100;

/// These keys come first, in this order; the others follow by name.
const FIRST: &[&str] = &[
    "$schema",
    "$id",
    "openapi",
    "asyncapi",
    "$ref",
    "meta",
    "id",
    "doc",
    "operationId",
    "title",
    "name",
    "in",
    "summary",
    "description",
    "version",
    "license",
    "type",
    "const",
    "enum",
    "format",
    "required",
    "properties",
];

/// JSON whose objects keep the order of their keys.
pub(super) enum Json {
    /// Written as it is.
    Raw(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Array(elements) => Self::List(elements.iter().map(Self::of).collect()),
            Value::Object(fields) => {
                let mut keys: Vec<&String> = fields.keys().collect();
                keys.sort_by_key(|key| (rank(key), *key));
                Self::Map(
                    keys.iter().map(|key| ((*key).clone(), Self::of(&fields[*key]))).collect(),
                )
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Self::Raw(value.to_string())
            }
        }
    }

    pub(super) fn string(text: &str) -> Self {
        Self::of(&Value::from(text))
    }

    pub(super) fn map<const N: usize>(fields: [(&str, Json); N]) -> Self {
        Self::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Adds a field at the end of an object.
    pub(super) fn push(&mut self, key: &str, value: Json) {
        match self {
            Self::Map(fields) => fields.push((key.to_owned(), value)),
            Self::Raw(_) | Self::List(_) => unreachable!("only objects have fields"),
        }
    }

    /// The whole document, with a line end.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(0, 0, &mut text);
        text.push('\n');
        text
    }

    /// The text as the value of a field of the document.
    pub(super) fn field_text(&self, key: &str) -> String {
        let mut text = String::new();
        self.write(2, quoted(key).len() + 2, &mut text);
        text
    }

    /// `before` is the width already used on the line, without the indent.
    fn write(&self, indent: usize, before: usize, text: &mut String) {
        let compact = self.compact();
        let lines: Vec<(String, &Json)> = match self {
            _ if indent > 0 && indent + before + compact.len() < COLUMNS => {
                return text.push_str(&compact);
            }
            Self::Raw(raw) => return text.push_str(raw),
            Self::List(elements) => elements.iter().map(|one| (String::new(), one)).collect(),
            Self::Map(fields) => {
                fields.iter().map(|(key, one)| (format!("{}: ", quoted(key)), one)).collect()
            }
        };
        let (open, close) = if matches!(self, Self::List(_)) { ('[', ']') } else { ('{', '}') };
        text.push(open);
        for (nth, (key, one)) in lines.iter().enumerate() {
            text.push_str(if nth == 0 { "\n" } else { ",\n" });
            text.push_str(&" ".repeat(indent + 2));
            text.push_str(key);
            one.write(indent + 2, key.len(), text);
        }
        text.push('\n');
        text.push_str(&" ".repeat(indent));
        text.push(close);
    }

    fn compact(&self) -> String {
        match self {
            Self::Raw(raw) => raw.clone(),
            Self::List(elements) if elements.is_empty() => "[]".into(),
            Self::Map(fields) if fields.is_empty() => "{}".into(),
            Self::List(elements) => {
                let elements: Vec<String> = elements.iter().map(Self::compact).collect();
                format!("[{}]", elements.join(", "))
            }
            Self::Map(fields) => {
                let field =
                    |(key, one): &(String, Json)| format!("{}: {}", quoted(key), one.compact());
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{ {} }}", fields.join(", "))
            }
        }
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Self::Raw(raw.get().to_owned())
    }
}

fn rank(key: &str) -> usize {
    FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len())
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
