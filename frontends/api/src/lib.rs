//! What a dialect is: a [`Frontend`] that opens [`Session`]s, each a pure state machine from
//! [`Input`] to [`Output`].
//!
//! A session never touches a socket, a clock, a task, a file or a random number. The host feeds
//! it what happened and carries out what it asks. That is why the same front end can be linked
//! into the gateway, loaded from a shared library, or run in a test.

pub mod duration;
pub mod http;
/// Writes JSON as serde_json does, faster.
pub mod json {
    pub use fast_json::{append, to_string, to_vec};
}
mod manifest;
pub mod options;
mod outbox;
pub mod schema;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use core_model::{Outcome, Recorded, Timestamp};
pub use manifest::{Capabilities, Listener, Manifest, Route, Support, Transport};
pub use outbox::{EventFilter, Outbox, Output, Subscribe};
#[allow(deprecated, reason = "the former names stay for front ends that use them")]
pub use outbox::{Follow, Interest};

/// One dialect.
pub trait Frontend: Send + Sync {
    /// What the host must know before the first connection.
    fn manifest(&self) -> &Manifest;

    /// Opens a session. One per TCP connection, one per WebSocket, one per HTTP exchange.
    fn open(&self, peer: &Peer) -> Box<dyn Session>;

    /// An event in this dialect, encoded once for everyone on it who is concerned.
    ///
    /// Called once an event, if any connection of this front end watches. Front ends that push
    /// nothing keep this default.
    fn broadcast(&self, event: &Recorded) -> Broadcast {
        let _ = event;
        Broadcast::Nothing
    }

    /// The documents that describe this dialect to programs: what a client sends and is sent,
    /// from the very types that read and write it.
    fn schemas(&self) -> Vec<schema::Document> {
        Vec::new()
    }

    /// What the host itself has to say over HTTP (over a limit, draining), in this dialect's form.
    fn fault(&self, fault: &http::HttpError) -> http::Response {
        http::Response::text(fault.status, &fault.reason)
    }
}

/// How a dialect comes to be, from its section of gateway.toml.
///
/// Apart from [`Frontend`] so that a `dyn Frontend` need not know its options' type.
pub trait Configure: Frontend + Sized + 'static {
    /// The dialect's own keys, those common to all front ends left out. Every key has a default.
    type Options: Default + DeserializeOwned + JsonSchema + Serialize;

    /// Refuses options that parse but make no sense.
    fn configure(options: Self::Options) -> Result<Self, OptionFault>;
}

/// A value in gateway.toml that makes no sense, in words for the operator.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OptionFault {
    /// The key, within the front end's section.
    pub key: String,
    /// A lower-case fragment: `"Mars/Olympus" is not an IANA time zone`.
    pub why: String,
}

impl OptionFault {
    pub fn new(key: &str, why: impl Into<String>) -> Self {
        Self { key: key.into(), why: why.into() }
    }
}

/// One conversation with one peer.
pub trait Session: Send {
    /// Takes in one thing that happened and puts what should follow in `out`.
    ///
    /// `now` never goes backwards. A session cannot fail: it answers the peer in the dialect's
    /// own way, or it closes.
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox);

    /// Whether it closed because something in it went wrong, so that the host can tell the peer.
    /// One that is linked in panics then; this is for those that run elsewhere.
    fn has_failed(&self) -> bool {
        false
    }
}

/// Who is at the other end, as far as the host knows.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Peer {
    /// The peer's IP address, without a port.
    pub address: String,
    /// Whether the address was taken from a header that a trusted proxy set.
    pub proxied: bool,
    /// Whether the listener's own address is loopback or private, so that strangers from the
    /// internet cannot be at the other end.
    pub private_listener: bool,
    /// The [`Listener::key`] it came in by.
    pub listener: String,
    /// For a WebSocket: the request that it began with, without a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<http::Request>,
}

/// Everything that can happen to a session. The list is closed on purpose.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The transport is ready.
    Opened,
    /// An HTTP request, whole. The first input after `Opened`, and the only one from the peer.
    Request(&'a http::Request),
    /// Bytes from a TCP stream, cut anywhere.
    Bytes(&'a [u8]),
    /// One whole WebSocket text message, or one line without its end.
    Text(&'a str),
    /// One whole WebSocket binary message, or one line that is not UTF-8.
    Binary(&'a [u8]),
    /// The answer to the oldest unanswered [`Output::Submit`] or [`Output::Query`].
    Answer(&'a Outcome),
    /// Something happened that this session is concerned by: only for events for which
    /// [`Frontend::broadcast`] said [`Broadcast::PerSession`].
    Event(&'a Recorded),
    /// The moment asked for with [`Output::WakeAt`] has come.
    Woken,
    /// The host is about to hang up. Last words may be sent; the connection closes after them.
    Ending(Ending),
    /// The peer is gone. Nothing put in the outbox will be sent.
    Closed,
}

/// Why the host hangs up.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The gateway, or this front end, is shutting down.
    Draining,
    /// Nothing came from the peer for the idle timeout.
    Idle,
    /// A line or frame was larger than the limit.
    Overlong,
    /// The peer does not read what it is sent.
    Slow,
}

/// What becomes of an event on the connections it concerns.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Broadcast {
    /// This dialect does not tell of it.
    Nothing,
    /// The same frame to every one of them.
    Everyone(Frame),
    /// The same frame to all but the connection whose command caused it.
    Others(Frame),
    /// Each session receives the event as [`Input::Event`].
    #[serde(rename = "ask")]
    PerSession,
}

impl Broadcast {
    #[deprecated = "use `Broadcast::PerSession`"]
    #[allow(non_upper_case_globals, reason = "the former name of a variant")]
    pub const Ask: Self = Self::PerSession;
}

/// What goes out in one piece.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Bytes of a TCP stream.
    Bytes(Vec<u8>),
    /// A WebSocket text message, or a line (the host adds its end).
    Text(String),
}
