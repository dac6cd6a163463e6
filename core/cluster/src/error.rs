//! What can be wrong with the servers, the log or the settings, each as a sentence for operators.

use crate::names::LogId;

/// Why the cluster's log cannot be used. The text names the key of gateway.toml, or the position in
/// the log, and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{key} = {value:?}: {why}")]
    Setting { key: &'static str, value: String, why: String },
    #[error(
        "cluster.servers = {servers}: none can be reached ({why}); start one of them, or correct the addresses"
    )]
    Unreachable { servers: String, why: String },
    #[error(
        "{keys}: {servers} refuses these credentials ({why}); correct them here, or add the user to the servers' configuration"
    )]
    Credentials { keys: &'static str, servers: String, why: String },
    #[error(
        "cluster.tls: the TLS handshake with {servers} failed ({why}); let cluster.tls.ca name the authority of the servers' certificates, and cluster.tls.cert and cluster.tls.key what the servers ask for"
    )]
    Tls { servers: String, why: String },
    #[error(
        "cluster.servers: {server} has no JetStream ({why}); give its configuration a section `jetstream {{ store_dir: … }}`, and enable JetStream for the account of these credentials"
    )]
    NoJetStream { server: String, why: String },
    #[error(
        "cluster.servers: {server} is nats-server {version}, and the log needs {wanted} or newer; upgrade it"
    )]
    OldServer { server: String, version: String, wanted: &'static str },
    #[error(
        "cluster.servers: {server} takes messages of at most {found} bytes, and an entry may have {wanted}; raise `max_payload` in its configuration"
    )]
    SmallPayload { server: String, found: usize, wanted: usize },
    #[error(
        "cluster.servers: the servers answer, but there is no leader for {what} ({why}); more than half of them must run and reach each other: start the others"
    )]
    NoQuorum { what: String, why: String },
    #[error(
        "cluster.name = {name:?}: the servers have no log of this name; create it with `dragoman cluster init`, or with `dragoman cluster recover` if they have lost the one that this store follows, or correct the name"
    )]
    NoLog { name: String },
    #[error(
        "cluster.name = {name:?}: the servers have a log of this name already, with the id {id}; join it, or choose another name"
    )]
    LogExists { name: String, id: LogId },
    #[error(
        "cluster.name = {name:?}: the log has the id {found}, and this store follows the log {wanted}; use the store of that cluster, correct the name, or move the store away to join with an empty one"
    )]
    OtherLog { name: String, found: LogId, wanted: LogId },
    #[error(
        "cluster.name = {name:?}: the stream {stream} was not made by `dragoman cluster init`: {why}; remove the stream, or choose another name"
    )]
    ForeignStream { name: String, stream: String, why: String },
    #[error(
        "the stream {stream} has {setting} = {found}, and it must be {wanted}: {why}; set it back with `nats stream edit {stream}`, or move to a new log with `dragoman cluster recover`"
    )]
    StreamSetting {
        stream: String,
        setting: &'static str,
        found: String,
        wanted: String,
        why: &'static str,
    },
    #[error(
        "the log begins at {first}, and this store has applied it to {applied}: the entries between were removed; start from the newest snapshot"
    )]
    Truncated { applied: u64, first: u64 },
    #[error(
        "the log ends at {last}, and this store has applied it to {applied}: the servers lost the end of the log; make a new one with `dragoman cluster recover`, on the node that has applied most"
    )]
    Rewound { applied: u64, last: u64 },
    #[error(
        "the log takes nothing more ({why}); give the servers more disk or a larger `max_file_store`, or the account a larger limit, and see that cluster.log_bytes is not more than they have"
    )]
    Full { why: String },
    #[error("an entry has {bytes} bytes, and the log takes {max}; submit fewer commands at once")]
    EntryTooLarge { bytes: usize, max: usize },
    #[error(
        "too many entries wait for the log ({entries}, {bytes} bytes); the servers are slow or away"
    )]
    Backlog { entries: usize, bytes: usize },
    #[error(
        "the log's entry at {position} was written by another program: {why}; find what else may publish to {subject}, and take the right away from it"
    )]
    UnknownEntry { position: u64, subject: String, why: String },
    #[error(
        "there is no snapshot of the log {id}; put one with `dragoman cluster init` or copy the store of another node"
    )]
    NoSnapshot { id: LogId },
    #[error("the snapshot at {position} cannot be {done}: {why}")]
    Snapshot { position: u64, done: &'static str, why: String },
    #[error("the servers refused to {what}: {why}")]
    Refused { what: String, why: String },
    #[error("the log was closed")]
    Closed,
}

impl Error {
    /// Whether waiting may help: the servers are away or have no leader. The log waits by itself once
    /// it is open; this is for those who open it.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NoQuorum { .. })
    }
}
