//! What the fan-out counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::counter::Counter;
use crate::flow::Flow;
use crate::histogram::{BATCH, Histogram, LATENCY};

/// What became of commands, from the queue to the mailboxes.
#[derive(Debug)]
pub struct FanoutMetrics {
    /// Batches that became durable.
    pub commits: Counter,
    /// Commands in them, refused ones included.
    pub commands: Counter,
    pub events: Counter,
    /// Commands of each batch.
    pub batch: Histogram,
    /// Of each command that a client waits for, the time until the writer takes it from the queue.
    pub queued: Histogram,
    /// The same, from there until it is durable.
    pub committed: Histogram,
    /// Of each command, the time from there until its answer and its events are in the mailboxes,
    /// and their connections woken.
    pub delivered: Histogram,
    /// Messages by front end, from and to.
    pub flow: Flow,
    rooms_in_use: AtomicUsize,
}

impl FanoutMetrics {
    /// The rooms that a stream connection is subscribed to.
    pub fn rooms_in_use(&self) -> usize {
        self.rooms_in_use.load(Ordering::Relaxed)
    }

    pub(crate) fn set_rooms_in_use(&self, rooms: usize) {
        self.rooms_in_use.store(rooms, Ordering::Relaxed);
    }
}

impl Default for FanoutMetrics {
    fn default() -> Self {
        Self {
            commits: Counter::default(),
            commands: Counter::default(),
            events: Counter::default(),
            batch: Histogram::new(&BATCH),
            queued: Histogram::new(&LATENCY),
            committed: Histogram::new(&LATENCY),
            delivered: Histogram::new(&LATENCY),
            flow: Flow::default(),
            rooms_in_use: AtomicUsize::new(0),
        }
    }
}
