//! What a search for messages asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which messages to look for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessageQuery {
    /// Words that a message must all have; at most 64 characters.
    pub text: String,
    /// Only in this room, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Only by this user: as in the paths of users, or `guest:<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// `next` of the page before; absent for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The most items, 1 to 1000; 100 by default.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
