//! The report of `dragoman ledger`, as the admin listener sends it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// GET answers with a [`Report`].
pub const LEDGER_PATH: &str = "/ledger";

/// What is owed to connections, and what became of it, since the gateway started.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    pub frontends: Vec<FrontendReport>,
    /// None while the store cannot be read.
    pub store: Option<StoreReport>,
}

/// What the store owes to users of `ourchat` and `irc`: messages that they have not acknowledged,
/// those that are pending on a connection included.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StoreReport {
    /// Users, or devices where clients name them, that have acknowledged or were sent messages.
    pub readers: u64,
    /// Messages, by the room's class.
    pub rooms: BTreeMap<String, u64>,
    /// Messages that retention has removed since the gateway started, though a reader had not
    /// acknowledged them: for each such reader, by the room's class.
    #[serde(default)]
    pub expired: BTreeMap<String, u64>,
    /// Whether all were counted.
    pub complete: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FrontendReport {
    /// Its name in gateway.toml.
    pub frontend: String,
    /// Deliveries that are missing from the sums; 0 when they add up.
    pub mismatch: i64,
    /// By the room's class: `public`, `group` and `direct`.
    pub rooms: BTreeMap<String, RoomReport>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct RoomReport {
    /// Messages posted through the front end.
    pub posted: u64,
    /// Messages in answers to requests for them.
    pub read: u64,
    /// Deliveries owed, by source: `live` and `backlog`.
    pub owed: BTreeMap<String, u64>,
    /// Deliveries under way: `queued` and `unacknowledged`.
    pub pending: BTreeMap<String, u64>,
    /// Deliveries with an outcome, by outcome.
    pub deliveries: BTreeMap<String, u64>,
}
