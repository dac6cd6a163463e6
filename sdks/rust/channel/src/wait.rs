//! Chance, and waits that depend on it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Each RandomState has other keys: as good as a random number.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Between half and all of it, so that clients which lost the same gateway do not come back at once.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let share = f64::from(u32::try_from(random() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + share / 2.0)
}
