//! Says in the log, not too often, that somebody could not join a room on signing in.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use core_model::{Outcome, Reply};

use crate::runtime::bounds::{SKIPPED_MAX, SKIPPED_QUIET};
use crate::runtime::frontends::instance::Served;

/// When each room and reason was last spoken of.
#[derive(Default)]
pub(crate) struct SkippedLog {
    spoken: Mutex<HashMap<(String, String), Instant>>,
}

impl SkippedLog {
    /// Looks at an answer on its way to whoever asked.
    pub(crate) fn note(&self, served: &Served, outcome: &Outcome) {
        let (Ok(Reply::SignedIn { skipped, .. }) | Ok(Reply::Registered { skipped, .. })) = outcome
        else {
            return;
        };
        for skipped in skipped {
            let (frontend, room, why) = (&served.name, &skipped.room, skipped.why.to_string());
            if self.is_news(room, &why, Instant::now()) {
                tracing::warn!(frontend, room, why, "auto_join: a room could not be joined");
            } else {
                tracing::debug!(frontend, room, why, "auto_join: a room could not be joined");
            }
        }
    }

    fn is_news(&self, room: &str, why: &str, now: Instant) -> bool {
        let mut spoken = self.spoken.lock().expect("nothing panics while it holds the log");
        if spoken.len() >= SKIPPED_MAX {
            spoken.clear();
        }
        let last = spoken.entry((room.into(), why.into()));
        let mut news = false;
        let at = last.or_insert_with(|| {
            news = true;
            now
        });
        if now.duration_since(*at) >= SKIPPED_QUIET {
            (*at, news) = (now, true);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_and_a_reason_are_spoken_of_once_in_a_while() {
        let log = SkippedLog::default();
        let start = Instant::now();
        assert!(log.is_news("tea", "full", start));
        assert!(!log.is_news("tea", "full", start + SKIPPED_QUIET / 2));
        assert!(log.is_news("tea", "unknown", start));
        assert!(log.is_news("tea", "full", start + SKIPPED_QUIET));
        assert!(!log.is_news("tea", "full", start + SKIPPED_QUIET));
    }
}
