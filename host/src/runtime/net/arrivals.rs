//! Connections that have not said enough yet to go on: they wait in one task, for all of a listener.
//!
//! Ten thousand clients may send a byte each within one tenth of a second. As tasks of their own they
//! would all run before the next event is delivered; here they take one turn of some dozens after
//! the other, like any task.

use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::task::yield_now;

/// Connections that go on, or end, before other tasks of the thread have their turn.
const DONE_PER_TURN: u32 = 8;

/// What a connection does until it can go on.
type Arrival = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a listener puts its connections.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals(mpsc::UnboundedSender<Arrival>);

impl Arrivals {
    /// The second is the task in which they wait. It ends when the first is gone, and nothing waits.
    pub(crate) fn new() -> (Self, impl Future<Output = ()> + Send) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), run(receiver))
    }

    pub(crate) fn put(&self, arrival: impl Future<Output = ()> + Send + 'static) {
        // The task lives as long as the sender.
        drop(self.0.send(Box::pin(arrival)));
    }
}

async fn run(mut arrivals: mpsc::UnboundedReceiver<Arrival>) {
    let mut waiting = FuturesUnordered::new();
    let mut done = 0;
    loop {
        tokio::select! {
            Some(arrival) = arrivals.recv() => waiting.push(arrival),
            Some(()) = waiting.next() => {
                done = (done + 1) % DONE_PER_TURN;
                if done == 0 {
                    yield_now().await;
                }
            }
            else => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn others_have_their_turn_while_many_go_on_at_once() {
        const MANY: usize = 1_000;
        let (arrivals, task) = Arrivals::new();
        let task = tokio::spawn(task);
        let (gate, done) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
        for _ in 0..MANY {
            let (gate, done) = (gate.clone(), done.clone());
            arrivals.put(async move {
                drop(gate.acquire().await);
                done.fetch_add(1, Relaxed);
            });
        }
        gate.add_permits(MANY);
        let (mut before, mut turns) = (0, 0);
        while before < MANY as u32 {
            yield_now().await;
            let now = done.load(Relaxed);
            // Those of a turn, and what tokio lets a task do before it has to yield.
            assert!(now - before <= 256, "{} in one turn", now - before);
            (before, turns) = (now, turns + 1);
        }
        assert!(turns >= 8, "{turns} turns");
        drop(arrivals);
        task.await.unwrap();
    }
}
