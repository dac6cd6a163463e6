//! Shutdown in two steps, of the gateway or of one listener.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown {
    /// Accept nothing new; answer what was asked.
    draining: Step,
    /// Drop what is left.
    stopping: Step,
}

impl Shutdown {
    /// One whose second step is this token.
    pub(crate) fn new(stopping: CancellationToken) -> Self {
        let stopping = Step { token: stopping, ..Step::default() };
        Self { draining: Step::default(), stopping }
    }

    /// A shutdown of its own that also follows this one.
    pub(crate) fn child(&self) -> Self {
        Self { draining: self.draining.child(), stopping: self.stopping.child() }
    }

    /// Like [`child`](Self::child), but begins to drain only when this one stops.
    pub(crate) fn late_child(&self) -> Self {
        Self { draining: self.stopping.child(), stopping: self.stopping.child() }
    }

    pub(crate) fn drain(&self) {
        self.draining.begin();
    }

    pub(crate) fn stop(&self) {
        self.draining.begin();
        self.stopping.begin();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.has_begun()
    }

    /// Waits until it drains or stops.
    pub(crate) async fn draining(&self) {
        self.draining.begun().await;
    }

    /// Waits until it stops.
    pub(crate) async fn stopping(&self) {
        self.stopping.begun().await;
    }
}

/// A step, as flags beside a token. Each request looks at it, and each wake-up of a connection polls
/// it: a look at the token takes a lock that all connections share.
#[derive(Clone, Debug, Default)]
struct Step {
    /// Wakes those that wait. It is cancelled after `own` was set.
    token: CancellationToken,
    own: Arc<AtomicBool>,
    /// Those that it follows.
    others: Arc<[Arc<AtomicBool>]>,
}

impl Step {
    fn child(&self) -> Self {
        let others = self.others.iter().chain([&self.own]).cloned().collect();
        Self { token: self.token.child_token(), own: Arc::default(), others }
    }

    fn begin(&self) {
        self.own.store(true, Ordering::Release);
        self.token.cancel();
    }

    fn has_begun(&self) -> bool {
        self.others.iter().chain([&self.own]).any(|flag| flag.load(Ordering::Acquire))
    }

    async fn begun(&self) {
        let mut cancelled = pin!(self.token.cancelled());
        // The waker that the token has.
        let mut registered = None;
        poll_fn(|cx| {
            if self.has_begun() {
                return Poll::Ready(());
            }
            if registered.as_ref().is_some_and(|waker| cx.waker().will_wake(waker)) {
                return Poll::Pending;
            }
            registered = Some(cx.waker().clone());
            cancelled.as_mut().poll(cx)
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_follows_its_parents_and_not_the_reverse() {
        let root = Shutdown::default();
        let (child, late) = (root.child(), root.late_child());
        let grandchild = child.child();
        child.drain();
        assert!(child.is_draining() && grandchild.is_draining());
        assert!(!root.is_draining() && !late.is_draining());
        grandchild.draining().await;
        root.drain();
        assert!(!late.is_draining());
        root.stop();
        late.draining().await;
        grandchild.stopping().await;
        assert!(root.child().is_draining());
    }

    #[tokio::test]
    async fn a_task_that_has_polled_before_is_woken() {
        let root = Shutdown::default();
        let child = root.child();
        let (sender, mut polled) = tokio::sync::mpsc::unbounded_channel();
        let waiting = tokio::spawn(async move {
            let mut draining = pin!(child.draining());
            poll_fn(|cx| {
                let poll = draining.as_mut().poll(cx);
                sender.send(poll.is_ready()).unwrap();
                poll
            })
            .await;
        });
        assert_eq!(polled.recv().await, Some(false));
        root.drain();
        let limit = std::time::Duration::from_secs(10);
        tokio::time::timeout(limit, waiting).await.expect("it is woken").unwrap();
        assert_eq!(polled.recv().await, Some(true));
    }
}
