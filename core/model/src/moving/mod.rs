//! What `dragoman export` writes and `dragoman import` reads: one JSON object a line.
//!
//! docs/ops/moving.md describes the file for people.

mod check;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, RoomId, Timestamp, TokenHash, Uid};
use crate::policy::MaskList;

pub use check::FieldFault;

/// The version of the layout that is written. A reader takes files of the earlier ones, too.
///
/// 1: the first. 2: policies, masks and invitations of rooms, which a reader of 1 would not enforce.
pub const EXPORT_VERSION: u32 = 2;

/// A line of an export. The first is `export`, the last `end`; each record comes after those that it
/// refers to.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportRecord {
    Export(ExportHeader),
    User(ExportedUser),
    Room(ExportedRoom),
    Member(ExportedMember),
    Ban(ExportedBan),
    Mute(ExportedMute),
    Mask(ExportedMask),
    Invitation(ExportedInvitation),
    Message(ExportedMessage),
    Cursor(ExportedCursor),
    ReadMark(ExportedReadMark),
    End(ExportEnd),
}

/// The first line.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    /// The version of the layout: 2, or 1 of earlier gateways.
    pub version: u32,
    /// The time of the newest change that is in the file.
    #[serde(default)]
    pub at: Timestamp,
    /// The number of the next user, so that none is given twice; 0 leaves the choice to the importer.
    #[serde(default)]
    pub next_uid: u64,
    /// The same of the next room.
    #[serde(default)]
    pub next_room: u32,
    /// The same of the next message.
    #[serde(default)]
    pub next_message: u64,
}

/// The last line: a file without it was cut.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportEnd {
    /// The lines before this one, without the first.
    pub records: u64,
}

/// An account.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedUser {
    pub uid: Uid,
    /// 1 to 64 characters; no other account has it.
    pub handle: String,
    /// The display name; absent where it is the handle.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default)]
    pub created: Timestamp,
    /// `realm/subject`, such as `tel/5551234` or `openid:wechat/o1`; no other account has one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<String>,
    /// The hash of the password, in one of the forms of docs/ops/moving.md.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// A URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub avatar: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sex: String,
    /// Sections that the user prefers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<String>,
    /// A client's own JSON object about the user, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub info: String,
    /// The newest direct message to the user that was removed; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub removed_received: MessageId,
    /// The same of those that it sent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub removed_sent: MessageId,
}

/// A room, or a group: a closed room.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedRoom {
    pub id: RoomId,
    /// 1 to 64 characters; no other room has it.
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The owner's uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Uid>,
    #[serde(default)]
    pub created: Timestamp,
    /// Seats.
    pub capacity: u32,
    /// Whether a user has been in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub active: bool,
    /// Whether it is for its members only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closed: bool,
    /// Whether its owner has opened it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub opened: bool,
    /// Whether a client made it without an owner, so that it ends when it is not used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ends_unused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_code: Option<u16>,
    /// A client's own JSON object about the room, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub info: String,
    /// The newest message of the room that was removed; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub removed: MessageId,
    /// What holds in it beyond its members and its seats.
    #[serde(default, skip_serializing_if = "ExportedPolicy::is_default")]
    pub policy: ExportedPolicy,
}

/// What holds in a room: see [`Policy`](crate::Policy).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExportedPolicy {
    #[serde(skip_serializing_if = "is_false")]
    pub moderated: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub secret: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub invite_only: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub open_topic: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub open_posts: bool,
    /// The hash of the room's key: SHA-256 of `room key`, a zero byte, the room's id in four bytes
    /// (the most significant first), and the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_hash: Option<TokenHash>,
}

impl ExportedPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A durable member of a room. The order of these records in a room is that of joining.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedMember {
    pub room: RoomId,
    pub user: Uid,
    /// The newest message of the store when the user joined; 0 for one that may have all.
    #[serde(default)]
    pub since: MessageId,
}

/// A ban, of one of the three.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedBan {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Uid>,
    /// `realm/subject`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// An IPv6 network, or an IPv4 one as `::ffff:203.0.113.0/120`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(default)]
    pub created: Timestamp,
    /// When it ends; absent: when it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether the user was deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
}

/// A user that may not post to a room.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedMute {
    pub room: RoomId,
    pub user: Uid,
    /// When it ends; absent: when it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A mask in a list of a room.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedMask {
    pub room: RoomId,
    pub list: MaskList,
    /// A pattern of `name!user`: see [`matches_mask`](crate::matches_mask).
    pub mask: String,
    /// The handle of the user that has added it; absent: the gateway.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    #[serde(default)]
    pub at: Timestamp,
}

/// A user, or a guest, that may enter a room once, within a day.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedInvitation {
    pub room: RoomId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Uid>,
    /// The name of a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// The handle of the user that has invited it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    #[serde(default)]
    pub at: Timestamp,
}

/// A message: by `user` or `guest`, to `room` or `to`. Ids ascend in the file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedMessage {
    pub id: MessageId,
    pub at: Timestamp,
    /// The author's uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Uid>,
    /// The name of an author without an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// The room that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// The uid that a direct message is to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Uid>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub notice: bool,
    pub text: String,
}

/// Up to which message a user has received what a cursor is of.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedCursor {
    pub user: Uid,
    pub of: CursorOf,
    pub message: MessageId,
}

/// What a cursor is of.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CursorOf {
    /// The messages of a room, received one by one (`channel`).
    Room(RoomId),
    /// Direct messages, received one by one.
    Direct,
    /// What the sessions of the user without a device acknowledge.
    Sessions,
    /// What the last of those sessions was sent.
    SessionsSent,
    /// What the sessions of a device acknowledge. The device is a number of 16 hexadecimal digits,
    /// made of the name that the client gave it.
    Device(String),
    /// What the last session of a device was sent.
    DeviceSent(String),
}

/// Up to when a user has read a room or its direct messages with another user.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedReadMark {
    pub user: Uid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Uid>,
    pub at: Timestamp,
}

impl ExportRecord {
    /// What it is, as the key of its object says.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Export(_) => "export",
            Self::User(_) => "user",
            Self::Room(_) => "room",
            Self::Member(_) => "member",
            Self::Ban(_) => "ban",
            Self::Mute(_) => "mute",
            Self::Mask(_) => "mask",
            Self::Invitation(_) => "invitation",
            Self::Message(_) => "message",
            Self::Cursor(_) => "cursor",
            Self::ReadMark(_) => "read_mark",
            Self::End(_) => "end",
        }
    }
}

fn is_zero(id: &MessageId) -> bool {
    id.0 == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}
