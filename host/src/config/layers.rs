//! Merges the layers of a configuration: gateway.toml ← environment ← `--set`.
//!
//! The reader of each key has its default. Every environment variable and every `--set` is a figment
//! provider of its own, so the tag of a merged value identifies its source; for values from the file,
//! a map from key paths gives the lines.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Tag, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::problem::{Problem, Problems, ValueSource};

/// The prefix of the gateway's environment variables.
pub(super) const ENVIRONMENT_PREFIX: &str = "DRAGOMAN_";

/// Variables of the command line's client, which are no keys.
const CLIENT_VARIABLES: [&str; 4] = [
    "DRAGOMAN_ADMIN_CA",
    "DRAGOMAN_ADMIN_TOKEN",
    "DRAGOMAN_ADMIN_TOKEN_FILE",
    "DRAGOMAN_ADMIN_URL",
];

/// The inputs of a configuration.
#[derive(Clone, Debug)]
pub struct Sources {
    /// gateway.toml.
    pub file: PathBuf,
    /// The whole environment; variables without the prefix `DRAGOMAN_` are ignored.
    pub environment: Vec<(String, String)>,
    /// The `--set` options, in order; later ones take precedence.
    pub set: Vec<Setting>,
}

/// A text in the place of gateway.toml's, to be checked.
#[derive(Clone, Debug)]
pub struct Pasted {
    pub text: String,
    /// The libraries that are loaded already. No other is loaded: that runs its code, and not everyone
    /// who may ask about a text may write to this machine.
    pub plugins: BTreeSet<PathBuf>,
}

/// Which configuration is read.
#[derive(Clone, Debug)]
pub enum WhichConfig {
    /// gateway.toml.
    Own,
    /// A file of this name in the same folder.
    Beside(String),
    Pasted(Pasted),
}

/// One `--set KEY=VALUE`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting {
    /// The parts of the dotted key.
    path: Vec<String>,
    value: String,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not KEY=VALUE, such as server.drain_timeout=30s");
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let path: Vec<String> = key.split('.').map(|part| part.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self { path, value: value.trim().to_owned() })
    }
}

/// The merged layers, with the source of each value.
pub(super) struct Layers {
    figment: Figment,
    file: String,
    /// Lines by key path, counted from 1.
    lines: BTreeMap<Vec<String>, usize>,
    /// The text of values from the environment and the command line, by key path.
    texts: BTreeMap<Vec<String>, String>,
    /// The folder of systemd's credentials, if it has passed some.
    credentials: Option<PathBuf>,
}

/// The variable with the folder of systemd's credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

impl Layers {
    /// Reads and merges the layers. Fails if the file cannot be read, or it or the text in its place
    /// is not TOML.
    pub(super) fn read(sources: &Sources, pasted: Option<&Pasted>) -> Result<Self, Problems> {
        let file = sources.file.display().to_string();
        let (document, lines) = match pasted {
            Some(pasted) => parse_file(&pasted.text, &file)?,
            None => parse_file(&read_file(&sources.file, &file)?, &file)?,
        };
        let variables = sources.environment.iter().filter_map(variable);
        let settings =
            sources.set.iter().map(|setting| (Metadata::named(SET_LAYER), setting.clone()));
        let mut figment = Figment::from(document);
        let mut texts = BTreeMap::new();
        for (metadata, Setting { path, value }) in variables.chain(settings) {
            figment = figment.merge(Layer { metadata, values: nest(&path, parse_value(&value)) });
            texts.retain(|other: &Vec<String>, _| !other.starts_with(&path));
            texts.insert(path, value);
        }
        let mut variables = sources.environment.iter();
        let credentials =
            variables.find(|(name, value)| name == CREDENTIALS_VARIABLE && !value.is_empty());
        let credentials = credentials.map(|(_, folder)| folder.into());
        Ok(Self { figment, file, lines, texts, credentials })
    }

    /// The text of a value that was given alone, in the environment or on the command line: a shell
    /// has no types, so `2024` may be meant as a string.
    pub(super) fn text(&self, path: &[String], tag: Tag) -> Option<&str> {
        match self.source_of(path, tag) {
            ValueSource::Environment(_) | ValueSource::Set => {
                self.texts.get(path).map(String::as_str)
            }
            ValueSource::File { .. } | ValueSource::Default => None,
        }
    }

    /// The folder of systemd's credentials.
    pub(super) fn credentials(&self) -> Option<&Path> {
        self.credentials.as_deref()
    }

    pub(super) fn root(&self) -> Value {
        self.figment.find_value("").expect("our layers never fail to provide")
    }

    /// The source of the value at `path`.
    pub(super) fn source_of(&self, path: &[String], tag: Tag) -> ValueSource {
        match self.figment.get_metadata(tag).map(|metadata| metadata.name.as_ref()) {
            Some(SET_LAYER) => ValueSource::Set,
            Some(ENVIRONMENT_LAYER) => ValueSource::Environment(self.variable(tag)),
            Some(_) => self.line(path),
            None => ValueSource::Default,
        }
    }

    /// The environment variable that a value came from.
    fn variable(&self, tag: Tag) -> String {
        let source = self.figment.get_metadata(tag).and_then(|metadata| metadata.source.as_ref());
        source.and_then(|source| source.custom()).unwrap_or_default().to_owned()
    }

    /// The line of `path`, or of the nearest table around it.
    fn line(&self, path: &[String]) -> ValueSource {
        let around = (0..=path.len()).rev().map(|depth| &path[..depth]);
        let line = around.into_iter().find_map(|path| self.lines.get(path)).copied();
        ValueSource::File { path: self.file.clone(), line: line.unwrap_or(1) }
    }
}

const FILE_LAYER: &str = "file";
const ENVIRONMENT_LAYER: &str = "environment";
const SET_LAYER: &str = "--set";

/// One provider of values.
struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

fn read_file(path: &Path, shown: &str) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|error| {
        let cure = match error.kind() {
            ErrorKind::NotFound => "create it (`dragoman config defaults > gateway.toml`) or ",
            ErrorKind::InvalidData => "save it as UTF-8 or ",
            _ => "",
        };
        let mut problems = Problems::default();
        problems.push(Problem::new(
            ValueSource::Default,
            format!("cannot read {shown}: {error}; {cure}name another with --config PATH"),
        ));
        problems
    })
}

/// Parses the text of the file, with the line of every key path.
fn parse_file(text: &str, shown: &str) -> Result<(Layer, BTreeMap<Vec<String>, usize>), Problems> {
    let mut problems = Problems::default();
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        let source = ValueSource::File { path: shown.to_owned(), line };
        problems.push(Problem::new(source, not_toml(error.message())));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut lines = Lines { text, of: BTreeMap::new() };
    let values = lines.table(&mut Vec::new(), document.get_ref());
    let metadata = Metadata::named(FILE_LAYER);
    Ok((Layer { metadata, values }, lines.of))
}

/// The parser's message, with a hint for the most common mistake.
fn not_toml(message: &str) -> String {
    let message = message.lines().collect::<Vec<_>>().join(", ");
    let unquoted = ["expected nothing", "must be quoted"].iter().any(|end| message.contains(end));
    let hint = if unquoted { "; strings, addresses and durations need quotes" } else { "" };
    format!("not TOML: {message}{hint}")
}

/// The setting that an environment variable makes, if it belongs to the gateway.
fn variable((name, value): &(String, String)) -> Option<(Metadata, Setting)> {
    let key = name.strip_prefix(ENVIRONMENT_PREFIX)?;
    if is_of_a_container_platform(name) || CLIENT_VARIABLES.contains(&name.as_str()) {
        return None;
    }
    let path: Vec<String> = key.split("__").map(str::to_lowercase).collect();
    let metadata = Metadata::from(ENVIRONMENT_LAYER, name.as_str());
    Some((metadata, Setting { path, value: value.clone() }))
}

/// Whether Kubernetes or Docker sets this variable for a service that is called `dragoman` or
/// `dragoman-…`: `DRAGOMAN_IRC_SERVICE_HOST`, `DRAGOMAN_IRC_PORT_6667_TCP_ADDR`.
fn is_of_a_container_platform(name: &str) -> bool {
    if name.contains("__") {
        return false;
    }
    let is_service = name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_");
    is_service || name.ends_with("_PORT") && !name.contains("_PORT_") || is_link(name)
}

/// Whether a variable ends with `_PORT_<number>_<protocol>`, alone or with a part of the address.
fn is_link(name: &str) -> bool {
    let parts = ["_PROTO", "_PORT", "_ADDR"];
    let name = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
    let protocols = ["_TCP", "_UDP", "_SCTP"];
    let name = protocols.iter().find_map(|protocol| name.strip_suffix(protocol));
    let port = name.and_then(|name| name.rsplit_once("_PORT_"));
    port.is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// `a`, `b`, `c` and a value as `{a = {b = {c = value}}}`.
fn nest(path: &[String], value: Value) -> Dict {
    let (first, rest) = path.split_first().expect("a key has at least one part");
    let value = if rest.is_empty() { value } else { Value::from(nest(rest, value)) };
    Dict::from([(first.clone(), value)])
}

/// Parses a TOML value; anything else is a string.
fn parse_value(text: &str) -> Value {
    match DeValue::parse(text) {
        Ok(value) => Lines { text, of: BTreeMap::new() }.value(&mut Vec::new(), value.get_ref()),
        Err(_) => Value::from(text),
    }
}

/// Converts a parsed document to figment's values and records their lines.
struct Lines<'t> {
    text: &'t str,
    of: BTreeMap<Vec<String>, usize>,
}

impl Lines<'_> {
    fn table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) -> Dict {
        let mut dict = Dict::new();
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            self.note(path, key);
            dict.insert(key.get_ref().to_string(), self.value(path, value.get_ref()));
            path.pop();
        }
        dict
    }

    fn value(&mut self, path: &mut Vec<String>, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Integer(integer) => whole_number(integer),
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) => Value::from(number),
                Err(_) => Value::from(float.as_str()),
            },
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Datetime(moment) => Value::from(moment.to_string()),
            DeValue::Array(elements) => Value::from(self.array(path, elements)),
            DeValue::Table(table) => Value::from(self.table(path, table)),
        }
    }

    fn array(&mut self, path: &mut Vec<String>, elements: &[Spanned<DeValue<'_>>]) -> Vec<Value> {
        let mut values = Vec::new();
        for (nth, element) in elements.iter().enumerate() {
            path.push(nth.to_string());
            self.note(path, element);
            values.push(self.value(path, element.get_ref()));
            path.pop();
        }
        values
    }

    fn note<T>(&mut self, path: &[String], spanned: &Spanned<T>) {
        self.of.insert(path.to_vec(), line_at(self.text, spanned.span().start));
    }
}

/// An integer. One that does not fit stays a string, which no numeric key accepts.
fn whole_number(integer: &DeInteger<'_>) -> Value {
    match i64::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(integer.as_str()),
    }
}

/// The line of a byte offset, counted from 1.
fn line_at(text: &str, byte: usize) -> usize {
    1 + text.as_bytes()[..byte.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}
