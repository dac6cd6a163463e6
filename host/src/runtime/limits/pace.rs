//! The pace of backups.

use std::io;
use std::time::{Duration, Instant};

/// Bytes of the store that a backup reads in a second at most, so that posts are not held up by
/// the disk.
const BYTES_PER_S: u32 = 32 << 20;

/// The longest time without a look whether the gateway is shutting down.
const LOOK_PERIOD: Duration = Duration::from_millis(50);

/// Keeps a backup from taking more than [`BYTES_PER_S`], and from holding up the end of the gateway.
pub(crate) struct Pace<F> {
    begun: Instant,
    bytes: u64,
    is_ending: F,
}

impl<F: Fn() -> bool> Pace<F> {
    pub(crate) fn begin(is_ending: F) -> Self {
        Self { begun: Instant::now(), bytes: 0, is_ending }
    }

    /// Blocks until the bytes may be read. Fails when the gateway is shutting down.
    pub(crate) fn spend(&mut self, bytes: usize) -> io::Result<()> {
        let due = Duration::from_secs_f64(self.bytes as f64 / f64::from(BYTES_PER_S));
        self.bytes += bytes as u64;
        loop {
            if (self.is_ending)() {
                return Err(io::Error::other("the gateway is shutting down"));
            }
            let left = due.saturating_sub(self.begun.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK_PERIOD));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_ends_with_the_gateway() {
        let mut pace = Pace::begin(|| false);
        assert!(pace.spend(1 << 30).is_ok());
        let mut pace = Pace { begun: pace.begun, bytes: 1 << 40, is_ending: || true };
        assert_eq!(pace.spend(1).unwrap_err().to_string(), "the gateway is shutting down");
    }
}
