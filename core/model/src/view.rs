//! Users, rooms and messages as clients see them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, RoomId, Timestamp, Uid};
use crate::policy::{MaskView, Policy};

/// A user as others see it: an account, or a guest.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Person {
    /// None for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// Unique in the gateway; a guest's begins with `guest:`.
    pub handle: String,
    /// The display name; the handle where the user gave none.
    pub name: String,
    /// A URL, or "".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub avatar: String,
    /// `realm/subject`, in the order in which they were linked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<String>,
}

impl Person {
    /// The subject of the first identity of this realm: `o1` of `openid:wechat/o1`.
    pub fn identity(&self, realm: &str) -> Option<&str> {
        self.identities.iter().find_map(|identity| identity.strip_prefix(realm)?.strip_prefix('/'))
    }

    /// The name a guest chose, without the prefix that marks guests elsewhere.
    pub fn guest_name(&self) -> Option<&str> {
        match self.uid {
            Some(_) => None,
            None => self.handle.strip_prefix(crate::GUEST_PREFIX),
        }
    }
}

/// A whole account.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct UserView {
    pub person: Arc<Person>,
    pub created: Timestamp,
    /// Whether any connection is signed in as, or seated for, this user.
    pub online: bool,
    /// As the client gave it; "" where it gave none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sex: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<String>,
    /// The client's own JSON object, as text; "" where it gave none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub info: String,
}

/// A room's id and name: enough for every dialect to address it.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct RoomTag {
    pub id: RoomId,
    /// The unique room name.
    pub name: Arc<str>,
    /// Whether only members know of it. For the host's figures: not part of the interface of front
    /// ends, so not serialized.
    #[serde(skip)]
    pub closed: bool,
}

/// A room, in the [`Detail`](crate::Detail) asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct RoomView {
    pub id: RoomId,
    /// The unique room name.
    pub name: String,
    /// The display name; need not be unique, "" where none was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Person>>,
    pub created: Timestamp,
    /// Seats taken: durable members and live entrances.
    pub population: u32,
    /// The people in it, each once whatever seats it takes; absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
    pub capacity: u32,
    /// Whether a user other than the creator ever joined, or any user entered or posted.
    pub active: bool,
    /// Whether only members may see it.
    pub closed: bool,
    /// What holds in it.
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    pub policy: Policy,
    /// The `app_code` it was created with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_code: Option<u16>,
    /// The client's own JSON object, as text; "" where it gave none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub info: String,
    /// Durable members in the order of joining; empty unless asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<UserView>,
    /// The newest messages, oldest first; empty unless asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Arc<Message>>,
    /// Its lists of masks, each by mask; empty unless asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<MaskView>,
}

impl RoomView {
    pub fn tag(&self) -> RoomTag {
        RoomTag { id: self.id, name: self.name.as_str().into(), closed: self.closed }
    }
}

/// A message, in a room or to one user.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Message {
    pub id: MessageId,
    pub at: Timestamp,
    pub author: Arc<Person>,
    pub to: Recipient,
    /// Byte for byte as it was posted.
    pub text: String,
    /// Whether it is a notice: a message to which no program replies automatically.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notice: bool,
}

/// Messages that are not delivered to a reader who missed them: there were too many, or retention
/// or an owner has removed them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Gap {
    /// They come after this message,
    pub after: MessageId,
    /// and before this one.
    pub before: MessageId,
    /// How many; absent where that is not known any more, or for very many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// A conversation of a user, with its newest message.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ConversationView {
    /// The room, or the other user.
    pub with: Recipient,
    pub newest: MessageId,
    /// When the newest message was posted.
    pub at: Timestamp,
}

/// Where a message was sent.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    Room(RoomTag),
    User(Arc<Person>),
}
