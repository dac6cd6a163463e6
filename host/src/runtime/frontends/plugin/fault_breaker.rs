//! Takes a front end down when its plugin commits too many faults.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Faults within [`FAULTS_WINDOW`] that cost only their sessions; one more takes the front end
/// down. Enough for a mistake met now and then, too few for a plugin that serves no one any more.
pub(crate) const FAULTS_MAX: usize = 30;

pub(crate) const FAULTS_WINDOW: Duration = Duration::from_secs(60);

/// The newest faults of one front end, at most one more than [`FAULTS_MAX`].
#[derive(Default)]
pub(crate) struct FaultBreaker(Mutex<VecDeque<Instant>>);

impl FaultBreaker {
    /// Counts a fault; true if there were too many.
    pub(crate) fn note(&self, now: Instant) -> bool {
        let mut newest = self.0.lock();
        newest.push_back(now);
        if newest.len() > FAULTS_MAX + 1 {
            newest.pop_front();
        }
        let is_recent = |first: &Instant| now.duration_since(*first) < FAULTS_WINDOW;
        newest.len() > FAULTS_MAX && newest.front().is_some_and(is_recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_too_many_only_within_the_window() {
        let breaker = FaultBreaker::default();
        let start = Instant::now();
        for _ in 0..FAULTS_MAX {
            assert!(!breaker.note(start));
        }
        let later = start + FAULTS_WINDOW;
        assert!(!breaker.note(later), "the first is forgotten by then");
        for _ in 1..FAULTS_MAX {
            assert!(!breaker.note(later));
        }
        assert!(breaker.note(later));
    }
}
