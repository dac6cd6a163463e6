//! Sends the dead letters of a webhook again, oldest first, until one is not taken.

use std::sync::Arc;

use core_engine::DeadLetterView;
use core_model::{Command, EventPosition, WebhookProgress};

use super::shared::{Ending, Shared};
use crate::webhooks::{body_of, post};

/// Dead letters that are read at once.
const PAGE: usize = 16;

pub(super) struct Replay {
    pub(super) shared: Arc<Shared>,
    pub(super) ending: Ending,
}

impl Replay {
    /// Returns how many were delivered, if that were all.
    pub(super) async fn run(self) -> Option<u64> {
        let webhook = &self.shared.webhook.name;
        let mut delivered = 0_u64;
        let mut after = EventPosition::default();
        loop {
            let letters = self.shared.services.engine.dead_letters(webhook, after, PAGE);
            let letters = match letters {
                Ok(letters) => letters,
                Err(why) => {
                    tracing::warn!(
                        webhook,
                        delivered,
                        "the replay of dead letters ended: they cannot be read: {why}"
                    );
                    return None;
                }
            };
            let Some(last) = letters.last() else { break };
            after = last.position;
            for letter in letters {
                let stopping = &self.shared.services.stopping;
                let sent = tokio::select! {
                    biased;
                    () = self.ending.drain.cancelled() => return None,
                    () = self.ending.abort.cancelled() => return None,
                    () = stopping.cancelled() => return None,
                    sent = self.send(&letter) => sent,
                };
                if let Err(why) = sent {
                    tracing::warn!(webhook, delivered, "the replay of dead letters ended: {why}");
                    return None;
                }
                delivered += 1;
                if !self.settle(letter.position).await {
                    return None;
                }
            }
        }
        Some(delivered)
    }

    /// A letter whose message retention has removed counts as sent: there is nothing to send.
    async fn send(&self, letter: &DeadLetterView) -> Result<(), String> {
        let Shared { webhook, client, services, stats } = &*self.shared;
        let now = services.clock.now();
        let event = letter.event.as_ref().and_then(|event| body_of(event, letter.at));
        let Some(body) = event else { return Ok(()) };
        let failure = match post(client, webhook, &body, now).await {
            Ok(received) => received.failure(now),
            Err(failure) => Some(failure),
        };
        match failure {
            None => {
                stats.note_delivered();
                Ok(())
            }
            Some(failure) => {
                stats.note_failure(failure.kind, &failure.why);
                Err(failure.why)
            }
        }
    }

    /// False: the store does not answer.
    async fn settle(&self, position: EventPosition) -> bool {
        let webhook = self.shared.webhook.name.clone();
        let progress = WebhookProgress { settled: vec![position], ..WebhookProgress::default() };
        let command = Command::AdvanceWebhook { webhook, progress };
        let settled = self.shared.services.submit_internal(command).await.is_ok();
        self.shared.show_dead_letters();
        settled
    }
}
