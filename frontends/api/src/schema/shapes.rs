//! From types to definitions, of what the gateway reads and of what it writes.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::clean;

/// Where definitions are in a JSON Schema.
pub(super) const DEFS: &str = "#/$defs/";

/// A type's schema, without the type.
#[derive(Clone, Copy)]
pub struct Shape {
    name: fn() -> String,
    by_name: fn(&mut SchemaGenerator) -> Schema,
    whole: fn(&mut SchemaGenerator) -> Schema,
}

impl Shape {
    pub const fn of<T: JsonSchema>() -> Self {
        Self {
            name: || T::schema_name().into_owned(),
            by_name: |generator| generator.subschema_for::<T>(),
            whole: |generator| T::json_schema(generator),
        }
    }

    /// The name of its definition.
    pub fn name(&self) -> String {
        (self.name)()
    }
}

/// Definitions, being collected.
pub(super) struct Shapes {
    read: SchemaGenerator,
    written: SchemaGenerator,
    placed: BTreeMap<String, Value>,
}

/// Definitions by name, cleaned.
pub(super) type Defs = BTreeMap<String, Value>;

impl Shapes {
    pub(super) fn new() -> Self {
        Self {
            read: generator(Contract::Deserialize),
            written: generator(Contract::Serialize),
            placed: BTreeMap::new(),
        }
    }

    /// What a client sends, under a name of its own. None: it sends no fields.
    pub(super) fn request(&mut self, name: &str, about: &str, shape: &Shape) -> Option<String> {
        let mut schema = (shape.whole)(&mut self.read).to_value();
        schema.get("properties")?;
        let fields = schema.as_object_mut()?;
        fields.entry("description").or_insert(about.into());
        self.placed.insert(name.to_owned(), schema);
        Some(name.to_owned())
    }

    /// What a client sends, under its type's name.
    pub(super) fn read(&mut self, shape: &Shape) -> String {
        by_name(shape, &mut self.read)
    }

    /// What the gateway sends, under its type's name.
    pub(super) fn written(&mut self, shape: &Shape) -> String {
        by_name(shape, &mut self.written)
    }

    /// A definition without a type of its own, such as a choice.
    pub(super) fn place(&mut self, name: &str, schema: Value) {
        self.placed.insert(name.to_owned(), schema);
    }

    /// Replaces the schema of a type.
    pub(super) fn replace(&mut self, name: &str, schema: &Value) {
        for generator in [&mut self.read, &mut self.written] {
            if let Some(definition) = generator.definitions_mut().get_mut(name) {
                *definition = schema.clone();
            }
        }
    }

    pub(super) fn finish(mut self) -> Defs {
        let mut read = self.read.take_definitions(true);
        let mut written = self.written.take_definitions(true);
        read.extend(self.placed);
        for schema in read.values_mut().chain(written.values_mut()) {
            clean::clean(schema);
        }
        tell_apart(&mut read, &mut written);
        let mut defs: Defs = read.into_iter().chain(written).collect();
        inline_scalars(&mut defs);
        for (name, schema) in &mut defs {
            if let Some(fields) =
                schema.as_object_mut().filter(|fields| !fields.contains_key("$ref"))
            {
                fields.insert("title".into(), name.as_str().into());
            }
        }
        defs
    }
}

/// The definitions that one type needs, its own among them.
pub(super) fn of_shape(shape: &Shape, contract: &Contract) -> (String, Defs) {
    let mut shapes = Shapes::new();
    let name = if contract.is_deserialize() { shapes.read(shape) } else { shapes.written(shape) };
    (name, shapes.finish())
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.contract = contract;
        settings.meta_schema = None;
    });
    SchemaGenerator::new(settings)
}

fn by_name(shape: &Shape, generator: &mut SchemaGenerator) -> String {
    let schema = (shape.by_name)(generator).to_value();
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(DEFS));
    target.map_or_else(|| panic!("{} has no name of its own", shape.name()), str::to_owned)
}

/// A type whose read form differs from its written form gets a second name for reading.
fn tell_apart(read: &mut Map<String, Value>, written: &mut Map<String, Value>) {
    let mut apart: BTreeSet<String> = BTreeSet::new();
    loop {
        let differs = |(name, schema): &(&String, &Value)| {
            written.get(*name).is_some_and(|other| {
                other != *schema || targets(schema).iter().any(|target| apart.contains(target))
            })
        };
        let found: BTreeSet<String> =
            read.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        if found == apart {
            break;
        }
        apart = found;
    }
    for schema in read.values_mut() {
        redirect(schema, &|target| apart.contains(target).then(|| format!("{target}Input")));
    }
    for name in apart {
        let schema = read.remove(&name).expect("it was found there");
        read.insert(format!("{name}Input"), schema);
    }
}

/// Inlines named numbers and texts: code generators would make a class of each.
fn inline_scalars(defs: &mut Defs) {
    let is_scalar = |schema: &Value| {
        let kind = schema.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| !matches!(kind, "object" | "array")) && schema.get("enum").is_none()
    };
    let scalars: Defs =
        defs.iter().filter(|(_, s)| is_scalar(s)).map(|(n, s)| (n.clone(), s.clone())).collect();
    defs.retain(|name, _| !scalars.contains_key(name));
    for schema in defs.values_mut() {
        put_in(schema, &scalars);
    }
}

fn put_in(schema: &mut Value, scalars: &Defs) {
    if let Some(fields) = schema.as_object_mut()
        && let Some(target) = fields.get("$ref").and_then(Value::as_str)
    {
        match target.strip_prefix(DEFS).and_then(|name| scalars.get(name)) {
            Some(scalar) => {
                fields.remove("$ref");
                for (key, value) in scalar.as_object().into_iter().flatten() {
                    fields.entry(key.clone()).or_insert(value.clone());
                }
            }
            // Many readers ignore keywords beside a reference; here those are only descriptions.
            None => *schema = json!({ "$ref": target }),
        }
    }
    clean::each(schema, |inner| put_in(inner, scalars));
}

/// The definitions that a schema refers to.
pub(super) fn targets(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut schema = schema.clone();
    collect(&mut schema, &mut found);
    found
}

fn collect(schema: &mut Value, found: &mut BTreeSet<String>) {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        found.extend(target.strip_prefix(DEFS).map(str::to_owned));
    }
    clean::each(schema, |inner| collect(inner, found));
}

fn redirect(schema: &mut Value, to: &impl Fn(&str) -> Option<String>) {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|t| t.strip_prefix(DEFS));
    if let Some(name) = target.and_then(to) {
        schema["$ref"] = format!("{DEFS}{name}").into();
    }
    clean::each(schema, |inner| redirect(inner, to));
}

/// The same schema with its definitions under another path.
pub(super) fn moved(schema: &Value, path: &str) -> Value {
    let mut schema = schema.clone();
    relocate(&mut schema, path);
    schema
}

fn relocate(schema: &mut Value, path: &str) {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|t| t.strip_prefix(DEFS));
    if let Some(name) = target {
        schema["$ref"] = format!("{path}{name}").into();
    }
    clean::each(schema, |inner| relocate(inner, path));
}
