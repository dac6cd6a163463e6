//! What a gateway is to the log: it proposes entries, and applies each that is the next of its run.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use core_cluster::{Batch, Cluster, Error, LogHandle, Position, Reader};

use crate::server::PATIENCE;

/// How many entries of a node are under way at a time.
const UNDER_WAY: u64 = 8;

pub(crate) struct Node {
    pub(crate) run: u64,
    pub(crate) handle: LogHandle,
    state: Arc<(Mutex<State>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
pub(crate) struct State {
    /// All entries that were applied, in their order.
    pub(crate) applied: Vec<Bytes>,
    pub(crate) position: Position,
    /// The next number of each run.
    next: BTreeMap<u64, u64>,
    pub(crate) repeats: usize,
    pub(crate) void: usize,
    /// The last own entry that was applied: that much is acknowledged to the node's clients.
    pub(crate) own: u64,
    /// Proposes until it has proposed this many.
    until: u64,
    proposed: u64,
    pub(crate) end: Option<Error>,
}

impl Node {
    /// Follows the log from its beginning.
    pub(crate) async fn start(cluster: &Cluster, run: u64) -> Self {
        let log = cluster.open(Position(0), None).await.unwrap();
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let handle = log.handle.clone();
        let threads = vec![
            std::thread::spawn({
                let (state, handle) = (state.clone(), handle.clone());
                move || apply_all(run, log.reader, &handle, &state)
            }),
            std::thread::spawn({
                let (state, handle) = (state.clone(), handle.clone());
                move || propose_all(run, &handle, &state)
            }),
        ];
        Self { run, handle, state, threads }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    /// Proposes entries until their number is this.
    pub(crate) fn propose_until(&self, e: u64) {
        self.state().until = e;
        self.state.1.notify_all();
    }

    /// Waits for a state of the node.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        while !is_so(&state) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && state.end.is_none(),
                "node {} has not {what}: own {}, position {}, end {:?}, {:?}",
                self.run,
                state.own,
                state.position,
                state.end,
                self.handle.health()
            );
            state = self.state.1.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until this many more own entries are applied.
    #[track_caller]
    pub(crate) fn goes_on(&self, by: u64) {
        let from = self.state().own;
        self.wait_for("gone on", |state| state.own >= from + by);
    }

    /// Waits for the end of the log, and returns why.
    pub(crate) fn end(&self) -> Error {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(end) = &state.end {
                return end.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the log does not end: {:?}", self.handle.health());
            state = self.state.1.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.close();
        {
            // A test that fails may have left the lock poisoned.
            let mut state = self.state.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            state.until = 0;
            state.end.get_or_insert(Error::Closed);
        }
        self.state.1.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn apply_all(run: u64, mut reader: Reader, handle: &LogHandle, state: &(Mutex<State>, Condvar)) {
    loop {
        let batch = reader.next_batch();
        let mut locked = state.0.lock().unwrap();
        match batch {
            Ok(batch) => {
                let own = locked.apply(run, batch);
                handle.applied(locked.position, own);
            }
            Err(why) => {
                locked.end.get_or_insert(why);
            }
        }
        state.1.notify_all();
        if locked.end.is_some() {
            return;
        }
    }
}

fn propose_all(run: u64, handle: &LogHandle, state: &(Mutex<State>, Condvar)) {
    let mut e = 0;
    let mut locked = state.0.lock().unwrap();
    while locked.end.is_none() {
        if e < locked.until && e < locked.own + UNDER_WAY {
            e += 1;
            locked.proposed = e;
            handle.propose(e, entry(run, e)).unwrap();
        } else {
            locked = state.1.wait(locked).unwrap();
        }
    }
}

/// Numbers, and a text that differs.
pub(crate) fn entry(run: u64, e: u64) -> Bytes {
    format!("{run}:{e}:{}", "x".repeat((run * 31 + e * 7) as usize % 200)).into()
}

fn numbers(bytes: &[u8]) -> (u64, u64) {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut parts = text.split(':').map(|part| part.parse().ok());
    (parts.next().flatten().unwrap(), parts.next().flatten().unwrap())
}

impl State {
    fn apply(&mut self, run: u64, batch: Batch) -> Option<u64> {
        let mut last = self.position;
        let mut own = None;
        for found in batch.entries {
            assert!(found.position > last, "{} after {last}", found.position);
            assert!(found.at > 1_700_000_000_000, "{} is no time", found.at);
            last = found.position;
            if found.bytes.is_empty() {
                continue;
            }
            let (of, e) = numbers(&found.bytes);
            assert_eq!(found.bytes, entry(of, e), "a repeat has the same bytes");
            let next = self.next.entry(of).or_insert(1);
            if e < *next {
                self.repeats += 1;
            } else if e > *next {
                self.void += 1;
            } else {
                *next += 1;
                self.applied.push(found.bytes);
                if of == run {
                    own = Some(e);
                    self.own = e;
                }
            }
        }
        self.position = batch.position;
        own
    }
}

/// Both have applied the same, and all that either has acknowledged, once.
#[track_caller]
pub(crate) fn assert_agree(a: &Node, b: &Node) {
    for node in [a, b] {
        node.propose_until(0);
        node.wait_for("applied what it proposed", |state| state.own == state.proposed);
    }
    let position = a.state().position.max(b.state().position);
    for node in [a, b] {
        node.wait_for("read all", |state| state.position >= position);
    }
    let (a_state, b_state) = (a.state(), b.state());
    assert!(a_state.applied == b_state.applied, "two orders");
    for (run, acknowledged) in [(a.run, a_state.own), (b.run, b_state.own)] {
        let of_run = a_state.applied.iter().filter(|bytes| numbers(bytes).0 == run);
        let found: Vec<u64> = of_run.map(|bytes| numbers(bytes).1).collect();
        assert_eq!(found, (1..=acknowledged).collect::<Vec<_>>(), "of run {run}");
    }
}
