//! What operators see of a stream connection, and ending it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use core_model::Timestamp;
use frontend_api::Ending;
use gateway_fanout::ConnectionHandle;

/// An open stream connection.
#[derive(Clone)]
pub(crate) struct OpenStream {
    pub(crate) handle: Arc<ConnectionHandle>,
    pub(crate) activity: Arc<StreamActivity>,
}

impl OpenStream {
    /// Has the connection closed by an operator, after what waits for it.
    pub(crate) fn close(&self) {
        self.handle.mailbox.end(Ending::Removed);
    }
}

/// What has come and gone on a stream connection. Its task counts, others read.
#[derive(Debug)]
pub(crate) struct StreamActivity {
    /// The address that its requests count for.
    pub(crate) address: IpAddr,
    pub(crate) opened: Timestamp,
    received: AtomicU64,
    sent_bytes: AtomicU64,
    /// When the peer last sent anything, ms.
    heard_ms: AtomicU64,
}

impl StreamActivity {
    pub(crate) fn new(address: IpAddr, opened: Timestamp) -> Self {
        let heard_ms = opened.0.into();
        Self { address, opened, received: 0.into(), sent_bytes: 0.into(), heard_ms }
    }

    pub(crate) fn note_received(&self, now: Timestamp) {
        // Only the connection's task writes.
        let received = self.received.load(Ordering::Relaxed);
        self.received.store(received + 1, Ordering::Relaxed);
        self.heard_ms.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn note_sent(&self, bytes: u64) {
        self.sent_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn heard_ms(&self) -> u64 {
        self.heard_ms.load(Ordering::Relaxed)
    }
}
