//! What is counted of a webhook, from the start of the gateway on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use core_engine::WebhookState;
use core_model::MessageId;
use parking_lot::Mutex;

use crate::runtime::metrics::Counter;
use crate::webhooks::FailureKind;

#[derive(Debug, Default)]
pub(crate) struct WebhookStats {
    pub(crate) delivered: Counter,
    pub(crate) given_up: Counter,
    failures: [Counter; FailureKind::ALL.len()],
    /// Dead letters in the store.
    pub(super) dead_letters: AtomicU64,
    /// The newest message up to which everything is delivered or given up.
    pub(super) done_up_to: AtomicU64,
    /// When the oldest event that waits happened, ms since 1970; 0 for none.
    pub(super) oldest_ms: AtomicU64,
    pub(super) is_gone: AtomicBool,
    pub(super) is_failing: AtomicBool,
    last_failure: Mutex<Option<String>>,
}

impl WebhookStats {
    /// Takes over what the store knows.
    pub(super) fn show(&self, state: &WebhookState) {
        self.done_up_to.store(state.position.message.0, Ordering::Relaxed);
        self.dead_letters.store(state.dead_letters.into(), Ordering::Relaxed);
        self.is_gone.store(state.gone_since.is_some(), Ordering::Relaxed);
    }

    pub(super) fn note_failure(&self, kind: FailureKind, why: &str) {
        self.failures[kind as usize].add(1);
        *self.last_failure.lock() = Some(why.to_owned());
    }

    pub(super) fn note_delivered(&self) {
        self.delivered.add(1);
        self.last_failure.lock().take();
    }

    pub(crate) fn failures(&self, kind: FailureKind) -> u64 {
        self.failures[kind as usize].count()
    }

    pub(super) fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().clone()
    }

    pub(crate) fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }

    /// Messages after the last one that is done, up to the newest of the store.
    pub(crate) fn lag(&self, newest: MessageId) -> u64 {
        newest.0.saturating_sub(self.done_up_to.load(Ordering::Relaxed))
    }

    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        Some(self.oldest_ms.load(Ordering::Relaxed)).filter(|oldest| *oldest > 0)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }
}
