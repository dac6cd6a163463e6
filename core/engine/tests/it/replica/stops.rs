//! When a node cannot go on.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use core_engine::{
    Done, Engine, Entries, Entry, EntryBuilder, EntryId, Fate, Followed, Log, LogEntry, Next,
    OpenError, Options, Progress, RULES, Submitted, follow_log, follow_log_backend,
};
use core_model::{Command, Refusal, Timestamp};

use crate::build::*;
use crate::failure::envelope;
use crate::memory::{Failing, Memory};

/// A log that the test writes. Every entry is one of this gateway, with the tickets 0, 1 and so on.
pub(super) struct ByHand {
    orders: Receiver<Entries>,
    submitted: Submitted<usize>,
    progressed: Sender<Progress>,
    dropped: Sender<()>,
}

impl Log<usize> for ByHand {
    fn next(&mut self) -> Next<usize> {
        self.orders.recv().map_or(Next::Stop, Next::Entries)
    }

    fn settled(&mut self, _: EntryId, fate: Fate) -> Vec<usize> {
        if fate == Fate::Applied { (0..9).collect() } else { Vec::new() }
    }

    fn progressed(&mut self, progress: &Progress) {
        let _ = self.progressed.send(progress.clone());
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        assert!(self.submitted.next().is_none(), "commands are not taken any more");
        let _ = self.dropped.send(());
    }
}

pub(super) struct Node {
    pub(super) orders: Sender<Entries>,
    published: Receiver<Vec<Done<usize>>>,
    pub(super) progressed: Receiver<Progress>,
    pub(super) dropped: Receiver<()>,
    /// Last, since it waits for the writer, which waits for orders.
    pub(super) engine: Engine<usize>,
}

pub(super) fn follow(memory: &Memory, applied: u64) -> Node {
    opened(applied, |options, publish, connect| {
        let backend = (memory.clone(), RULES);
        Engine::follow_with_backend(backend, options, publish, connect)
    })
}

pub(super) fn follow_file(path: &Path, applied: u64) -> Node {
    opened(applied, |options, publish, connect| {
        Engine::follow(path, options, || (), publish, connect)
    })
}

type Publish = Box<dyn FnMut(Vec<Done<usize>>) + Send>;
type Connect = Box<dyn FnOnce(Followed, Submitted<usize>) -> ByHand>;

fn opened(
    applied: u64,
    open: impl FnOnce(Options, Publish, Connect) -> Result<Engine<usize>, OpenError>,
) -> Node {
    let ((orders, ordered), (publish, published)) = (channel(), channel());
    let ((dropped, is_dropped), (progress, progressed)) = (channel(), channel());
    let options = Options { cache_bytes: 4 << 20, ..Options::default() };
    let publish = move |batch| drop(publish.send(batch));
    let connect = move |followed: Followed, submitted| {
        assert_eq!(followed, Followed { log: 7, applied, rules: RULES });
        ByHand { orders: ordered, submitted, progressed: progress, dropped }
    };
    let engine = open(options, Box::new(publish), Box::new(connect)).expect("it opens");
    Node { orders, published, progressed, dropped: is_dropped, engine }
}

pub(super) fn start() -> (EntryId, Vec<Command>) {
    let start = Command::Start { node: "one".into(), boot: 5, speaks: RULES };
    (EntryId { run: 0, number: 5 }, vec![start])
}

pub(super) fn entry(position: u64, (id, commands): (EntryId, Vec<Command>)) -> LogEntry {
    let mut builder = EntryBuilder::default();
    commands.into_iter().for_each(|command| builder.push(&envelope(command)).expect("it fits"));
    let entry = Entry::decode(&builder.finish(id, RULES)).expect("it was encoded");
    LogEntry { position, at: Timestamp(1_000 + position), entry }
}

pub(super) fn of_run(number: u64, commands: Vec<Command>) -> (EntryId, Vec<Command>) {
    (EntryId { run: 1, number }, commands)
}

pub(super) fn memory() -> Memory {
    let memory = Memory::that_may_lose_power();
    follow_log_backend(memory.clone(), 7, 0).expect("a new store");
    memory
}

fn is_refused(engine: &Engine<usize>, why: &str) {
    let refused = engine.submit(envelope(a_no_op()), 8);
    assert!(
        matches!(&refused, Err((8, Refusal::Internal { why: said })) if said.contains(why)),
        "{refused:?}"
    );
}

#[test]
fn a_failed_commit_answers_nothing_and_stops() {
    let memory = memory();
    let Node { engine, orders, published, dropped, .. } = follow(&memory, 0);
    let begun = Entries { entries: vec![entry(1, start())], durable: true };
    orders.send(begun).unwrap();
    assert!(published.recv().unwrap()[0].outcome.is_ok());
    let ((reached, failing), (go_on, wait)) = (channel(), channel());
    memory.fill_up(Failing { reached, go_on: wait });
    let entries = vec![entry(2, of_run(1, vec![register("ann"), register("bob")]))];
    orders.send(Entries { entries, durable: true }).unwrap();
    failing.recv().expect("the writer tries to write");
    memory.free_up();
    go_on.send(()).unwrap();
    dropped.recv().expect("the log is dropped with its tickets");
    // The end of the channel: there was no answer.
    engine.stop();
    assert!(published.try_recv().is_err());
    assert!(engine.failure().is_some_and(|why| why.contains("no space left on this test")));
    is_refused(&engine, "no space left on this test");
}

#[test]
fn a_hole_in_the_log_is_not_passed_over() {
    let Node { engine, orders, published, dropped, .. } = follow(&memory(), 0);
    let entries = vec![entry(1, start()), entry(3, of_run(1, vec![register("ann")]))];
    orders.send(Entries { entries, durable: true }).unwrap();
    let done = published.recv().expect("what comes before is applied");
    assert_eq!((done.len(), done[0].ticket), (1, Some(0)));
    dropped.recv().expect("the writer stops");
    engine.stop();
    is_refused(&engine, "the log goes on at entry 3, and the store needs entry 2");
}

#[test]
fn what_other_gateways_have_done_is_published_without_a_ticket() {
    let Node { engine: _engine, orders, published, .. } = follow(&memory(), 0);
    let nine = (0..9).map(|number| register(&format!("u{number}")));
    let of_ten: Vec<Command> = nine.chain([create(titled("tea"), Some(user("u1")))]).collect();
    let entries = vec![entry(1, start()), entry(2, of_run(1, of_ten))];
    orders.send(Entries { entries, durable: true }).unwrap();
    let done = published.recv().unwrap();
    let tickets: Vec<Option<usize>> = done.iter().map(|done| done.ticket).collect();
    let own = (0..9).map(Some);
    assert_eq!(tickets, [Some(0)].into_iter().chain(own).chain([None]).collect::<Vec<_>>());
    assert!(!done[10].events.is_empty());
}

#[test]
fn a_store_follows_a_log_or_takes_commands_and_not_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let connect = |_: Followed, submitted| {
        let ((_, orders), (dropped, _)) = (channel(), channel());
        ByHand { orders, submitted, progressed: channel().0, dropped }
    };
    let follow = || {
        let publish = |_: Vec<Done<usize>>| ();
        Engine::follow(&path, Options::default(), || (), publish, connect).map(drop)
    };
    let alone = || Engine::open(&path, Options::default(), |_: Vec<Done<usize>>| ()).map(drop);
    alone().expect("a new store");
    let refused = follow().expect_err("it follows no log");
    assert!(matches!(&refused, OpenError::FollowsNoLog { path: named } if *named == path));
    follow_log(&path, 7, 3).expect("it follows none yet");
    assert!(matches!(alone(), Err(OpenError::FollowsLog { .. })));
    assert!(matches!(follow_log(&path, 8, 0), Err(OpenError::FollowsLog { .. })));
    follow().expect("it follows the log");
}
