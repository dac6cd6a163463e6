//! Who may find, enter and post to a room, beyond its members and its capacity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::Timestamp;
use crate::user_ref::UserRef;

/// What holds in a room. By default everyone finds and enters it, those inside post, and the owner
/// and the operators describe it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Policy {
    /// Whether only the owner, operators and users with a voice post.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub moderated: bool,
    /// Whether lists and searches leave it out, and its people are shown to those inside only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// Whether only members and invited users enter.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invite_only: bool,
    /// Whether everyone inside may change the description.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open_topic: bool,
    /// Whether users without a seat may post.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open_posts: bool,
    /// Whether those who are not members need a key to enter.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keyed: bool,
}

impl Policy {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One change of what holds in a room.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyChange {
    Moderated(bool),
    Secret(bool),
    InviteOnly(bool),
    OpenTopic(bool),
    OpenPosts(bool),
    /// Seats, from 1 to the front end's `room_capacity`, or as many as the room has had. `None`: as
    /// many as possible.
    Capacity(Option<u32>),
    /// The key that users give to enter; `None` for no key. The engine stores its hash.
    Key(Option<String>),
    /// Adds a mask to a list of the room, or removes it.
    Mask {
        list: MaskList,
        mask: String,
        held: bool,
    },
    /// Lets one user enter once, within a day, past bans, the key and
    /// [`invite_only`](Policy::invite_only). Everyone inside may invite; only the invitation of the
    /// owner or an operator has an effect in the engine.
    Invited(UserRef),
}

/// A list of masks of a room.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum MaskList {
    /// Users who may not enter, nor post without a role.
    Ban,
    /// Users that no ban concerns.
    Exception,
    /// Users who may enter without an invitation.
    Invitation,
}

impl MaskList {
    pub const ALL: [Self; 3] = [Self::Ban, Self::Exception, Self::Invitation];
}

/// A mask in a list of a room.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct MaskView {
    pub list: MaskList,
    /// See [`matches_mask`](crate::matches_mask).
    pub mask: String,
    /// The handle of the user that has added it; "" for the gateway.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    pub at: Timestamp,
}

/// The most masks in each list of a room: each is compared with those who enter.
pub const MASKS_MAX: u32 = 100;

/// The most invitations of a room that were not used.
pub const INVITATIONS_MAX: u32 = 100;

/// The longest key of a room, in bytes.
pub const ROOM_KEY_BYTES_MAX: usize = 64;
