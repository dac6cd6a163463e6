//! Where commands come from, in the one order in which they are carried out.
//!
//! A store of its own has the engine's queue as its log: nothing is encoded, and a command has no
//! position. A store that follows a log shared by several gateways is given entries, each written by one
//! of them. The log may have an entry several times, or one whose predecessor it has
//! not: a gateway writes an entry, and all after it, again until it finds it applied. So the writer
//! applies an entry if it is the next of its run, in the transaction that notes this: whatever the
//! log does, each is applied once, in the order of its run.

use core_model::Timestamp;

use crate::digest::Checkpoint;
use crate::entry::{Entry, EntryId, Fate};
use crate::envelope::Envelope;

/// Gives the writer its commands, on its thread. `T` is the ticket of a command.
pub trait Log<T>: Send {
    /// Waits for what is to be done next. [`Next::Stop`] is to come once [`Submitted::next`](crate::Submitted::next) has
    /// given all that was submitted: an engine that stops waits for it.
    fn next(&mut self) -> Next<T>;

    /// What became of an entry, once that is durable. If it was applied, returns the tickets of
    /// its commands, in their order: those of a gateway's own entries, and none of the others.
    fn settled(&mut self, _entry: EntryId, _fate: Fate) -> Vec<T> {
        Vec::new()
    }

    /// How far the store has come, after each commit of entries and before they are settled. What the
    /// gateway writes from here on is under these rules, and the checkpoints belong into its next
    /// entries.
    fn progressed(&mut self, _progress: &Progress) {}
}

/// How far a store has followed its log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// The position of the last entry that it has applied.
    pub applied: u64,
    /// The version of the rules that is in force.
    pub rules: u32,
    /// The checkpoints of these entries, in their order.
    pub checkpoints: Vec<Checkpoint>,
    /// Whether the stores of the cluster are equal, as far as their claims say.
    pub equality: Equality,
}

/// What is known of the other stores of a cluster.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Equality {
    /// Not enough nodes have told of theirs.
    #[default]
    Unknown,
    /// All are equal.
    Equal,
    /// Most are equal to this one. These nodes have others, and stop.
    Minority(String),
    /// No store is that of more than half of the nodes: each digest with its nodes. An operator has to
    /// say which is right.
    Split(String),
}

/// What the writer does next.
pub enum Next<T> {
    /// Carries out commands that only this store is given.
    Commands(Vec<(Envelope, T)>),
    /// Applies entries of the log that the store follows, in one commit.
    Entries(Entries),
    /// Opens the store again: a query found that it has failed.
    Recover,
    Stop,
}

/// Entries of a log, one after the other.
#[derive(Clone, Debug)]
pub struct Entries {
    pub entries: Vec<LogEntry>,
    /// Whether the commit is on disk before it is answered. If not, a loss of power takes the store
    /// back to an earlier position of the log.
    pub durable: bool,
}

/// An entry, and what the log says of it.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Its place in the log: one more than that of the entry before, from 1 on.
    pub position: u64,
    /// When the log took it, by the log's clock: its commands have no other time.
    pub at: Timestamp,
    pub entry: Entry,
}

/// Where a store stands in the log that it follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Followed {
    /// The number of the log.
    pub log: u64,
    /// The position of the last entry that the store has applied, 0 for none.
    pub applied: u64,
    /// The version of the rules that is in force there.
    pub rules: u32,
}
