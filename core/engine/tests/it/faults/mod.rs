//! Faults of the disk, and power failures, at every operation: nothing acknowledged is lost,
//! nothing is invented, and the store always opens again.

mod disk;
mod errors;
mod power;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use core_engine::{Done, Engine, Envelope, FrontendSettings, OpenError, Options};
use core_model::{Command, ConnectionId, Outcome, Refusal, Reply, RoomId, Timestamp};

use self::disk::{Disk, Random};
use crate::build::*;

struct RunningEngine {
    engine: Engine<usize>,
    published: Receiver<Vec<Done<usize>>>,
}

/// The texts of messages by what became of them.
#[derive(Default)]
struct Outcomes {
    stored: Vec<String>,
    refused: Vec<String>,
    unknown: Vec<String>,
}

fn serve(disk: &Disk) -> Result<RunningEngine, OpenError> {
    let (publish, published) = channel();
    let publish = move |batch| drop(publish.send(batch));
    let options = Options { cache_bytes: 64 << 10, ..Options::default() };
    let engine = Engine::open_with_backend(disk.clone(), options, publish)?;
    Ok(RunningEngine { engine, published })
}

impl RunningEngine {
    fn submit(&self, ticket: usize, command: Command) -> Result<(), (usize, Refusal)> {
        let frontend = FrontendSettings { room_capacity: 9, ..FrontendSettings::default() };
        let envelope = Envelope {
            at: Timestamp(1_000),
            steady_ms: 0,
            connection: ConnectionId(1),
            address: None,
            frontend: Arc::new(frontend),
            key: None,
            command,
        };
        self.engine.submit(envelope, ticket)
    }

    fn call(&self, command: Command) -> Outcome {
        if let Err((_, refusal)) = self.submit(0, command) {
            return Err(refusal);
        }
        self.published.recv().expect("the writer answers").remove(0).outcome
    }

    /// Posts these messages, some at once, and waits until each is answered.
    fn post_all(&self, texts: &[String], outcomes: &mut Outcomes, mut answered: impl FnMut(&str)) {
        let mut waiting = 0;
        let mut tell = |text: &String, outcome: Outcome| match outcome {
            Ok(Reply::Posted { message }) => {
                assert_eq!(message.text, *text);
                answered(text);
                outcomes.stored.push(text.clone());
            }
            Err(refusal) if refusal.is_outcome_unknown() => outcomes.unknown.push(text.clone()),
            Err(Refusal::Internal { .. }) => outcomes.refused.push(text.clone()),
            other => panic!("{other:?}"),
        };
        for (ticket, text) in texts.iter().enumerate() {
            match self.submit(ticket, post(room("tea"), user("ann"), text)) {
                Ok(()) => waiting += 1,
                Err((_, refusal)) => tell(text, Err(refusal)),
            }
        }
        while waiting > 0 {
            for done in self.published.recv().expect("the writer answers") {
                tell(&texts[done.ticket.expect("its own")], done.outcome);
                waiting -= 1;
            }
        }
    }

    /// The texts of all messages in tea.
    fn found(&self) -> Vec<String> {
        let query = history(room("tea"), u32::MAX);
        match self.engine.query(Timestamp(1_000), ConnectionId(0), &query).outcome {
            Ok(Reply::Messages { messages }) => {
                assert!(messages.is_sorted_by(|one, other| one.id < other.id));
                messages.iter().map(|message| message.text.clone()).collect()
            }
            Err(Refusal::UnknownRoom) => Vec::new(),
            other => panic!("{other:?}"),
        }
    }
}

/// A store with ann in tea, and so many messages; as a kill leaves it if `killed`.
fn furnished(messages: usize, killed: bool) -> Vec<u8> {
    let disk = Disk::new(Vec::new());
    let served = serve(&disk).expect("a new store");
    served.call(register("ann")).unwrap();
    served.call(create(titled("tea"), Some(user("ann")))).unwrap();
    served.post_all(&texts("before", messages), &mut Outcomes::default(), |_| ());
    let bytes = disk.bytes();
    drop(served);
    if killed { bytes } else { disk.bytes() }
}

/// A store with room to give back, closed, and the texts of its messages.
fn pruned() -> (Disk, Vec<String>) {
    let disk = Disk::new(furnished(600, false));
    let served = serve(&disk).unwrap();
    for _ in 0..90 {
        served.call(prune()).unwrap();
    }
    let expected = served.found();
    drop(served);
    (disk, expected)
}

fn store_of_format_1() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-1.redb");
    std::fs::read(path).unwrap()
}

fn texts(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{name} {number}")).collect()
}

/// Messages in batches of random sizes.
fn batches(count: usize, random: &mut Random) -> Vec<Vec<String>> {
    let mut rest = texts("message", count);
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let size = (1 + random.below(4) as usize).min(rest.len());
        batches.push(rest.drain(..size).collect());
    }
    batches
}

/// A step of retention that keeps twenty messages.
fn prune() -> Command {
    Command::Prune { before: None, keep_per_room: Some(20), from: RoomId(0), limit: 7 }
}

/// Whether `part` is in `whole`, in the same order.
fn is_subsequence(part: &[String], whole: &[String]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|text| whole.any(|found| found == text))
}

/// The store is whole, by all of its tables.
fn assert_whole(bytes: Vec<u8>, when: &str) {
    let report = core_engine::check_backend(Disk::new(bytes)).expect("it opens");
    assert_eq!(report.faults, Vec::<String>::new(), "{when}");
}
