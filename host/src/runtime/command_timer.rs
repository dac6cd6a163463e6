//! Times commands on their way through the engine, on the writer's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use core_engine::Done;
use gateway_fanout::{FanoutMetrics, Ticket};

use crate::runtime::clock::Clock;
use crate::runtime::session::recent::BatchTimes;

pub(crate) struct CommandTimer {
    clock: Arc<Clock>,
    metrics: Arc<FanoutMetrics>,
    /// When the writer took the batch that it carries out. Only the writer's thread uses it.
    begun_ns: Arc<AtomicU64>,
}

impl CommandTimer {
    pub(crate) fn new(clock: Arc<Clock>, metrics: Arc<FanoutMetrics>) -> Self {
        Self { clock, metrics, begun_ns: Arc::default() }
    }

    /// To be called when the writer has taken a batch.
    pub(crate) fn begun(&self) -> impl FnMut() + Send + use<> {
        let (clock, begun_ns) = (self.clock.clone(), self.begun_ns.clone());
        move || begun_ns.store(clock.steady_ns(), Ordering::Relaxed)
    }

    /// When the batch was taken whose outcomes are known now.
    pub(crate) fn times(&self) -> BatchTimes {
        let begun_ns = self.begun_ns.load(Ordering::Relaxed);
        BatchTimes { begun_ns, committed_ns: self.clock.steady_ns() }
    }

    /// The outcomes of a batch, or of a part of it, are known.
    pub(crate) fn note_committed(&self, batch: &[Done<Ticket>]) {
        let begun_ns = self.begun_ns.load(Ordering::Relaxed);
        let mut timed = 0;
        for done in batch {
            if let Some(ns) = Ticket::submitted_of(&done.ticket).until(begun_ns) {
                self.metrics.queued.observe(ns);
                timed += 1;
            }
        }
        if timed > 0 {
            let ns = self.clock.steady_ns().saturating_sub(begun_ns);
            self.metrics.committed.observe_many(ns, timed);
        }
    }
}

#[cfg(test)]
mod tests {
    use core_model::Reply;
    use tokio::sync::oneshot;

    use super::*;

    fn done(ticket: Ticket) -> Done<Ticket> {
        Done::of(ticket, Ok(Reply::Done))
    }

    #[test]
    fn commands_that_no_client_waits_for_are_not_timed() {
        let metrics = Arc::<FanoutMetrics>::default();
        let clock = Arc::new(Clock::start());
        let timer = CommandTimer::new(clock.clone(), metrics.clone());
        let submitted = clock.steady_ns();
        let (sender, _answer) = oneshot::channel();
        timer.begun()();
        timer.note_committed(&[done(Ticket::Discard), done(Ticket::once(sender, None))]);
        assert_eq!((metrics.queued.count(), metrics.committed.count()), (0, 0));
        let (sender, _answer) = oneshot::channel();
        let waits = Ticket::once(sender, None).submitted_at(submitted.max(1));
        timer.note_committed(&[done(waits), done(Ticket::Discard)]);
        assert_eq!((metrics.queued.count(), metrics.committed.count()), (1, 1));
        let begun_ns = timer.begun_ns.load(Ordering::Relaxed);
        let waited = metrics.queued.sum() * 1e9;
        assert!((waited - (begun_ns - submitted.max(1)) as f64).abs() < 1.0, "{waited}");
    }
}
