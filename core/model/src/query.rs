//! Questions. They change nothing, run beside the writer, and see everything that has been
//! answered before they were asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, RoomId};
use crate::user_ref::{RoomRef, UserRef};

/// A question to the engine. `caller`, where there is one, must resolve, or the refusal says why;
/// a closed room is unknown to callers who are not its members.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Query {
    /// Messages of a room, oldest first, at most `limit`: the oldest after `after` where it is
    /// given, else the newest before `before` where that is given, else the newest.
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
    /// The time of the newest message or change.
    LastChange,
    /// The durable members of a room.
    Members {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
    },
    /// Everyone with a seat in a room: its durable members, in the order of joining, then those
    /// who have only entered, guests included, by handle. Each once.
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
    /// matches of name or description. `section` must equal, `description` be contained, where
    /// given.
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
    /// One account.
    User {
        user: UserRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<UserRef>,
    },
}

/// Which rooms. Closed rooms are among them only where it is a member's own list.
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

/// What to tell of a room beyond its own fields.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Detail {
    /// Its durable members.
    #[serde(default)]
    pub members: bool,
    /// Its newest messages, at most so many.
    #[serde(default)]
    pub messages: u32,
}
