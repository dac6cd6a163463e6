//! The JSON Schema of gateway.toml, for completion and checks in editors.
//!
//! The keys of each dialect come from its manifest; the host's own are rows here. A test sets every
//! key to values of every kind and compares the schema with the reader.

use frontend_api::Manifest;
use frontend_api::schema::cleaned;
use serde_json::{Map, Value, json};

use crate::dialects::DIALECTS;

/// A key, its kind, and its description.
type Row = (&'static str, Kind, &'static str);

/// The kind of a value.
#[derive(Clone, Copy)]
enum Kind {
    Flag,
    Text,
    /// A whole number from here up.
    From(u32),
    /// A number of threads.
    Threads,
    /// A whole number from 1 to this.
    UpTo(u32),
    Bytes,
    Duration,
    /// A duration other than 0.
    Pause,
    Address,
    /// Where a listener listens: see [`endpoints`].
    Endpoints,
    /// A name or a number.
    Name,
    /// A list of whole numbers.
    Numbers,
    Networks,
    Texts,
    /// A text, or a list of them.
    OneOrTexts,
    /// A list of texts, or names with a text or a list of them.
    Keys,
    Choice(&'static [&'static str]),
}

const SERVER: &[Row] = &[
    ("drain_timeout", Kind::Duration, "how long connections get to finish after SIGTERM"),
    ("threads", Kind::Threads, "network threads; by default half of the cores"),
    (
        "password_threads",
        Kind::Threads,
        "concurrent password hashes and checks; by default half of the cores",
    ),
    (
        "trusted_proxies",
        Kind::Networks,
        "networks of proxies whose X-Forwarded-For, or else Forwarded, is believed",
    ),
    (
        "well_known",
        Kind::Flag,
        "whether each front end serves its schemas under /.well-known/dragoman/",
    ),
    (
        "on_store_failure",
        Kind::Choice(&["recover", "exit"]),
        "after a failure of the store: open it again until that works, or exit with code 1",
    ),
];

const LOG: &[Row] = &[
    ("format", Kind::Choice(&["text", "json"]), "json is one object a line"),
    (
        "filter",
        Kind::Text,
        "a level (off, error, warn, info, debug, trace), or levels by module: info,dragoman=debug",
    ),
];

const STORE: &[Row] = &[
    ("path", Kind::Text, "the store file; a relative path starts at the folder of this file"),
    ("cache_bytes", Kind::Bytes, "memory for the page cache"),
    ("queue_max", Kind::From(1), "commands that may wait to be written"),
    ("keep_days", Kind::From(0), "days for which messages are kept; 0: forever"),
    (
        "keep_messages_per_room",
        Kind::From(0),
        "how many of a room's newest messages are kept; 0: all",
    ),
    (
        "free_space_min",
        Kind::Bytes,
        "free bytes of the file system below which messages are refused; 0 is no limit",
    ),
];

const BACKUP: &[Row] = &[
    ("every", Kind::Duration, "how often the gateway makes a backup, such as 1d; 0: never"),
    ("folder", Kind::Text, "where backups are; the folder `backups` beside the store without it"),
    ("keep", Kind::From(1), "how many backups are kept"),
];

const ADMIN: &[Row] = &[
    (
        "listen",
        Kind::Address,
        "address of the admin listener: /healthz, /readyz, /metrics and /api/; off without it",
    ),
    (
        "tls_listen",
        Kind::Address,
        "address of an encrypted admin listener, whose requests need a token; off without it",
    ),
    ("api_page", Kind::Flag, "whether /api/ shows the schemas of every front end"),
];

const AUTH: &[Row] = &[(
    "local_passwords",
    Kind::Flag,
    "whether accounts sign in by the passwords that the gateway has stored",
)];

/// The keys of `[auth.http]`.
const AUTH_HTTP: &[Row] = &[
    ("url", Kind::Text, "the address that is asked, by POST, whether a password is right"),
    ("ca_file", Kind::Text, "the PEM file of the CAs that its server may be signed by"),
    ("secret_file", Kind::Text, "the file whose one line shows the server who asks"),
    ("secret_header", Kind::Text, "the header with the secret; in Authorization after Bearer"),
    ("timeout", Kind::Pause, "how long an answer may take, at most 30s"),
    ("cache_ttl", Kind::Duration, "how long an answer that allows is remembered; 0: not at all"),
    ("deny_ttl", Kind::Duration, "how long an answer that denies is remembered; 0: not at all"),
    ("create", Kind::Flag, "whether users without an account get one"),
];

/// The keys of `[auth.jwt]`.
const AUTH_JWT: &[Row] = &[
    ("jwks_file", Kind::Text, "the file with the issuer's public keys, a JWKS"),
    ("jwks_url", Kind::Text, "the address of the issuer's public keys, in place of jwks_file"),
    ("ca_file", Kind::Text, "the PEM file of the CAs that its server may be signed by"),
    ("issuer", Kind::Text, "the iss of the tokens"),
    ("audience", Kind::OneOrTexts, "one of these must be among the aud of a token"),
    ("algorithms", Kind::Texts, "how tokens may be signed; by default RS256, ES256 and EdDSA"),
    ("claim", Kind::Text, "the claim with the user's identity; by default sub"),
    ("handle_claim", Kind::Text, "the claim with the handle that a new account wants"),
    ("name_claim", Kind::Text, "the claim with the display name of a new account"),
    ("leeway", Kind::Duration, "how far the issuer's clock may be from the gateway's"),
    ("refresh", Kind::Duration, "how old the keys may be before they are read again"),
    ("timeout", Kind::Pause, "how long reading them may take, at most 30s"),
    ("create", Kind::Flag, "whether users without an account get one"),
];

const ROOM: &[Row] = &[
    ("name", Kind::Text, "the room name, 1 to 64 characters"),
    ("section", Kind::Text, "shown by dialects that have this field"),
    ("description", Kind::Text, "shown by dialects that have this field"),
    ("capacity", Kind::From(1), "seats"),
];

/// The keys of a webhook; `secret` and `allow_private` are below.
const WEBHOOK: &[Row] = &[
    ("name", Kind::Text, "what logs, metrics and `dragoman webhook` call it; it keeps its place"),
    ("enabled", Kind::Flag, "false sends nothing, and keeps the place in the order of events"),
    ("url", Kind::Text, "where events are sent to, by POST"),
    ("events", Kind::Texts, "which events are sent; by default message.created"),
    ("rooms", Kind::Texts, "the rooms whose events are sent; empty: all"),
    ("secret_file", Kind::Text, "a file with the secrets, a line each, instead of secret"),
    ("ca_file", Kind::Text, "a PEM file of CAs that are trusted beside those of the system"),
    ("timeout", Kind::Pause, "until the head of an answer is there"),
    ("retry_max", Kind::Pause, "the longest pause between two attempts"),
    (
        "dead_letter_after",
        Kind::Duration,
        "the age at which an event that cannot be delivered is given up",
    ),
    ("concurrency", Kind::UpTo(64), "requests at once, each for another room"),
];

/// The keys of a listener's table, and of every front end for all its listeners.
const LISTENER: &[Row] = &[
    ("socket_mode", Kind::Text, "permissions of a unix socket in octal digits: 0660"),
    ("socket_group", Kind::Name, "the group of a unix socket"),
    ("allow_uids", Kind::Numbers, "users whose processes may connect to a unix socket; empty: all"),
    (
        "proxy_protocol",
        Kind::Choice(&["required", "off"]),
        "whether each connection begins with a PROXY header, of a proxy in trusted_proxies",
    ),
];

/// The keys of `[tls.<name>]`, and of `tls` as a table.
const TLS: &[Row] = &[
    ("cert", Kind::Text, "the PEM file of the certificate with its chain"),
    ("key", Kind::Text, "the PEM file of its key: PKCS#8, PKCS#1 or SEC1, without a password"),
    ("client_ca", Kind::Text, "the PEM file of the CAs that sign the certificates of clients"),
    (
        "require",
        Kind::Flag,
        "whether a client needs a certificate; by default if there is client_ca",
    ),
    ("min_version", Kind::Choice(&["1.2", "1.3"]), "the oldest version of TLS"),
    ("hsts", Kind::Duration, "how long browsers are to use https only; 0: not at all"),
];

/// The keys of `acme` in such a table.
const ACME: &[Row] = &[
    ("domains", Kind::Texts, "the names that the certificate is for"),
    (
        "accept_terms",
        Kind::Flag,
        "true: the operator accepts the terms of service of the CA; required",
    ),
    ("contacts", Kind::Texts, "mail addresses that the CA may write to"),
    ("directory", Kind::Text, "the URL of the CA's directory; by default that of Let's Encrypt"),
    ("cache", Kind::Text, "the folder in which account, key and certificate are kept"),
    (
        "ca_file",
        Kind::Text,
        "the PEM file of CAs that may sign the HTTPS certificate of the CA's own server",
    ),
];

/// A further certificate.
const CERTIFICATE: &[Row] = &[
    ("cert", Kind::Text, "the PEM file of the certificate with its chain"),
    ("key", Kind::Text, "the PEM file of its key"),
];

/// The keys of every front end.
const FRONTEND: &[Row] = &[
    ("plugin", Kind::Text, "the shared library with this front end"),
    ("enabled", Kind::Flag, "false turns the front end off; its keys are still checked"),
    ("required", Kind::Flag, "whether the gateway exits if this front end cannot start"),
    (
        "room_capacity",
        Kind::From(1),
        "seats of a room that this front end creates without a capacity",
    ),
    ("auto_join", Kind::Texts, "rooms that every user joins at sign-in"),
    ("allow", Kind::Networks, "networks that may connect; empty: all"),
    (
        "api_keys",
        Kind::Keys,
        "API keys, or names with keys; an HTTP client must send one, as X-Api-Key or Authorization: \
         Bearer; empty: no key is required",
    ),
    ("api_keys_file", Kind::Text, "a TOML file of further API keys: names with keys"),
    (
        "jwt_subjects",
        Kind::Texts,
        "subjects of auth.jwt whose tokens count like an API key, as Authorization: Bearer",
    ),
    (
        "cors_origins",
        Kind::Texts,
        "origins of web pages that may call this front end and open WebSockets, such as \
         https://chat.example.org or https://*.example.org; * is all, null is pages without an origin",
    ),
    (
        "hosts",
        Kind::Texts,
        "names that HTTP clients may call this host by while it listens on a private address, such \
         as chat.example.org; addresses and names of private networks are always known",
    ),
    ("connections_max", Kind::From(0), "connections; 0 is no limit"),
    ("connections_per_address_max", Kind::From(0), "connections from one address; 0 is no limit"),
    (
        "requests_per_s",
        Kind::From(0),
        "HTTP requests of a peer, or its requests to the store; 0 is no limit",
    ),
    ("requests_burst", Kind::From(1), "requests that a peer may send at once after a pause"),
    ("messages_per_s", Kind::From(0), "messages posted by a peer; 0 is no limit"),
    ("messages_burst", Kind::From(1), "messages that a peer may post at once after a pause"),
    (
        "bytes_per_s",
        Kind::From(0),
        "bytes that an address posts, over all its connections; 0 is no limit",
    ),
    ("body_bytes_max", Kind::From(0), "an HTTP body; 0 is no limit"),
    ("message_bytes_max", Kind::From(0), "a WebSocket message or a line; 0 is no limit"),
    ("text_chars_max", Kind::From(0), "the text of one message, in characters; 0 is no limit"),
    ("handshake_timeout", Kind::Duration, "until a head or handshake is complete; 0 is no limit"),
    ("idle_timeout", Kind::Duration, "how long a silent connection is kept; 0 is no limit"),
    ("ping_interval", Kind::Duration, "between pings of a WebSocket; two unanswered end it"),
    (
        "mailbox_max",
        Kind::From(1),
        "frames that may wait for a slow reader before it is disconnected",
    ),
    ("mailbox_bytes_max", Kind::From(1), "bytes of frames that may wait for a slow reader"),
    (
        "accounts_per_address_per_hour_max",
        Kind::From(0),
        "accounts created from one address in an hour; 0 is no limit",
    ),
    (
        "rooms_per_address_per_day_max",
        Kind::From(0),
        "rooms without an owner created from one address in a day; 0 is no limit",
    ),
    ("unowned_rooms_max", Kind::From(0), "rooms without an owner, in all; 0 is no limit"),
    ("rooms_per_owner_max", Kind::From(0), "rooms of one owner; 0 is no limit"),
    ("memberships_per_user_max", Kind::From(0), "memberships of a user; 0 is no limit"),
    (
        "groups_per_user_max",
        Kind::From(0),
        "memberships of a user up to which others may add it to their groups; 0 is no limit",
    ),
    (
        "tokens_per_user_max",
        Kind::From(0),
        "tokens of a user; a further one replaces the one that expires first; 0 is no limit",
    ),
    (
        "keys_per_address_max",
        Kind::From(0),
        "idempotency keys of an address; a further one replaces the oldest; 0 is no limit",
    ),
    (
        "leases_per_address_max",
        Kind::From(0),
        "seats in a room that one address holds without a connection; 0 is no limit",
    ),
    (
        "names_per_connection_max",
        Kind::From(0),
        "names under which one connection is in a room; 0 is no limit",
    ),
];

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
    all_frontends["additionalProperties"] = loaded();
    let mut shared_tls = table("certificates that several listeners use, by name", Map::new());
    shared_tls["additionalProperties"] = tls();
    let root = [
        ("server", table("the process", server)),
        ("store", table("the store of users, rooms and messages", store())),
        ("admin", table("the admin listeners", admin())),
        ("auth", auth()),
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
        "anyOf": [{ "type": "boolean" }, texts],
    });
    keys.insert("secret".into(), secret);
    keys.insert("allow_private".into(), allow_private);
    let mut webhook = table("a server that events are sent to", keys);
    webhook["required"] = json!(["name", "url"]);
    webhook
}

fn auth() -> Value {
    let mut keys = properties(AUTH);
    let mut http = table("an address that knows the users", properties(AUTH_HTTP));
    http["required"] = json!(["url"]);
    let mut jwt = table("an issuer of JSON Web Tokens", properties(AUTH_JWT));
    jwt["required"] = json!(["issuer", "audience"]);
    jwt["oneOf"] = json!([{ "required": ["jwks_file"] }, { "required": ["jwks_url"] }]);
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

/// A front end of any other name. Only its library knows its further keys.
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
    rows.iter().map(|(key, kind, about)| ((*key).to_owned(), value(*kind, about))).collect()
}

fn one_or_texts() -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
}

fn value(kind: Kind, about: &str) -> Value {
    let mut schema = match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::From(least) => json!({ "type": "integer", "minimum": least, "maximum": u32::MAX }),
        Kind::Threads => json!({ "type": "integer", "minimum": 1, "maximum": 1024 }),
        Kind::UpTo(most) => json!({ "type": "integer", "minimum": 1, "maximum": most }),
        Kind::Bytes => json!({ "type": "integer", "minimum": 0 }),
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
        Kind::Networks | Kind::Texts => {
            json!({ "type": "array", "items": { "type": "string" } })
        }
        Kind::OneOrTexts => one_or_texts(),
        Kind::Keys => {
            let keys = json!({ "type": "array", "items": { "type": "string" } });
            let named = one_or_texts();
            json!({ "anyOf": [keys, { "type": "object", "additionalProperties": named }] })
        }
        Kind::Choice(values) => json!({ "type": "string", "enum": values }),
    };
    schema["description"] = about.into();
    schema
}
