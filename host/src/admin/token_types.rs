//! What goes in and out of operations on tokens.

use core_model::AdminRole;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A token to create.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What to call it, at most 64 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    pub role: TokenRole,
    /// After how many seconds it expires; absent: never.
    #[schemars(range(min = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
}

/// What a token allows; each includes those before it.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum TokenRole {
    /// Read
    Monitor,
    /// Close sessions, ban, mute and remove messages
    Moderator,
    /// Everything
    Operator,
}

impl From<TokenRole> for AdminRole {
    fn from(role: TokenRole) -> Self {
        match role {
            TokenRole::Monitor => Self::Monitor,
            TokenRole::Moderator => Self::Moderator,
            TokenRole::Operator => Self::Operator,
        }
    }
}

impl From<AdminRole> for TokenRole {
    fn from(role: AdminRole) -> Self {
        match role {
            AdminRole::Monitor => Self::Monitor,
            AdminRole::Moderator => Self::Moderator,
            AdminRole::Operator => Self::Operator,
        }
    }
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TokenReport {
    /// The first 12 digits of its hash.
    pub id: String,
    pub label: String,
    pub role: TokenRole,
    /// RFC 3339, in UTC.
    pub created: String,
    /// Absent: it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct CreatedToken {
    /// The token, for `Authorization: Bearer`. It cannot be shown again.
    pub token: String,
    #[serde(flatten)]
    pub report: TokenReport,
}
