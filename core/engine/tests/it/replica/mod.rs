//! Many engines, one log: whatever the log has twice, too early or too late, however its entries are
//! grouped into commits, and whenever a node loses power, each comes to what one engine comes to.

mod digests;
mod generate_log;
mod node;
mod oracle;
mod stops;

use std::collections::BTreeMap;
use std::sync::mpsc::channel;

use core_engine::{Done, Engine, EntryId, Fate, Options, RULES};
use core_model::{Outcome, Person, Recorded};
use proptest::prelude::{ProptestConfig, any};
use proptest::prop_assert_eq;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use self::generate_log::{Rng, SharedLog};
use self::node::Node;
use crate::generate::{self, Step};
use crate::memory::Memory;

/// Cases of one run of the tests.
const CASES: u32 = 3_000;

/// The entry of a command, and its place there.
type Ticket = (EntryId, usize);

/// What a command led to.
#[derive(Clone, Debug, PartialEq)]
struct Effect {
    outcome: Outcome,
    events: Vec<Recorded>,
    accounts: Vec<Person>,
}

/// By the position of the entry, from 0 on, and the place there.
type Effects = BTreeMap<(usize, usize), Effect>;
type Dump = Vec<(&'static str, Vec<(Vec<u8>, Vec<u8>)>)>;

impl<T> From<Done<T>> for Effect {
    fn from(done: Done<T>) -> Self {
        let accounts = done.accounts.iter().map(|account| Person::clone(account)).collect();
        Self { outcome: done.outcome, events: done.events, accounts }
    }
}

/// What one engine comes to.
struct Expected {
    dump: Dump,
    effects: Effects,
    /// None for a store without a log.
    checkpoints: Option<BTreeMap<u64, u64>>,
}

#[test]
fn every_node_comes_to_what_one_engine_comes_to() {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u32);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| scope.spawn(move || play_cases(CASES.div_ceil(threads))))
            .collect();
        for thread in threads {
            thread.join().expect("a thread whose cases hold");
        }
    });
}

fn play_cases(cases: u32) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 64,
        ..ProptestConfig::default()
    };
    let case = (generate::steps(6..32), 1u64..u64::MAX, any::<bool>());
    let played = TestRunner::new(config).run(&case, |(steps, seed, ticks)| {
        let mut rng = Rng(seed);
        play(&steps, ticks, &mut rng)
    });
    match played {
        Ok(()) => (),
        Err(TestError::Fail(why, (steps, seed, ticks))) => {
            panic!("{steps:#?}\n{why}\nseed {seed}, ticks {ticks}, {} steps", steps.len())
        }
        Err(error) => panic!("{error}"),
    }
}

fn play(steps: &[Step], ticks: bool, rng: &mut Rng) -> Result<(), TestCaseError> {
    let log = SharedLog::generate(steps, ticks, rng);
    // Ticks count entries, and a store of its own has none.
    let expected = if ticks { applied_one_by_one(&log) } else { submitted_to_a_queue(&log) };
    let mut checkpoints = expected.checkpoints;
    for gateway in 0..2 {
        let mut node = Node::open(gateway, log.speaks_at_first(gateway, rng));
        while !node.has_read(&log) {
            node.step(&log, 1 + rng.below(6) as usize, rng);
        }
        node.check_effects(&expected.effects)?;
        same(&expected.dump, &node.dump())?;
        let of_all = checkpoints.get_or_insert_with(|| node.checkpoints.clone());
        for (at, digest) in &node.checkpoints {
            prop_assert_eq!(of_all.get(at).unwrap_or(digest), digest, "the digest at entry {}", at);
        }
        prop_assert_eq!(log.oracle.runs(), node.runs(), "the runs of gateway {}", gateway);
        node.check_tickets(&log);
    }
    Ok(())
}

fn same(expected: &Dump, found: &Dump) -> Result<(), TestCaseError> {
    prop_assert_eq!(expected.len(), found.len());
    // Where the scan of a store stands that follows a log.
    let is_scan = |table: &str, key: &[u8]| table == "counters" && key == [6];
    for ((table, expected), (_, found)) in expected.iter().zip(found) {
        let of_both = [expected, found]
            .map(|rows| rows.iter().filter(|(key, _)| !is_scan(table, key)).collect::<Vec<_>>());
        prop_assert_eq!(&of_both[0], &of_both[1], "rows of {}", table);
    }
    Ok(())
}

/// What a store with the log to itself comes to, in a commit for each entry.
fn applied_one_by_one(log: &SharedLog) -> Expected {
    let mut node = Node::open(usize::MAX, RULES + 1);
    while !node.has_read(log) {
        node.step(log, 1, &mut Rng::never());
    }
    let checkpoints = Some(node.checkpoints.clone());
    Expected { dump: node.dump(), effects: node.effects.clone(), checkpoints }
}

/// What a store without a log comes to, if it is given the commands of the entries that count.
fn submitted_to_a_queue(log: &SharedLog) -> Expected {
    let (publish, published) = channel();
    let publish = move |batch: Vec<Done<(usize, usize)>>| drop(publish.send(batch));
    let options = Options { cache_bytes: 4 << 20, ..Options::default() };
    let memory = Memory::of(node::prepared(false));
    let engine = Engine::open_with_backend(memory, options, publish).expect("a new store");
    let mut waiting = 0;
    for (position, entry) in log.entries.iter().enumerate() {
        let commands = if entry.fate == Fate::Applied { entry.timed() } else { Vec::new() };
        for (place, envelope) in commands.into_iter().enumerate() {
            engine.submit(envelope, (position, place)).expect("the queue is long enough");
            waiting += 1;
        }
    }
    let mut effects = Effects::new();
    while waiting > 0 {
        for done in published.recv().expect("the writer answers") {
            waiting -= 1;
            effects.insert(done.ticket.expect("no other gateway"), done.into());
        }
    }
    Expected { dump: engine.dump().expect("it can be read"), effects, checkpoints: None }
}
