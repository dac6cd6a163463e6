//! What the parts of an open log know of each other, and what the host sees of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::error::Error;
use crate::names::Position;
use crate::outstanding::Outstanding;

/// A node that has seen nothing of its own applied for this long takes no commands.
pub(crate) const CUT_OFF_AFTER: Duration = Duration::from_secs(2);
/// A node that has reached no server for this long lets its clients go elsewhere.
pub(crate) const GONE_AFTER: Duration = Duration::from_secs(10);

/// How things are with the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub link: Link,
    /// No own entry was seen applied for two seconds: what is submitted now may wait for long.
    pub is_cut_off: bool,
    /// Where the log is read to, and applied to, and the last entry that it is known to have.
    pub received: Position,
    pub applied: Position,
    pub last: Position,
    /// Own entries that were not seen applied yet.
    pub outstanding: usize,
    /// What is wrong, if it is known.
    pub problem: Option<Error>,
}

/// Whether the servers can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Up,
    /// A server answers, and nothing comes of it: the log has no leader. Connections stay.
    NoLeader,
    /// No server can be reached.
    Down,
    /// No server could be reached for ten seconds: clients do better elsewhere.
    Gone,
}

/// What the reader and the proposer have done since the log was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries and barriers that were handed to a server, each time.
    pub sent: u64,
    /// Those of them that were sent again.
    pub resent: u64,
    pub received: u64,
    /// Those of them that were asked for one by one, as no consumer was there.
    pub fetched: u64,
    /// How often the reader began anew: after a lost server, a missed heartbeat or a gap.
    pub subscriptions: u64,
    pub gaps: u64,
    /// Messages in the log that another program, or a node of another log, wrote.
    pub foreign: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) resent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) fetched: AtomicU64,
    pub(crate) subscriptions: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) foreign: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// How far this node has applied the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) position: u64,
    /// The last own entry that was applied.
    pub(crate) own: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) outstanding: Mutex<Outstanding>,
    /// Something was proposed or abandoned.
    pub(crate) proposed: Notify,
    pub(crate) applied: watch::Sender<Applied>,
    pub(crate) received: AtomicU64,
    /// The highest place of the log that a server has named.
    last: AtomicU64,
    pub(crate) counters: Counters,
    own_seen: Mutex<Option<Instant>>,
    /// Of each part.
    problems: Mutex<[Option<Error>; 2]>,
}

/// The two parts that can have a problem.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Reader,
    Proposer,
}

impl State {
    pub(crate) fn new(applied: Position) -> Self {
        Self {
            outstanding: Mutex::default(),
            proposed: Notify::new(),
            applied: watch::Sender::new(Applied { position: applied.0, own: None }),
            received: AtomicU64::new(applied.0),
            last: AtomicU64::new(applied.0),
            counters: Counters::default(),
            own_seen: Mutex::new(None),
            problems: Mutex::default(),
        }
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    pub(crate) fn note_last(&self, position: u64) {
        self.last.fetch_max(position, Ordering::AcqRel);
    }

    pub(crate) fn note_applied(&self, position: Position, own: Option<u64>) {
        let is_new = own.is_some_and(|own| Some(own) > self.applied.borrow().own);
        if is_new {
            *self.own_seen.lock() = Some(Instant::now());
        }
        self.applied.send_modify(|applied| {
            applied.position = applied.position.max(position.0);
            applied.own = applied.own.max(own);
        });
    }

    /// The next run counts its entries anew.
    pub(crate) fn forget_own(&self) {
        self.outstanding.lock().abandon();
        self.applied.send_modify(|applied| applied.own = None);
        self.proposed.notify_one();
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        self.own_seen.lock().is_none_or(|seen| seen.elapsed() > CUT_OFF_AFTER)
    }

    pub(crate) fn problem(&self) -> Option<Error> {
        self.problems.lock().iter().flatten().next().cloned()
    }

    /// Tells a new problem to the operator once.
    pub(crate) fn note_problem(&self, part: Part, problem: Option<Error>) {
        let mut problems = self.problems.lock();
        let known = &mut problems[part as usize];
        if *known == problem {
            return;
        }
        match &problem {
            Some(problem) => tracing::warn!(%problem, ?part, "the cluster's log"),
            None => tracing::info!(?part, "the cluster's log goes on"),
        }
        *known = problem;
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sent: of(&self.counters.sent),
            resent: of(&self.counters.resent),
            received: of(&self.counters.received),
            fetched: of(&self.counters.fetched),
            subscriptions: of(&self.counters.subscriptions),
            gaps: of(&self.counters.gaps),
            foreign: of(&self.counters.foreign),
        }
    }
}
