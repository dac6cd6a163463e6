//! Refusals: why a command or query was not carried out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{RoomId, Timestamp};

/// Why the engine refused. Each dialect maps every variant to its own error, in one match without a
/// wildcard: a new variant does not compile until every dialect maps it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refusal {
    /// An operator has banned the user, an identity of the user, or the peer's network.
    #[error("banned{}", because(reason))]
    Banned {
        /// "" for no reason.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// When the ban ends; absent: not by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// What holds in the room keeps the user from entering it or from posting.
    #[error("{}", by.words())]
    Barred { by: Barrier },
    /// The text of the message is empty.
    #[error("the text is empty")]
    EmptyText,
    /// The handle belongs to another user.
    #[error("the name is taken")]
    HandleTaken,
    /// An identity belongs to another user.
    #[error("the identity is taken")]
    IdentityTaken,
    /// The gateway failed; the request was valid. `why` is for the operator.
    #[error("{}", words_of_internal(why))]
    Internal { why: String },
    /// A handle that is too long, has control characters or a reserved prefix.
    #[error("the name {why}")]
    InvalidHandle { why: String },
    /// An identity that is empty or too long.
    #[error("the identity {why}")]
    InvalidIdentity { why: String },
    /// A room name that is too long or has control characters.
    #[error("the room name {why}")]
    InvalidRoomName { why: String },
    /// The same key came with a different command.
    #[error("the idempotency key was used for something else")]
    KeyReused,
    /// A moderator has muted the user in this room.
    #[error("muted in this room")]
    Muted {
        /// When the mute ends; absent: not by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Only the room's owner may do that.
    #[error("not allowed")]
    NotAllowed,
    /// The user has no seat, or no membership, in the room.
    #[error("not in the room")]
    NotInRoom,
    /// The caller has not signed in.
    #[error("not signed in")]
    NotSignedIn,
    /// The engine's queue is full.
    #[error("the gateway is overloaded, try again later")]
    Overloaded,
    /// A room's owner cannot be removed from it.
    #[error("the owner cannot be removed")]
    OwnerStays,
    /// The quota named by `what` is used up. Waiting alone does not help.
    #[error("there are too many {what}: at most {max}")]
    QuotaExceeded { what: String, max: u32 },
    /// Every seat is taken, or every seat that this person, connection or address may have.
    #[error("the room is full")]
    RoomFull,
    /// The room name belongs to another room.
    #[error("the room name is taken")]
    RoomNameTaken,
    /// A room that everyone should find belongs to a user, or is closed.
    #[error("room {room} of that name {why}")]
    RoomNotPublic { room: RoomId, why: String },
    /// A direct message to oneself.
    #[error("a direct message cannot go to its author")]
    SelfAddressed,
    /// Over the limit of requests or messages.
    #[error("slow down")]
    SlowDown { retry_after_ms: u64 },
    /// The text of a message is longer than the front end allows.
    #[error("the text has more than {chars_max} characters")]
    TextTooLong { chars_max: u32 },
    /// A token that is unknown, expired or revoked.
    #[error("the token is not valid")]
    TokenInvalid,
    /// The room would have no member but its creator.
    #[error("a room needs at least one other member")]
    TooFewMembers,
    /// Something other than a message's text is longer than what the engine stores.
    #[error("the {what} is longer than {limit}")]
    TooLong { what: String, limit: String },
    /// The gateway has waited in vain for the log that it shares with others: the command may have been
    /// done. Repeated with the same key, it is done once.
    #[error("the outcome is unknown: it may have been done")]
    Unsettled,
    /// There is no such message, or no message with the id that the reader says to have was ever sent.
    #[error("no such message")]
    UnknownMessage,
    /// No such room, or one that the caller may not see.
    #[error("no such room")]
    UnknownRoom,
    /// No such user.
    #[error("no such user")]
    UnknownUser,
    /// The password is wrong, or the account has none.
    #[error("wrong password")]
    WrongPassword,
}

/// What keeps a user out of a room, or from posting there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Barrier {
    /// The user is on the room's list of bans.
    Ban,
    /// Only invited users enter.
    InviteOnly,
    /// The room has a key, which the user did not give.
    Key,
    /// Only operators and users with a voice post.
    Moderated,
}

impl Barrier {
    fn words(self) -> &'static str {
        match self {
            Self::Ban => "banned from this room",
            Self::InviteOnly => "only invited users may enter this room",
            Self::Key => "this room has a key",
            Self::Moderated => "this room is moderated",
        }
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// How the reason of [`Refusal::outcome_unknown`] begins.
const OUTCOME_UNKNOWN: &str = "the outcome is unknown: it may have been stored";

/// How the reason of [`Refusal::sign_in_unavailable`] begins.
const SIGN_IN_UNAVAILABLE: &str = "signing in is not possible now, try again later";

/// What a client reads of an internal error: that the request failed, that this is not known, or
/// that what checks passwords does not answer.
fn words_of_internal(why: &str) -> &'static str {
    let shown = [OUTCOME_UNKNOWN, SIGN_IN_UNAVAILABLE];
    shown.into_iter().find(|words| why.starts_with(words)).unwrap_or("server error")
}

impl Refusal {
    /// The gateway failed while it stored a command, and cannot tell whether it did.
    pub fn outcome_unknown(why: &str) -> Self {
        Self::Internal { why: format!("{OUTCOME_UNKNOWN} ({why})") }
    }

    /// The server that would check the password cannot be asked. Nothing is said of the password.
    pub fn sign_in_unavailable(why: &str) -> Self {
        Self::Internal { why: format!("{SIGN_IN_UNAVAILABLE} ({why})") }
    }

    /// Whether a sign-in was refused because what checks passwords does not answer.
    pub fn is_sign_in_unavailable(&self) -> bool {
        matches!(self, Self::Internal { why } if why.starts_with(SIGN_IN_UNAVAILABLE))
    }

    /// Whether the command may have been carried out although it was refused.
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Internal { why } => why.starts_with(OUTCOME_UNKNOWN),
            refusal => *refusal == Self::Unsettled,
        }
    }
}
