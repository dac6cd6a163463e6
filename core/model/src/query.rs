//! Queries. They change nothing, run beside the writer, and see every command that was answered
//! before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, RoomId, Timestamp};
use crate::user_ref::{ConversationRef, RoomRef, UserRef};

/// A query to the engine. If `caller` is given and cannot be resolved, the query is refused. A
/// closed room is unknown to callers that are not its members.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Query {
    /// Messages of a room, oldest first, at most `limit`: the oldest after `after` if given, else
    /// the newest before `before` if given, else the newest.
    History {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<MessageId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MessageId>,
        limit: u32,
    },
    /// The messages of a room after one that the reader has, and what of them is not there any
    /// more. Without `after` none: the reader begins now.
    Missed {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MessageId>,
        /// The most messages to return.
        limit: u32,
        /// Whether to return the newest; those before them are a gap. Otherwise the oldest, and
        /// whether there are more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        newest: bool,
    },
    /// Part of a conversation, oldest message first. Direct messages need a caller.
    ///
    /// Direct messages are found among those of both users. Where these wrote to others in turns a
    /// hundred thousand times, the reply ends there, with fewer messages.
    Excerpt {
        conversation: ConversationRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
        part: Part,
        /// The most messages to return.
        limit: u32,
    },
    /// The conversations whose newest message was posted between two times, both excluded; by that
    /// message, the oldest first. At most `limit`: those nearest to `from`, which may be the later
    /// time.
    ///
    /// Of direct messages, the newest 20,000 of the caller are considered.
    Conversations {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
        /// The rooms to consider. Those that the caller may not know of are left out.
        rooms: Vec<RoomId>,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    },
    /// Up to when a user has read a conversation.
    ReadMarker { user: UserRef, conversation: ConversationRef },
    /// The time of the newest message or change.
    LastChange,
    /// The durable members of a room.
    Members {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
    },
    /// The people in a room: its durable members in the order of joining, then users and guests
    /// that only have a live seat, by handle. Each once. Those of a secret room are shown to the
    /// caller and the connection inside it only.
    Occupants {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
    },
    /// One room.
    Room {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
        #[serde(default)]
        detail: Detail,
    },
    /// Ids of open rooms greater than `after`, ascending, at most `limit`.
    RoomIds { after: RoomId, limit: u32 },
    /// Rooms by id, greater than `after`, at most `limit`.
    Rooms {
        filter: RoomFilter,
        after: RoomId,
        limit: u32,
        #[serde(default)]
        detail: Detail,
    },
    /// Open rooms by text, best first, at most `limit`: exact, prefix, substring, then near
    /// matches of name or description. If given, `section` must be equal and
    /// `description` contained.
    SearchRooms {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        section: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        limit: u32,
        #[serde(default)]
        detail: Detail,
    },
    /// One account. A claim to a name that a guest may use is an unknown user; a claim to any other
    /// name needs its proof.
    User {
        user: UserRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
    },
}

/// A place in the order of messages, which is that of their ids.
///
/// Times ascend with the ids, unless the clock was set back. Several messages may have one time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// That of a message, whether or not it exists or is of this conversation.
    Message(MessageId),
    /// That of the messages posted at this time.
    Time(Timestamp),
}

/// Which messages of a conversation. What is at a position is excluded, but for `Around`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The newest, of those after a position if one is given.
    Newest {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Position>,
    },
    /// The newest before a position.
    Before(Position),
    /// The oldest after a position.
    After(Position),
    /// As many before a position as from it on; more of one if there are too few of the other.
    Around(Position),
    /// Those between two positions that are nearest to `from`, which may be the later one.
    Between { from: Position, to: Position },
}

/// Which rooms. Only [`MemberOf`](Self::MemberOf) and [`OwnedBy`](Self::OwnedBy) include closed
/// rooms.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomFilter {
    /// Every open room.
    Open,
    /// Those this user owns.
    OwnedBy(UserRef),
    /// Those this user is a durable member of.
    MemberOf(UserRef),
    /// Open rooms of this section.
    Section(String),
    /// Open rooms whose section is among this user's preferences.
    PreferredBy(UserRef),
}

/// What to return of a room beyond its own fields.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Detail {
    /// Its durable members.
    #[serde(default)]
    pub members: bool,
    /// The most messages to return: the newest.
    #[serde(default)]
    pub messages: u32,
    /// The number of people in it: as many as [`Query::Occupants`] names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub people: bool,
    /// Its lists of masks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masks: bool,
}
