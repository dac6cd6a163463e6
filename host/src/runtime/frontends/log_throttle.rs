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
    /// Lets each key through once per `quiet`, and at most `keys_max` keys within it: clients choose
    /// some of them.
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
            logged.retain(|_, last| now.duration_since(*last) < self.quiet);
            if logged.len() >= self.keys_max {
                return false;
            }
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
    fn many_keys_are_admitted_no_more_often_than_few() {
        let quiet = Duration::from_secs(60);
        let throttle = LogThrottle::new(quiet, 2);
        let start = Instant::now();
        let admitted = |keys: std::ops::Range<u32>, at| {
            keys.filter(|key| throttle.admit(*key, at)).collect::<Vec<_>>()
        };
        assert_eq!(admitted(0..100, start), [0, 1]);
        assert_eq!(admitted(0..100, start + quiet / 2), [0; 0]);
        assert_eq!(admitted(50..100, start + quiet), [50, 51]);
        assert_eq!(throttle.logged.lock().len(), 2);
    }
}
