//! What goes into the engine and what comes out.

use std::sync::Arc;

use core_model::{Command, ConnectionId, Outcome, Recorded, Timestamp, TokenHash};
use serde::{Deserialize, Serialize};

/// A command with every fact that is not in the state.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Envelope {
    pub at: Timestamp,
    pub connection: ConnectionId,
    pub frontend: Arc<FrontendSettings>,
    /// An idempotency key, already scoped to the front end.
    pub key: Option<String>,
    pub command: Command,
}

/// Seats of a room where neither the command, the front end nor gateway.toml says how many.
pub const ROOM_CAPACITY_DEFAULT: u32 = 500;

/// What a front end's section of gateway.toml says that the engine needs to know.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct FrontendSettings {
    pub frontend: String,
    /// Seats of a room that is created there without saying how many.
    pub room_capacity: u32,
    /// Rooms that everyone who registers or signs in there joins.
    pub auto_join: Vec<String>,
}

/// What became of a command, once it is durable.
#[derive(Debug)]
pub struct Done<T> {
    /// What was handed in with the command.
    pub ticket: T,
    pub outcome: Outcome,
    pub events: Vec<Recorded>,
}

/// An answer to a query.
#[derive(Debug)]
pub struct Answered {
    pub outcome: Outcome,
    /// A sliding token used in it that is due for `Command::RefreshToken`.
    pub refresh: Option<TokenHash>,
}
