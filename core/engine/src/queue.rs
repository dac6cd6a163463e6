//! What waits for the writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::envelope::Envelope;

/// Commands in one commit at most. More gain nothing (279,000 messages a second at 1,024) and
/// make those at the end wait.
const BATCH_MAX: usize = 1024;

/// How long the writer waits for as many commands as last time to come together, if the last
/// commit had several: a commit costs about a third of this, and grouping is what saves it.
const GATHER: Duration = Duration::from_millis(1);

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    /// How many may wait.
    max: usize,
}

struct State<T> {
    waiting: Vec<(Envelope, T)>,
    /// How many must wait for the writer to be woken.
    wanted: usize,
    stopping: bool,
    /// Why nothing is taken any more.
    failure: Option<String>,
}

/// Why a command is not taken.
pub(crate) enum Turned {
    /// Too many wait.
    Full,
    Stopping,
    Failed(String),
}

impl<T> Queue<T> {
    pub(crate) fn new(max: usize) -> Self {
        let state = State { waiting: Vec::new(), wanted: 1, stopping: false, failure: None };
        Self { state: Mutex::new(state), filled: Condvar::new(), max }
    }

    /// Adds a command, unless `bounded` and the queue is full.
    pub(crate) fn push(
        &self,
        envelope: Envelope,
        ticket: T,
        bounded: bool,
    ) -> Result<(), (T, Turned)> {
        let mut state = self.lock();
        if let Some(failure) = &state.failure {
            return Err((ticket, Turned::Failed(failure.clone())));
        }
        if state.stopping {
            return Err((ticket, Turned::Stopping));
        }
        if bounded && state.waiting.len() >= self.max {
            return Err((ticket, Turned::Full));
        }
        state.waiting.push((envelope, ticket));
        if state.waiting.len() >= state.wanted {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for the next batch. `last` is how many the last one had. None: stop.
    pub(crate) fn next_batch(&self, last: usize) -> Option<Vec<(Envelope, T)>> {
        let mut state = self.lock();
        state.wanted = 1;
        while state.waiting.is_empty() {
            if state.stopping {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if last > 1 {
            state = self.gather(state, last.min(BATCH_MAX));
        }
        if state.waiting.len() <= BATCH_MAX {
            return Some(std::mem::take(&mut state.waiting));
        }
        let rest = state.waiting.split_off(BATCH_MAX);
        Some(std::mem::replace(&mut state.waiting, rest))
    }

    fn gather<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<T>>,
        wanted: usize,
    ) -> MutexGuard<'a, State<T>> {
        let until = Instant::now() + GATHER;
        state.wanted = wanted;
        while state.waiting.len() < wanted && !state.stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.filled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Takes nothing more; what waits is still to be done.
    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.filled.notify_one();
    }

    /// Takes nothing more, because of this; gives back what waits.
    pub(crate) fn fail(&self, why: &str) -> Vec<(Envelope, T)> {
        let mut state = self.lock();
        state.failure = Some(why.to_owned());
        std::mem::take(&mut state.waiting)
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
