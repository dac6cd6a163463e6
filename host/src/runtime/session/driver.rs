//! The steps that every session goes through, over a stream or HTTP.

use std::net::IpAddr;
use std::sync::Arc;

use core_model::{Command, ConnectionId, Outcome, Query, Refusal, Reply, Timestamp};
use frontend_api::{Authorize, Input, Outbox, Peer};
use gateway_fanout::{Ledger, Tally, Ticket};
use tokio::sync::oneshot;

use crate::runtime::frontends::guarded::{GuardedSession, Panicked};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::AddressPrefix;
use crate::runtime::limits::memory_budget::Reservation;
use crate::runtime::session::admission::needs_disconnect;
use crate::runtime::session::operators;
use crate::runtime::session::peer_log::PeerFault;
use crate::runtime::session::services::{CommandSource, Services};
use crate::runtime::session::taps::RawFrame;
use crate::runtime::session::tokens;

/// A session, without the ends that differ: [`StreamSession`](super::stream::StreamSession) and
/// [`exchange`](super::exchange::exchange).
pub(crate) struct SessionDriver {
    pub(crate) services: Arc<Services>,
    pub(crate) frontend: Arc<FrontendHandle>,
    pub(crate) connection: ConnectionId,
    /// The address that its requests count for.
    pub(crate) address: IpAddr,
    session: GuardedSession,
    /// What came last from the peer, while recent messages are kept.
    pub(super) last_frame: Option<Arc<RawFrame>>,
    /// Whether the engine may hold something for this connection.
    needs_disconnect: bool,
}

impl SessionDriver {
    pub(crate) fn open(
        services: Arc<Services>,
        frontend: Arc<FrontendHandle>,
        peer: &Peer,
        address: IpAddr,
    ) -> Result<Self, Panicked> {
        let connection = services.next_connection();
        Self::with(services, frontend, peer, address, connection)
    }

    /// Opens the session of a stream, which other sessions can wake.
    pub(crate) fn open_stream(
        services: Arc<Services>,
        frontend: Arc<FrontendHandle>,
        peer: Peer,
        address: IpAddr,
    ) -> Result<Self, Panicked> {
        let connection = services.next_connection();
        let peer = Peer { connection: Some(connection), ..peer };
        let driver = Self::with(services, frontend, &peer, address, connection)?;
        if driver.services.taps.is_open() {
            driver.tap_opened(&peer);
        }
        Ok(driver)
    }

    fn with(
        services: Arc<Services>,
        frontend: Arc<FrontendHandle>,
        peer: &Peer,
        address: IpAddr,
        connection: ConnectionId,
    ) -> Result<Self, Panicked> {
        let session = frontend.frontend.open(peer)?;
        Ok(Self {
            services,
            frontend,
            connection,
            address,
            session,
            last_frame: None,
            needs_disconnect: false,
        })
    }

    /// Where the session's commands come from.
    pub(crate) fn source(&self) -> CommandSource {
        let network = Some(AddressPrefix::of(self.address).to_bits());
        CommandSource { connection: self.connection, network }
    }

    /// Passes an input to the session; returns what it asks for.
    pub(crate) fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Result<Outbox, Panicked> {
        let (is_tapped, is_kept) = (self.services.taps.is_open(), self.services.recent.is_on());
        if is_tapped {
            self.tap_input(now, &input);
        }
        if is_kept {
            self.keep_input(now, &input);
        }
        let mut out = Outbox::default();
        self.session.handle(&self.frontend.frontend, now, input, &mut out)?;
        if is_tapped {
            self.tap_outputs(now, out.outputs());
        }
        if is_kept {
            self.note_submitted(out.outputs());
        }
        if let Some(why) = out.malformed() {
            self.note_fault(PeerFault::Malformed, why);
        }
        Ok(out)
    }

    /// Passes an answer to the session; returns what it asks for.
    pub(crate) fn answer(&mut self, now: Timestamp, outcome: &Outcome) -> Result<Outbox, Panicked> {
        self.services.auto_join_log.note(&self.frontend.name, outcome);
        note_read(&self.frontend.metrics.ledger, outcome);
        match outcome {
            Ok(Reply::SignedIn { .. }) => self.frontend.metrics.signed_in.add(1),
            Err(Refusal::Banned { .. }) => self.note_fault(PeerFault::Refused, "banned"),
            _ => (),
        }
        self.frontend.frontend.note_losses_in(outcome);
        self.handle(now, Input::Answer(outcome))
    }

    /// The peer did something wrong.
    pub(crate) fn note_fault(&self, fault: PeerFault, why: &str) {
        self.services.peer_log.note(&self.frontend.name, self.address, fault, why);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.session.has_failed()
    }

    pub(crate) fn query(&self, now: Timestamp, query: &Query) -> Outcome {
        self.services.query(&self.frontend, now, self.connection, query)
    }

    /// Answers a heavy query. Owns all it needs, so that it can outlive a borrow of the driver.
    pub(crate) fn query_blocking(
        &self,
        query: Box<Query>,
    ) -> impl Future<Output = (Outcome, Reservation)> + Send + use<> {
        let (services, frontend) = (self.services.clone(), self.frontend.clone());
        let unread = services.unread_of(self.address);
        services.query_blocking(frontend, self.connection, query, unread)
    }

    /// Decides what a front end asks about a token of an operator, likewise.
    pub(crate) fn authorize(&self, ask: Authorize) -> impl Future<Output = Outcome> + Send + use<> {
        let (services, frontend) = (self.services.clone(), self.frontend.clone());
        let address = self.address;
        async move {
            let decide = move || operators::authorize(&services, &frontend, address, ask);
            let decided = tokio::task::spawn_blocking(decide).await;
            decided.unwrap_or_else(|error| Err(Refusal::Internal { why: error.to_string() }))
        }
    }

    /// The last step before a command is submitted: draws the token that it grants, if any.
    pub(crate) fn prepare(&mut self, command: &mut Command) -> Result<Option<String>, Refusal> {
        let token = tokens::draw(command)?;
        self.needs_disconnect |= needs_disconnect(command);
        Ok(token)
    }

    /// An idempotency key as one of this peer's address. The engine makes it one of the user's own,
    /// once the commands before it have said which user that is.
    pub(crate) fn scoped_key(&self, key: &str) -> String {
        format!("a{}/{key}", self.address)
    }

    /// Whether the engine may hold something for this connection.
    pub(crate) fn needs_disconnect(&self) -> bool {
        self.needs_disconnect
    }

    pub(crate) fn set_needs_disconnect(&mut self) {
        self.needs_disconnect = true;
    }

    /// Has the engine release what it holds for the connection, if anything.
    pub(crate) fn disconnect(&mut self) {
        if std::mem::take(&mut self.needs_disconnect) {
            self.submit_unanswered(Command::Disconnect { delivered: None });
        }
    }

    /// The same, and its answer.
    pub(crate) fn disconnect_and_wait(&mut self) -> oneshot::Receiver<Outcome> {
        let (sender, released) = oneshot::channel();
        if std::mem::take(&mut self.needs_disconnect) {
            let command = Command::Disconnect { delivered: None };
            let ticket = Ticket::once(sender, None);
            self.services.submit_always(&self.frontend, self.connection, command, ticket);
        }
        released
    }

    /// Submits a command of the host about this connection, which must not be refused for load.
    pub(crate) fn submit_unanswered(&self, command: Command) {
        let ticket = Ticket::Discard;
        self.services.submit_always(&self.frontend, self.connection, command, ticket);
    }
}

/// Counts the messages in an answer to a request for them. Those of a sign-in are deliveries.
fn note_read(ledger: &Ledger, outcome: &Outcome) {
    let Ok(reply) = outcome else { return };
    match reply {
        Reply::Received { messages, .. }
        | Reply::Messages { messages }
        | Reply::Missed { messages, .. } => {
            ledger.note_read(Tally::of_messages(messages.iter().map(AsRef::as_ref)));
        }
        Reply::Room { room } => {
            ledger.note_read(Tally::of_messages(room.messages.iter().map(AsRef::as_ref)));
        }
        Reply::Rooms { rooms } => {
            let messages = rooms.iter().flat_map(|room| &room.messages);
            ledger.note_read(Tally::of_messages(messages.map(AsRef::as_ref)));
        }
        _ => (),
    }
}
