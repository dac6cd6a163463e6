//! The one clock. Front ends and the engine are told the time; only the host asks for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use core_model::Timestamp;

/// The time of day, which never goes backwards, and the time since the gateway started.
pub(crate) struct Clock {
    started: Instant,
    latest_ms: AtomicU64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), latest_ms: AtomicU64::new(0) }
    }

    /// The time of day. When the system's clock is set back, it stands still until that has
    /// caught up.
    pub(crate) fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let latest = self.latest_ms.load(Ordering::Relaxed);
        if ms <= latest {
            return Timestamp(latest);
        }
        Timestamp(ms.max(self.latest_ms.fetch_max(ms, Ordering::Relaxed)))
    }

    /// Nanoseconds since the start, steady whatever is done to the system's clock.
    pub(crate) fn steady_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
