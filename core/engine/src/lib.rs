//! Rooms, users and messages on redb: commands in, outcomes and events out.

#![allow(clippy::missing_errors_doc)]

use std::path::Path;
use std::sync::Arc;

use core_model::{
    Command, ConnectionId, Outcome, Query, Recorded, Refusal, Timestamp, TokenHash, Uid, UserRef,
};
use serde::{Deserialize, Serialize};

/// A command with every fact that is not in the state.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Envelope {
    pub at: Timestamp,
    pub connection: ConnectionId,
    pub origin: Arc<Origin>,
    /// An idempotency key, already scoped to the front end.
    pub key: Option<String>,
    pub command: Command,
}

/// What a front end's section of gateway.toml says that the engine needs to know.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Origin {
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

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0}")]
    Other(String),
}

pub struct Options {
    /// How many commands may wait for the writer before more are turned away.
    pub queue_max: usize,
    /// redb's page cache.
    pub cache_bytes: usize,
}

/// A handle to the engine; clones share it. `T` is whatever the caller needs to find its way
/// back from an outcome.
pub struct Engine<T>(std::marker::PhantomData<T>);

impl<T: Send + 'static> Engine<T> {
    /// Opens or creates the store and starts the writer thread. `publish` is called on it with
    /// every committed batch, in commit order.
    pub fn open(
        path: &Path,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Arc<Self>, OpenError> {
        let _ = (path, options, publish);
        Err(OpenError::Other("not built yet".into()))
    }

    /// Queues a command. `Err` gives the ticket back with the refusal (overloaded, or the engine
    /// has stopped); then the command was not taken.
    pub fn submit(&self, envelope: Envelope, ticket: T) -> Result<(), (T, Refusal)> {
        let _ = envelope;
        Err((ticket, Refusal::Overloaded))
    }

    /// Queues a command whatever the length of the queue: for disconnects and housekeeping.
    pub fn submit_always(&self, envelope: Envelope, ticket: T) -> Result<(), (T, Refusal)> {
        let _ = envelope;
        Err((ticket, Refusal::Overloaded))
    }

    /// Answers a query from the newest committed state, on the caller's thread.
    pub fn query(&self, at: Timestamp, query: &Query) -> Answered {
        let _ = (at, query);
        Answered { outcome: Err(Refusal::Overloaded), refresh: None }
    }

    /// The user meant and the PHC string of its password; None where there is no such user,
    /// an empty string where it has no password.
    pub fn credential(&self, at: Timestamp, user: &UserRef) -> Result<Option<(Uid, String)>, Refusal> {
        let _ = (at, user);
        Ok(None)
    }

    /// When `Command::Expire` should next be submitted, if ever.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        None
    }

    /// Why the engine takes no more commands, if it stopped by itself.
    pub fn failure(&self) -> Option<String> {
        None
    }

    /// Finishes what is queued, then stops the writer thread. Later commands are refused.
    pub fn stop(&self) {}
}
