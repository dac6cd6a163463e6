//! Two JSON Schemas: whether one takes all that the other takes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Break;

/// Who says what a schema describes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// The client: it must still be taken.
    Sent,
    /// The gateway: it must still be understood.
    Told,
}

const DEFS: &str = "#/$defs/";

/// How deep references are followed where a definition has another name than before.
const DEPTH_MAX: usize = 32;

/// The comparison of one definition.
pub(crate) struct Comparison<'a> {
    name: &'a str,
    side: Side,
    former: &'a Value,
    now: &'a Value,
    depth: usize,
    place: Vec<String>,
    pub(crate) broken: Vec<Break>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(name: &'a str, side: Side, former: &'a Value, now: &'a Value) -> Self {
        Self { name, side, former, now, depth: 0, place: Vec::new(), broken: Vec::new() }
    }

    pub(crate) fn compare(&mut self, former: &Value, now: &Value) {
        match self.side {
            Side::Sent => self.takes_all(former, now),
            Side::Told => self.takes_all(now, former),
        }
    }

    /// Notes where `narrow` does not take what `wide` takes: what may be said must be within what
    /// is understood.
    fn takes_all(&mut self, wide: &Value, narrow: &Value) {
        let names = [wide, narrow].map(|schema| schema.get("$ref").and_then(Value::as_str));
        if names[0].is_some() && names[0] == names[1] {
            return;
        }
        if self.depth == DEPTH_MAX {
            return;
        }
        self.depth += 1;
        let (from, to) = match self.side {
            Side::Sent => (self.former, self.now),
            Side::Told => (self.now, self.former),
        };
        let wide = resolved(from, wide);
        let narrow = resolved(to, narrow);
        match (wide.as_object(), narrow.as_object()) {
            (_, None) if *narrow == Value::Bool(false) => self.note("nothing fits here any more"),
            (_, None) => (),
            (None, Some(narrow)) => self.objects(&Map::new(), narrow),
            (Some(wide), Some(narrow)) => self.objects(wide, narrow),
        }
        self.depth -= 1;
    }

    fn objects(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>) {
        self.besides(wide, narrow);
        match (is_choice(wide), is_choice(narrow)) {
            (true, false) => {
                let narrow = Value::Object(narrow.clone());
                choices(wide).iter().for_each(|wide| self.takes_all(wide, &narrow));
            }
            (_, true) => self.choices(wide, narrow),
            (false, false) => {
                self.values(wide, narrow);
                self.bounds(wide, narrow);
                self.fields(wide, narrow);
                self.elements(wide, narrow);
                self.choices(wide, narrow);
            }
        }
    }

    fn values(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>) {
        if let Some(taken) = constants(narrow) {
            match constants(wide) {
                Some(values) => {
                    for value in values.iter().filter(|value| !taken.contains(value)) {
                        self.note(&match self.side {
                            Side::Sent => format!("{value} is no longer taken"),
                            Side::Told => format!("{value} is new"),
                        });
                    }
                }
                None => self.note("only certain values were or are known here"),
            }
            return;
        }
        let Some(taken) = types(narrow) else { return };
        let of_constants =
            constants(wide).map(|values| values.iter().map(|value| type_of(value)).collect());
        let given: Option<BTreeSet<&str>> = types(wide).or(of_constants);
        let has =
            |kind: &str| taken.contains(kind) || kind == "integer" && taken.contains("number");
        match given {
            Some(given) if given.iter().all(|kind| has(kind)) => (),
            _ => self.note("the type is another"),
        }
    }

    fn bounds(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>) {
        if constants(wide).is_some() {
            return;
        }
        for (key, is_least) in [
            ("minimum", true),
            ("minLength", true),
            ("minItems", true),
            ("maximum", false),
            ("maxLength", false),
            ("maxItems", false),
        ] {
            let Some(bound) = narrow.get(key).and_then(Value::as_f64) else { continue };
            let other = wide.get(key).and_then(Value::as_f64);
            let fits =
                other.is_some_and(|other| if is_least { other >= bound } else { other <= bound });
            let means_nothing = is_least && bound == 0.0 && key != "minimum";
            if !fits && !means_nothing {
                self.note(&format!("{key} is another"));
            }
        }
        if narrow.contains_key("pattern") && narrow.get("pattern") != wide.get("pattern") {
            self.note("the pattern is another");
        }
    }

    fn fields(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>) {
        let given = strings(wide.get("required"));
        for name in strings(narrow.get("required")).difference(&given) {
            self.note(&match self.side {
                Side::Sent => format!("{name} is required now"),
                Side::Told => format!("{name} may be missing now"),
            });
        }
        let none = Map::new();
        let fields = |schema: &'_ Map<String, Value>| {
            schema.get("properties").and_then(Value::as_object).unwrap_or(&none).clone()
        };
        let given = fields(wide);
        let taken = fields(narrow);
        let more = narrow.get("additionalProperties");
        for (name, schema) in &given {
            self.place.push(name.clone());
            match (taken.get(name), more) {
                (Some(taken), _) => self.takes_all(schema, taken),
                (None, Some(Value::Bool(false))) => self.note("clients do not know this field"),
                (None, Some(more @ Value::Object(_))) => self.takes_all(schema, more),
                // A field that the gateway does not read is lost; one that a client does not is not.
                (None, _) if self.side == Side::Sent => self.note("is no longer read"),
                (None, _) => (),
            }
            self.place.pop();
        }
        match (wide.get("additionalProperties"), more) {
            (None | Some(Value::Bool(true) | Value::Object(_)), Some(Value::Bool(false)))
                if wide.get("type") == narrow.get("type") =>
            {
                self.note("further fields are refused");
            }
            (Some(wide), Some(narrow @ Value::Object(_))) => {
                self.place.push("*".into());
                self.takes_all(wide, narrow);
                self.place.pop();
            }
            _ => (),
        }
    }

    fn elements(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>) {
        self.place.push("[]".into());
        if let Some(taken) = narrow.get("items") {
            self.takes_all(wide.get("items").unwrap_or(&Value::Bool(true)), taken);
        }
        let lists =
            [wide, narrow].map(|schema| schema.get("prefixItems").and_then(Value::as_array));
        match lists {
            [Some(given), Some(taken)] if given.len() == taken.len() => {
                given.iter().zip(taken).for_each(|(given, taken)| self.takes_all(given, taken));
            }
            [_, None] => (),
            [_, Some(_)] => self.note("the elements are others"),
        }
        self.place.pop();
    }

    fn choices(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>) {
        let taken = choices(narrow);
        let given = match choices(wide) {
            given if given.is_empty() => vec![Value::Object(wide.clone())],
            given => given,
        };
        for given in given.iter().filter(|_| !taken.is_empty()) {
            if !taken.iter().any(|taken| self.would_take(given, taken)) {
                self.note(&match self.side {
                    Side::Sent => format!("{} is no longer taken", shown(given)),
                    Side::Told => format!("{} is new", shown(given)),
                });
            }
        }
    }

    fn would_take(&self, wide: &Value, narrow: &Value) -> bool {
        let depth = self.depth;
        let mut trial =
            Comparison { depth, ..Self::new(self.name, self.side, self.former, self.now) };
        trial.takes_all(wide, narrow);
        trial.broken.is_empty()
    }

    /// What is taken besides what a client should send.
    fn besides(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>) {
        if self.side == Side::Told {
            return;
        }
        match (wide.get("x-accepts"), narrow.get("x-accepts")) {
            (None, _) | (_, Some(Value::Bool(true))) => (),
            (Some(wide), Some(narrow)) => self.takes_all(wide, narrow),
            (Some(_), None) => self.note("what it x-accepts is no longer taken"),
        }
    }

    fn note(&mut self, what: &str) {
        let place: String = self.place.iter().map(|step| format!("/{step}")).collect();
        self.broken.push(Break::new(self.name, &place, what));
    }
}

/// The schema that a reference leads to; itself if it is none.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

/// The names of all definitions that a schema refers to.
pub(crate) fn targets(schema: &Value) -> BTreeSet<String> {
    match schema {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|target| target.strip_prefix(DEFS)).map(str::to_owned);
            let inner =
                fields.iter().filter(|(key, _)| *key != "examples" && *key != "discriminator");
            inner.flat_map(|(_, value)| targets(value)).chain(own).collect()
        }
        Value::Array(list) => list.iter().flat_map(targets).collect(),
        _ => BTreeSet::new(),
    }
}

/// Alternatives, if it is a choice or has one within.
fn choices(schema: &Map<String, Value>) -> Vec<Value> {
    let choices = schema.get("oneOf").or_else(|| schema.get("anyOf"));
    choices.and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Whether it is nothing but a choice: one with fields has alternatives of what is required.
fn is_choice(schema: &Map<String, Value>) -> bool {
    !choices(schema).is_empty() && !schema.contains_key("properties")
}

/// The only values there are.
fn constants(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    let one = schema.get("const").map(|value| vec![value]);
    one.or_else(|| Some(schema.get("enum")?.as_array()?.iter().collect()))
}

fn types(schema: &Map<String, Value>) -> Option<BTreeSet<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some([one.as_str()].into()),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn strings(list: Option<&Value>) -> BTreeSet<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// An alternative in a few words.
fn shown(schema: &Value) -> String {
    let name = schema.get("$ref").and_then(Value::as_str);
    if let Some(name) = name.and_then(|target| target.strip_prefix(DEFS)) {
        return name.to_owned();
    }
    let required = strings(schema.get("required"));
    match schema.as_object().and_then(constants) {
        Some(values) => values.iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", "),
        None if required.is_empty() => "an alternative".into(),
        None => format!("what has {}", required.into_iter().collect::<Vec<_>>().join(", ")),
    }
}
