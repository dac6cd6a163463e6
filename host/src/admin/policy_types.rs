//! What goes in and out of operations on the policies of rooms.

use core_model::MaskList;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What holds in a room beyond its members.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PolicyReport {
    /// The name that is unique in the gateway.
    pub room: String,
    /// Seats.
    pub capacity: u32,
    /// Whether only the owner, operators and users with a voice post (`m` on IRC).
    pub moderated: bool,
    /// Whether lists and searches leave it out (`s`).
    pub secret: bool,
    /// Whether only members and invited users enter (`i`).
    pub invite_only: bool,
    /// Whether everyone inside may change the description (the absence of `t`).
    pub open_topic: bool,
    /// Whether users who are not in it may post (the absence of `n`).
    pub open_posts: bool,
    /// Whether those who are not members need a key (`k`). The key itself is not stored.
    pub keyed: bool,
    /// Its lists, by list, then by mask.
    pub masks: Vec<MaskReport>,
    /// Who may enter once, past bans, the key and `invite_only`.
    pub invited: Vec<InvitationReport>,
    /// Who holds a role now. The owner is always an operator.
    pub roles: Vec<RoleReport>,
}

/// Changes to what holds in a room: all of them, or none if one is refused. Absent: unchanged.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moderated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_topic: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_posts: Option<bool>,
    /// Seats, at least 1.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// 1 to 64 bytes without spaces, commas and control characters, and without a colon in front; ""
    /// takes the key away. It is not in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_key: Option<String>,
}

/// A mask of a list of a room.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ListedMask {
    pub list: RoomList,
    /// `name!user`: the handle or the name of a guest, and the uid or `guest`. `*` stands for any
    /// characters, `?` for one, a backslash takes the meaning of the next. `bob` is `bob!*`.
    pub mask: String,
}

/// A list of a room.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum RoomList {
    /// Who may not enter, nor post without a role (b on IRC)
    Ban,
    /// Users that no ban concerns (e)
    Exception,
    /// Who may enter without an invitation (I)
    Invitation,
}

impl RoomList {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Exception => "exception",
            Self::Invitation => "invitation",
        }
    }
}

impl From<RoomList> for MaskList {
    fn from(list: RoomList) -> Self {
        match list {
            RoomList::Ban => Self::Ban,
            RoomList::Exception => Self::Exception,
            RoomList::Invitation => Self::Invitation,
        }
    }
}

impl From<MaskList> for RoomList {
    fn from(list: MaskList) -> Self {
        match list {
            MaskList::Ban => Self::Ban,
            MaskList::Exception => Self::Exception,
            MaskList::Invitation => Self::Invitation,
        }
    }
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct MaskReport {
    pub list: RoomList,
    pub mask: String,
    /// The handle of the user that has added it; "" for the gateway.
    pub by: String,
    /// RFC 3339, in UTC.
    pub at: String,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct InvitationReport {
    /// The handle: `guest:<name>` for a guest.
    pub user: String,
    /// The handle of the user that has invited it.
    pub by: String,
    /// RFC 3339, in UTC. It lasts for a day.
    pub at: String,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct RoleReport {
    /// The handle: `guest:<name>` for a guest.
    pub user: String,
    pub operator: bool,
    pub voice: bool,
}

/// A role to give or to take.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// As in `/users/{user}`, or `guest:<name>`.
    pub user: String,
    pub role: RoomRole,
    /// Whether the user is to hold it.
    pub held: bool,
}

/// A role of a user who is in a room.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum RoomRole {
    /// Moderates the room (o on IRC)
    Operator,
    /// Posts where others may not (v)
    Voice,
}

impl From<RoomRole> for core_model::Role {
    fn from(role: RoomRole) -> Self {
        match role {
            RoomRole::Operator => Self::Operator,
            RoomRole::Voice => Self::Voice,
        }
    }
}
