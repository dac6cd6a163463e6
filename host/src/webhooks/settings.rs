//! What the configuration says of a webhook.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use super::event_name::EventName;
use super::secret::Secret;
use crate::outgoing::ClientOptions;

/// One server that events are sent to.
#[derive(Clone, Eq, PartialEq)]
pub struct WebhookConfig {
    pub name: String,
    /// Whether anything is sent. Default true.
    pub enabled: bool,
    /// May contain a secret.
    pub url: String,
    /// Default: message.created.
    pub events: BTreeSet<EventName>,
    /// The unique names of the rooms whose events are sent; empty: all.
    pub rooms: BTreeSet<String>,
    pub secrets: Vec<Secret>,
    pub client: ClientOptions,
    /// Until the head of an answer is there. Default 10 s.
    pub timeout: Duration,
    /// The longest pause between two attempts. Default 10 min.
    pub retry_max: Duration,
    /// The age at which an event that cannot be delivered becomes a dead letter. Default 1 d.
    pub dead_letter_after: Duration,
    /// Requests at once, each for another room. Default 8.
    pub concurrency: u32,
}

impl std::fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

impl WebhookConfig {
    /// The scheme, host and port of the URL.
    pub fn server(&self) -> String {
        Url::parse(&self.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }
}
