//! The types of the API: what its JSON is.

pub use super::cluster_types::*;
pub use super::config_types::*;
pub use super::frontend_types::*;
pub use super::live_types::*;
pub use super::token_types::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::message_query::MessageQuery;
pub use super::store_report::*;
use crate::users::Account;

/// No parameters, or no body.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Done, without content.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Done {}

/// Part of a list.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The `after` (or `before`) of the next part; absent: there is none. A page may be empty and yet
    /// have a next one, where a search looks at many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageQuery {
    /// `next` of the page before; absent for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The most items, 1 to 1000; 100 by default.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which part of a list that begins with the newest.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeforeQuery {
    /// `next` of the page before; absent for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The most items, 1 to 1000; 100 by default.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What to look for, and which part of that.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchQuery {
    /// A text that the names (and identities) contain, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// `next` of the page before; absent for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The most items, 1 to 1000; 100 by default.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which sessions; each filter that is given must match.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionQuery {
    /// The name of a front end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<String>,
    /// A user, as in `/users/{user}`, or a guest by `guest:<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name of a room in which the connection has a seat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The peer's address, or a network as in `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `next` of the page before; absent for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The most items, 1 to 1000; 100 by default.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// An open stream connection. HTTP requests are answered at once and are not listed.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Session {
    /// For this run of the gateway.
    pub id: u64,
    pub frontend: String,
    /// The address that its requests count for: of the client, behind a trusted proxy; `unix` on a
    /// unix socket, `-` where a proxy does not name it.
    pub address: String,
    /// The handle of the user that has signed in; for a connection without a sign-in, who has its
    /// first seat: `guest:<name>` for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The uid of that user; absent for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u64>,
    /// The names of the rooms in which it has a seat.
    pub rooms: Vec<String>,
    /// When it opened: RFC 3339, in UTC.
    pub opened: String,
    /// How long ago, in seconds.
    pub age_s: u64,
    /// How long ago the peer sent anything, in seconds.
    pub idle_s: u64,
    /// Lines, messages or pieces of a stream that came from the peer.
    #[serde(rename = "in")]
    pub received: u64,
    /// Bytes queued for the peer.
    #[serde(rename = "out_bytes")]
    pub sent_bytes: u64,
    /// Frames and events that wait for the peer to read.
    pub mailbox: u64,
}

/// An account to create.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CreatedUser {
    /// Refused if it is taken or not acceptable.
    pub handle: String,
    /// The display name; the handle by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `tel/5551234`, `email/ann@example.org`, `openid:wechat/o1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<String>,
    /// 1 to 1024 bytes without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// In its place: its argon2id hash, as a PHC string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
}

/// Changes to an account.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// The display name, cut to 256 characters.
    pub name: String,
}

/// A password to set: itself, or its hash.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// 1 to 1024 bytes without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// In its place: its argon2id hash, as a PHC string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityChange {
    /// `tel/5551234`, `email/ann@example.org`, `openid:wechat/o1`.
    pub identity: String,
}

/// What becomes of the messages of a deleted user.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageFate {
    /// They stay, under the former names.
    Keep,
    /// They stay, under a name that says nothing of the user.
    Anonymize,
    /// They are deleted, in rooms and direct ones; the name says nothing of the user.
    Remove,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionQuery {
    /// What becomes of the user's messages.
    pub messages: MessageFate,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reason {
    /// At most 256 characters. Users who are refused read it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What the store has of a person.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PersonalData {
    pub account: Account,
    /// A URL, or "".
    pub avatar: String,
    pub sex: String,
    pub preferences: Vec<String>,
    /// The client's own JSON object, as text.
    pub info: String,
    /// The rooms that the person is a durable member of, by name.
    pub member_of: Vec<String>,
    /// The rooms that the person owns, by name.
    pub owner_of: Vec<String>,
    /// Messages that the person wrote, and direct messages to it, oldest first.
    pub messages: Page<MessageReport>,
}

/// A ban to put in place.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewBan {
    /// `user:` and a user as in `/users/{user}`, `identity:tel/5551234`, `network:10.0.0.0/8`, or
    /// `network:` and one address.
    pub target: String,
    /// At most 256 characters. Those who are refused read it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// After how many seconds the ban ends; absent: when it is lifted.
    #[schemars(range(min = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TargetQuery {
    /// As in a ban.
    pub target: String,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct BanReport {
    /// `user:10000`, `identity:tel/5551234` or `network:10.0.0.0/8`.
    pub target: String,
    pub reason: String,
    /// RFC 3339, in UTC.
    pub created: String,
    /// When it ends; absent: when it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether the user was deleted, so that it cannot be lifted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// A room to create.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CreatedRoom {
    /// The name that is unique in the gateway; refused if it is taken or not acceptable.
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Seats; 500 by default.
    #[schemars(range(min = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// A user as in `/users/{user}`, its first member; absent: it has no owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Changes to a room. Absent: unchanged.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RoomChange {
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["owner"]))]
pub struct RoomOwner {
    /// A user as in `/users/{user}`; null: none. A body without it changes nothing: it is refused.
    #[serde(deserialize_with = "Option::deserialize")]
    pub owner: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Members {
    pub items: Vec<Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Muted users, members or not; of the whole room.
    pub muted: Vec<MutedUser>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Member {
    pub uid: u64,
    pub handle: String,
    /// The display name.
    pub name: String,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct MutedUser {
    pub uid: u64,
    pub handle: String,
    /// When the mute ends; absent: when it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A user to remove from a room.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// As in `/users/{user}`, or `guest:<name>`.
    pub user: String,
    /// At most 256 characters. The room reads it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewMute {
    /// As in `/users/{user}`.
    pub user: String,
    /// After how many seconds the mute ends; absent: when it is lifted.
    #[schemars(range(min = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Unmuted {
    /// As in `/users/{user}`.
    pub user: String,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct MessageReport {
    pub id: u64,
    /// RFC 3339, in UTC.
    pub at: String,
    /// The author's handle: `guest:<name>` for a guest.
    pub author: String,
    /// The name of the room; absent for a direct message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The handle of the recipient of a direct message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub text: String,
    /// Whether it is a notice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notice: bool,
}

/// A notice to post.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    pub text: String,
    /// The name under which it is posted, which no account may have; `Announcement` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Announced {
    /// In how many rooms it was posted.
    pub rooms: u64,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FrontendState {
    /// Its name in gateway.toml.
    pub name: String,
    pub dialect: String,
    /// Whether it serves: all its listeners are open, and it was neither disabled nor taken down.
    pub serving: bool,
    /// Why it does not serve, if it was disabled or taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Open connections.
    pub connections: u32,
    /// Where it listens: `tcp 127.0.0.1:6667`.
    pub listening: Vec<String>,
}

/// A change that was made or refused.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Ascending by one.
    pub id: u64,
    /// RFC 3339, in UTC.
    pub at: String,
    /// `token <id> <label>`, or `local` for a process of this machine without a token.
    pub who: String,
    /// The peer's address; `command line` for a change without a gateway.
    pub from: String,
    /// The operation: `ban`.
    pub operation: String,
    /// The parameters of the path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// The query and the body, without secrets.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub with: Value,
    /// The HTTP status.
    pub status: u16,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
