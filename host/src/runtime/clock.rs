//! The one clock. Front ends and the engine get the time from the host.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use core_model::Timestamp;

/// The longest step back of the system's clock that is waited out; the engine does the same.
const HOLD_MS: u64 = 5_000;

/// The time of day, and the time since the gateway started.
pub(crate) struct Clock {
    started: Instant,
    latest_ms: AtomicU64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), latest_ms: AtomicU64::new(0) }
    }

    /// The time of day. A step back of up to [`HOLD_MS`] is waited out, a longer one followed: a
    /// clock that was far ahead for a moment must not stop time for as long.
    pub(crate) fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let latest = self.latest_ms.load(Ordering::Relaxed);
        if ms <= latest && latest - ms <= HOLD_MS {
            return Timestamp(latest);
        }
        self.latest_ms.store(ms, Ordering::Relaxed);
        Timestamp(ms)
    }

    /// Milliseconds since the start, unaffected by changes of the system's clock.
    pub(crate) fn steady_ms(&self) -> u64 {
        self.steady_ns() / 1_000_000
    }

    /// Nanoseconds since the start, unaffected by changes of the system's clock.
    pub(crate) fn steady_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
