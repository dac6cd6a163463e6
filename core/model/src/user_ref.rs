//! Ways to name a user or a room. The engine resolves them, so that a client's request is one
//! command instead of a look-up and a command.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{RoomId, TokenHash, Uid};

/// Names a user. Where it names the *caller*, the variant is also the proof.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserRef {
    /// By number. As a caller: the front end has signed this user in.
    Id(Uid),
    /// By handle. Never proof of anything. `guest:<name>` names a guest, where guests can be named.
    Handle(String),
    /// By identity, `realm/subject`: `openid:wechat/o1`, `tel/5551234`, `email/ann@example.org`.
    Identity(String),
    /// The same; where the caller joins or creates a room, a user is made if none has the identity.
    IdentityOrNew(String),
    /// The owner of a token. A token that is unknown or expired is refused with
    /// [`Refusal::TokenInvalid`](crate::Refusal::TokenInvalid).
    Token(TokenHash),
    /// The user signed in on this connection, else
    /// [`Refusal::NotSignedIn`](crate::Refusal::NotSignedIn).
    Session,
    /// The user or guest that may use this name: see [`Claim`].
    Claim(Claim),
}

/// A name, and the caller's proofs that it may use it.
///
/// A name that no account owns makes a guest, where `guests` allows it. A name equal to a user's
/// handle is that user, if the token or the address proves it. Anything else is refused with
/// [`Refusal::NotSignedIn`](crate::Refusal::NotSignedIn).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Claim {
    pub name: String,
    /// A token of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenHash>,
    /// The peer's address, if a sign-in from it counts (see
    /// [`AddressGrant`](crate::AddressGrant)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// If not 0, the address counts only while more than this remains of its grant, in
    /// milliseconds, and an entrance by a connection uses that up: a fresh sign-in is good for one
    /// entrance.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub address_left_min_ms: u64,
    /// Whether a name without an account may be used.
    pub guests: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Names a room.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomRef {
    Id(RoomId),
    /// By its unique room name.
    Name(String),
    /// By its unique room name, with the key that a room may ask of those who enter.
    Keyed {
        name: String,
        key: String,
    },
}

impl RoomRef {
    /// The room name, if it is given.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Name(name) | Self::Keyed { name, .. } => Some(name),
        }
    }

    /// The key, if one is given.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Id(_) | Self::Name(_) => None,
            Self::Keyed { key, .. } => Some(key),
        }
    }
}

/// Names a conversation of a user.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationRef {
    /// The messages of a room.
    Room(RoomRef),
    /// The direct messages between the caller and this user, which may be the caller.
    User(UserRef),
}
