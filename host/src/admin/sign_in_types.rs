//! What the API says of the sign-ins of a user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInKind {
    /// By a token, as in a cookie, or in a field of a request.
    Token,
    /// From an address: see `sign_in_by_address`.
    Address,
}

/// A sign-in of a user that lasts without a connection.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SignInReport {
    /// The beginning of the hash of a token, which is no secret; or the address.
    pub id: String,
    pub kind: SignInKind,
    /// The uid of the user.
    pub uid: u64,
    /// The front end that issued the token; absent: not known, as of all addresses and of tokens of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<String>,
    /// The device that the client named; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// When it was issued: RFC 3339, in UTC; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The last use, or up to a sixteenth of the token's time before it; absent: not known, as of what
    /// a use does not extend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    /// When it ends unless it is used before.
    pub expires: String,
}
