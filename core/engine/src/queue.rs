//! Commands that wait for the writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::envelope::Envelope;

/// The most commands in one commit. More gain nothing (279,000 messages a second at 1,024) and
/// delay the last of them.
const BATCH_MAX: usize = 1024;

/// The longest the writer waits for the expected number of commands. A commit costs about a fifth
/// of this.
const GATHER: Duration = Duration::from_millis(2);

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    /// The most commands that may wait.
    max: usize,
}

struct State<T> {
    waiting: Vec<(Envelope, T)>,
    /// The writer is woken when this many commands wait.
    wanted: usize,
    /// The number of commands expected for the next batch.
    expected: usize,
    stopping: bool,
    /// Why no more commands are accepted.
    failure: Option<String>,
}

/// Why a command was not accepted.
pub(crate) enum Rejected {
    /// Too many commands wait.
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

    /// Waits for the next batch. None: the queue was stopped and is empty.
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

    /// Tells the queue that `count` commands are about to be answered: their callers may soon
    /// submit again, beside those that wait already. A single caller therefore never waits for
    /// others, callers that wait for answers share a batch, and a steady stream of commands forms
    /// one batch every [`GATHER`].
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

    /// The number of commands that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Accepts no more commands; those that wait are still carried out.
    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.filled.notify_one();
    }

    /// Accepts no more commands, for this reason, and returns those that wait.
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
