//! What every connection needs of the gateway: the engine, the hub, the clock, the pool.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use core_engine::{Engine, Envelope};
use core_model::{Command, ConnectionId, Detail, Outcome, Query, Refusal, Timestamp, TokenHash};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::config::Config;
use crate::runtime::bounds::{
    FIRST_COME_MAX, HEAVY_QUERIES_A_THREAD, LIGHT_MESSAGES_MAX, LIGHT_ROOMS_MAX, TURNED_AWAY_MAX,
};
use crate::runtime::clock::Clock;
use crate::runtime::fanout::fanout::Ticket;
use crate::runtime::fanout::task::Hub;
use crate::runtime::frontends::instance::Served;
use crate::runtime::metrics::{Limit, Totals};
use crate::runtime::net::registry::Roster;
use crate::runtime::session::auto_join_log::SkippedLog;
use crate::runtime::session::passwords::Passwords;

pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine<Ticket>>,
    /// The file it is in.
    pub(crate) store: PathBuf,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Clock,
    pub(crate) passwords: Passwords,
    roster: RwLock<Arc<Roster>>,
    pub(crate) totals: Arc<Totals>,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) heavy: Semaphore,
    /// Those who are told that there are too many.
    pub(crate) turned_away: Arc<Semaphore>,
    pub(crate) skipped: SkippedLog,
    connections: AtomicU64,
}

/// Where the gateway is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    Serving,
    /// Nobody new is let in; what was asked is answered.
    Draining,
    /// Whoever is still there is left.
    Over,
}

impl Shared {
    pub(crate) fn new(
        engine: Arc<Engine<Ticket>>,
        hub: Arc<Hub>,
        totals: Arc<Totals>,
        roster: Roster,
        config: &Config,
    ) -> Self {
        Self {
            engine,
            store: config.store.path.clone(),
            hub,
            clock: Clock::start(),
            passwords: Passwords::new(config.server.password_threads),
            roster: RwLock::new(Arc::new(roster)),
            totals,
            phase: watch::Sender::new(Phase::Serving),
            heavy: Semaphore::new(config.server.threads.max(1) * HEAVY_QUERIES_A_THREAD),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            skipped: SkippedLog::default(),
            connections: 0.into(),
        }
    }

    /// Who is served now. Not to be held on to: whoever leaves is gone only when nobody holds on
    /// to them.
    pub(crate) fn roster(&self) -> Arc<Roster> {
        self.roster.read().expect("nothing panics while it holds the roster").clone()
    }

    /// Puts another roster in the place of this one.
    pub(crate) fn change_roster(&self, change: impl FnOnce(&mut Roster)) {
        let mut roster = self.roster.write().expect("nothing panics while it holds the roster");
        change(Arc::make_mut(&mut roster));
    }

    /// An id for a new connection or HTTP exchange. 0 is the gateway itself.
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Whether there is so much to do, and to tell of, that nobody should have several messages
    /// under way.
    pub(crate) fn is_behind(&self) -> bool {
        self.engine.waiting() + self.hub.untold() > FIRST_COME_MAX
    }

    /// Gives a command to the engine. `Err`: it was not taken.
    pub(crate) fn submit(
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
    pub(crate) async fn call(
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
    pub(crate) fn submit_always(
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
    pub(crate) fn ask(
        &self,
        served: &Served,
        at: Timestamp,
        connection: ConnectionId,
        query: &Query,
    ) -> Outcome {
        served.counters.queries.add(1);
        let answered = self.engine.query(at, connection, query);
        self.refresh(served, answered.refresh);
        answered.outcome
    }

    /// Answers a command that would change nothing, here and now. None: it is to be submitted.
    pub(crate) fn try_read_only(
        &self,
        served: &Served,
        at: Timestamp,
        connection: ConnectionId,
        command: &Command,
    ) -> Option<Outcome> {
        let answered = self.engine.try_read_only(at, connection, command)?;
        served.counters.commands.add(1);
        self.refresh(served, answered.refresh);
        Some(answered.outcome)
    }

    fn refresh(&self, served: &Served, token: Option<TokenHash>) {
        let Some(token) = token else { return };
        let command = Command::RefreshToken { token };
        // A refresh that is refused comes with the next use of the token.
        drop(self.submit(served, ConnectionId(0), command, None, Ticket::Nobody));
    }

    /// Answers a query on a thread that may take its time.
    pub(crate) async fn ask_apart(
        self: Arc<Self>,
        served: Arc<Served>,
        connection: ConnectionId,
        query: Box<Query>,
    ) -> Outcome {
        let _turn = self.heavy.acquire().await;
        let shared = self.clone();
        let ask = move || shared.ask(&served, shared.clock.now(), connection, &query);
        let answered = tokio::task::spawn_blocking(ask).await;
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
        let frontend = served.origin.clone();
        let steady_ms = self.clock.steady_ms();
        Envelope { at: self.clock.now(), steady_ms, connection, frontend, key, command }
    }
}

impl Shared {
    /// Whether a query may take so long that other connections would wait for it.
    pub(crate) fn is_heavy(&self, query: &Query) -> bool {
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
