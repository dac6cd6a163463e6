//! How far a long command is, on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Lines a second that a person can follow.
const PERIOD: Duration = Duration::from_millis(200);

pub(super) struct Progress {
    what: &'static str,
    total_bytes: u64,
    begun: Instant,
    shown: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    pub(super) fn begin(what: &'static str, total_bytes: u64) -> Self {
        let is_shown = std::io::stderr().is_terminal();
        Self { what, total_bytes, begun: Instant::now(), shown: None, is_shown }
    }

    pub(super) fn update(&mut self, bytes: u64, records: u64) {
        if !self.is_shown || self.shown.is_some_and(|shown| shown.elapsed() < PERIOD) {
            return;
        }
        self.shown = Some(Instant::now());
        let line = bar(self.what, (bytes, self.total_bytes), records, self.begun.elapsed());
        drop(write!(std::io::stderr(), "\r{line}\x1b[K"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

const BAR_CHARS: u64 = 30;

fn bar(what: &str, (bytes, total): (u64, u64), records: u64, elapsed: Duration) -> String {
    let total = total.max(bytes).max(1);
    let done = usize::try_from(bytes * BAR_CHARS / total).unwrap_or(0);
    let left = BAR_CHARS as usize - done;
    let rate = records as f64 / elapsed.as_secs_f64().max(0.001);
    let percent = bytes * 100 / total;
    let (done, left) = ("#".repeat(done), " ".repeat(left));
    format!("{what} [{done}{left}] {percent}%, {records} records, {rate:.0}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_what_is_done() {
        let second = Duration::from_secs(1);
        let half = bar("importing", (50, 100), 1_000, second);
        assert_eq!(half, "importing [###############               ] 50%, 1000 records, 1000/s");
        assert!(bar("importing", (7, 0), 0, second).contains("100%"));
        assert!(bar("importing", (0, 0), 0, Duration::ZERO).contains("[ "));
    }
}
