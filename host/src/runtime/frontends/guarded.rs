//! The one place where the gateway calls into front ends: a panic there costs the call, not the
//! gateway.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use core_model::{ConnectionId, Event, Message, Outcome, Person, Recorded, Reply, Timestamp};
use frontend_api::fidelity::Losses;
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use frontend_api::{Broadcast, Frontend, Input, Manifest, Outbox, Peer, Session};
use gateway_fanout::{EventEncoder, Ledger, Overflow};

use crate::runtime::metrics::FrontendMetrics;

/// A front end whose panics are caught, counted and logged.
#[derive(Clone)]
pub(crate) struct GuardedFrontend {
    name: String,
    frontend: Arc<dyn Frontend>,
    metrics: Arc<FrontendMetrics>,
    losses: Arc<Losses>,
}

/// The front end panicked; the log says where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicked;

impl GuardedFrontend {
    pub(crate) fn new(
        name: String,
        frontend: Arc<dyn Frontend>,
        metrics: Arc<FrontendMetrics>,
        losses: Arc<Losses>,
    ) -> Self {
        Self { name, frontend, metrics, losses }
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        self.frontend.manifest()
    }

    pub(crate) fn open(&self, peer: &Peer) -> Result<GuardedSession, Panicked> {
        let session = self.guard("opening a session", || self.frontend.open(peer))?;
        Ok(GuardedSession { session })
    }

    /// What the host itself has to say over HTTP, in the dialect's form.
    pub(crate) fn error_response(&self, error: &HttpError) -> Result<Response, Panicked> {
        self.guard("encoding an HTTP error", || self.frontend.fault(error))
    }

    pub(crate) fn schemas(&self) -> Result<Vec<Document>, Panicked> {
        self.guard("describing itself", || self.frontend.schemas())
    }

    /// The connections of which to wake the sessions; none if the front end panics.
    pub(super) fn account_made(&self, account: &Person) -> Vec<ConnectionId> {
        self.guard("taking in a new account", || self.frontend.account_made(account))
            .unwrap_or_default()
    }

    /// How an event reaches connections, without counting it.
    pub(crate) fn show(&self, event: &Recorded) -> Option<Broadcast> {
        self.guard("encoding an event", || self.frontend.broadcast(event)).ok()
    }

    /// The same around another front end, which counts nothing.
    pub(crate) fn around(&self, frontend: Arc<dyn Frontend>) -> Self {
        let (name, losses) = (self.name.clone(), self.losses.clone());
        Self { name, frontend, metrics: Arc::default(), losses }
    }

    /// Counts what the readers of an answer do not see of the messages in it.
    pub(crate) fn note_losses_in(&self, outcome: &Outcome) {
        match outcome {
            Ok(
                Reply::Received { messages, .. }
                | Reply::Messages { messages }
                | Reply::Missed { messages, .. }
                | Reply::SignedIn { backlog: messages, .. },
            ) => messages.iter().for_each(|message| self.note_losses(message)),
            Ok(Reply::Room { room }) => {
                room.messages.iter().for_each(|message| self.note_losses(message));
            }
            _ => (),
        }
    }

    fn note_losses(&self, message: &Message) {
        if !self.losses.is_empty() {
            self.losses.in_message(message).for_each(|field| self.metrics.note_lost(field));
        }
    }

    fn guard<T>(&self, during: &str, call: impl FnOnce() -> T) -> Result<T, Panicked> {
        catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
            self.metrics.panics.add(1);
            tracing::error!(frontend = self.name, "the front end panicked {during}");
            Panicked
        })
    }
}

impl EventEncoder for GuardedFrontend {
    fn encode(&self, event: &Recorded) -> Option<Broadcast> {
        // Only the hub has events encoded, one after the other.
        let faults = self.metrics.encoding_faults.count();
        let encoded = self.guard("encoding an event", || self.frontend.broadcast(event));
        let broadcast = encoded.ok()?;
        self.metrics.events.add(1);
        if let Event::Posted { message } = &event.event
            && broadcast != Broadcast::Nothing
        {
            self.note_losses(message);
        }
        (self.metrics.encoding_faults.count() == faults).then_some(broadcast)
    }

    fn note_cut_off(&self, connection: ConnectionId, why: Overflow) {
        self.metrics.note_overflow(why);
        tracing::debug!(
            frontend = self.name,
            connection = connection.0,
            ?why,
            "cut off: does not read"
        );
    }

    fn ledger(&self) -> Arc<Ledger> {
        self.metrics.ledger.clone()
    }
}

/// A session of a [`GuardedFrontend`].
pub(crate) struct GuardedSession {
    session: Box<dyn Session>,
}

impl GuardedSession {
    /// `frontend` is the one that opened the session.
    pub(crate) fn handle(
        &mut self,
        frontend: &GuardedFrontend,
        now: Timestamp,
        input: Input<'_>,
        out: &mut Outbox,
    ) -> Result<(), Panicked> {
        frontend.guard("in a session", || self.session.handle(now, input, out))
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.session.has_failed()
    }
}
