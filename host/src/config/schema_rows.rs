//! The keys of gateway.toml that are the host's own: rows for [`schema`](super::schema).

/// A key, its kind, and its description.
pub(super) type Row = (&'static str, Kind, &'static str);

/// The kind of a value.
#[derive(Clone, Copy)]
pub(super) enum Kind {
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

pub(super) const LOG: &[Row] = &[
    ("format", Kind::Choice(&["text", "json"]), "json is one object a line"),
    (
        "filter",
        Kind::Text,
        "a level (off, error, warn, info, debug, trace), or levels by module: info,dragoman=debug",
    ),
];

pub(super) const STORE: &[Row] = &[
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

pub(super) const BACKUP: &[Row] = &[
    ("every", Kind::Duration, "how often the gateway makes a backup, such as 1d; 0: never"),
    ("folder", Kind::Text, "where backups are; the folder `backups` beside the store without it"),
    ("keep", Kind::UpTo(10_000), "how many backups are kept"),
];

pub(super) const ADMIN: &[Row] = &[
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

pub(super) const AUTH: &[Row] = &[(
    "local_passwords",
    Kind::Flag,
    "whether accounts sign in by the passwords that the gateway has stored",
)];

/// The keys of `[auth.http]`.
pub(super) const AUTH_HTTP: &[Row] = &[
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
pub(super) const AUTH_JWT: &[Row] = &[
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

pub(super) const ROOM: &[Row] = &[
    ("name", Kind::Text, "the room name, 1 to 64 characters"),
    ("section", Kind::Text, "shown by dialects that have this field"),
    ("description", Kind::Text, "shown by dialects that have this field"),
    ("capacity", Kind::From(1), "seats"),
];

/// The keys of a webhook; `secret` and `allow_private` are below.
pub(super) const WEBHOOK: &[Row] = &[
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
pub(super) const LISTENER: &[Row] = &[
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
pub(super) const TLS: &[Row] = &[
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
pub(super) const ACME: &[Row] = &[
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
pub(super) const CERTIFICATE: &[Row] = &[
    ("cert", Kind::Text, "the PEM file of the certificate with its chain"),
    ("key", Kind::Text, "the PEM file of its key"),
];

/// The keys of every front end.
pub(super) const FRONTEND: &[Row] = &[
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
