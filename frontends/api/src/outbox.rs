//! What a session has the host do.

use std::collections::BTreeMap;

use core_model::{AdminRole, Command, ConnectionId, MessageId, Query, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http_message::Response;

/// One thing for the host to do.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Submits a command to the engine. The answer arrives as `Input::Answer`; answers to commands
    /// and queries arrive in the order in which they were submitted.
    #[serde(rename = "call")]
    Submit {
        command: Box<Command>,
        /// What the connection subscribes to when the command succeeds, from its commit on.
        #[serde(default, rename = "follow")]
        subscribe: Subscribe,
        /// An idempotency key: a repeated command with the same key is recognized.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The session ignores the content of a successful reply. The host may then answer with
        /// `Reply::Done` and the engine need not build the full reply.
        #[serde(default, rename = "brief", skip_serializing_if = "std::ops::Not::not")]
        ack_only: bool,
    },
    /// Queries the engine. The query sees the effect of every earlier command of this session, and
    /// its answer comes after the events of those commands.
    #[serde(rename = "ask")]
    Query { query: Box<Query> },
    /// Asks a server that the manifest names. The answer arrives as `Input::Answer`, in the order of
    /// commands and queries: [`Reply::Fetched`](core_model::Reply::Fetched), or a refusal if the
    /// server cannot be reached, takes too long, or sends too much or what is not UTF-8.
    Fetch(Fetch),
    /// Asks whether the holder of a token of the admin API may do something. The host notes it in
    /// the audit log. The answer arrives as `Input::Answer`, in the order of commands and queries:
    /// [`Reply::Authorized`](core_model::Reply::Authorized),
    /// [`Refusal::TokenInvalid`](core_model::Refusal::TokenInvalid), or
    /// [`Refusal::NotAllowed`](core_model::Refusal::NotAllowed) for a role that is too low.
    Authorize(Authorize),
    /// The response to the HTTP request; the session ends once it is written.
    Respond(Response),
    /// Bytes for the peer, on a TCP stream.
    SendBytes(Vec<u8>),
    /// One WebSocket text message, or one line, for the peer.
    SendText(String),
    /// What was sent so far has the messages to the session's user up to this one. When the
    /// transport shows that the peer has it, the host acknowledges them.
    ///
    /// The host marks by itself what [`Frontend::broadcast`](crate::Frontend::broadcast) encoded of
    /// an event, what the session sends at an [`Input::Event`](crate::Input::Event), and all that
    /// it sends at the answer to a sign-in with delivery. A mark after each message of a backlog
    /// says more: half a backlog may arrive.
    Mark { message: MessageId },
    /// The peer has shown, in the dialect's own words, to have the messages to the session's user
    /// up to this one. Nothing if it is beyond what the connection was sent.
    Acknowledge { message: MessageId },
    /// Replaces the connection's event filter for all rooms it is subscribed to.
    #[serde(rename = "set_interest")]
    SetEventFilter(EventFilter),
    /// Sets the session's one alarm, in place of the former.
    WakeAt(Timestamp),
    /// Wakes the session of another connection of this front end: it gets `Input::Woken` after what
    /// is in its mailbox. Sessions of one front end may share state, and so tell each other that it
    /// has changed. A connection that is gone is ignored.
    Wake(ConnectionId),
    /// Closes the connection once everything sent is written.
    Close,
}

/// What the holder of a token of the admin API is about to do.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Authorize {
    pub token: String,
    /// The least role that it takes.
    pub role: AdminRole,
    /// The operation, a word for the audit log: `kill`.
    pub operation: String,
    /// To what, and why, for the audit log; never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
}

impl std::fmt::Debug for Authorize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authorize({} {:?})", self.operation, self.with)
    }
}

/// A request to a server that the manifest names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fetch {
    /// The key of an [`Upstream`](crate::Upstream).
    pub upstream: String,
    /// The values of the names in the server's URL. They may be secrets of a user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// What a connection subscribes to when its command succeeds.
///
/// The subscription is part of the command rather than a separate request after the answer, so
/// that no event between the two can be missed or delivered twice.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subscribe {
    #[default]
    Nothing,
    /// With [`Command::Enter`]: the room, for as long as the seat lasts.
    Seat,
    /// With [`Command::SignIn`]: the user's direct messages and every room that the user is a
    /// durable member of, now and later, until the session ends.
    User,
}

/// The kinds of events that a connection receives from the rooms it is subscribed to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Interest")]
pub struct EventFilter {
    pub messages: bool,
    /// `Entered` and `Left`.
    pub presence: bool,
    pub population: bool,
    /// `RoomChanged`, `RoleChanged` and `PolicyChanged`. Off by default: front ends built before them do not know the
    /// events.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub room_changes: bool,
    /// The session encodes each event itself, as [`Input::Event`](crate::Input::Event), instead of
    /// the frame that [`Frontend::broadcast`](crate::Frontend::broadcast) makes for all. For a
    /// client that has asked for more than others get; each such connection costs an encoding.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub per_session: bool,
}

impl Default for EventFilter {
    /// Everything but room changes.
    fn default() -> Self {
        Self {
            messages: true,
            presence: true,
            population: true,
            room_changes: false,
            per_session: false,
        }
    }
}

#[deprecated = "use `Subscribe`"]
pub type Follow = Subscribe;

#[deprecated = "use `EventFilter`"]
pub type Interest = EventFilter;

/// The outputs of a session, in order.
///
/// ```
/// use core_model::{Command, RoomId, RoomRef, SeatKind, UserRef};
/// use frontend_api::{Outbox, Output, Subscribe};
///
/// let mut out = Outbox::default();
/// let enter = Command::Enter {
///     room: RoomRef::Id(RoomId(1)),
///     user: UserRef::Session,
///     seat: SeatKind::Connection,
///     opens: false,
///     avatar: None,
///     create: false,
/// };
/// // The connection receives the room's events from the commit of the command on.
/// out.submit_and_subscribe(enter, Subscribe::Seat);
/// out.send_text("entering");
/// assert!(matches!(out.drain().last(), Some(Output::SendText(text)) if text == "entering"));
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    outputs: Vec<Output>,
    malformed: Option<&'static str>,
}

impl Outbox {
    /// Submits a command.
    pub fn submit(&mut self, command: Command) {
        self.submit_and_subscribe(command, Subscribe::Nothing);
    }

    /// Submits a command whose successful reply may be [`Reply::Done`](core_model::Reply::Done).
    pub fn submit_ack_only(&mut self, command: Command) {
        self.push(Output::Submit {
            command: Box::new(command),
            subscribe: Subscribe::Nothing,
            key: None,
            ack_only: true,
        });
    }

    /// Submits a command with a key of the client's: repeated, it returns the first outcome,
    /// without events. The host makes the key the caller's own; it is kept for a day.
    pub fn submit_once(&mut self, command: Command, key: String) {
        self.push(Output::Submit {
            command: Box::new(command),
            subscribe: Subscribe::Nothing,
            key: Some(key),
            ack_only: false,
        });
    }

    /// Submits a command and, if it succeeds, subscribes the connection from its commit on.
    pub fn submit_and_subscribe(&mut self, command: Command, subscribe: Subscribe) {
        self.push(Output::Submit {
            command: Box::new(command),
            subscribe,
            key: None,
            ack_only: false,
        });
    }

    /// Queries the engine.
    pub fn query(&mut self, query: Query) {
        self.push(Output::Query { query: Box::new(query) });
    }

    /// Waits for the session's turn: the answer comes after the answers to all earlier requests of
    /// this connection and after the events that they led to. Its content is of no use.
    ///
    /// [`ReplyQueue`](crate::ReplyQueue) calls this where a reply has to wait.
    pub fn wait_turn(&mut self) {
        self.query(Query::LastChange);
    }

    #[deprecated = "use `submit`"]
    pub fn call(&mut self, command: Command) {
        self.submit(command);
    }

    #[deprecated = "use `submit_ack_only`"]
    pub fn call_briefly(&mut self, command: Command) {
        self.submit_ack_only(command);
    }

    #[deprecated = "use `submit_and_subscribe`"]
    pub fn call_and_follow(&mut self, command: Command, subscribe: Subscribe) {
        self.submit_and_subscribe(command, subscribe);
    }

    #[deprecated = "use `query`"]
    pub fn ask(&mut self, query: Query) {
        self.query(query);
    }

    #[deprecated = "use `set_event_filter`"]
    pub fn set_interest(&mut self, filter: EventFilter) {
        self.set_event_filter(filter);
    }

    pub fn respond(&mut self, response: Response) {
        self.push(Output::Respond(response));
    }

    pub fn send_bytes(&mut self, bytes: impl Into<Vec<u8>>) {
        self.push(Output::SendBytes(bytes.into()));
    }

    pub fn send_text(&mut self, text: impl Into<String>) {
        self.push(Output::SendText(text.into()));
    }

    /// Marks what was sent so far as the messages up to this one. See [`Output::Mark`].
    pub fn mark(&mut self, message: MessageId) {
        self.push(Output::Mark { message });
    }

    /// The peer has the messages up to this one. See [`Output::Acknowledge`].
    pub fn acknowledge(&mut self, message: MessageId) {
        self.push(Output::Acknowledge { message });
    }

    pub fn set_event_filter(&mut self, filter: EventFilter) {
        self.push(Output::SetEventFilter(filter));
    }

    pub fn wake_at(&mut self, at: Timestamp) {
        self.push(Output::WakeAt(at));
    }

    pub fn wake(&mut self, connection: ConnectionId) {
        self.push(Output::Wake(connection));
    }

    pub fn close(&mut self) {
        self.push(Output::Close);
    }

    /// The peer has sent what cannot be read, for this reason: the host counts it for the log, where
    /// operators find peers that misbehave. It is no output: nothing else follows from it, and it
    /// does not pass the border of a plugin.
    pub fn note_malformed(&mut self, why: &'static str) {
        self.malformed = Some(why);
    }

    /// The last reason that was noted.
    pub fn malformed(&self) -> Option<&'static str> {
        self.malformed
    }

    pub fn push(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Removes all but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.outputs.truncate(len);
    }

    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        self.outputs.drain(..)
    }
}
