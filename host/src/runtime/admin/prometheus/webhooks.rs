//! The metrics of webhooks.

use std::sync::Arc;

use core_model::{MessageId, Timestamp};

use super::{head, sample};
use crate::runtime::webhooks::{Webhook, WebhookStats};
use crate::webhooks::FailureKind;

/// What the lags are counted from.
#[derive(Clone, Copy)]
pub(crate) struct Present {
    pub(crate) now: Timestamp,
    pub(crate) newest: MessageId,
}

/// One metric that every webhook has.
type Row = (&'static str, &'static str, &'static str, fn(&WebhookStats, Present) -> u64);

const ROWS: [Row; 6] = [
    ("webhook_delivered_total", "counter", "Events that the receiver has taken.", |of, _| {
        of.delivered.count()
    }),
    ("webhook_given_up_total", "counter", "Events that became dead letters.", |of, _| {
        of.given_up.count()
    }),
    ("webhook_dead_letters", "gauge", "Dead letters in the store.", |of, _| of.dead_letters()),
    ("webhook_gone", "gauge", "Whether the receiver has answered 410.", |of, _| {
        u64::from(of.is_gone())
    }),
    (
        "webhook_lag_messages",
        "gauge",
        "Messages posted after the last one that is done.",
        |of, at| of.lag(at.newest),
    ),
    ("webhook_lag_seconds", "gauge", "Age of the oldest event that waits.", |of, at| {
        of.oldest_ms().map_or(0, |oldest| at.now.0.saturating_sub(oldest) / 1_000)
    }),
];

pub(super) fn render(text: &mut String, webhooks: &[(String, Arc<Webhook>)], present: Present) {
    for (name, kind, help, value) in ROWS {
        head(text, name, kind, help);
        for (webhook, of) in webhooks {
            sample(text, name, &format!("webhook=\"{webhook}\""), value(&of.stats, present));
        }
    }
    let name = "webhook_failures_total";
    head(text, name, "counter", "Attempts to deliver an event that failed, by kind.");
    for (webhook, of) in webhooks {
        for (kind, word) in FailureKind::ALL {
            let labels = format!("webhook=\"{webhook}\",kind=\"{word}\"");
            sample(text, name, &labels, of.stats.failures(kind));
        }
    }
}
