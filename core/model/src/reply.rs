//! Replies to commands and queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::AdminRole;
use crate::id::{MessageId, RoomId, Timestamp};
use crate::refusal::Refusal;
use crate::role::Roles;
use crate::view::{ConversationView, Gap, Message, Person, RoomTag, RoomView, UserView};

/// The answer to a command that was carried out, or to a query.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum Reply {
    // Answers to commands.
    /// Done, without content.
    Done,
    /// To [`Command::Enter`](crate::Command::Enter).
    Entered {
        room: RoomView,
        user: Arc<Person>,
        /// Whether this connection was in the room already, so that nothing changed.
        again: bool,
        /// The newest message there was: the later ones of the room are events.
        #[serde(default)]
        cursor: MessageId,
    },
    /// To [`Command::Join`](crate::Command::Join).
    Joined { room: RoomTag },
    /// To [`Command::Post`](crate::Command::Post) and
    /// [`Command::PostDirect`](crate::Command::PostDirect).
    Posted { message: Message },
    /// To [`Command::Prune`](crate::Command::Prune): how many messages are gone, which deliveries
    /// with them, and the room that the next step begins with; none when the pass is over.
    Pruned {
        messages: u32,
        #[serde(default, skip_serializing_if = "Expired::is_empty")]
        expired: Expired,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<RoomId>,
    },
    /// To [`Command::Receive`](crate::Command::Receive): messages oldest first, and the id up to
    /// which has now been received (0 before anything).
    Received {
        messages: Vec<Arc<Message>>,
        cursor: MessageId,
        /// What was removed after the `after` of the command; none without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gap: Option<Gap>,
    },
    /// To [`Command::Register`](crate::Command::Register).
    Registered {
        user: UserView,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<AutoJoinFailure>,
    },
    /// To [`Command::CreateRoom`](crate::Command::CreateRoom) and
    /// [`Command::DeclareRoom`](crate::Command::DeclareRoom).
    RoomCreated { room: RoomView },
    /// To [`Command::Start`](crate::Command::Start): the number of the run, which its connections'
    /// ids have, and whether earlier runs have ended. If not, the command is to be repeated before
    /// the first connection.
    #[serde(skip)]
    Started { run: u64, is_done: bool },
    /// To [`Command::SignIn`](crate::Command::SignIn).
    SignedIn {
        user: UserView,
        /// The token, if the command requested one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// The rooms that the user is a durable member of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rooms: Vec<RoomTag>,
        /// Messages that are not acknowledged, oldest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        backlog: Vec<Arc<Message>>,
        /// The id up to which the user has acknowledged messages; only where delivery was asked
        /// for. Of a new device for direct messages only, the newest id: it has missed none in rooms.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<MessageId>,
        /// What is not in `backlog` though the device missed it; only for a device.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gap: Option<Gap>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<AutoJoinFailure>,
    },
    /// To [`Command::IssueToken`](crate::Command::IssueToken).
    TokenIssued { token: String },

    /// To [`Command::MarkRead`](crate::Command::MarkRead) and
    /// [`Query::ReadMarker`](crate::Query::ReadMarker): up to when the user has read the
    /// conversation; absent where nothing was marked.
    ReadMarker {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },

    // Answers to queries.
    /// To [`Query::Conversations`](crate::Query::Conversations), by the newest message.
    Conversations { conversations: Vec<ConversationView> },
    /// To [`Query::LastChange`](crate::Query::LastChange): 0 before anything happened.
    LastChange { at: Timestamp },
    /// To [`Query::Members`](crate::Query::Members) and
    /// [`Query::Occupants`](crate::Query::Occupants).
    Members {
        members: Vec<Arc<Person>>,
        /// The roles of those that hold one, by handle; only for `Occupants`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        roles: BTreeMap<String, Roles>,
    },
    /// To [`Query::History`](crate::Query::History) and [`Query::Excerpt`](crate::Query::Excerpt),
    /// oldest first.
    Messages { messages: Vec<Arc<Message>> },
    /// To [`Query::Missed`](crate::Query::Missed), oldest first.
    Missed {
        messages: Vec<Arc<Message>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gap: Option<Gap>,
        /// Whether there are more, after these.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        more: bool,
        /// With these the reader has all messages of the room up to this id.
        #[serde(default)]
        cursor: MessageId,
    },
    /// To [`Query::Room`](crate::Query::Room), [`Command::UpdateRoom`](crate::Command::UpdateRoom)
    /// and [`Command::SetOwner`](crate::Command::SetOwner).
    Room { room: Arc<RoomView> },
    /// To [`Query::RoomIds`](crate::Query::RoomIds), ascending.
    RoomIds { rooms: Vec<RoomId> },
    /// To [`Query::Rooms`](crate::Query::Rooms), by id, and
    /// [`Query::SearchRooms`](crate::Query::SearchRooms), best first.
    Rooms { rooms: Vec<Arc<RoomView>> },
    /// To [`Query::User`](crate::Query::User) and
    /// [`Command::UpdateUser`](crate::Command::UpdateUser).
    User { user: UserView },

    // Answers of the host.
    /// To a request to a server that the front end's manifest names: the HTTP status and the body.
    Fetched { status: u16, body: String },
    /// The token is one of the admin API, with this role, and what its operator calls it.
    Authorized { role: AdminRole, label: String },
}

/// A room in `auto_join` that the user could not join, and why.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Skipped")]
pub struct AutoJoinFailure {
    pub room: String,
    pub why: Refusal,
}

/// The result of a command or query.
pub type Outcome = Result<Reply, Refusal>;

/// Deliveries that retention has taken from readers: messages times the users or devices that had a
/// cursor and had not acknowledged them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Expired {
    /// Of messages in open rooms.
    pub public: u64,
    /// Of messages in closed groups.
    pub group: u64,
    pub direct: u64,
}

impl Expired {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
