//! Logs, not too often, that a user could not join a room at sign-in.

use std::time::{Duration, Instant};

use core_model::{Outcome, Reply};

use crate::runtime::frontends::log_throttle::LogThrottle;

/// How long a room and reason, once logged, are not logged again.
const QUIET: Duration = Duration::from_secs(60);

/// Rooms and reasons that are remembered.
const KEYS_MAX: usize = 256;

pub(crate) struct AutoJoinLog(LogThrottle<(String, String)>);

impl Default for AutoJoinLog {
    fn default() -> Self {
        Self(LogThrottle::new(QUIET, KEYS_MAX))
    }
}

impl AutoJoinLog {
    /// Logs the failures in an answer, if it has any.
    pub(crate) fn note(&self, frontend: &str, outcome: &Outcome) {
        let (Ok(Reply::SignedIn { skipped, .. }) | Ok(Reply::Registered { skipped, .. })) = outcome
        else {
            return;
        };
        for failure in skipped {
            let room = &failure.room;
            let why = failure.why.to_string();
            if self.0.admit((room.clone(), why.clone()), Instant::now()) {
                tracing::warn!(frontend, room, why, "auto_join: a room could not be joined");
            } else {
                tracing::debug!(frontend, room, why, "auto_join: a room could not be joined");
            }
        }
    }
}
