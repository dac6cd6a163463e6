//! The keys that every front end has: rows for [`schema`](super::schema).

use super::schema_rows::KeyDefault::{Absent, ByAddress, FiveTimes, Is};
use super::schema_rows::{Kind, Row};

/// The keys of every front end.
pub(super) const FRONTEND: &[Row] = &[
    (
        "plugin",
        Kind::Text,
        Absent(r#""plugins/libplugin_token.so""#),
        "the shared library with this front end",
    ),
    (
        "enabled",
        Kind::Flag,
        Is("true"),
        "false turns the front end off; its keys are still checked",
    ),
    (
        "required",
        Kind::Flag,
        Is("false"),
        "whether the gateway exits if this front end cannot start",
    ),
    (
        "room_capacity",
        Kind::From(1),
        Is("500"),
        "seats of a room that this front end creates without a capacity",
    ),
    ("auto_join", Kind::Texts, Is("[]"), "rooms that every user joins at sign-in"),
    ("allow", Kind::Networks, Is("[]"), "networks that may connect; empty: all"),
    (
        "api_keys",
        Kind::Keys,
        Is("[]"),
        "API keys, or names with keys; an HTTP client must send one, as X-Api-Key or Authorization: \
         Bearer; empty: no key is required",
    ),
    (
        "api_keys_file",
        Kind::Text,
        Absent(r#""keys.toml""#),
        "a TOML file of further API keys: names with keys",
    ),
    (
        "jwt_subjects",
        Kind::Texts,
        Is("[]"),
        "subjects of auth.jwt whose tokens count like an API key, as Authorization: Bearer",
    ),
    (
        "cors_origins",
        Kind::Texts,
        Is("[]"),
        "origins of web pages that may call this front end and open WebSockets, such as \
         https://chat.example.org or https://*.example.org; * is all, null is pages without an origin",
    ),
    (
        "hosts",
        Kind::Texts,
        Is("[]"),
        "names that HTTP clients may call this host by while it listens on a private address, such \
         as chat.example.org; addresses and names of private networks are always known",
    ),
    ("connections_max", Kind::From(0), Is("50000"), "connections; 0 is no limit"),
    (
        "connections_per_address_max",
        Kind::From(0),
        Is("1000"),
        "connections from one address; 0 is no limit",
    ),
    (
        "requests_per_s",
        Kind::From(0),
        Is("200"),
        "HTTP requests of a peer, or its requests to the store; 0 is no limit",
    ),
    (
        "requests_burst",
        Kind::From(1),
        FiveTimes("requests_per_s"),
        "requests that a peer may send at once after a pause",
    ),
    ("messages_per_s", Kind::From(0), Is("100"), "messages posted by a peer; 0 is no limit"),
    (
        "messages_burst",
        Kind::From(1),
        FiveTimes("messages_per_s"),
        "messages that a peer may post at once after a pause",
    ),
    (
        "bytes_per_s",
        Kind::From(0),
        Is("1048576"),
        "bytes that an address posts, over all its connections; 0 is no limit",
    ),
    ("body_bytes_max", Kind::From(0), Is("1048576"), "an HTTP body; 0 is no limit"),
    (
        "message_bytes_max",
        Kind::From(0),
        Is("1048576"),
        "a WebSocket message or a line; 0 is no limit",
    ),
    (
        "text_chars_max",
        Kind::From(0),
        Is("16384"),
        "the text of one message, in characters; 0 is no limit",
    ),
    (
        "handshake_timeout",
        Kind::Duration,
        Is(r#""10s""#),
        "until a head or handshake is complete; 0 is no limit",
    ),
    (
        "idle_timeout",
        Kind::Duration,
        Is(r#""0s""#),
        "how long a silent connection is kept; 0 is no limit",
    ),
    (
        "ping_interval",
        Kind::Duration,
        Is(r#""30s""#),
        "between pings of a WebSocket; two unanswered end it",
    ),
    (
        "mailbox_max",
        Kind::From(1),
        Is("1024"),
        "frames that may wait for a slow reader before it is disconnected",
    ),
    (
        "mailbox_bytes_max",
        Kind::From(1),
        Is("4194304"),
        "bytes of frames that may wait for a slow reader",
    ),
    (
        "accounts_per_address_per_hour_max",
        Kind::From(0),
        ByAddress("1000"),
        "accounts created from one address in an hour; 0 is no limit",
    ),
    (
        "rooms_per_address_per_day_max",
        Kind::From(0),
        ByAddress("200"),
        "rooms without an owner created from one address in a day; 0 is no limit",
    ),
    (
        "unowned_rooms_max",
        Kind::From(0),
        Is("10000"),
        "rooms without an owner, in all; 0 is no limit",
    ),
    ("rooms_per_owner_max", Kind::From(0), Is("1000"), "rooms of one owner; 0 is no limit"),
    ("memberships_per_user_max", Kind::From(0), Is("1000"), "memberships of a user; 0 is no limit"),
    (
        "groups_per_user_max",
        Kind::From(0),
        Is("200"),
        "memberships of a user up to which others may add it to their groups; 0 is no limit",
    ),
    (
        "tokens_per_user_max",
        Kind::From(0),
        Is("64"),
        "tokens of a user; a further one replaces the one that expires first; 0 is no limit",
    ),
    (
        "keys_per_address_max",
        Kind::From(0),
        Is("100000"),
        "idempotency keys of an address; a further one replaces the oldest; 0 is no limit",
    ),
    (
        "leases_per_address_max",
        Kind::From(0),
        ByAddress("10"),
        "seats in a room that one address holds without a connection; 0 is no limit",
    ),
    (
        "names_per_connection_max",
        Kind::From(0),
        ByAddress("8"),
        "names under which one connection is in a room; 0 is no limit",
    ),
    (
        "guests_per_address_max",
        Kind::From(0),
        ByAddress("200"),
        "guests in a room over all connections of one address; 0 is no limit",
    ),
];
