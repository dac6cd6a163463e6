//! One node: an engine that follows the log, and loses power.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};

use core_engine::{
    Done, Engine, Entries, EntryId, Envelope, Fate, Followed, Log, Next, Options, Progress, RULES,
    follow_log_backend,
};

use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};

use super::generate_log::{Rng, SharedLog, Written, changed_rule};
use super::{Dump, Effect, Effects, Ticket};
use crate::memory::Memory;

const LOG: u64 = 7;

/// The bytes of a new store, which follows the log or none.
pub(super) fn prepared(follows: bool) -> Vec<u8> {
    static STORES: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    let prepare = || {
        let memory = Memory::default();
        if follows {
            follow_log_backend(memory.clone(), LOG, 0).expect("a new store");
        } else {
            let publish = |_: Vec<Done<()>>| ();
            let options = Options { cache_bytes: 1 << 20, ..Options::default() };
            drop(Engine::open_with_backend(memory.clone(), options, publish));
        }
        memory.bytes()
    };
    STORES[usize::from(follows)].get_or_init(prepare).clone()
}

/// What the writer is given, and what it says.
struct Feed {
    orders: Receiver<Entries>,
    /// Whenever the writer wants more.
    wants: Sender<()>,
    settled: Sender<(EntryId, Fate)>,
    progressed: Sender<Progress>,
    tickets: BTreeMap<EntryId, Vec<Ticket>>,
    memory: Memory,
    /// Filled with what a loss of power leaves between the next commit and its answers.
    between: Arc<Mutex<Between>>,
}

#[derive(Default)]
enum Between {
    #[default]
    NotWanted,
    Wanted,
    Left(Memory),
}

impl Log<Ticket> for Feed {
    fn next(&mut self) -> Next<Ticket> {
        let _ = self.wants.send(());
        self.orders.recv().map_or(Next::Stop, Next::Entries)
    }

    fn settled(&mut self, entry: EntryId, fate: Fate) -> Vec<Ticket> {
        let mut between = self.between.lock().unwrap();
        if matches!(*between, Between::Wanted) {
            *between = Between::Left(self.memory.without_power());
        }
        let _ = self.settled.send((entry, fate));
        if fate == Fate::Applied {
            self.tickets.remove(&entry).unwrap_or_default()
        } else {
            Vec::new()
        }
    }

    fn progressed(&mut self, progress: &Progress) {
        let _ = self.progressed.send(progress.clone());
    }
}

/// An engine that runs.
struct Running {
    orders: Sender<Entries>,
    wants: Receiver<()>,
    settled: Receiver<(EntryId, Fate)>,
    progressed: Receiver<Progress>,
    done: Receiver<Vec<Done<Ticket>>>,
    between: Arc<Mutex<Between>>,
    /// Last, since it waits for the writer, which waits for orders.
    engine: Engine<Ticket>,
}

impl Running {
    fn open(memory: &Memory, speaks: u32, tickets: BTreeMap<EntryId, Vec<Ticket>>) -> (Self, u64) {
        let ((orders, ordered), (wants, wanted)) = (channel(), channel());
        let ((settle, settled), (publish, done)) = (channel(), channel());
        let (progress, progressed) = channel();
        let between = Arc::<Mutex<Between>>::default();
        let mut applied = 0;
        let connect = |followed: Followed, _| {
            assert_eq!(followed.log, LOG);
            applied = followed.applied;
            let (memory, between) = (memory.clone(), Arc::clone(&between));
            Feed {
                orders: ordered,
                wants,
                settled: settle,
                progressed: progress,
                tickets,
                memory,
                between,
            }
        };
        let publish = move |batch| drop(publish.send(batch));
        let options = Options { cache_bytes: 4 << 20, ..Options::default() };
        let backend = (memory.clone(), speaks, changed_rule as fn(u32, &Envelope) -> _);
        let engine = Engine::follow_with_rule(backend, options, publish, connect);
        let engine = engine.expect("the store opens");
        wanted.recv().expect("the writer has begun");
        (Self { engine, orders, wants: wanted, settled, progressed, done, between }, applied)
    }
}

pub(super) struct Node {
    gateway: usize,
    memory: Memory,
    speaks: u32,
    running: Option<Running>,
    /// The position up to which it has read the log.
    pub(super) applied: usize,
    pub(super) effects: Effects,
    /// Its checkpoints, by position.
    pub(super) checkpoints: BTreeMap<u64, u64>,
    /// The entries whose answers a crash took, by position.
    unanswered: BTreeSet<usize>,
    /// Tickets that it was given back.
    answered: BTreeMap<Ticket, u32>,
    crashes: u32,
}

impl Node {
    pub(super) fn open(gateway: usize, speaks: u32) -> Self {
        let memory = Memory::of(prepared(true));
        Self {
            gateway,
            memory,
            speaks,
            running: None,
            applied: 0,
            effects: Effects::new(),
            checkpoints: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            answered: BTreeMap::new(),
            crashes: 0,
        }
    }

    pub(super) fn has_read(&self, log: &SharedLog) -> bool {
        self.running.is_some() && self.applied == log.entries.len()
    }

    /// That it has seen of each command what one engine has, unless a crash came before the answer.
    pub(super) fn check_effects(&self, all: &Effects) -> Result<(), TestCaseError> {
        for (at, expected) in all {
            match self.effects.get(at) {
                Some(found) => prop_assert_eq!(expected, found, "command {:?}", at),
                None => prop_assert!(self.unanswered.contains(&at.0), "{:?} is missing", at),
            }
        }
        prop_assert!(self.effects.keys().all(|at| all.contains_key(at)));
        Ok(())
    }

    /// Starts the engine, unless it runs.
    fn start(&mut self, log: &SharedLog) {
        if self.running.is_none() {
            let mut tickets = BTreeMap::new();
            // A process that died has left no tickets.
            if self.crashes == 0 {
                // Others may have the id of one that counts, and other commands.
                let counts =
                    |entry: &&Written| entry.gateway == self.gateway && entry.fate == Fate::Applied;
                for entry in log.entries.iter().filter(counts) {
                    let of = |place| (entry.id, place);
                    tickets.insert(entry.id, (0..entry.commands.len()).map(of).collect());
                }
            }
            let (running, applied) = Running::open(&self.memory, self.speaks, tickets);
            // Applied, but the crash came before the answers.
            self.unanswered.extend(self.applied..applied as usize);
            self.applied = applied as usize;
            self.running = Some(running);
        }
    }

    /// Applies some more of the log in one commit, and may lose power, before it answers or after.
    pub(super) fn step(&mut self, log: &SharedLog, count: usize, rng: &mut Rng) {
        self.start(log);
        let from = self.applied;
        let until = (from + count).min(log.entries.len());
        let read = |place: usize| log.entries[place].read(place as u64 + 1);
        let entries =
            Entries { entries: (from..until).map(read).collect(), durable: !rng.one_in(2) };
        let crash = if self.crashes < 3 && rng.one_in(8) { Some(rng.below(3)) } else { None };
        let running = self.running.as_mut().expect("it was started");
        if crash == Some(0) {
            *running.between.lock().unwrap() = Between::Wanted;
        }
        running.orders.send(entries).expect("the writer waits");
        let goes_on = running.wants.recv().is_ok();
        let between = std::mem::take(&mut *running.between.lock().unwrap());
        if let Between::Left(memory) = between {
            return self.crash(memory);
        }
        let applied = self.note(log, from);
        if !goes_on {
            return self.replace(log, applied);
        }
        assert_eq!(applied, until);
        self.applied = until;
        match crash {
            Some(1) => self.crash(self.memory.without_power()),
            Some(2) => self.crash(self.memory.killed()),
            _ => (),
        }
    }

    /// Notes what came of the entries after `from`, and returns the position of the last.
    fn note(&mut self, log: &SharedLog, from: usize) -> usize {
        let running = self.running.as_mut().expect("it runs");
        for progress in running.progressed.try_iter() {
            let rules = log.entries[progress.applied as usize - 1].rules_after;
            assert_eq!(progress.rules, rules, "entry {}", progress.applied);
            for checkpoint in progress.checkpoints {
                let first = self.checkpoints.entry(checkpoint.at).or_insert(checkpoint.digest);
                assert_eq!(*first, checkpoint.digest, "the digest at entry {}", checkpoint.at);
            }
        }
        let mut done = running.done.try_iter().flatten();
        let mut place = from;
        for (id, fate) in running.settled.try_iter() {
            let entry = &log.entries[place];
            place += 1;
            assert_eq!((id, fate), (entry.id, entry.fate), "entry {place}");
            if fate != Fate::Applied {
                continue;
            }
            for at in 0..entry.commands.len() {
                let done = done.next().expect("every command of an entry is answered");
                if let Some(ticket) = done.ticket {
                    assert_eq!((ticket, entry.gateway), ((id, at), self.gateway));
                    *self.answered.entry(ticket).or_default() += 1;
                }
                let effect = Effect::from(done);
                // What is applied again after a crash has the same effect.
                self.unanswered.remove(&(place - 1));
                let first = self.effects.entry((place - 1, at)).or_insert_with(|| effect.clone());
                assert_eq!(*first, effect, "entry {place}, command {at}");
            }
        }
        assert!(done.next().is_none(), "no void entry is answered");
        place
    }

    /// The process dies, and the next finds `memory`.
    fn crash(&mut self, memory: Memory) {
        self.crashes += 1;
        // It is stopped before its store is used again, and what it says now counts for nothing.
        self.running = None;
        self.memory = memory;
    }

    /// The node has stopped after the entry that brought later rules into force: a later version goes on.
    fn replace(&mut self, log: &SharedLog, applied: usize) {
        let running = self.running.take().expect("it has stopped");
        let why = running.engine.failure().expect("it says why");
        let later = format!("is of version {} of the rules", RULES + 1);
        assert!(why.contains(&later), "{why}");
        assert_eq!((self.speaks, log.entries[applied - 1].rules_after), (RULES, RULES + 1));
        assert!(log.entries[..applied - 1].iter().all(|entry| entry.rules_after == RULES));
        drop(running);
        self.speaks = RULES + 1;
        self.crashes += 1;
        self.applied = applied;
    }

    pub(super) fn dump(&self) -> Dump {
        self.running.as_ref().expect("it runs").engine.dump().expect("it can be read")
    }

    /// The runs that its store has.
    pub(super) fn runs(&self) -> Vec<u64> {
        let dump = self.dump();
        let (_, rows) = dump.iter().find(|(table, _)| *table == "runs").expect("a table");
        let number = |key: &[u8]| u64::from_le_bytes(key.try_into().expect("a number"));
        rows.iter().map(|(key, _)| number(key)).collect()
    }

    /// That each command of the gateway was answered once, if it lived to do so.
    pub(super) fn check_tickets(&self, log: &SharedLog) {
        assert!(self.answered.values().all(|count| *count == 1), "{:?}", self.answered);
        if self.crashes == 0 {
            let own = log.entries.iter().filter(|entry| entry.gateway == self.gateway);
            let applied = own.filter(|entry| entry.fate == Fate::Applied);
            let commands: BTreeSet<Ticket> = applied
                .flat_map(|entry| (0..entry.commands.len()).map(|place| (entry.id, place)))
                .collect();
            let answered: BTreeSet<Ticket> = self.answered.keys().copied().collect();
            assert_eq!(answered, commands);
        }
    }
}
