//! What the session does with the next answer of the engine.

use std::sync::Arc;

use core_model::{MaskList, Timestamp};

use crate::list_filter::Filter;
use crate::refusal::RequestKind;
use crate::who_format::WhoFormat;

/// One entry for each answer that the host owes the session, in order.
pub(crate) enum PendingReply {
    /// Run the lines that wait, as far as possible.
    Turn,
    /// Send lines that were ready earlier but had to wait for their turn.
    Say(Vec<String>),
    /// End the connection, for this reason.
    End(String),
    /// Everything that a request with a label led to has been sent.
    LabelEnd,
    /// Nothing: the replies that follow show how the request went.
    Ignore,

    // Sign-on: sign_on.rs and sasl.rs.
    Proof,
    SignOn,
    /// The session of an account that a client has signed in to after its sign-on.
    Switch,
    /// Whether an account owns a nick that a guest wants.
    Nick {
        name: String,
        /// How many accounts had come into being when the engine was asked.
        seen: u64,
    },

    // Channels: rooms.rs, list.rs, moderation.rs and modes.rs.
    Join(String),
    Part {
        room: String,
        reason: String,
    },
    /// The occupants of a room after a join, which are listed if it succeeded.
    JoinedNames(String),
    /// The occupants of a room; after the last one, what the client asked for.
    Names {
        room: String,
        ends: Option<String>,
    },
    Topic(String),
    TopicChange(String),
    /// The occupants, before a KICK.
    Kick(Target),
    /// A KICK in this room.
    Kicked(String),
    /// The occupants, before the answer to an INVITE.
    Invite(Target),
    /// The occupants of the room of a MODE that is to change something.
    ModeChange(ModeChange),
    /// A change of the policy of this room by MODE.
    PolicyChanged {
        room: String,
        /// Whether the room is secret from then on, if the change says so.
        secret: Option<bool>,
    },
    /// A list of masks.
    Masks {
        room: String,
        list: MaskList,
    },
    /// An invitation that the engine checks.
    Invited(Target),
    /// A change of a role by MODE.
    RoleChanged(Target),
    Mode(String),
    List(Filter),
    /// One channel, of those that the filter, if there is one, includes.
    ListOne(Option<Filter>),

    // Users: who.rs and whois.rs.
    WhoRoom {
        room: String,
        mask: String,
        format: WhoFormat,
    },
    /// The occupants of a channel in which a WHO or WHOIS looks for a user.
    FindIn {
        room: String,
        nick: String,
    },
    Who {
        mask: String,
        format: WhoFormat,
    },
    Whois(String),
    /// Whether an operator's token allows a request.
    Operator {
        token: String,
        request: OperatorRequest,
    },
    /// A message from or to a guest.
    Whisper(Whisper),
    TagMessage(TagMessage),
    Away(Option<String>),
    SetName(String),
    /// Whether the account of this nick is online.
    Ison(String),
    /// The users of an ISON that are online, of those signed on here.
    IsonEnd(Vec<String>),

    // Messages: message.rs and history.rs.
    Post(Post),
    /// A message that was to be deleted, as the client named it.
    Redacted {
        target: String,
        given: String,
    },
    Marking(Marking),
    /// How far the user has read a room that the client joins.
    JoinedMarker(String),
    /// The messages of a room that the user has missed; the newest ones follow.
    Missed,
    /// The messages posted in a room before the client joined.
    Playback(String),
    /// What is gone of a room's messages; the CHATHISTORY that requested them follows.
    HistoryGap,
    History(HistoryTarget),
    /// The conversations that a CHATHISTORY TARGETS requests.
    HistoryTargets,
}

/// What an operator of the gateway asks for.
pub(crate) enum OperatorRequest {
    Oper,
    Kill { nick: String, reason: String },
    Wallops(String),
}

/// A message to a channel or an account.
pub(crate) struct Post {
    pub(crate) verb: &'static str,
    pub(crate) target: String,
    pub(crate) request: RequestKind,
    pub(crate) client_id: Option<ClientId>,
    /// Client-only tags, if it has any.
    pub(crate) tags: Option<Arc<str>>,
    /// Whether a refusal is not reported to the client.
    pub(crate) quiet: bool,
}

/// A client's own id of a message.
pub(crate) struct ClientId {
    /// The value of the tag, still escaped.
    pub(crate) value: String,
    /// The place of the target among those of the command.
    pub(crate) nth: usize,
}

impl ClientId {
    /// The idempotency key. The value of a tag has no spaces.
    pub(crate) fn key(&self) -> String {
        if self.nth == 0 { self.value.clone() } else { format!("{} {}", self.value, self.nth) }
    }
}

/// A MARKREAD that the engine answers.
pub(crate) struct Marking {
    /// The name of the channel or nick.
    pub(crate) target: String,
    /// The time to set; `None` to get the marker.
    pub(crate) at: Option<Timestamp>,
}

/// What a CHATHISTORY is about.
pub(crate) struct HistoryTarget {
    /// As the client wrote both.
    pub(crate) subcommand: String,
    pub(crate) target: String,
    /// The name of the channel or nick.
    pub(crate) name: String,
}

/// A user in a channel, as a command names it.
pub(crate) struct Target {
    pub(crate) room: String,
    pub(crate) nick: String,
    pub(crate) reason: String,
}

/// What a MODE is to change in a channel.
pub(crate) struct ModeChange {
    pub(crate) room: String,
    pub(crate) modes: String,
    pub(crate) params: Vec<String>,
}

/// A message that the engine does not know, to this nick.
pub(crate) struct Whisper {
    pub(crate) verb: &'static str,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) client_id: Option<ClientId>,
    /// Client-only tags, if it has any.
    pub(crate) tags: Option<Arc<str>>,
    /// Whether a refusal is not reported to the client.
    pub(crate) quiet: bool,
}

/// A TAGMSG.
pub(crate) struct TagMessage {
    /// Nicks and channels.
    pub(crate) targets: Vec<String>,
    pub(crate) tags: Arc<str>,
}
