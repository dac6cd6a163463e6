//! The keys of `[cluster]`: rows for [`schema`](super::schema).

use super::schema_rows::KeyDefault::{Absent, Is};
use super::schema_rows::{Kind, Row};

pub(super) const CLUSTER: &[Row] = &[
    (
        "name",
        Kind::Text,
        Absent(r#""chat""#),
        "the name of the cluster, which its log has on the servers; required",
    ),
    (
        "servers",
        Kind::OneOrTexts,
        Absent(r#"["nats://10.0.0.1:4222", "nats://10.0.0.2:4222", "nats://10.0.0.3:4222"]"#),
        "the NATS servers that keep the log; required",
    ),
    (
        "node",
        Kind::Text,
        Absent(r#""gateway-1""#),
        "the name of this gateway in the cluster; the name of the machine without it",
    ),
    ("user", Kind::Text, Absent(r#""dragoman""#), "the user that the servers know"),
    ("password", Kind::Text, Absent(r#""...""#), "the password of user"),
    (
        "password_file",
        Kind::Text,
        Absent(r#""secrets/nats""#),
        "a file with the password, in place of password",
    ),
    ("token", Kind::Text, Absent(r#""...""#), "a token of the servers, in place of user"),
    ("token_file", Kind::Text, Absent(r#""secrets/nats""#), "a file with the token"),
    ("nkey", Kind::Text, Absent(r#""SU...""#), "the seed of a user's key, in place of user"),
    ("nkey_file", Kind::Text, Absent(r#""secrets/nkey""#), "a file with the seed"),
    (
        "credentials",
        Kind::Text,
        Absent(r#""secrets/chat.creds""#),
        "a file as `nsc generate creds` writes it, in place of user",
    ),
    (
        "replicas",
        Kind::Replicas,
        Is("3"),
        "how many servers keep the log: 1, 3 or 5; used when the log is made",
    ),
    (
        "log_bytes",
        Kind::BytesFrom(1 << 20),
        Is("34359738368"),
        "the oldest entries of the log go when there are more bytes; used when the log is made",
    ),
    (
        "log_age",
        Kind::Pause,
        Is(r#""7d""#),
        "entries of the log go when they are older; used when the log is made",
    ),
    (
        "sync",
        Kind::Choice(&["disk", "log"]),
        Is(r#""disk""#),
        "when a command is answered: once it is on this gateway's disk too, or once most servers have it",
    ),
    (
        "reads",
        Kind::Choice(&["local", "fresh"]),
        Is(r#""local""#),
        "what a query sees: what this gateway has applied, or all that any gateway had answered before it",
    ),
    (
        "monitoring",
        Kind::OneOrTexts,
        Is("[]"),
        "the servers' monitoring addresses, which `dragoman cluster check` asks: http://host:port",
    ),
];

pub(super) const CLUSTER_TLS: &[Row] = &[
    (
        "ca",
        Kind::Text,
        Absent(r#""nats-ca.pem""#),
        "the PEM file of the CAs of the servers' certificates, in place of the system's",
    ),
    (
        "cert",
        Kind::Text,
        Absent(r#""nats.pem""#),
        "the PEM file of the certificate that this gateway shows",
    ),
    ("key", Kind::Text, Absent(r#""nats.key""#), "the PEM file of its key"),
];
