//! Shutdown in two steps, of the gateway or of one listener.

use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown {
    /// Accept nothing new; answer what was asked.
    draining: CancellationToken,
    /// Drop what is left.
    stopping: CancellationToken,
}

impl Shutdown {
    /// One whose second step is this token.
    pub(crate) fn new(stopping: CancellationToken) -> Self {
        Self { draining: CancellationToken::new(), stopping }
    }

    /// A shutdown of its own that also follows this one.
    pub(crate) fn child(&self) -> Self {
        Self { draining: self.draining.child_token(), stopping: self.stopping.child_token() }
    }

    /// Like [`child`](Self::child), but begins to drain only when this one stops.
    pub(crate) fn late_child(&self) -> Self {
        Self { draining: self.stopping.child_token(), stopping: self.stopping.child_token() }
    }

    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }

    pub(crate) fn stop(&self) {
        self.draining.cancel();
        self.stopping.cancel();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until it drains or stops.
    pub(crate) async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Waits until it stops.
    pub(crate) async fn stopping(&self) {
        self.stopping.cancelled().await;
    }
}
