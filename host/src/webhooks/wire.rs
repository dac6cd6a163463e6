//! What the admin API says of webhooks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct WebhookReport {
    pub name: String,
    /// Where it sends events, without the path, which may contain a secret.
    pub server: String,
    pub state: WebhookCondition,
    /// Messages that are not delivered yet, of all that were posted.
    pub lag_messages: u64,
    /// Since when the oldest event waits, in ms since 1970; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since_ms: Option<u64>,
    /// Events delivered since the gateway started.
    pub delivered: u64,
    pub dead_letters: u32,
    /// Why the last attempt failed; absent after one that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookCondition {
    /// Events are delivered.
    Active,
    /// The last attempt failed; events wait for the next one.
    Failing,
    /// The receiver has answered 410: nothing is sent until `dragoman webhook resume`.
    Gone,
    /// `enabled = false`
    Off,
}

impl WebhookCondition {
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::Off => "off",
        }
    }
}

/// What a replay or a resumption found to do.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Begun {
    /// Dead letters that are sent again.
    pub dead_letters: u32,
}
