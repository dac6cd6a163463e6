//! Keeps one kind of log line from filling the log.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// When each key was last logged.
#[derive(Debug)]
pub(crate) struct LogThrottle<K> {
    quiet: Duration,
    keys_max: usize,
    logged: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> LogThrottle<K> {
    /// Lets each key through once per `quiet`, and remembers `keys_max` keys.
    pub(crate) fn new(quiet: Duration, keys_max: usize) -> Self {
        Self { quiet, keys_max, logged: Mutex::default() }
    }

    /// Whether a line with this key should be logged now.
    pub(crate) fn admit(&self, key: K, now: Instant) -> bool {
        let mut logged = self.logged.lock();
        if logged.get(&key).is_some_and(|last| now.duration_since(*last) < self.quiet) {
            return false;
        }
        if logged.len() >= self.keys_max {
            logged.clear();
        }
        logged.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_admitted_once_per_quiet_period() {
        let quiet = Duration::from_secs(60);
        let throttle = LogThrottle::new(quiet, 10);
        let start = Instant::now();
        assert!(throttle.admit(("tea", "full"), start));
        assert!(!throttle.admit(("tea", "full"), start + quiet / 2));
        assert!(throttle.admit(("tea", "unknown"), start));
        assert!(throttle.admit(("tea", "full"), start + quiet));
        assert!(!throttle.admit(("tea", "full"), start + quiet));
    }

    #[test]
    fn remembered_keys_are_bounded() {
        let throttle = LogThrottle::new(Duration::from_secs(60), 2);
        let start = Instant::now();
        for key in 0..100 {
            assert!(throttle.admit(key, start));
            assert!(throttle.logged.lock().len() <= 2);
        }
    }
}
