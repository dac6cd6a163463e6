//! `dragoman config show`: the value of every key, and the layer that it is from.

use std::collections::BTreeMap;
use std::thread::available_parallelism;

use figment::value::Value;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::cluster_rows::{CLUSTER, CLUSTER_TLS};
use super::defaults::toml_of;
use super::frontend_rows::FRONTEND;
use super::problem::ValueSource;
use super::read::Draft;
use super::schema_rows::*;
use super::section::{dotted, is_secret};
use super::settings::FrontendConfig;
use crate::dialects;

/// A key in effect.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownKey {
    /// Dotted: `frontends.channel.listen`, `rooms[0].name`.
    pub key: String,
    /// Secrets are masked. `Null`: there is no value.
    pub value: Json,
    pub source: ValueSource,
    /// Whether the value is masked.
    pub is_secret: bool,
}

impl ShownKey {
    /// The value in TOML; nothing if there is none.
    pub fn toml(&self) -> String {
        toml_of(&self.value).unwrap_or_default()
    }

    /// What the layer of the value is called.
    pub fn layer(&self) -> &'static str {
        match self.source {
            ValueSource::Default => "default",
            ValueSource::File { .. } => "file",
            ValueSource::Environment(_) => "environment",
            ValueSource::Set => "command_line",
        }
    }
}

/// What the layers of a configuration say.
#[derive(Clone, Debug, Default)]
pub struct ShownConfig {
    pub keys: Vec<ShownKey>,
    digest: Vec<u8>,
}

impl ShownConfig {
    pub fn of(draft: &Draft) -> Self {
        let root = serde_json::to_vec(&draft.layers.root()).unwrap_or_default();
        Self { keys: shown(draft), digest: Sha256::digest(root).to_vec() }
    }

    /// Whether the layers say the same, secrets included.
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// What is shown in place of a secret.
const MASK: &str = "***";

/// Every key in effect, by name: those that a layer gives, and the defaults of the tables that are
/// there.
pub fn shown(draft: &Draft) -> Vec<ShownKey> {
    let mut keys = BTreeMap::new();
    written(draft, &mut Vec::new(), &draft.layers.root(), &mut keys);
    for (table, rows) in tables(draft) {
        // A plain text in its place.
        if keys.contains_key(&table) {
            continue;
        }
        for (key, default) in rows {
            let key = format!("{table}.{key}");
            let is_within = |other: &String| {
                let rest = other.strip_prefix(&key);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            if !keys.keys().any(is_within) {
                let source = ValueSource::Default;
                let is_secret = false;
                keys.insert(key.clone(), ShownKey { key, value: default, source, is_secret });
            }
        }
    }
    keys.into_values().collect()
}

/// The keys that a layer gives.
fn written(
    draft: &Draft,
    path: &mut Vec<String>,
    value: &Value,
    keys: &mut BTreeMap<String, ShownKey>,
) {
    let is_table = |value: &Value| value.as_dict().is_some();
    let inner: Vec<(String, &Value)> = match value {
        Value::Dict(_, table) => table.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(_, elements) if elements.iter().any(is_table) => {
            elements.iter().enumerate().map(|(nth, value)| (nth.to_string(), value)).collect()
        }
        _ => {
            let key = dotted(path);
            let source = draft.layers.source_of(path, value.tag());
            let json = serde_json::to_value(value).unwrap_or_default();
            let is_secret = is_secret(path);
            let value = if is_secret { masked(&json) } else { json };
            keys.insert(key.clone(), ShownKey { key, value, source, is_secret });
            return;
        }
    };
    for (key, value) in inner {
        path.push(key);
        written(draft, path, value, keys);
        path.pop();
    }
}

/// Of a URL, the server is no secret.
fn masked(value: &Json) -> Json {
    match value {
        Json::Array(elements) => elements.iter().map(masked).collect(),
        Json::String(text) if text.is_empty() => value.clone(),
        Json::String(text) => {
            let url = Url::parse(text).ok().filter(|url| url.scheme().starts_with("http"));
            let server = url.map(|url| url.origin().ascii_serialization());
            server.map_or(MASK.to_owned(), |server| format!("{server}/{MASK}")).into()
        }
        _ => MASK.into(),
    }
}

/// A table, and its keys with their defaults.
type Defaults = (String, Vec<(String, Json)>);

/// The tables that are there.
fn tables(draft: &Draft) -> Vec<Defaults> {
    let of = |rows: &[Row]| -> Vec<(String, Json)> {
        rows.iter().map(|row| default_of(row, false)).collect()
    };
    let mut tables: Vec<Defaults> = [
        ("server", SERVER),
        ("server.log", LOG),
        ("store", STORE),
        ("store.backup", BACKUP),
        ("admin", ADMIN),
        ("auth", AUTH),
    ]
    .map(|(table, rows)| (table.to_owned(), of(rows)))
    .into();
    let auth = &draft.config.auth;
    tables.extend(auth.http.is_some().then(|| ("auth.http".to_owned(), of(AUTH_HTTP))));
    tables.extend(auth.jwt.is_some().then(|| ("auth.jwt".to_owned(), of(AUTH_JWT))));
    if draft.config.cluster.is_some() {
        tables.push(("cluster".to_owned(), of(CLUSTER)));
        tables.push(("cluster.tls".to_owned(), of(CLUSTER_TLS)));
    }
    let numbered = |name: &str, count: usize, rows: &[Row]| -> Vec<Defaults> {
        (0..count).map(|nth| (format!("{name}[{nth}]"), of(rows))).collect()
    };
    tables.extend(numbered("rooms", draft.config.rooms.len(), ROOM));
    tables.extend(numbered("webhooks", draft.config.webhooks.len(), WEBHOOK));
    tables.extend(draft.config.frontends.iter().map(frontend));
    tables
}

fn frontend(config: &FrontendConfig) -> Defaults {
    let manifest = config.frontend.manifest();
    let dialect = dialects::find(&manifest.dialect);
    let is_app = dialect.is_some_and(|dialect| dialect.trusted_app);
    let rows = FRONTEND.iter().chain(LISTENER);
    let mut keys: Vec<(String, Json)> = rows.map(|row| default_of(row, is_app)).collect();
    keys.extend(manifest.listeners.iter().map(|listener| {
        let address = listener.address.clone();
        (listener.key.clone(), address.map_or(Json::Null, Json::from))
    }));
    for (key, value) in &mut keys {
        match key.as_str() {
            "requests_burst" => *value = config.limits.requests_burst.into(),
            "messages_burst" => *value = config.limits.messages_burst.into(),
            _ => (),
        }
    }
    keys.push(("dialect".into(), manifest.dialect.clone().into()));
    keys.push(("tls".into(), false.into()));
    let options = config.options.as_object().into_iter().flatten();
    // Those of a linked dialect are complete.
    keys.extend(options.map(|(key, value)| (key.clone(), value.clone())));
    (format!("frontends.{}", config.name), keys)
}

/// A key with its default.
fn default_of(row: &Row, is_app: bool) -> (String, Json) {
    let (key, _, default, _) = *row;
    let of_toml = |text: &str| {
        let table: toml::Table =
            format!("value = {text}").parse().expect("a row's default is TOML");
        serde_json::to_value(&table["value"]).expect("every TOML value has a JSON form")
    };
    let value = match default {
        KeyDefault::Is(value) => of_toml(value),
        KeyDefault::ByAddress(value) => of_toml(if is_app { "0" } else { value }),
        KeyDefault::Absent(_) | KeyDefault::FiveTimes(_) => Json::Null,
        KeyDefault::HalfOfCores => {
            let cores = available_parallelism().map_or(1, std::num::NonZero::get);
            (cores / 2).max(1).into()
        }
    };
    (key.to_owned(), value)
}
