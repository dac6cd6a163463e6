//! What the tasks of a webhook have in common.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use super::stats::WebhookStats;
use crate::outgoing::HttpClient;
use crate::runtime::session::services::Services;
use crate::webhooks::WebhookConfig;

pub(super) struct Shared {
    pub(super) webhook: WebhookConfig,
    pub(super) client: HttpClient,
    pub(super) services: Arc<Services>,
    pub(super) stats: Arc<WebhookStats>,
}

/// How a webhook task is stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    /// Sends nothing more, and waits for the answers that are outstanding.
    pub(super) drain: CancellationToken,
    /// Does not wait.
    pub(super) abort: CancellationToken,
}

impl Shared {
    /// Reads from the store how many dead letters there are.
    pub(super) fn show_dead_letters(&self) {
        let webhooks = self.services.engine.webhooks().unwrap_or_default();
        if let Some(own) = webhooks.iter().find(|one| one.name == self.webhook.name) {
            self.stats.dead_letters.store(own.dead_letters.into(), Ordering::Relaxed);
        }
    }
}
