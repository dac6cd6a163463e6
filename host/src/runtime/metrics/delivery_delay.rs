//! How long messages take to the connections that get them.

use gateway_fanout::{DELAY, Histogram};

/// From when the gateway got a message until the task of a connection takes it up to be written, in
/// milliseconds: the clock of messages has no finer steps.
#[derive(Debug)]
pub(crate) struct DeliveryDelay(Histogram);

impl Default for DeliveryDelay {
    fn default() -> Self {
        Self(Histogram::new(&DELAY))
    }
}

impl DeliveryDelay {
    /// So many messages took so long.
    pub(crate) fn note(&self, delay_ms: u64, messages: u32) {
        self.0.observe_many(delay_ms, messages.into());
    }

    pub(crate) fn histogram(&self) -> &Histogram {
        &self.0
    }
}
