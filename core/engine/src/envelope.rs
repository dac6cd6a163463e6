//! What goes into the engine and what comes out.

use std::sync::Arc;

use core_model::{Command, ConnectionId, Outcome, Recorded, Timestamp, TokenHash};
use serde::{Deserialize, Serialize};

/// A command with every fact that is not in the state.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Envelope {
    pub at: Timestamp,
    /// Milliseconds since the run of the gateway began, whatever is done to the clock that gives
    /// `at`. Leases count by it.
    pub steady_ms: u64,
    pub connection: ConnectionId,
    pub frontend: Arc<FrontendSettings>,
    /// An idempotency key, already scoped to the front end.
    pub key: Option<String>,
    pub command: Command,
}

/// Seats of a room where neither the command, the front end nor gateway.toml says how many.
pub const ROOM_CAPACITY_DEFAULT: u32 = 500;

/// What the engine needs of a front end's section of gateway.toml.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct FrontendSettings {
    pub frontend: String,
    /// Seats of a room that is created through this front end without a capacity.
    pub room_capacity: u32,
    /// Rooms that a user joins on registering or signing in through this front end.
    pub auto_join: Vec<String>,
}

/// The outcome of a command, once durable.
#[derive(Debug)]
pub struct Done<T> {
    /// The ticket submitted with the command.
    pub ticket: T,
    pub outcome: Outcome,
    pub events: Vec<Recorded>,
}

/// An answer to a query.
#[derive(Debug)]
pub struct Answered {
    pub outcome: Outcome,
    /// The sliding token it was asked with, if due for `Command::RefreshToken`.
    pub refresh: Option<TokenHash>,
}
