//! Ways to name a user or a room. They are resolved inside the engine, so that what a client
//! asks for is one command, not a look-up and then a command.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{RoomId, TokenHash, Uid};

/// Names a user. Where it says who the *caller* is, the variant is also the proof.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserRef {
    /// By number. As a caller: the front end knows whom it signed in.
    Id(Uid),
    /// By handle. Never proof of anything. `guest:<name>` names a guest, where guests can be named.
    Handle(String),
    /// By identity, `realm/subject`: `openid:wechat/o1`, `tel/5551234`, `email/ann@example.org`.
    Identity(String),
    /// The owner of a token. A token that is unknown or expired is refused with
    /// [`Refusal::TokenInvalid`](crate::Refusal::TokenInvalid).
    Token(TokenHash),
    /// Whoever is signed in on this connection, else
    /// [`Refusal::NotSignedIn`](crate::Refusal::NotSignedIn).
    Session,
    /// Whoever may go by this name: see [`Claim`].
    Claim(Claim),
}

/// A name with what the caller has to show for it.
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
    /// Whether a name without an account may be used.
    pub guests: bool,
}

/// Names a room.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomRef {
    Id(RoomId),
    /// By its unique room name.
    Name(String),
}
