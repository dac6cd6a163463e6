//! The interface of a dialect: a [`Frontend`] opens [`Session`]s, each a pure state machine from
//! [`Input`] to [`Output`].
//!
//! A session uses no socket, clock, task, file or random number. The host feeds it inputs and
//! carries out its outputs. Therefore the same front end can be linked into the gateway, loaded
//! from a shared library, or run in a test.
//!
//! A dialect over lines or WebSocket implements [`Frontend`] and [`Session`]:
//!
//! ```
//! use frontend_api::{Configure, Frontend, Input, Manifest, OptionFault, Outbox, Peer, Session};
//! # use schemars::JsonSchema;
//! # use serde::{Deserialize, Serialize};
//! use core_model::Timestamp;
//!
//! #[derive(Default, Deserialize, JsonSchema, Serialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Options {
//!     shout: bool,
//! }
//!
//! struct Echo {
//!     manifest: Manifest,
//!     shout: bool,
//! }
//!
//! struct EchoSession {
//!     shout: bool,
//! }
//!
//! impl Configure for Echo {
//!     type Options = Options;
//!
//!     fn configure(options: Options) -> Result<Self, OptionFault> {
//!         let manifest = r#"{"dialect":"echo","title":"echo lines","version":"1","listeners":
//!             [{"key":"listen","transport":"tcp_lines","address":"127.0.0.1:7000"}]}"#;
//!         let manifest = serde_json::from_str(manifest).expect("a manifest");
//!         Ok(Self { manifest, shout: options.shout })
//!     }
//! }
//!
//! impl Frontend for Echo {
//!     fn manifest(&self) -> &Manifest {
//!         &self.manifest
//!     }
//!
//!     fn open(&self, _: &Peer) -> Box<dyn Session> {
//!         Box::new(EchoSession { shout: self.shout })
//!     }
//! }
//!
//! impl Session for EchoSession {
//!     fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
//!         match input {
//!             Input::Text(line) if self.shout => out.send_text(line.to_uppercase()),
//!             Input::Text(line) => out.send_text(line),
//!             _ => (),
//!         }
//!     }
//! }
//!
//! let options = serde_json::json!({ "shout": true }).as_object().cloned().unwrap_or_default();
//! let echo: Echo = frontend_api::options::configure(options).expect("options that make sense");
//! let mut session = echo.open(&Peer::default());
//! let mut out = Outbox::default();
//! session.handle(Timestamp(0), Input::Text("hello"), &mut out);
//! assert!(out.drain().eq([frontend_api::Output::SendText("HELLO".into())]));
//! ```
//!
//! An HTTP dialect is a table of [`http::Endpoint`]s instead.

mod catching_up;
pub mod duration;
pub mod fidelity;
pub mod http;
mod http_message;
/// Writes JSON as serde_json does, faster.
pub mod json {
    pub use fast_json::{append, to_string, to_vec};
}
mod manifest;
pub mod options;
mod outbox;
mod reply_queue;
pub mod schema;
mod support;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use catching_up::CatchingUp;
use core_model::{ConnectionId, Outcome, Person, Recorded, Timestamp};
pub use manifest::{
    Acknowledges, Capabilities, Listener, Manifest, Route, RouteKind, Transport, Upstream,
};
pub use outbox::{Authorize, EventFilter, Fetch, Outbox, Output, Subscribe};
#[allow(deprecated, reason = "the former names stay for front ends that use them")]
pub use outbox::{Follow, Interest};
pub use reply_queue::ReplyQueue;
pub use support::Support;

/// One dialect.
pub trait Frontend: Send + Sync {
    /// What the host needs to know before the first connection.
    fn manifest(&self) -> &Manifest;

    /// Opens a session. One per TCP connection, one per WebSocket, one per HTTP exchange.
    fn open(&self, peer: &Peer) -> Box<dyn Session>;

    /// Encodes an event once for all connections of this front end that are subscribed to it.
    ///
    /// The host calls it once per event, if there is such a connection. A front end that pushes
    /// nothing keeps this default.
    fn broadcast(&self, event: &Recorded) -> Broadcast {
        let _ = event;
        Broadcast::Nothing
    }

    /// An account has come into being, by whatever dialect. Returns the connections of this front end
    /// whose sessions are to be woken, as by [`Output::Wake`]: those of guests that have the name.
    ///
    /// The host calls it before any client learns of the account.
    fn account_made(&self, account: &Person) -> Vec<ConnectionId> {
        let _ = account;
        Vec::new()
    }

    /// The documents that describe the dialect's wire format, generated from the types that read
    /// and write it.
    fn schemas(&self) -> Vec<schema::Document> {
        Vec::new()
    }

    /// Words an HTTP error of the host's own (over a limit, draining) in this dialect.
    fn fault(&self, fault: &http::HttpError) -> http::Response {
        http::Response::text(fault.status, &fault.reason)
    }
}

/// Makes a front end from its section of gateway.toml.
///
/// It is apart from [`Frontend`] because that must be usable as `dyn Frontend`, without the type
/// of the options. [`options::configure`] reads the section and names each wrong key.
pub trait Configure: Frontend + Sized + 'static {
    /// The dialect's own keys, without those common to all front ends. Every key has a default.
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
    /// Handles one input and puts the outputs that follow into `out`.
    ///
    /// `now` is the time of day. It goes back only if the system's clock is set back by more than
    /// five seconds: subtract with `saturating_sub`. A session cannot fail: it answers the peer in the dialect's
    /// own way, or it closes.
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox);

    /// Whether the session closed because of a fault of its own, so that the host can say so to the
    /// peer. A linked session panics instead; this is for sessions that run in a plugin.
    fn has_failed(&self) -> bool {
        false
    }
}

/// The other end of a connection, as far as the host knows it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Peer {
    /// The peer's IP address, without a port; "" if a trusted proxy does not say it.
    pub address: String,
    /// Whether the request has passed a proxy, trusted or not: then the address proves nothing. On a
    /// TCP stream: whether the peer is a trusted proxy.
    pub proxied: bool,
    /// Whether the listener's address is loopback or private, so that the internet cannot reach it
    /// directly.
    pub private_listener: bool,
    /// Whether the client's connection is encrypted: by the gateway, or by a trusted proxy that says
    /// so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secure: bool,
    /// The identity that the client's certificate proves, `cert/<subject>`, with the subject as in
    /// RFC 4514: `cert/CN=app,O=Example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The identity that a JSON Web Token in the request's `Authorization: Bearer` proves,
    /// `jwt/<subject>`. The host has verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_identity: Option<String>,
    /// Whether a sign-in may have a JSON Web Token in place of the password.
    #[serde(default, skip_serializing_if = "is_false")]
    pub accepts_tokens: bool,
    /// The [`Listener::key`] of the listener that accepted the connection.
    pub listener: String,
    /// For a WebSocket: the upgrade request, without a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<http::Request>,
    /// The connection of a stream session, for [`Output::Wake`]; `None` from a host that cannot wake
    /// sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Everything that can happen to a session. The list is closed on purpose.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The transport is ready.
    Opened,
    /// A whole HTTP request: the first input after `Opened`, and the only one from the peer.
    Request(&'a http::Request),
    /// Bytes from a TCP stream, cut anywhere.
    Bytes(&'a [u8]),
    /// One whole WebSocket text message, or one line without its end.
    Text(&'a str),
    /// One whole WebSocket binary message, or one line that is not UTF-8.
    Binary(&'a [u8]),
    /// The answer to the oldest unanswered [`Output::Submit`], [`Output::Query`],
    /// [`Output::Fetch`] or [`Output::Authorize`].
    Answer(&'a Outcome),
    /// An event that the connection is subscribed to, if [`Frontend::broadcast`] gave
    /// [`Broadcast::PerSession`] for it.
    Event(&'a Recorded),
    /// The time set with [`Output::WakeAt`] has come, or another session has asked for it with
    /// [`Output::Wake`].
    Woken,
    /// The host is about to close the connection. The session may still send.
    Ending(Ending),
    /// The peer is gone. Nothing in the outbox will be sent.
    Closed,
}

/// Why the host closes a connection.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The gateway, or this front end, is shutting down.
    Draining,
    /// The peer sent nothing for the idle timeout.
    Idle,
    /// A line or frame was larger than the limit.
    Overlong,
    /// The peer does not read what the gateway sends.
    Slow,
    /// An operator closes the connection, or has banned its user. A plugin reads `draining` in its
    /// place.
    Removed,
}

/// How an event reaches the connections that are subscribed to it.
///
/// ```
/// use core_model::{Event, Recorded};
/// use frontend_api::{Broadcast, Frame};
///
/// /// Shows messages to all subscribers, and entrances to all but the one that enters.
/// fn broadcast(recorded: &Recorded) -> Broadcast {
///     match &recorded.event {
///         Event::Posted { message } => Broadcast::Everyone(Frame::Text(message.text.clone())),
///         Event::Entered { user, .. } => {
///             Broadcast::Others(Frame::Text(format!("{} entered", user.name)))
///         }
///         _ => Broadcast::Nothing,
///     }
/// }
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Broadcast {
    /// Not at all in this dialect.
    Nothing,
    /// The same frame to each of them.
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

/// What is sent in one piece.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Bytes of a TCP stream.
    Bytes(Vec<u8>),
    /// A WebSocket text message, or a line (the host adds its end).
    Text(String),
}
