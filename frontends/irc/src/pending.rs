//! What the session does with the next answer of the engine.

use crate::parse::Slice;
use crate::refusal::RequestKind;

/// One entry for each answer that the host owes the session, in order.
pub(crate) enum PendingReply {
    /// Process a line that arrived while the sign-on was being decided.
    Line(String),
    /// Send lines that were ready earlier but had to wait for their turn.
    Say(Vec<String>),
    /// End the connection, for this reason.
    End(String),
    /// Nothing: the replies that follow show how the request went.
    Ignore,

    // Sign-on: sign_on.rs and sasl.rs.
    Proof,
    SignOn,
    /// Whether an account owns a nick that a guest wants.
    Nick(String),

    // Channels: rooms.rs.
    Join(String),
    Part(String),
    /// The occupants of a room. After a join they are listed only if the join succeeded.
    Names {
        room: String,
        joining: bool,
    },
    Topic(String),
    TopicChange(String),
    Mode(String),
    List,
    ListOne,

    // Users: who.rs.
    WhoRoom(String),
    Who(String),
    Whois(String),

    // Messages: message.rs and history.rs.
    Post {
        verb: &'static str,
        target: String,
        request: RequestKind,
        /// Whether a refusal is not reported to the client.
        quiet: bool,
    },
    /// The messages posted in a room before the client joined.
    Playback(String),
    History {
        target: String,
        slice: Slice,
    },
}
