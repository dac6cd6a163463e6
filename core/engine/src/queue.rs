//! Commands that wait for the writer.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use core_model::Command;

use crate::envelope::Envelope;
use crate::heartbeat::Heartbeat;
use crate::log::{Log, Next};

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
    /// Counts what the writer does: each batch that it takes or has committed, each attempt to
    /// recover.
    beats: u64,
    /// Whether the writer waits for commands.
    is_idle: bool,
    /// Why commands are refused until the store is open again.
    failure: Option<String>,
    /// How often the store has failed, and why the last time.
    failures: u64,
    last_failure: Option<String>,
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
        let state = State {
            waiting: Vec::new(),
            wanted: 1,
            expected: 1,
            stopping: false,
            beats: 0,
            is_idle: false,
            failure: None,
            failures: 0,
            last_failure: None,
        };
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
        if let Some(failure) = &state.failure
            && !is_kept(&envelope.command)
        {
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

    /// Waits for the next batch. [`Next::Stop`]: the queue was stopped and is empty.
    pub(crate) fn next(&self) -> Next<T> {
        let mut state = self.lock();
        state.wanted = 1;
        state.beats += 1;
        while state.waiting.is_empty() && state.failure.is_none() {
            if state.stopping {
                return Next::Stop;
            }
            state.is_idle = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.is_idle = false;
        }
        if state.failure.is_some() {
            return if state.stopping { Next::Stop } else { Next::Recover };
        }
        state = self.gather(state);
        let count = state.waiting.len().min(BATCH_MAX);
        let rest = state.waiting.split_off(count);
        Next::Commands(std::mem::replace(&mut state.waiting, rest))
    }

    /// Tells the queue that `count` commands are about to be answered: their callers may soon
    /// submit again, beside those that wait already. A single caller therefore never waits for
    /// others, callers that wait for answers share a batch, and a steady stream of commands forms
    /// one batch every [`GATHER`].
    pub(crate) fn answering(&self, count: usize) {
        let mut state = self.lock();
        state.beats += 1;
        state.expected = (count + state.waiting.len()).min(BATCH_MAX);
    }

    /// The writer has done something that no caller waits for.
    pub(crate) fn beat(&self) {
        self.lock().beats += 1;
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
        self.filled.notify_all();
    }

    /// Refuses commands from now on, for this reason, and wakes the writer.
    pub(crate) fn fail(&self, why: &str) {
        let mut state = self.lock();
        if state.failure.is_none() {
            state.failures += 1;
            state.last_failure = Some(why.to_owned());
        }
        state.failure = Some(why.to_owned());
        self.filled.notify_all();
    }

    /// Puts those commands of a failed batch that must not be lost before all that wait, and returns
    /// the others.
    pub(crate) fn keep(&self, batch: Vec<(Envelope, T)>) -> Vec<(Envelope, T)> {
        let (kept, refused) =
            batch.into_iter().partition(|(envelope, _)| is_kept(&envelope.command));
        self.lock().waiting.splice(0..0, kept);
        refused
    }

    /// Takes the commands that wait, but for those that must not be lost.
    pub(crate) fn take_refused(&self) -> Vec<(Envelope, T)> {
        let mut state = self.lock();
        let waiting = std::mem::take(&mut state.waiting);
        let (kept, refused) =
            waiting.into_iter().partition(|(envelope, _)| is_kept(&envelope.command));
        state.waiting = kept;
        refused
    }

    /// Takes all commands that wait.
    pub(crate) fn take_all(&self) -> Vec<(Envelope, T)> {
        std::mem::take(&mut self.lock().waiting)
    }

    /// Accepts commands again.
    pub(crate) fn recover(&self) {
        self.lock().failure = None;
        self.filled.notify_all();
    }

    /// Waits before the next attempt to recover. Returns whether the queue was stopped.
    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let running = |state: &mut State<T>| !state.stopping;
        let mut state = self.lock();
        state.beats += 1;
        let paused = self.filled.wait_timeout_while(state, pause, running);
        paused.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    /// Waits until commands are accepted again.
    pub(crate) fn wait_for_recovery(&self) {
        let failed = |state: &mut State<T>| state.failure.is_some() && !state.stopping;
        drop(self.filled.wait_while(self.lock(), failed));
    }

    pub(crate) fn heartbeat(&self) -> Heartbeat {
        let state = self.lock();
        // A writer that waits although there is work was not woken.
        let has_work = !state.waiting.is_empty() || state.failure.is_some();
        Heartbeat { beats: state.beats, is_idle: state.is_idle && !has_work }
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    pub(crate) fn failures(&self) -> u64 {
        self.lock().failures
    }

    pub(crate) fn last_failure(&self) -> Option<String> {
        self.lock().last_failure.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The commands that are submitted to an engine whose store follows a log, for the gateway to write
/// to it.
pub struct Submitted<T>(pub(crate) Arc<Queue<T>>);

impl<T> Submitted<T> {
    /// Waits for commands, gathered as for a commit. None: the engine has stopped or failed.
    pub fn next(&self) -> Option<Vec<(Envelope, T)>> {
        match self.0.next() {
            Next::Commands(commands) => Some(commands),
            Next::Entries(_) | Next::Recover | Next::Stop => None,
        }
    }

    /// The gateway is there, and what it was given waits for the log.
    pub fn beat(&self) {
        self.0.beat();
    }
}

/// The log of a store of its own.
impl<T: Send> Log<T> for Arc<Queue<T>> {
    fn next(&mut self) -> Next<T> {
        Queue::next(self)
    }
}

/// Whether a command waits for the store to recover instead of being refused: a connection that
/// ended does not end again, nor does its peer acknowledge again, and carrying this out twice
/// changes nothing.
fn is_kept(command: &Command) -> bool {
    matches!(command, Command::Disconnect { .. } | Command::Acknowledge { .. })
}
