//! What goes into the engine and what comes out.

use std::sync::Arc;

use core_model::{Command, ConnectionId, Outcome, Person, Recorded, Refusal, Timestamp, TokenHash};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A command with every fact that is not in the state.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Envelope {
    pub at: Timestamp,
    /// Milliseconds since the run of the gateway began, whatever is done to the clock that gives
    /// `at`. Leases count by it.
    pub steady_ms: u64,
    pub connection: ConnectionId,
    /// The peer's network: its IPv4 address, mapped, or the /64 of its IPv6 address. None: the
    /// gateway itself, or an address that is not known.
    pub address: Option<u128>,
    pub frontend: Arc<FrontendSettings>,
    /// An idempotency key, already scoped to the front end, and to the peer's address if it is
    /// `<front end>/a<address>/<key>`: that scope gives way to the command's user, if it has one.
    pub key: Option<String>,
    pub command: Command,
}

/// Seats of a room where neither the command, the front end nor gateway.toml says how many.
pub const ROOM_CAPACITY_DEFAULT: u32 = 500;

/// What the engine needs of a front end's section of gateway.toml.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FrontendSettings {
    pub frontend: String,
    /// Seats of a room that is created through this front end without a capacity.
    pub room_capacity: u32,
    /// Rooms that a user joins on registering or signing in through this front end.
    pub auto_join: Vec<String>,
    #[serde(default)]
    pub quotas: Quotas,
}

/// How much one user, connection or address may have, of what comes through a front end; 0 is no
/// limit.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Quotas {
    /// Accounts made from one address in an hour.
    pub accounts_per_address_per_hour_max: u32,
    /// Rooms without an owner made from one address in a day.
    pub rooms_per_address_per_day_max: u32,
    /// Rooms without an owner, in all.
    pub unowned_rooms_max: u32,
    /// Rooms of one owner.
    pub rooms_per_owner_max: u32,
    /// Memberships of a user.
    pub memberships_per_user_max: u32,
    /// Memberships of a user up to which others may make it a member of theirs.
    pub groups_per_user_max: u32,
    /// Tokens of a user; a further one replaces the one that expires first.
    pub tokens_per_user_max: u32,
    /// Idempotency keys of an address; a further one replaces the oldest.
    pub keys_per_address_max: u32,
    /// Seats in a room that one address holds without a connection.
    pub leases_per_address_max: u32,
    /// Names under which one connection may be in a room.
    pub names_per_connection_max: u32,
    /// Guests in a room over the connections of one address.
    pub guests_per_address_max: u32,
}

/// The outcome of a command, once durable.
#[derive(Debug)]
pub struct Done<T> {
    /// The ticket submitted with the command. None: another gateway has it.
    pub ticket: Option<T>,
    pub outcome: Outcome,
    pub events: Vec<Recorded>,
    /// The accounts that it made.
    pub accounts: Vec<Arc<Person>>,
}

impl<T> Done<T> {
    /// A command that did nothing but have this outcome.
    pub fn of(ticket: T, outcome: Outcome) -> Self {
        Self { ticket: Some(ticket), outcome, events: Vec::new(), accounts: Vec::new() }
    }
}

/// What a command led to.
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<Recorded>,
    pub(crate) accounts: Vec<Arc<Person>>,
}

impl Answer {
    /// That of a command that cannot be carried out.
    pub(crate) fn refused(why: &str) -> Self {
        let outcome = Err(Refusal::Internal { why: why.into() });
        Self { outcome, events: Vec::new(), accounts: Vec::new() }
    }
}

/// An answer to a query.
#[derive(Debug)]
pub struct Answered {
    pub outcome: Outcome,
    /// The sliding token it was asked with, if due for `Command::RefreshToken`.
    pub refresh: Option<TokenHash>,
}

/// Why a command is not answered from a snapshot, and how many messages there are of those that it
/// asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deferred {
    /// It may change something, so that only the writer can answer it.
    MustSubmit { messages: usize },
    /// They are more than the caller has time for here.
    Long { messages: usize },
}

impl Deferred {
    /// It is of a kind that only the writer answers.
    pub const COMMAND: Self = Self::MustSubmit { messages: 0 };
}

/// What the store owes to users whose clients acknowledge messages: everything after their cursors.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Owed {
    /// Devices, and users without a device, that have a cursor.
    pub readers: u64,
    /// Messages in open rooms.
    pub public: u64,
    /// Messages in closed groups.
    pub group: u64,
    pub direct: u64,
    /// Whether nothing is left to count.
    pub is_complete: bool,
}
