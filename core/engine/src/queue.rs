//! What waits for the writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::envelope::Envelope;

/// Commands in one commit at most. More gain nothing (279,000 messages a second at 1,024) and
/// make those at the end wait.
const BATCH_MAX: usize = 1024;

/// How long the writer waits at most for as many commands as it has come to expect: a commit
/// costs about a fifth of this, and grouping is what saves it.
const GATHER: Duration = Duration::from_millis(2);

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
    /// How many are expected to come together for the next batch.
    expected: usize,
    stopping: bool,
    /// Why nothing is taken any more.
    failure: Option<String>,
}

/// Why a command is not taken.
pub(crate) enum Rejected {
    /// Too many wait.
    Full,
    Stopping,
    Failed(String),
}

impl<T> Queue<T> {
    pub(crate) fn new(max: usize) -> Self {
        let state =
            State { waiting: Vec::new(), wanted: 1, expected: 1, stopping: false, failure: None };
        Self { state: Mutex::new(state), filled: Condvar::new(), max }
    }

    /// Adds a command, unless `bounded` and the queue is full.
    pub(crate) fn push(
        &self,
        envelope: Envelope,
        ticket: T,
        bounded: bool,
    ) -> Result<(), (T, Rejected)> {
        let mut state = self.lock();
        if let Some(failure) = &state.failure {
            return Err((ticket, Rejected::Failed(failure.clone())));
        }
        if state.stopping {
            return Err((ticket, Rejected::Stopping));
        }
        if bounded && state.waiting.len() >= self.max {
            return Err((ticket, Rejected::Full));
        }
        state.waiting.push((envelope, ticket));
        if state.waiting.len() >= state.wanted {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for the next batch. None: stop.
    pub(crate) fn next_batch(&self) -> Option<Vec<(Envelope, T)>> {
        let mut state = self.lock();
        state.wanted = 1;
        while state.waiting.is_empty() {
            if state.stopping {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state = self.gather(state);
        let count = state.waiting.len().min(BATCH_MAX);
        let rest = state.waiting.split_off(count);
        Some(std::mem::replace(&mut state.waiting, rest))
    }

    /// So many are about to be answered. They may all be back soon, beside those who came
    /// meanwhile. By that a lone caller is kept waiting for nobody, callers who wait for their
    /// answers come to be in one batch, and a stream of commands in one batch every [`GATHER`].
    pub(crate) fn answering(&self, count: usize) {
        let mut state = self.lock();
        state.expected = (count + state.waiting.len()).min(BATCH_MAX);
    }

    fn gather<'a>(&'a self, mut state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        let until = Instant::now() + GATHER;
        state.wanted = state.expected;
        while state.waiting.len() < state.wanted && !state.stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.filled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
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
