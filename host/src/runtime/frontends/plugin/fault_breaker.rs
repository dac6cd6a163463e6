//! What goes wrong in a front end that was loaded: how often, and whether it is news.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

use crate::runtime::bounds::{PLUGIN_FAULTS_MAX, PLUGIN_FAULTS_WINDOW, PLUGIN_QUIET};

/// What kind of trouble it is, for those who count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Panicked,
    Malformed,
    /// A request that was left without a response.
    Silent,
}

impl Kind {
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Panicked, "panicked"), (Self::Malformed, "malformed"), (Self::Silent, "silent")];
}

/// What is remembered of a front end's faults.
#[derive(Default)]
pub(crate) struct Trouble(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// The newest faults, at most one more than are borne.
    newest: VecDeque<Instant>,
    /// When each kind of fault, in each function, was last spoken of.
    spoken: Vec<(Kind, &'static str, Instant)>,
}

/// What to do about a fault.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Verdict {
    /// Whether it should be spoken of.
    pub(crate) news: bool,
    /// Whether there were too many.
    pub(crate) enough: bool,
}

impl Trouble {
    /// Takes note of a fault in a function of the plugin.
    pub(crate) fn note(&self, kind: Kind, function: &'static str, now: Instant) -> Verdict {
        let mut remembered = self.0.lock().expect("nothing panics while it holds the faults");
        Verdict { news: remembered.is_news(kind, function, now), enough: remembered.is_enough(now) }
    }
}

impl Remembered {
    fn is_news(&mut self, kind: Kind, function: &'static str, now: Instant) -> bool {
        let known = self.spoken.iter_mut().find(|(of, at, _)| (*of, *at) == (kind, function));
        match known {
            Some((.., spoken)) if now.duration_since(*spoken) < PLUGIN_QUIET => return false,
            Some((.., spoken)) => *spoken = now,
            None => self.spoken.push((kind, function, now)),
        }
        true
    }

    fn is_enough(&mut self, now: Instant) -> bool {
        self.newest.push_back(now);
        if self.newest.len() > PLUGIN_FAULTS_MAX + 1 {
            self.newest.pop_front();
        }
        let within = |first: &Instant| now.duration_since(*first) < PLUGIN_FAULTS_WINDOW;
        self.newest.len() > PLUGIN_FAULTS_MAX && self.newest.front().is_some_and(within)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fault_is_spoken_of_once_in_a_while_and_each_kind_by_itself() {
        let (trouble, start) = (Trouble::default(), Instant::now());
        let news = |kind, function, after| trouble.note(kind, function, start + after).news;
        assert!(news(Kind::Panicked, "session_handle", Duration::ZERO));
        assert!(!news(Kind::Panicked, "session_handle", PLUGIN_QUIET / 2));
        assert!(news(Kind::Malformed, "session_handle", PLUGIN_QUIET / 2));
        assert!(news(Kind::Panicked, "session_open", PLUGIN_QUIET / 2));
        assert!(news(Kind::Panicked, "session_handle", PLUGIN_QUIET));
        assert!(!news(Kind::Panicked, "session_handle", PLUGIN_QUIET));
    }

    #[test]
    fn too_many_faults_are_too_many_only_within_their_time() {
        let (trouble, start) = (Trouble::default(), Instant::now());
        let enough = |after| trouble.note(Kind::Panicked, "session_handle", start + after).enough;
        for _ in 0..PLUGIN_FAULTS_MAX {
            assert!(!enough(Duration::ZERO));
        }
        assert!(!enough(PLUGIN_FAULTS_WINDOW), "the first is forgotten by then");
        for _ in 1..PLUGIN_FAULTS_MAX {
            assert!(!enough(PLUGIN_FAULTS_WINDOW));
        }
        assert!(enough(PLUGIN_FAULTS_WINDOW));
    }
}
