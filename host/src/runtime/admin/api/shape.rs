//! What a body or a query may be, by its schema: a sentence for each part that is something else.
//!
//! The schema is the one of the API's document, so what a client reads there and what it is refused
//! for are the same.

use core_model::bounds;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::nearest::nearest;

/// Of a value that is not what it should be, what a sentence shows.
const SHOWN_CHARS_MAX: usize = 64;

/// The most faults that are reported of one request.
const FAULTS_MAX: usize = 8;

/// A part of a request that is not what it should be.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    /// The names and numbers that lead to it.
    pub(super) path: Vec<String>,
    pub(super) why: String,
}

/// The schema of a body or a query, without references.
pub(super) struct Shape {
    schema: Value,
    /// `field` or `parameter`.
    word: &'static str,
}

impl Shape {
    pub(super) fn of_body<T: JsonSchema>() -> Self {
        Self { schema: schema::<T>(), word: "field" }
    }

    pub(super) fn of_query<T: JsonSchema>() -> Self {
        Self { schema: schema::<T>(), word: "parameter" }
    }

    /// Everything that is wrong with a value, up to a bound.
    pub(super) fn faults(&self, given: &Value) -> Vec<Fault> {
        let mut found = Faults { word: self.word, path: Vec::new(), faults: Vec::new() };
        found.check(&self.schema, given);
        found.faults.truncate(FAULTS_MAX);
        found.faults
    }

    /// The names of what it may have.
    pub(super) fn names(&self) -> Vec<String> {
        let fields = self.schema["properties"].as_object();
        fields.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// The value of a parameter of a query, which is a text there; a text that is no number or no
    /// boolean stays one.
    pub(super) fn read(&self, name: &str, text: String) -> Value {
        let schema = &self.schema["properties"][name];
        let types = || types(schema);
        let number = || text.parse::<u64>().ok().map(Value::from);
        let negative = || text.parse::<i64>().ok().map(Value::from);
        let read = if types().any(|one| one == "integer") {
            number().or_else(negative)
        } else if types().any(|one| one == "boolean") {
            text.parse::<bool>().ok().map(Value::from)
        } else {
            None
        };
        read.unwrap_or(Value::String(text))
    }
}

fn schema<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<T>().into()
}

struct Faults {
    word: &'static str,
    path: Vec<String>,
    faults: Vec<Fault>,
}

impl Faults {
    fn check(&mut self, schema: &Value, given: &Value) {
        let (schema, may_be_null) = without_null(schema);
        if may_be_null && given.is_null() {
            return;
        }
        if let Some(why) = mismatch(schema, given) {
            return self.note(None, why);
        }
        match given {
            Value::Object(fields) => self.check_fields(schema, fields),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let of_item = schema["prefixItems"].get(index).unwrap_or(&schema["items"]);
                    self.within(index.to_string(), |found| found.check(of_item, item));
                }
            }
            _ => (),
        }
    }

    fn check_fields(&mut self, schema: &Value, fields: &Map<String, Value>) {
        let Some(known) = schema["properties"].as_object() else {
            return fields.keys().for_each(|name| self.note_unknown(name, &Map::new()));
        };
        for (name, value) in fields {
            match known.get(name) {
                Some(of_field) => self.within(name.clone(), |found| found.check(of_field, value)),
                None => self.note_unknown(name, known),
            }
        }
        let required =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for name in required.filter(|name| !fields.contains_key(*name)) {
            let why =
                format!("missing {} `{name}`; expected {}", self.word, expected(&known[name]));
            self.note(Some(name), why);
        }
    }

    fn note_unknown(&mut self, name: &str, known: &Map<String, Value>) {
        let word = self.word;
        let near = nearest(name, known.keys().map(String::as_str));
        let instead = match (near, list(known.keys())) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, names) if names.is_empty() => format!("this operation has no {word}s there"),
            (None, names) => format!("there are {names}"),
        };
        let shown = bounds::cut(name, SHOWN_CHARS_MAX);
        self.note(Some(name), format!("unknown {word} `{shown}`; {instead}"));
    }

    fn within(&mut self, step: String, check: impl FnOnce(&mut Self)) {
        self.path.push(step);
        check(self);
        self.path.pop();
    }

    fn note(&mut self, step: Option<&str>, why: String) {
        let path = self.path.iter().cloned().chain(step.map(str::to_owned)).collect();
        self.faults.push(Fault { path, why });
    }
}

/// The schema of a value that is there, and whether it may also be null.
fn without_null(schema: &Value) -> (&Value, bool) {
    let is_null = |one: &Value| one["type"] == "null";
    let Some(choices) = schema["anyOf"].as_array() else {
        return (schema, types(schema).any(|one| one == "null"));
    };
    let of_value = choices.iter().find(|one| !is_null(one)).unwrap_or(schema);
    (of_value, choices.iter().any(is_null))
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let one = schema["type"].as_str();
    let several = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(several)
}

/// The words of an enumeration; none: it is none.
fn words(schema: &Value) -> Vec<&String> {
    let consts =
        schema["oneOf"].as_array().into_iter().flatten().filter_map(|one| one.get("const"));
    let listed = schema["enum"].as_array().into_iter().flatten();
    let words = consts.chain(listed).filter_map(|word| match word {
        Value::String(word) => Some(word),
        _ => None,
    });
    words.collect()
}

/// Why a value is none of this schema, whatever is in it. It quotes numbers and words of
/// enumerations only, as a text may be a password.
fn mismatch(schema: &Value, given: &Value) -> Option<String> {
    let words = words(schema);
    if !words.is_empty() {
        let is_one = given.as_str().is_some_and(|given| words.iter().any(|word| *word == given));
        return (!is_one).then(|| format!("expected {}, not {}", expected(schema), quoted(given)));
    }
    let mut allowed = types(schema).filter(|one| *one != "null").peekable();
    allowed.peek()?;
    let fits = allowed.any(|one| match (one, given) {
        ("integer", Value::Number(number)) => {
            let whole = number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from));
            whole.is_some_and(|whole| bounds_of(schema).contains(&whole))
        }
        ("string", Value::String(_))
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_))
        | ("object", Value::Object(_)) => true,
        ("array", Value::Array(items)) => {
            let max = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
            (schema["minItems"].as_u64().unwrap_or(0)..=max).contains(&(items.len() as u64))
        }
        _ => false,
    });
    if fits {
        return None;
    }
    let is_number = types(schema).any(|one| one == "integer");
    let given = if is_number { quoted(given) } else { kind(given).to_owned() };
    Some(format!("expected {}, not {given}", expected(schema)))
}

/// What may be given, in words.
fn expected(schema: &Value) -> String {
    let (schema, may_be_null) = without_null(schema);
    let or_null = if may_be_null { " or null" } else { "" };
    let words = words(schema);
    if !words.is_empty() {
        return format!("{}{or_null}", list(words.into_iter()));
    }
    let what = match types(schema).find(|one| *one != "null") {
        Some("integer") => {
            let bounds = bounds_of(schema);
            format!("a whole number from {} to {}", bounds.start(), bounds.end())
        }
        Some("string") => "a string".into(),
        Some("boolean") => "true or false".into(),
        Some("number") => "a number".into(),
        Some("array") => match schema["prefixItems"].as_array() {
            Some(items) => format!("an array of {} values", items.len()),
            None => "an array".into(),
        },
        _ => "an object with named fields".into(),
    };
    format!("{what}{or_null}")
}

/// The least and the greatest number of a schema.
fn bounds_of(schema: &Value) -> std::ops::RangeInclusive<i128> {
    let of_format = match schema["format"].as_str() {
        Some("uint32") => 0..=i128::from(u32::MAX),
        Some("uint64") => 0..=i128::from(u64::MAX),
        _ => i128::from(i64::MIN)..=i128::from(u64::MAX),
    };
    let bound = |name: &str| schema[name].as_i64().map(i128::from);
    bound("minimum").unwrap_or(*of_format.start())..=bound("maximum").unwrap_or(*of_format.end())
}

fn kind(given: &Value) -> &'static str {
    match given {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A text, a number or a boolean itself, cut.
fn quoted(given: &Value) -> String {
    match given {
        Value::String(text) => format!("{:?}", bounds::cut(text, SHOWN_CHARS_MAX)),
        Value::Bool(_) | Value::Number(_) => given.to_string(),
        other => kind(other).to_owned(),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
