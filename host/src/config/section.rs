//! Reads a table key by key. Every key that is read is known; the rest are mistakes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Tag, Value};

use super::layers::{ENVIRONMENT_PREFIX, Layers};
use super::paths;
use super::problem::{Problem, Problems, ValueSource};
use super::secret_file::read_secret;
use super::shapes::Shapes;
use crate::nearest::nearest;

/// Keys whose values are never shown.
const SECRETS: [&str; 6] =
    ["api_keys", "code_exchange", "code_exchange_codes", "jwks_url", "secret", "url"];

/// Those of `[cluster]`, whose names others have for what is no secret.
const CLUSTER_SECRETS: [&str; 3] = ["nkey", "password", "token"];

/// Longer values are cut where they are shown.
const SHOWN_CHARS_MAX: usize = 60;

/// A room that the configuration names.
pub struct NamedRoom {
    pub name: String,
    /// `rooms[0].name` or `frontends.channel.auto_join`.
    pub key: String,
    pub source: ValueSource,
    /// Whether it is one of `[[rooms]]`.
    pub is_declared: bool,
}

/// Collects problems while a configuration is read.
pub(super) struct Reader {
    layers: Layers,
    problems: RefCell<Problems>,
    warnings: RefCell<Problems>,
    /// Every key that was read, dotted.
    known: RefCell<BTreeSet<String>>,
    named_rooms: RefCell<Vec<NamedRoom>>,
}

/// What a [`Reader`] has collected.
pub(super) struct Findings {
    pub(super) problems: Problems,
    pub(super) warnings: Problems,
    /// The keys that were read, dotted.
    pub(super) keys: BTreeSet<String>,
    pub(super) named_rooms: Vec<NamedRoom>,
    pub(super) layers: Layers,
}

impl Reader {
    pub(super) fn new(layers: Layers) -> Self {
        Self {
            layers,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            known: RefCell::default(),
            named_rooms: RefCell::default(),
        }
    }

    pub(super) fn complain(&self, source: ValueSource, what: String) {
        self.problems.borrow_mut().push(Problem::new(source, what));
    }

    pub(super) fn warn(&self, source: ValueSource, what: String) {
        self.warnings.borrow_mut().push(Problem::new(source, what));
    }

    /// Whether there are no problems so far.
    pub(super) fn has_no_problems(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    pub(super) fn finish(self) -> Findings {
        Findings {
            problems: self.problems.into_inner().sorted(),
            warnings: self.warnings.into_inner().sorted(),
            keys: self.known.into_inner(),
            named_rooms: self.named_rooms.into_inner(),
            layers: self.layers,
        }
    }

    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }
}

/// One table, which may be absent.
pub(super) struct Section<'a> {
    reader: &'a Reader,
    path: Vec<String>,
    tag: Tag,
    /// `None`: the table is absent, or the value is not a table.
    values: Option<&'a Dict>,
    known: RefCell<BTreeSet<String>>,
}

/// A value that stands alone or in a list.
pub(super) enum Part<'a> {
    Table(Section<'a>),
    Plain(PlainPart<'a>),
}

/// A value that is no table.
pub(super) struct PlainPart<'a> {
    path: Vec<String>,
    value: &'a Value,
}

impl<'a> Section<'a> {
    /// The whole configuration.
    pub(super) fn root(reader: &'a Reader, root: &'a Value) -> Self {
        Self::new(reader, Vec::new(), Some(root))
    }

    fn new(reader: &'a Reader, path: Vec<String>, value: Option<&'a Value>) -> Self {
        let tag = value.map_or(Tag::Default, Value::tag);
        let values = value.and_then(Value::as_dict);
        let section = Self { reader, path, tag, values, known: RefCell::default() };
        if let (Some(value), None) = (value, values) {
            section.complain_of(&section.path, value, "expected a table");
        }
        section
    }

    pub(super) fn is_present(&self) -> bool {
        self.values.is_some()
    }

    /// The keys that are present, known or not.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.values.into_iter().flatten().map(|(key, _)| key.as_str())
    }

    /// The keys that were read so far.
    pub(super) fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    /// Whether `key` is a table with the key `inner`.
    pub(super) fn has_table_with(&self, key: &str, inner: &str) -> bool {
        let table = self.values.and_then(|values| values.get(key)?.as_dict());
        table.is_some_and(|table| table.contains_key(inner))
    }

    /// The value of `key`. Marks the key as known.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.known.borrow_mut().insert(key.to_owned());
        let is_key = |part: &String| part.parse::<usize>().is_err();
        let path: Vec<String> = self.path_of(key).into_iter().filter(is_key).collect();
        self.reader.known.borrow_mut().insert(dotted(&path));
        self.values?.get(key)
    }

    /// Reads a key. A value that `parse` refuses is a problem and counts as absent.
    pub(super) fn read<T>(
        &self,
        key: &str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let path = self.path_of(key);
        let as_text = || self.as_text(&path, value).and_then(|text| parse(&text).ok());
        match parse(value) {
            Ok(value) => Some(value),
            Err(why) => as_text().or_else(|| {
                self.complain_of(&path, value, &why);
                None
            }),
        }
    }

    /// Reads the path of a file. A relative one starts where the caller says.
    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        self.read(key, |value| paths::path(value, self.reader.layers.credentials()))
    }

    /// Reads a secret from `key`, or from the one line of the file that `<key>_file` names.
    pub(super) fn secret<T>(
        &self,
        key: &str,
        folder: &Path,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let file_key = format!("{key}_file");
        let file = self.path(&file_key);
        if self.value(key).is_some() && self.value(&file_key).is_some() {
            self.complain_of_absent(
                &file_key,
                &format!("there is {key} too; leave out one of the two"),
            );
            return None;
        }
        let Some(file) = file else { return self.read(key, parse) };
        let path = folder.join(file);
        let read = read_secret(&path).and_then(|secret| {
            parse(&secret.into()).map_err(|why| format!("what is in {}: {why}", path.display()))
        });
        read.map_err(|why| self.complain_of_absent(&file_key, &why)).ok()
    }

    /// Whether a secret is given, in one way or the other.
    pub(super) fn has_secret(&self, key: &str) -> bool {
        self.value(key).is_some() || self.value(&format!("{key}_file")).is_some()
    }

    /// A value as a string, if it came alone from the environment or the command line.
    fn as_text(&self, path: &[String], value: &Value) -> Option<Value> {
        self.reader.layers.text(path, value.tag()).map(Value::from)
    }

    /// The value of `key` for a schema: a string is a list of one where the schema wants a list, and
    /// what came from the environment or the command line is a string where it wants that.
    pub(super) fn value_for(&self, key: &str, shapes: Shapes) -> Option<Value> {
        let value = self.value(key)?;
        let is_scalar = value.as_array().is_none() && value.as_dict().is_none();
        let text = self.as_text(&self.path_of(key), value).filter(|_| is_scalar);
        let text = text.or_else(|| value.as_str().map(Value::from));
        Some(match (text, shapes) {
            (Some(text), Shapes { scalar: false, text: true, .. }) => text,
            (Some(text), Shapes { scalar: false, text: false, list: true }) => vec![text].into(),
            _ => value.clone(),
        })
    }

    /// Reads a list, element by element; a plain string is a list of one. Absent: empty.
    pub(super) fn list<T>(
        &self,
        key: &str,
        what: &str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let path = self.path_of(key);
        let alone = self.as_text(&path, value).filter(|_| value.as_dict().is_none());
        let alone = alone.or_else(|| value.as_str().map(Value::from)).map(|text| vec![text]);
        let Some(elements) = value.as_array().or(alone.as_deref()) else {
            self.complain_of(&path, value, &format!("expected a list of {what}"));
            return Vec::new();
        };
        let mut read = Vec::new();
        for (nth, element) in elements.iter().enumerate() {
            match parse(element) {
                Ok(element) => read.push(element),
                Err(why) if alone.is_some() => self.complain_of(&path, value, &why),
                Err(why) => self.complain_of(&with(&path, &nth.to_string()), element, &why),
            }
        }
        read
    }

    /// The parts of a value that is one thing or a list of them. Marks the key as known.
    pub(super) fn parts(&self, key: &str) -> Vec<Part<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let path = self.path_of(key);
        let part = |path: Vec<String>, value: &'a Value| match value {
            Value::Dict(..) => Part::Table(Section::new(self.reader, path, Some(value))),
            _ => Part::Plain(PlainPart { path, value }),
        };
        match value.as_array() {
            Some(elements) => {
                let elements = elements.iter().enumerate();
                elements.map(|(nth, value)| part(with(&path, &nth.to_string()), value)).collect()
            }
            None => vec![part(path, value)],
        }
    }

    /// A part as an operator would write it, and where it is.
    pub(super) fn place_of(&self, part: &PlainPart<'_>) -> (String, ValueSource) {
        let source = self.reader.layers.source_of(&part.path, part.value.tag());
        (dotted(&part.path), source)
    }

    /// Reads a part. One that `parse` refuses is a problem and counts as absent.
    pub(super) fn read_part<T>(
        &self,
        part: &PlainPart<'_>,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        parse(part.value).map_err(|why| self.complain_of(&part.path, part.value, &why)).ok()
    }

    /// A table within this one.
    pub(super) fn table(&self, key: &str) -> Section<'a> {
        Section::new(self.reader, self.path_of(key), self.value(key))
    }

    /// A list of tables: `[[key]]`.
    pub(super) fn tables(&self, key: &str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let path = self.path_of(key);
        let Some(elements) = value.as_array() else {
            self.complain_of(&path, value, &format!("expected a list of tables, [[{key}]] each"));
            return Vec::new();
        };
        let element = |(nth, value): (usize, &'a Value)| {
            Section::new(self.reader, with(&path, &nth.to_string()), Some(value))
        };
        elements.iter().enumerate().map(element).collect()
    }

    /// The source of `key`, or of this table if the key is absent.
    pub(super) fn source_of(&self, key: &str) -> ValueSource {
        let value = self.values.and_then(|values| values.get(key));
        let tag = value.map_or(self.tag, Value::tag);
        self.reader.layers.source_of(&self.path_of(key), tag)
    }

    /// The source of `key`, [`ValueSource::Default`] if it is absent.
    pub(super) fn source_or_default(&self, key: &str) -> ValueSource {
        let written = self.values.is_some_and(|values| values.contains_key(key));
        if written { self.source_of(key) } else { ValueSource::Default }
    }

    /// Reports a problem with the value of `key`, which may also be absent.
    pub(super) fn complain(&self, key: &str, why: &str) {
        match self.values.and_then(|values| values.get(key)) {
            Some(value) => self.complain_of(&self.path_of(key), value, why),
            None => self.complain_of_absent(key, why),
        }
    }

    /// Reports a problem with `key` without showing a value.
    pub(super) fn complain_of_absent(&self, key: &str, why: &str) {
        self.reader.complain(self.source_of(key), format!("{}: {why}", self.shown(key)));
    }

    /// Notes that `key` names a room.
    pub(super) fn name_room(&self, key: &str, name: &str, is_declared: bool) {
        let (source, key) = (self.source_of(key), self.shown(key));
        let room = NamedRoom { name: name.to_owned(), key, source, is_declared };
        self.reader.named_rooms.borrow_mut().push(room);
    }

    /// Reports every key that was not read as unknown.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for key in self.keys().filter(|key| !known.contains(*key)) {
            let source = self.source_of(key);
            match &source {
                // Another program may use the prefix as well.
                ValueSource::Environment(name) if !name.contains("__") => {
                    let what = format!("no key has this name; ignored{}", self.variable_hint(name));
                    self.reader.warn(source, what);
                }
                _ => {
                    let what = format!("unknown key {}{}", self.shown(key), hint(key, &known));
                    self.reader.complain(source, what);
                }
            }
        }
    }

    /// The variable of the known key whose name is nearest, with two underscores for each dot.
    fn variable_hint(&self, name: &str) -> String {
        let known = self.reader.known.borrow();
        let variables = known.iter().map(|key| variable(key));
        let nearest = variables
            .map(|variable| (strsim::jaro_winkler(name, &variable.replace("__", "_")), variable))
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        nearest.map_or(String::new(), |(_, variable)| format!("; did you mean {variable}?"))
    }

    /// `key` as an operator would write it: dotted, from the root.
    pub(super) fn shown(&self, key: &str) -> String {
        dotted(&self.path_of(key))
    }

    fn path_of(&self, key: &str) -> Vec<String> {
        with(&self.path, key)
    }

    fn complain_of(&self, path: &[String], value: &Value, why: &str) {
        let source = self.reader.layers.source_of(path, value.tag());
        let secret = is_secret(path);
        // A URL with a user may have a password.
        let is_of_user = |text: &str| text.contains("://") && text.contains('@');
        let secret = secret || value.as_str().is_some_and(is_of_user);
        let is_said = |shown: &String| shown.starts_with('"') && why.contains(shown);
        let what = match show(value).filter(|shown| !secret && !is_said(shown)) {
            Some(shown) => format!("{} = {shown}: {why}", dotted(path)),
            None => format!("{}: {why}", dotted(path)),
        };
        self.reader.complain(source, what);
    }
}

/// `; did you mean listen?`, or all known keys if none is similar.
pub(super) fn hint(wrong: &str, known: &BTreeSet<String>) -> String {
    match nearest(wrong, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean {near}?"),
        None => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("; known are {}", known.join(", "))
        }
    }
}

/// The environment variable of a dotted key.
fn variable(key: &str) -> String {
    ENVIRONMENT_PREFIX.to_owned() + &key.replace('.', "__").to_uppercase()
}

fn with(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}

/// `rooms[1].name`: positions in lists count from 0.
pub(super) fn dotted(path: &[String]) -> String {
    let mut dotted = String::new();
    for part in path {
        match part.parse::<usize>() {
            Ok(position) => dotted += &format!("[{position}]"),
            Err(_) if dotted.is_empty() => dotted += part,
            Err(_) => dotted += &format!(".{part}"),
        }
    }
    dotted
}

/// Whether the value of a key is never shown.
pub(super) fn is_secret(path: &[String]) -> bool {
    let is_of = |secrets: &[&str]| path.iter().any(|part| secrets.contains(&part.as_str()));
    is_of(&SECRETS) || path.first().is_some_and(|it| it == "cluster") && is_of(&CLUSTER_SECRETS)
}

/// A scalar in TOML notation; `None` for tables and lists.
fn show(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => {
            let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            let rest = if cut.len() < text.len() { "…" } else { "" };
            Some(format!("{:?}", cut + rest))
        }
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => match number.to_i128() {
            Some(whole) => Some(whole.to_string()),
            None => number.to_f64().map(|number| format!("{number:?}")),
        },
        Value::Char(_, char) => Some(format!("{:?}", char.to_string())),
        Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}
