//! What every connection needs of the gateway: the engine, the hub, the clock, the pool.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use core_engine::{Engine, Envelope};
use core_model::{Command, ConnectionId, Detail, Outcome, Query, Refusal};
use ipnet::IpNet;
use tokio::sync::{Semaphore, oneshot, watch};

use super::bounds::{LIGHT_MESSAGES_MAX, LIGHT_ROOMS_MAX};
use super::clock::Clock;
use super::distribute::Ticket;
use super::door::Door;
use super::hub::Hub;
use super::metrics::{Limit, Totals};
use super::passwords::Passwords;
use super::served::Served;
use super::skipped::SkippedLog;

pub(super) struct Shared {
    pub(super) engine: Arc<Engine<Ticket>>,
    /// The file it is in.
    pub(super) store: PathBuf,
    pub(super) hub: Arc<Hub>,
    pub(super) clock: Clock,
    pub(super) passwords: Passwords,
    pub(super) frontends: Vec<Arc<Served>>,
    /// Where they listen; set when the store is ready.
    pub(super) doors: OnceLock<Vec<Arc<Door>>>,
    pub(super) totals: Arc<Totals>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) heavy: Semaphore,
    pub(super) trusted_proxies: Vec<IpNet>,
    /// Whether front ends serve the documents that describe them.
    pub(super) well_known: bool,
    pub(super) skipped: SkippedLog,
    pub(super) connections: AtomicU64,
}

/// Where the gateway is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd)]
pub(super) enum Phase {
    Serving,
    /// Nobody new is let in; what was asked is answered.
    Draining,
    /// Whoever is still there is left.
    Over,
}

impl Shared {
    /// An id for a new connection or HTTP exchange. 0 is the gateway itself.
    pub(super) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// Gives a command to the engine. `Err`: it was not taken.
    pub(super) fn submit(
        &self,
        served: &Served,
        connection: ConnectionId,
        command: Command,
        key: Option<&str>,
        ticket: Ticket,
    ) -> Result<(), Refusal> {
        served.counters.commands.add(1);
        let envelope = self.envelope(served, connection, command, key);
        self.engine.submit(envelope, ticket).map_err(|(_, refusal)| {
            if refusal == Refusal::Overloaded {
                served.counters.refused(Limit::Overloaded);
            }
            refusal
        })
    }

    /// The same, and waits for the answer.
    pub(super) async fn call(
        &self,
        served: &Served,
        connection: ConnectionId,
        command: Command,
        key: Option<&str>,
    ) -> Outcome {
        let (sender, answer) = oneshot::channel();
        self.submit(served, connection, command, key, Ticket::Once(sender))?;
        answer.await.unwrap_or_else(|_| {
            Err(Refusal::Internal { why: "the gateway stopped before the answer".into() })
        })
    }

    /// Gives the engine what it must not refuse for being busy.
    pub(super) fn submit_always(
        &self,
        served: &Served,
        connection: ConnectionId,
        command: Command,
        ticket: Ticket,
    ) {
        let envelope = self.envelope(served, connection, command, None);
        // Refused only by an engine that has stopped, and then there is nothing left to do.
        drop(self.engine.submit_always(envelope, ticket));
    }

    /// Answers a query here and now.
    pub(super) fn ask(&self, served: &Served, connection: ConnectionId, query: &Query) -> Outcome {
        served.counters.queries.add(1);
        let answered = self.engine.query(self.clock.now(), connection, query);
        if let Some(token) = answered.refresh {
            let command = Command::RefreshToken { token };
            // A refresh that is refused comes with the next use of the token.
            drop(self.submit(served, ConnectionId(0), command, None, Ticket::Nobody));
        }
        answered.outcome
    }

    /// Answers a query on a thread that may take its time.
    pub(super) async fn ask_apart(
        self: Arc<Self>,
        served: Arc<Served>,
        connection: ConnectionId,
        query: Box<Query>,
    ) -> Outcome {
        let _turn = self.heavy.acquire().await;
        let shared = self.clone();
        let answered =
            tokio::task::spawn_blocking(move || shared.ask(&served, connection, &query)).await;
        answered.unwrap_or_else(|error| {
            Err(Refusal::Internal { why: format!("the query was lost: {error}") })
        })
    }

    fn envelope(
        &self,
        served: &Served,
        connection: ConnectionId,
        command: Command,
        key: Option<&str>,
    ) -> Envelope {
        let key = key.map(|key| format!("{}/{key}", served.name));
        let origin = served.origin.clone();
        Envelope { at: self.clock.now(), connection, origin, key, command }
    }
}

impl Shared {
    /// Whether a query may take so long that other connections would wait for it.
    pub(super) fn is_heavy(&self, query: &Query) -> bool {
        match query {
            Query::Members { .. } | Query::Occupants { .. } => true,
            Query::Rooms { detail, .. } | Query::SearchRooms { detail, .. } => {
                is_detailed(detail) || self.engine.rooms() > LIGHT_ROOMS_MAX
            }
            Query::History { limit, .. } => *limit > LIGHT_MESSAGES_MAX,
            Query::Room { detail, .. } => is_detailed(detail),
            Query::LastChange | Query::RoomIds { .. } | Query::User { .. } => false,
        }
    }
}

/// Whether every room comes with much that belongs to it.
fn is_detailed(detail: &Detail) -> bool {
    detail.members || detail.messages > LIGHT_MESSAGES_MAX
}
