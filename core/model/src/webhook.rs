//! What the engine keeps of the delivery of events to other servers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, Seq};

/// A place in the order in which events are delivered to webhooks.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
)]
pub struct EventPosition {
    /// The message, or the newest one before the event.
    pub message: MessageId,
    /// 0 for the message itself, else the number of the event among those kept for webhooks.
    #[serde(default)]
    pub seq: Seq,
}

/// What a webhook needs from the engine.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct WebhookNeed {
    pub name: String,
    /// Whether events other than messages are kept for it until they are delivered.
    pub events: bool,
}

/// How far a webhook has come.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct WebhookProgress {
    /// Everything up to this place is delivered or a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<EventPosition>,
    /// Events that are given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<DeadLetter>,
    /// Dead letters that are delivered after all, or dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<EventPosition>,
    /// Whether the receiver has said that it is gone for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<bool>,
}

/// An event that could not be delivered to a webhook.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct DeadLetter {
    pub position: EventPosition,
    /// Attempts to deliver it in this run of the gateway.
    pub attempts: u32,
    /// Why the last one failed.
    pub why: String,
}
