//! The pace of backups.

use std::time::{Duration, Instant};

/// Bytes of the store that a backup reads in a second at most, so that posts are not held up by
/// the disk and a core. On two cores it then takes a tenth of one.
const BYTES_PER_S: u32 = 32 << 20;

/// Keeps a backup from taking more than [`BYTES_PER_S`].
pub(crate) struct Pace {
    begun: Instant,
    bytes: u64,
}

impl Pace {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), bytes: 0 }
    }

    /// Blocks until the bytes may be read.
    pub(crate) fn spend(&mut self, bytes: usize) {
        let due = Duration::from_secs_f64(self.bytes as f64 / f64::from(BYTES_PER_S));
        self.bytes += bytes as u64;
        std::thread::sleep(due.saturating_sub(self.begun.elapsed()));
    }
}
