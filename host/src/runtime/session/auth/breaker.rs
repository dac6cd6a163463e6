//! Stops asking a server that fails.

use std::time::Duration;

/// Failures in a row after which a server is not asked.
const FAILURES_MAX: u32 = 5;

/// How long it is not asked then; after it one request tries.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    closed_again_at_ns: u64,
}

impl Breaker {
    /// Whether the server may be asked now. Each request for which this is true must be followed by
    /// [`note`](Self::note), or the next one waits for the pause.
    pub(super) fn admit(&mut self, now_ns: u64) -> bool {
        if self.failures < FAILURES_MAX {
            return true;
        }
        if now_ns < self.closed_again_at_ns {
            return false;
        }
        // Others wait until this one has its answer, or for another pause.
        self.closed_again_at_ns = now_ns + PAUSE.as_nanos() as u64;
        true
    }

    /// `has_answered`: also with what cannot be used, unless the status is that of a failing server.
    pub(super) fn note(&mut self, has_answered: bool, now_ns: u64) {
        if has_answered {
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
            self.closed_again_at_ns = now_ns + PAUSE.as_nanos() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE_NS: u64 = PAUSE.as_nanos() as u64;

    #[test]
    fn a_server_that_fails_is_left_alone_and_tried_by_one_request_at_a_time() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            assert!(breaker.admit(0));
            breaker.note(false, 0);
        }
        assert!(!breaker.admit(PAUSE_NS - 1));
        assert!(breaker.admit(PAUSE_NS), "one tries");
        assert!(!breaker.admit(PAUSE_NS), "and no other");
        breaker.note(false, PAUSE_NS + 1);
        assert!(!breaker.admit(2 * PAUSE_NS));
        assert!(breaker.admit(2 * PAUSE_NS + 1));
        breaker.note(true, 2 * PAUSE_NS + 2);
        assert!(breaker.admit(2 * PAUSE_NS + 2) && breaker.admit(2 * PAUSE_NS + 2));
    }

    #[test]
    fn an_answer_forgets_the_failures_before_it() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            (1..FAILURES_MAX).for_each(|_| breaker.note(false, 0));
            breaker.note(true, 0);
        }
        assert!(breaker.admit(0));
    }
}
