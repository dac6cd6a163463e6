//! The keys of gateway.toml that are the host's own: rows for [`schema`](super::schema).

use KeyDefault::{Absent, HalfOfCores, Is};

/// A key, its kind, its default, and its description.
pub(super) type Row = (&'static str, Kind, KeyDefault, &'static str);

/// The value of a key that is not given. A test compares these with what the reader takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyDefault {
    /// A value in TOML.
    Is(&'static str),
    /// There is none; an example.
    Absent(&'static str),
    /// Half of the cores, at least 1.
    HalfOfCores,
    /// As a multiple of another key.
    FiveTimes(&'static str),
    /// A number, or 0 in front ends whose clients share the address of an app.
    ByAddress(&'static str),
}

/// The kind of a value.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Flag,
    Text,
    /// A whole number from here up.
    From(u32),
    /// A whole number from 0 to this.
    AtMost(u32),
    /// A number of threads.
    Threads,
    /// A whole number from 1 to this.
    UpTo(u32),
    Bytes,
    /// A number of bytes from here up.
    BytesFrom(u32),
    /// How many servers keep a log.
    Replicas,
    Duration,
    /// A duration other than 0.
    Pause,
    Address,
    /// Where a listener listens: see `endpoints` in `schema`.
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

pub(super) const SERVER: &[Row] = &[
    (
        "drain_timeout",
        Kind::Duration,
        Is(r#""10s""#),
        "how long connections get to finish after SIGTERM",
    ),
    ("threads", Kind::Threads, HalfOfCores, "network threads; by default half of the cores"),
    (
        "password_threads",
        Kind::Threads,
        HalfOfCores,
        "concurrent password hashes and checks; by default half of the cores",
    ),
    (
        "trusted_proxies",
        Kind::Networks,
        Is("[]"),
        "networks of proxies whose X-Forwarded-For, or else Forwarded, is believed",
    ),
    (
        "well_known",
        Kind::Flag,
        Is("true"),
        "whether each front end serves its schemas under /.well-known/dragoman/",
    ),
    (
        "on_store_failure",
        Kind::Choice(&["recover", "exit"]),
        Is(r#""recover""#),
        "after a failure of the store: open it again until that works, or exit with code 1",
    ),
    (
        "unread_bytes_max",
        Kind::From(0),
        Is("134217728"),
        "bytes of replies that all clients together may leave unread; 0: any number",
    ),
    (
        "unread_bytes_per_address_max",
        Kind::From(0),
        Is("33554432"),
        "the same for the clients of one address",
    ),
];

pub(super) const LOG: &[Row] = &[
    ("format", Kind::Choice(&["text", "json"]), Is(r#""text""#), "json is one object a line"),
    (
        "filter",
        Kind::Text,
        Is(r#""info""#),
        "a level (off, error, warn, info, debug, trace), or levels by module: info,dragoman=debug",
    ),
];

pub(super) const STORE: &[Row] = &[
    (
        "path",
        Kind::Text,
        Is(r#""data/dragoman.redb""#),
        "the store file; a relative path starts at the folder of this file",
    ),
    ("cache_bytes", Kind::Bytes, Is("268435456"), "memory for the page cache"),
    ("queue_max", Kind::From(1), Is("16384"), "commands that may wait to be written"),
    ("keep_days", Kind::From(0), Is("0"), "days for which messages are kept; 0: forever"),
    (
        "keep_messages_per_room",
        Kind::From(0),
        Is("0"),
        "how many of a room's newest messages are kept; 0: all",
    ),
    (
        "free_space_min",
        Kind::Bytes,
        Is("67108864"),
        "free bytes of the file system below which messages are refused; 0 is no limit",
    ),
    (
        "search",
        Kind::Flag,
        Is("true"),
        "whether an index of messages is kept, so that searches are quick",
    ),
];

pub(super) const BACKUP: &[Row] = &[
    (
        "every",
        Kind::Duration,
        Absent(r#""1d""#),
        "how often the gateway makes a backup, such as 1d; 0: never",
    ),
    (
        "folder",
        Kind::Text,
        Absent(r#""data/backups""#),
        "where backups are; the folder `backups` beside the store without it",
    ),
    ("keep", Kind::UpTo(10_000), Is("7"), "how many backups are kept"),
];

pub(super) const ADMIN: &[Row] = &[
    (
        "listen",
        Kind::Address,
        Absent(r#""127.0.0.1:5090""#),
        "address of the admin listener: /healthz, /readyz, /metrics and /api/; off without it",
    ),
    (
        "tls_listen",
        Kind::Address,
        Absent(r#""0.0.0.0:5091""#),
        "address of an encrypted admin listener, whose requests need a token; off without it",
    ),
    ("api_page", Kind::Flag, Is("true"), "whether /api/ shows the schemas of every front end"),
    ("console", Kind::Flag, Is("true"), "whether /console/ serves the web console"),
    (
        "trace",
        Kind::AtMost(10_000),
        Is("0"),
        "of how many messages it is kept how they came and went",
    ),
    (
        "playground",
        Kind::Flag,
        Is("false"),
        "whether the admin API opens sessions to play with, over loopback only",
    ),
    (
        "hosts",
        Kind::Texts,
        Is("[]"),
        "names that clients may call the unencrypted listener by, such as dragoman.default.svc; \
         addresses and names of private networks are always known",
    ),
];

pub(super) const AUTH: &[Row] = &[(
    "local_passwords",
    Kind::Flag,
    Is("true"),
    "whether accounts sign in by the passwords that the gateway has stored",
)];

/// The keys of `[auth.http]`.
pub(super) const AUTH_HTTP: &[Row] = &[
    (
        "url",
        Kind::Text,
        Absent(r#""https://users.example.org/check""#),
        "the address that is asked, by POST, whether a password is right",
    ),
    (
        "url_file",
        Kind::Text,
        Absent(r#""secrets/users-url""#),
        "the file whose one line is the URL, instead of url",
    ),
    (
        "ca_file",
        Kind::Text,
        Absent(r#""ca.pem""#),
        "the PEM file of the CAs that its server may be signed by",
    ),
    (
        "secret_file",
        Kind::Text,
        Absent(r#""secrets/users""#),
        "the file whose one line shows the server who asks",
    ),
    (
        "secret_header",
        Kind::Text,
        Is(r#""Authorization""#),
        "the header with the secret; in Authorization after Bearer",
    ),
    ("timeout", Kind::Pause, Is(r#""5s""#), "how long an answer may take, at most 30s"),
    (
        "cache_ttl",
        Kind::Duration,
        Is(r#""1m""#),
        "how long an answer that allows is remembered; 0: not at all",
    ),
    (
        "deny_ttl",
        Kind::Duration,
        Is(r#""5s""#),
        "how long an answer that denies is remembered; 0: not at all",
    ),
    ("create", Kind::Flag, Is("true"), "whether users without an account get one"),
];

/// The keys of `[auth.jwt]`.
pub(super) const AUTH_JWT: &[Row] = &[
    (
        "jwks_file",
        Kind::Text,
        Absent(r#""jwks.json""#),
        "the file with the issuer's public keys, a JWKS",
    ),
    (
        "jwks_url",
        Kind::Text,
        Absent(r#""https://id.example.org/.well-known/jwks.json""#),
        "the address of the issuer's public keys, in place of jwks_file",
    ),
    (
        "jwks_url_file",
        Kind::Text,
        Absent(r#""secrets/jwks-url""#),
        "the file whose one line is that address",
    ),
    (
        "ca_file",
        Kind::Text,
        Absent(r#""ca.pem""#),
        "the PEM file of the CAs that its server may be signed by",
    ),
    ("issuer", Kind::Text, Absent(r#""https://id.example.org""#), "the iss of the tokens"),
    (
        "audience",
        Kind::OneOrTexts,
        Absent(r#""chat""#),
        "one of these must be among the aud of a token",
    ),
    (
        "algorithms",
        Kind::Texts,
        Is(r#"["RS256", "ES256", "EdDSA"]"#),
        "how tokens may be signed; by default RS256, ES256 and EdDSA",
    ),
    ("claim", Kind::Text, Is(r#""sub""#), "the claim with the user's identity; by default sub"),
    (
        "handle_claim",
        Kind::Text,
        Is(r#""preferred_username""#),
        "the claim with the handle that a new account wants",
    ),
    ("name_claim", Kind::Text, Is(r#""name""#), "the claim with the display name of a new account"),
    (
        "leeway",
        Kind::Duration,
        Is(r#""30s""#),
        "how far the issuer's clock may be from the gateway's",
    ),
    (
        "refresh",
        Kind::Duration,
        Is(r#""10m""#),
        "how old the keys may be before they are read again",
    ),
    ("timeout", Kind::Pause, Is(r#""5s""#), "how long reading them may take, at most 30s"),
    ("create", Kind::Flag, Is("true"), "whether users without an account get one"),
];

pub(super) const ROOM: &[Row] = &[
    ("name", Kind::Text, Absent(r#""TEST""#), "the room name, 1 to 64 characters"),
    ("section", Kind::Text, Is(r#""""#), "shown by dialects that have this field"),
    ("description", Kind::Text, Is(r#""""#), "shown by dialects that have this field"),
    ("capacity", Kind::From(1), Is("500"), "seats"),
];

/// The keys of a webhook; `secret` and `allow_private` are below.
pub(super) const WEBHOOK: &[Row] = &[
    (
        "name",
        Kind::Text,
        Absent(r#""crm""#),
        "what logs, metrics and `dragoman webhook` call it; it keeps its place",
    ),
    (
        "enabled",
        Kind::Flag,
        Is("true"),
        "false sends nothing, and keeps the place in the order of events",
    ),
    (
        "url",
        Kind::Text,
        Absent(r#""https://crm.example.org/hooks/chat""#),
        "where events are sent to, by POST",
    ),
    (
        "url_file",
        Kind::Text,
        Absent(r#""secrets/crm-url""#),
        "the file whose one line is the URL, instead of url",
    ),
    (
        "events",
        Kind::Texts,
        Is(r#"["message.created"]"#),
        "which events are sent; by default message.created",
    ),
    ("rooms", Kind::Texts, Is("[]"), "the rooms whose events are sent; empty: all"),
    (
        "secret_file",
        Kind::Text,
        Absent(r#""secrets/crm""#),
        "a file with the secrets, a line each, instead of secret",
    ),
    (
        "ca_file",
        Kind::Text,
        Absent(r#""ca.pem""#),
        "a PEM file of CAs that are trusted beside those of the system",
    ),
    ("timeout", Kind::Pause, Is(r#""10s""#), "until the head of an answer is there"),
    ("retry_max", Kind::Pause, Is(r#""10m""#), "the longest pause between two attempts"),
    (
        "dead_letter_after",
        Kind::Duration,
        Is(r#""1d""#),
        "the age at which an event that cannot be delivered is given up",
    ),
    ("concurrency", Kind::UpTo(64), Is("8"), "requests at once, each for another room"),
];

/// The keys of a listener's table, and of every front end for all its listeners.
pub(super) const LISTENER: &[Row] = &[
    (
        "socket_mode",
        Kind::Text,
        Is(r#""0660""#),
        "permissions of a unix socket in octal digits: 0660",
    ),
    ("socket_group", Kind::Name, Absent(r#""www-data""#), "the group of a unix socket"),
    (
        "allow_uids",
        Kind::Numbers,
        Is("[]"),
        "users whose processes may connect to a unix socket; empty: all",
    ),
    (
        "proxy_protocol",
        Kind::Choice(&["required", "off"]),
        Is(r#""off""#),
        "whether each connection begins with a PROXY header, of a proxy in trusted_proxies",
    ),
    (
        "public_url",
        Kind::Text,
        Absent(r#""https://chat.example.org""#),
        "where clients reach it, such as https://chat.example.org, if not at its own address; \
         documents and generated clients name it",
    ),
];

/// The keys of `[tls.<name>]`, and of `tls` as a table.
pub(super) const TLS: &[Row] = &[
    (
        "cert",
        Kind::Text,
        Absent(r#""fullchain.pem""#),
        "the PEM file of the certificate with its chain",
    ),
    (
        "key",
        Kind::Text,
        Absent(r#""privkey.pem""#),
        "the PEM file of its key: PKCS#8, PKCS#1 or SEC1, without a password",
    ),
    (
        "client_ca",
        Kind::Text,
        Absent(r#""clients.pem""#),
        "the PEM file of the CAs that sign the certificates of clients",
    ),
    (
        "require",
        Kind::Flag,
        Absent("true"),
        "whether a client needs a certificate; by default if there is client_ca",
    ),
    ("min_version", Kind::Choice(&["1.2", "1.3"]), Is(r#""1.2""#), "the oldest version of TLS"),
    (
        "hsts",
        Kind::Duration,
        Is(r#""0s""#),
        "how long browsers are to use https only; 0: not at all",
    ),
];

/// The keys of `acme` in such a table.
pub(super) const ACME: &[Row] = &[
    (
        "domains",
        Kind::Texts,
        Absent(r#"["chat.example.org"]"#),
        "the names that the certificate is for",
    ),
    (
        "accept_terms",
        Kind::Flag,
        Absent("true"),
        "true: the operator accepts the terms of service of the CA; required",
    ),
    ("contacts", Kind::Texts, Is("[]"), "mail addresses that the CA may write to"),
    (
        "directory",
        Kind::Text,
        Is(r#""https://acme-v02.api.letsencrypt.org/directory""#),
        "the URL of the CA's directory; by default that of Let's Encrypt",
    ),
    (
        "cache",
        Kind::Text,
        Is(r#""acme""#),
        "the folder in which account, key and certificate are kept",
    ),
    (
        "ca_file",
        Kind::Text,
        Absent(r#""ca.pem""#),
        "the PEM file of CAs that may sign the HTTPS certificate of the CA's own server",
    ),
];

/// A further certificate.
pub(super) const CERTIFICATE: &[Row] = &[
    (
        "cert",
        Kind::Text,
        Absent(r#""other.pem""#),
        "the PEM file of the certificate with its chain",
    ),
    ("key", Kind::Text, Absent(r#""other.key""#), "the PEM file of its key"),
];
