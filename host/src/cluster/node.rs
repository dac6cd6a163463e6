//! What a gateway of a cluster knows of itself: its run, and the entries of it that the log has not
//! shown it yet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use core_cluster::{Error, Health, Link, LogHandle, Position};
use core_engine::{Done, EntryBuilder, EntryId, Envelope, Equality, Fate};
use core_model::{Command, Refusal};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::standing::Standing;

/// Own entries that are under way at a time. More commands wait in the engine's queue meanwhile, so
/// that a slow log gets fewer and larger entries.
const UNDER_WAY_MAX: usize = 16;

/// How often a thread that waits looks whether it waits for nothing.
const LOOK_PERIOD: Duration = Duration::from_millis(100);

/// How long a gateway that ends waits for its last entries, unless its caller gives another time.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A gateway of a cluster. `T` is the ticket of a command.
pub struct Node<T> {
    /// What it is called in the cluster.
    name: String,
    handle: OnceLock<LogHandle>,
    /// Delivers refusals, as the engine delivers outcomes.
    publish: Box<dyn Fn(Vec<Done<T>>) + Send + Sync>,
    state: Mutex<State<T>>,
    changed: Condvar,
    counters: Counters,
    standing: Standing,
    /// Why the log cannot be followed any more.
    end: watch::Sender<Option<Arc<str>>>,
    /// The last own run that the log has ended.
    lost_run: watch::Sender<u64>,
}

struct State<T> {
    /// The own run; 0 for none.
    run: u64,
    /// What the last start has drawn.
    boot: u64,
    /// The number of the next entry of the run.
    next: u64,
    /// The number of the next proposal, whatever its run: the log's handle wants them without gaps.
    key: u64,
    /// What was proposed and is not applied, oldest first.
    under_way: VecDeque<Proposal<T>>,
    /// The last proposal that the batch in hand applies.
    applied: Option<u64>,
    /// What is to be delivered behind the answers of the batch in hand.
    behind: Vec<Done<T>>,
    /// Whether the batch in hand shows that the run has ended.
    is_lost: bool,
    /// Whether another gateway started under this name.
    namesake: bool,
    /// When the log was last seen to go on, and to tick.
    moved: Instant,
    ticked: Instant,
    /// Nothing waits longer: the gateway ends.
    until: Option<Instant>,
}

struct Proposal<T> {
    key: u64,
    id: EntryId,
    tickets: Vec<T>,
    /// Commands that no entry can have, which came after those of this one.
    refused: Vec<Done<T>>,
}

/// What became of the entries of the log, since the gateway started.
#[derive(Debug, Default)]
struct Counters {
    applied: AtomicU64,
    own: AtomicU64,
    repeated: AtomicU64,
    early: AtomicU64,
    ended: AtomicU64,
    ban_changes: AtomicU64,
}

/// The same at one time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EntryCounts {
    pub applied: u64,
    /// Those of `applied` that this gateway wrote.
    pub own: u64,
    pub repeated: u64,
    /// Whose predecessor was missing.
    pub early: u64,
    /// Of runs that had ended.
    pub ended: u64,
}

/// Commands for an entry, taken from those that wait.
pub(super) struct Filled<T> {
    pub(super) builder: EntryBuilder,
    pub(super) tickets: Vec<T>,
    pub(super) refused: Vec<Done<T>>,
}

impl<T> Node<T> {
    pub fn new(name: &str, publish: impl Fn(Vec<Done<T>>) + Send + Sync + 'static) -> Self {
        let now = Instant::now();
        let state = State {
            run: 0,
            boot: 0,
            next: 1,
            key: 0,
            under_way: VecDeque::new(),
            applied: None,
            behind: Vec::new(),
            is_lost: false,
            namesake: false,
            moved: now,
            ticked: now,
            until: None,
        };
        Self {
            name: name.to_owned(),
            handle: OnceLock::new(),
            publish: Box::new(publish),
            state: Mutex::new(state),
            changed: Condvar::new(),
            counters: Counters::default(),
            standing: Standing::new(),
            end: watch::Sender::default(),
            lost_run: watch::Sender::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The own run; 0 while there is none.
    pub fn run(&self) -> u64 {
        self.state.lock().run
    }

    /// Whether commands may wait for long: what was taken last is not in the log for two seconds.
    pub fn is_cut_off(&self) -> bool {
        self.handle.get().is_none_or(LogHandle::is_cut_off)
    }

    /// Whether no server could be reached for so long that clients do better elsewhere.
    pub fn is_gone(&self) -> bool {
        self.health().is_some_and(|health| health.link == Link::Gone)
    }

    /// What is wrong with the log, as far as it is known.
    pub fn problem(&self) -> Option<String> {
        self.health()?.problem.map(|problem| problem.to_string())
    }

    /// Where this gateway is in the log, and where the log ends. `None`: it is not open yet.
    pub fn positions(&self) -> Option<(u64, u64)> {
        let health = self.health()?;
        Some((health.applied.0, health.last.0.max(health.applied.0)))
    }

    fn health(&self) -> Option<Health> {
        self.handle.get().map(LogHandle::health)
    }

    /// Entries that were handed to a server again.
    pub fn resent(&self) -> u64 {
        self.handle.get().map_or(0, |handle| handle.counts().resent)
    }

    /// How the store stands among the others.
    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The version of the rules that is in force.
    pub fn rules(&self) -> u32 {
        self.standing.rules()
    }

    /// The position and the digest of the last checkpoint.
    pub fn checkpoint(&self) -> Option<(u64, u64)> {
        self.standing.checkpoint()
    }

    /// Whether the newest snapshot may be of a store that was found to differ since this was asked.
    pub fn take_doubt(&self) -> bool {
        self.standing.take_doubt()
    }

    /// Whether the stores of the cluster are equal.
    pub fn equality(&self) -> Equality {
        self.standing.equality()
    }

    pub fn counts(&self) -> EntryCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EntryCounts {
            applied: of(&self.counters.applied),
            own: of(&self.counters.own),
            repeated: of(&self.counters.repeated),
            early: of(&self.counters.early),
            ended: of(&self.counters.ended),
        }
    }

    /// How often bans were changed, by whatever gateway.
    pub fn ban_changes(&self) -> u64 {
        self.counters.ban_changes.load(Ordering::Acquire)
    }

    /// How long ago this gateway has applied something of the log.
    pub fn age(&self) -> Duration {
        self.state.lock().moved.elapsed()
    }

    /// How long ago the log had a tick.
    pub fn tick_age(&self) -> Duration {
        self.state.lock().ticked.elapsed()
    }

    /// Waits until all that any gateway had answered before this call is applied here.
    pub async fn fresh(&self) -> Result<(), Refusal> {
        let Some(handle) = self.handle.get() else { return Err(Refusal::Overloaded) };
        handle.fresh().await.map_err(|_| Refusal::Overloaded)
    }

    /// Waits until the log cannot be followed any more, and returns why.
    pub async fn ended(&self) -> Arc<str> {
        let mut end = self.end.subscribe();
        let why = end.wait_for(Option::is_some).await.map(|why| why.clone());
        why.ok().flatten().unwrap_or_default()
    }

    /// The last own run that the log has ended, to be watched.
    pub fn lost_runs(&self) -> watch::Receiver<u64> {
        self.lost_run.subscribe()
    }

    /// The log is open. To be called once, before all that proposes.
    pub(super) fn opened(&self, handle: LogHandle) {
        let mut state = self.state.lock();
        (state.moved, state.ticked) = (Instant::now(), Instant::now());
        drop(state);
        self.handle.set(handle).unwrap_or_else(|_| panic!("a log is opened once"));
    }

    /// Proposes the start of a run: `envelope` has the command.
    pub fn start(&self, envelope: &Envelope, ticket: T) {
        let Command::Start { boot, .. } = envelope.command else {
            unreachable!("a run begins with a start");
        };
        let mut filled = Filled::default();
        filled.builder.push(envelope).expect("a start is short and has no password");
        filled.tickets.push(ticket);
        let mut state = self.state.lock();
        state.boot = boot;
        let id = EntryId { run: 0, number: boot };
        if let Err(refused) = self.propose(&mut state, id, filled) {
            drop(state);
            self.deliver(refused);
        }
    }

    /// The own run is this one from now on.
    pub fn begin(&self, run: u64) {
        let mut state = self.state.lock();
        (state.run, state.next, state.namesake) = (run, 1, false);
        drop(state);
        self.changed.notify_all();
    }

    /// Writes an entry of the gateway itself. One without commands shows that it is there, and is left
    /// out while others are under way.
    pub fn beat(&self, commands: &[Envelope]) {
        let mut filled = Filled::default();
        for envelope in commands {
            filled.builder.push(envelope).expect("it is short and has no password");
        }
        let mut state = self.state.lock();
        let is_busy = state.under_way.len() >= UNDER_WAY_MAX
            || commands.is_empty() && !state.under_way.is_empty();
        if state.run != 0 && !is_busy && state.until.is_none() {
            // What is under way shows as well that the gateway is there.
            drop(self.propose_next(&mut state, filled));
        }
    }

    /// Nothing waits longer than this: the gateway ends.
    pub fn leave_within(&self, patience: Duration) {
        self.state.lock().until = Some(Instant::now() + patience);
        self.changed.notify_all();
    }

    /// Waits until an entry can be proposed, and returns the run. `None`: it will not be. Calls `beat` now
    /// and then.
    pub(super) fn wait_for_room(&self, beat: impl Fn()) -> Option<u64> {
        let mut state = self.state.lock();
        loop {
            if state.until.is_some_and(|until| until <= Instant::now()) || self.has_ended() {
                return None;
            }
            if state.run != 0 && !state.is_lost && state.under_way.len() < UNDER_WAY_MAX {
                return Some(state.run);
            }
            self.changed.wait_for(&mut state, LOOK_PERIOD);
            beat();
        }
    }

    /// Proposes the next entry of a run. `Err`: that run has ended, or too much waits; with what is to be
    /// delivered then, as nothing of it is done.
    pub(super) fn propose_of(&self, run: u64, filled: Filled<T>) -> Result<(), Vec<Done<T>>> {
        let mut state = self.state.lock();
        if state.run != run || state.is_lost {
            return Err(refusals(filled.tickets, filled.refused));
        }
        self.propose_next(&mut state, filled)
    }

    fn propose_next(&self, state: &mut State<T>, filled: Filled<T>) -> Result<(), Vec<Done<T>>> {
        let id = EntryId { run: state.run, number: state.next };
        self.propose(state, id, filled)?;
        state.next += 1;
        Ok(())
    }

    fn propose(
        &self,
        state: &mut State<T>,
        id: EntryId,
        filled: Filled<T>,
    ) -> Result<(), Vec<Done<T>>> {
        let Filled { mut builder, tickets, refused } = filled;
        let rules = self.standing.tell(&mut builder);
        let bytes = builder.finish(id, rules).into();
        let proposed = self.handle.get().map(|handle| handle.propose(state.key, bytes));
        if !matches!(proposed, Some(Ok(()))) {
            return Err(refusals(tickets, refused));
        }
        state.under_way.push_back(Proposal { key: state.key, id, tickets, refused });
        state.key += 1;
        Ok(())
    }

    /// Delivers refusals.
    pub(super) fn deliver(&self, done: Vec<Done<T>>) {
        if !done.is_empty() {
            (self.publish)(done);
        }
    }

    /// Whether the batch has to end behind this entry: something is to be delivered between its
    /// answers and those of the next.
    pub(super) fn ends_batch(&self, id: EntryId) -> bool {
        let state = self.state.lock();
        state.under_way.iter().any(|proposal| proposal.id == id && !proposal.refused.is_empty())
    }

    /// Another gateway may have started under this name.
    pub(super) fn note_start(&self, node: &str, boot: u64) {
        let mut state = self.state.lock();
        state.namesake |= node == self.name && state.run != 0 && boot != state.boot;
    }

    pub(super) fn note_tick(&self) {
        self.state.lock().ticked = Instant::now();
    }

    /// What became of an entry; returns the tickets of an own one that was applied.
    pub(super) fn settled(&self, id: EntryId, fate: Fate) -> Vec<T> {
        let counter = match fate {
            Fate::Applied => &self.counters.applied,
            Fate::Repeated => &self.counters.repeated,
            Fate::Early => &self.counters.early,
            Fate::Ended => &self.counters.ended,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.is_lost |= fate == Fate::Ended && id.run == state.run && id.run != 0;
        let is_own = state.under_way.front().is_some_and(|proposal| proposal.id == id);
        if fate != Fate::Applied || !is_own {
            return Vec::new();
        }
        let proposal = state.under_way.pop_front().expect("there is one");
        state.applied = Some(proposal.key);
        state.behind.extend(proposal.refused);
        self.counters.own.fetch_add(1, Ordering::Relaxed);
        proposal.tickets
    }

    /// The batch in hand, which may change bans, is committed and its outcomes delivered.
    pub(super) fn committed(&self, position: Position, changes_bans: bool) {
        self.counters.ban_changes.fetch_add(changes_bans.into(), Ordering::Release);
        let mut state = self.state.lock();
        state.moved = Instant::now();
        let handle = self.handle.get().expect("something of the log was read");
        handle.applied(position, state.applied.take());
        let mut done = std::mem::take(&mut state.behind);
        let lost = state.take_lost().map(|(run, refused)| {
            // Its entries are void for good, so that none of this was done.
            handle.abandon();
            done.extend(refused);
            run
        });
        let namesake = state.namesake;
        drop(state);
        self.changed.notify_all();
        self.deliver(done);
        if let Some(run) = lost {
            if namesake {
                return self.end(format!(
                    "another gateway of the cluster has started under the name {:?}, so this one ends; give each a cluster.node of its own",
                    self.name
                ));
            }
            self.lost_run.send_replace(run);
        }
    }

    /// Waits for what is under way, and closes the log.
    pub(super) fn finish(&self) {
        let Some(handle) = self.handle.get() else { return };
        let mut state = self.state.lock();
        let until = *state.until.get_or_insert_with(|| Instant::now() + LEAVE_TIMEOUT);
        while !state.under_way.is_empty() && Instant::now() < until && !self.has_ended() {
            self.changed.wait_for(&mut state, LOOK_PERIOD);
        }
        drop(state);
        handle.close();
    }

    /// The log cannot be followed any more.
    pub(super) fn end(&self, why: String) {
        self.end.send_replace(Some(why.into()));
        self.changed.notify_all();
    }

    /// The log has ended with an error of its own, or as it was closed.
    pub(super) fn end_with(&self, error: &Error) {
        if *error != Error::Closed {
            self.end(error.to_string());
        }
    }

    fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }
}

impl<T> State<T> {
    /// The run that the batch in hand has shown to be over, and the refusals of what was under way.
    fn take_lost(&mut self) -> Option<(u64, Vec<Done<T>>)> {
        if !std::mem::take(&mut self.is_lost) {
            return None;
        }
        let mut refused = Vec::new();
        for proposal in self.under_way.drain(..) {
            refused.extend(refusals(proposal.tickets, proposal.refused));
        }
        Some((std::mem::take(&mut self.run), refused))
    }
}

/// What is to be delivered of an entry that is not applied: nothing of it is done.
fn refusals<T>(tickets: Vec<T>, refused: Vec<Done<T>>) -> Vec<Done<T>> {
    let refuse = |ticket| Done::of(ticket, Err(Refusal::Overloaded));
    tickets.into_iter().map(refuse).chain(refused).collect()
}

impl<T> Default for Filled<T> {
    fn default() -> Self {
        Self { builder: EntryBuilder::default(), tickets: Vec::new(), refused: Vec::new() }
    }
}
