//! The JSON Schema of gateway.toml, for completion and checks in editors.
//!
//! The keys of each dialect come from its manifest; the host's own are rows here. A test sets every
//! key to values of every kind and compares the schema with the reader.

use frontend_api::Manifest;
use frontend_api::schema::cleaned;
use serde_json::{Map, Value, json};

use super::cluster_rows::{CLUSTER, CLUSTER_TLS};
use super::frontend_rows::FRONTEND;
use super::schema_rows::*;
use crate::dialects::DIALECTS;

/// The JSON Schema of gateway.toml.
pub fn schema() -> Value {
    let mut server = properties(SERVER);
    server.insert("log".into(), log());
    let mut room =
        table("a room that must exist: created at the start if it is missing", properties(ROOM));
    room["required"] = json!(["name"]);
    let frontends = DIALECTS.iter().map(|dialect| {
        let manifest = dialect.manifest();
        (dialect.name.to_owned(), frontend(&manifest))
    });
    let mut all_frontends = table("a front end is on if it has a section", frontends.collect());
    all_frontends["additionalProperties"] = named();
    let mut shared_tls = table("certificates that several listeners use, by name", Map::new());
    shared_tls["additionalProperties"] = tls();
    let root = [
        ("server", table("the process", server)),
        ("store", table("the store of users, rooms and messages", store())),
        ("admin", table("the admin listeners", admin())),
        ("auth", auth()),
        ("cluster", cluster()),
        ("tls", shared_tls),
        ("rooms", json!({ "type": "array", "items": room })),
        ("frontends", all_frontends),
        ("webhooks", json!({ "type": "array", "items": webhook() })),
    ];
    let root = root.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect();
    let mut schema = table("The configuration of the gateway.", root);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["$id"] = "urn:dragoman:gateway".into();
    schema["title"] = "gateway.toml".into();
    schema
}

fn webhook() -> Value {
    let mut keys = properties(WEBHOOK);
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let secret = json!({
        "description": "what requests are signed with: whsec_ and base64 of 24 to 64 bytes; while it \
                        is changed, a list of the new one and the former",
        "anyOf": [{ "type": "string" }, texts],
    });
    let allow_private = json!({
        "description": "whether the receiver may have an address that is not of the public internet; \
                        or the networks that it may be in",
        "anyOf": [{ "type": "boolean" }, { "type": "string" }, texts],
    });
    keys.insert("secret".into(), secret);
    keys.insert("allow_private".into(), allow_private);
    let mut webhook = table("a server that events are sent to", keys);
    webhook["required"] = json!(["name"]);
    webhook["anyOf"] = json!([{ "required": ["url"] }, { "required": ["url_file"] }]);
    webhook
}

fn cluster() -> Value {
    let mut keys = properties(CLUSTER);
    let tls = table("files of TLS towards the servers", properties(CLUSTER_TLS));
    keys.insert("tls".into(), tls);
    let mut cluster = table("the log that several gateways share", keys);
    cluster["required"] = json!(["name", "servers"]);
    cluster
}

fn auth() -> Value {
    let mut keys = properties(AUTH);
    let mut http = table("an address that knows the users", properties(AUTH_HTTP));
    http["anyOf"] = json!([{ "required": ["url"] }, { "required": ["url_file"] }]);
    let mut jwt = table("an issuer of JSON Web Tokens", properties(AUTH_JWT));
    jwt["required"] = json!(["issuer", "audience"]);
    let sources = ["jwks_file", "jwks_url", "jwks_url_file"];
    jwt["oneOf"] = sources.map(|key| json!({ "required": [key] })).to_vec().into();
    keys.insert("http".into(), http);
    keys.insert("jwt".into(), jwt);
    table("other servers that know the users", keys)
}

fn log() -> Value {
    json!({
        "description": "the log; a plain string sets only its filter",
        "anyOf": [{ "type": "string" }, table("the log", properties(LOG))],
    })
}

fn store() -> Map<String, Value> {
    let mut keys = properties(STORE);
    let about = "backups that the gateway makes by itself";
    keys.insert("backup".into(), table(about, properties(BACKUP)));
    keys
}

fn frontend(manifest: &Manifest) -> Value {
    let mut keys = properties(FRONTEND);
    let about = "the dialect, where the section has a name of its own";
    keys.insert("dialect".into(), json!({ "const": manifest.dialect, "description": about }));
    keys.extend(listener_keys());
    for listener in &manifest.listeners {
        let default = listener.address.as_deref().unwrap_or("none");
        let about = format!("its address; by default {default}");
        keys.insert(listener.key.clone(), value(Kind::Endpoints, &about));
    }
    let mut options = cleaned(manifest.options.clone());
    let defs = options["$defs"].take();
    if let Some(Value::Object(options)) = options.get_mut("properties") {
        for (key, schema) in std::mem::take(options) {
            keys.insert(key, inlined(schema, &defs));
        }
    }
    table(&manifest.title, keys)
}

/// A front end of any other name: a linked dialect, or one from a library.
fn named() -> Value {
    let linked = DIALECTS.iter().map(|dialect| {
        let section = format!("#/properties/frontends/properties/{}", dialect.name);
        json!({ "allOf": [{ "$ref": section }, { "required": ["dialect"] }] })
    });
    json!({ "anyOf": linked.chain([loaded()]).collect::<Vec<_>>() })
}

/// Only the library of a front end knows its further keys.
fn loaded() -> Value {
    let mut keys = properties(FRONTEND);
    keys.extend(listener_keys());
    json!({
        "type": "object",
        "description": "a front end from a shared library",
        "properties": keys,
        "required": ["plugin"],
    })
}

fn admin() -> Map<String, Value> {
    let mut keys = properties(ADMIN);
    keys.extend(listener_keys().into_iter().filter(|(key, _)| key == "tls"));
    keys
}

fn listener_keys() -> Map<String, Value> {
    let mut keys = properties(LISTENER);
    let tls = json!({
        "description": "encrypts connections: the name of a table [tls.<name>], or such a table",
        "anyOf": [{ "type": "string" }, { "const": false }, tls()],
    });
    keys.insert("tls".into(), tls);
    keys
}

fn tls() -> Value {
    let mut keys = properties(TLS);
    let further = table("a certificate for other names", properties(CERTIFICATE));
    keys.insert("certificates".into(), json!({ "type": "array", "items": further }));
    let acme = table("has the certificate issued by a CA that speaks ACME", properties(ACME));
    keys.insert("acme".into(), acme);
    table("certificates with their keys", keys)
}

/// An address, a table with one and how to listen there, or a list of such.
fn endpoints() -> Value {
    let address = json!({ "type": "string", "pattern": "^((unix|systemd):.+|.+:[0-9]+)$" });
    let mut keys = listener_keys();
    let addresses = json!({ "type": "array", "items": address, "minItems": 1 });
    keys.insert(
        "address".into(),
        json!({ "description": "where to listen", "anyOf": [address, addresses] }),
    );
    let listener = table("an address, and how to listen there", keys);
    let listeners =
        json!({ "type": "array", "items": { "anyOf": [address, listener] }, "minItems": 1 });
    json!({ "anyOf": [address, listener, listeners] })
}

/// Inlines the definition that an option refers to.
fn inlined(mut schema: Value, defs: &Value) -> Value {
    let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/"));
    if let Some(def) = target.map(|name| cleaned(defs[name].clone())) {
        let fields = schema.as_object_mut().expect("it has a reference");
        fields.remove("$ref");
        for (key, value) in def.as_object().into_iter().flatten() {
            fields.entry(key.clone()).or_insert(value.clone());
        }
    }
    if let Some(fields) = schema.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    schema
}

fn table(about: &str, properties: Map<String, Value>) -> Value {
    json!({
        "type": "object",
        "description": about,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn properties(rows: &[Row]) -> Map<String, Value> {
    rows.iter().map(|(key, kind, _, about)| ((*key).to_owned(), value(*kind, about))).collect()
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn one_or_texts() -> Value {
    json!({ "anyOf": [{ "type": "string" }, texts()] })
}

fn value(kind: Kind, about: &str) -> Value {
    let mut schema = match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::From(least) => json!({ "type": "integer", "minimum": least, "maximum": u32::MAX }),
        Kind::Threads => json!({ "type": "integer", "minimum": 1, "maximum": 1024 }),
        Kind::AtMost(most) => json!({ "type": "integer", "minimum": 0, "maximum": most }),
        Kind::UpTo(most) => json!({ "type": "integer", "minimum": 1, "maximum": most }),
        Kind::Bytes => json!({ "type": "integer", "minimum": 0 }),
        Kind::BytesFrom(least) => json!({ "type": "integer", "minimum": least }),
        Kind::Replicas => json!({ "type": "integer", "enum": [1, 3, 5] }),
        Kind::Duration => json!({
            "type": ["string", "integer"],
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "minimum": 0,
            "maximum": 0,
        }),
        Kind::Pause => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
        Kind::Address => json!({
            "type": "string",
            "pattern": "^(systemd:.+|([0-9.]+|\\[[0-9a-fA-F:.]+\\]):[0-9]+)$",
        }),
        Kind::Endpoints => endpoints(),
        Kind::Name => json!({ "type": ["string", "integer"], "minimum": 0, "maximum": u32::MAX }),
        Kind::Numbers => json!({
            "type": "array",
            "items": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
        }),
        Kind::Networks | Kind::Texts | Kind::OneOrTexts => one_or_texts(),
        Kind::Keys => {
            let [text, texts] = [json!({ "type": "string" }), texts()];
            let named = json!({ "type": "object", "additionalProperties": one_or_texts() });
            json!({ "anyOf": [text, texts, named] })
        }
        Kind::Choice(values) => json!({ "type": "string", "enum": values }),
    };
    schema["description"] = about.into();
    schema
}
