//! What the engine costs, beside raw redb doing the same writes in the same run.
//!
//! `cargo bench -p core-engine` prints one table. Times on shared hardware are unsteady: read the
//! ratios. `-- --small` leaves out the stores of a million.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use core_engine::{Done, Engine, Envelope, Options, Origin};
use core_model::{
    Command, ConnectionId, Detail, NewRoom, NewUser, Query, Reply, RoomFilter, RoomId, RoomRef,
    Secret, Standing, Timestamp, Uid, UserRef,
};
use redb::{Database, TableDefinition};

/// Bytes of a message's text.
const TEXT_BYTES: usize = 120;
/// How long each measurement of a rate runs.
const SPAN: Duration = Duration::from_millis(1_500);
/// Measurements of each side, in turn; the median counts.
const TURNS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let small = arguments.iter().any(|argument| argument == "--small");
    ingest();
    let sizes: &[u64] = if small { &[10_000] } else { &[10_000, 1_000_000] };
    for size in sizes {
        reads(*size);
    }
}

/// Durable messages a second, by how many callers wait for their answers at once.
fn ingest() {
    println!("durable messages of {TEXT_BYTES} bytes");
    println!("{:>8} {:>12} {:>12} {:>7}", "callers", "engine /s", "raw /s", "ratio");
    for callers in [1, 64, 1024] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bench = Bench::open(&folder.path().join("engine.redb"));
        let raw = Raw::open(&folder.path().join("raw.redb"));
        let room = bench.room("tea");
        let (mut engines, mut raws) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            engines.push(bench.post_for(SPAN, callers, room));
            raws.push(raw.write_for(SPAN, callers));
        }
        let (engine, raw) = (median(&mut engines), median(&mut raws));
        println!("{callers:>8} {engine:>12.0} {raw:>12.0} {:>7.2}", engine / raw);
    }
}

/// Reading, at a given number of messages, rooms and users; and opening after a kill.
fn reads(size: u64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("engine.redb");
    let bench = Bench::open(&path);
    let room = bench.room("tea");
    bench.call_many(size, |_| post(room));
    bench.call_many(size, |number| Command::CreateRoom {
        room: NewRoom { name: Some(format!("room {number}")), ..NewRoom::default() },
        owner: None,
        members: None,
    });
    bench.call_many(size, |number| Command::Register {
        user: NewUser {
            handle: Some(format!("user{number}")),
            identities: vec![format!("tel/{number}")],
            password: Some(Secret::Hashed("$argon2id$".into())),
            ..NewUser::default()
        },
    });
    println!("\nat {size} messages, rooms and users: microseconds a query (median)");
    let half = RoomId(size as u32 / 2);
    let history = Query::History {
        room: RoomRef::Id(room),
        caller: None,
        before: None,
        after: None,
        limit: 50,
    };
    let list = Query::Rooms {
        filter: RoomFilter::Open,
        after: half,
        limit: 50,
        detail: Detail::default(),
    };
    let search = Query::SearchRooms {
        text: Some(format!("rom {}", size / 3)),
        section: None,
        description: None,
        limit: 100,
        detail: Detail::default(),
    };
    println!("{:>24} {:>10.1}", "history of 50", bench.ask(&history));
    println!("{:>24} {:>10.1}", "room list of 50", bench.ask(&list));
    println!("{:>24} {:>10.1}", "search with a typo", bench.ask(&search));
    let mut number = 0;
    let look_up = time(|| {
        number = (number + 7_919) % size;
        let user = UserRef::Identity(format!("tel/{number}"));
        let found = bench.engine.credential(Timestamp(1), &user);
        assert!(found.expect("the store reads").is_some());
    });
    println!("{:>24} {look_up:>10.1}", "sign-in look-up");
    // A copy of the file of a running engine is what a kill leaves behind.
    let copy = folder.path().join("killed.redb");
    std::fs::copy(&path, &copy).expect("the store can be copied");
    let start = Instant::now();
    let reopened = Bench::open(&copy);
    let opened = start.elapsed();
    assert!(
        matches!(reopened.engine.query(Timestamp(1), ConnectionId(0), &history).outcome, Ok(Reply::Messages { messages }) if messages.len() == 50)
    );
    println!("{:>24} {:>10.1} ms", "opening after a kill", opened.as_secs_f64() * 1e3);
}

/// An engine whose answers come back as a count.
struct Bench {
    engine: Engine<()>,
    answered: Receiver<usize>,
    origin: Arc<Origin>,
}

impl Bench {
    fn open(path: &Path) -> Self {
        let (sender, answered): (Sender<usize>, _) = channel();
        let engine = Engine::open(path, Options::default(), move |done: Vec<Done<()>>| {
            assert!(done.iter().all(|done| done.outcome.is_ok()), "{:?}", done[0].outcome);
            // The bench has ended where nobody receives.
            let _ = sender.send(done.len());
        })
        .expect("the store opens");
        let origin = Origin { room_capacity: 500, ..Origin::default() };
        Self { engine, answered, origin: Arc::new(origin) }
    }

    fn submit(&self, command: Command) {
        let envelope = Envelope {
            at: Timestamp(1),
            connection: ConnectionId(1),
            origin: Arc::clone(&self.origin),
            key: None,
            command,
        };
        assert!(self.engine.submit_always(envelope, ()).is_ok(), "the engine runs");
    }

    /// A room with user 10000 as its member.
    fn room(&self, name: &str) -> RoomId {
        let user = NewUser { handle: Some("ann".into()), ..NewUser::default() };
        let room = NewRoom { name: Some(name.into()), ..NewRoom::default() };
        let owner = Some(UserRef::Id(Uid(10_000)));
        for command in
            [Command::Register { user }, Command::CreateRoom { room, owner, members: None }]
        {
            self.submit(command);
            self.answered.recv().expect("an answer");
        }
        RoomId(1)
    }

    /// Messages a second with so many callers, each waiting for its answer before it goes on.
    fn post_for(&self, span: Duration, callers: usize, room: RoomId) -> f64 {
        let start = Instant::now();
        let mut posted = 0;
        for _ in 0..callers {
            self.submit(post(room));
        }
        let mut waiting = callers;
        while waiting > 0 {
            let answered = self.answered.recv().expect("an answer");
            posted += answered;
            waiting -= answered;
            if start.elapsed() < span {
                waiting += answered;
                for _ in 0..answered {
                    self.submit(post(room));
                }
            }
        }
        posted as f64 / start.elapsed().as_secs_f64()
    }

    /// Carries out so many commands, 4096 at a time.
    fn call_many(&self, count: u64, command: impl Fn(u64) -> Command) {
        let mut waiting = 0;
        for number in 0..count {
            self.submit(command(number));
            waiting += 1;
            while waiting >= 4096 {
                waiting -= self.answered.recv().expect("an answer");
            }
        }
        while waiting > 0 {
            waiting -= self.answered.recv().expect("an answer");
        }
    }

    fn ask(&self, query: &Query) -> f64 {
        time(|| {
            let answered = self.engine.query(Timestamp(1), ConnectionId(0), query);
            assert!(answered.outcome.is_ok());
        })
    }
}

fn post(room: RoomId) -> Command {
    Command::Post {
        room: RoomRef::Id(room),
        author: UserRef::Id(Uid(10_000)),
        text: "x".repeat(TEXT_BYTES),
        standing: Standing::Member,
    }
}

/// The floor: the same rows in the same file format, and nothing else.
struct Raw {
    database: Database,
    next: std::cell::Cell<u64>,
}

const MESSAGES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("messages");
const BY_ROOM: TableDefinition<'static, (u32, u64), ()> = TableDefinition::new("by_room");

impl Raw {
    fn open(path: &Path) -> Self {
        let database = Database::create(path).expect("the store opens");
        Self { database, next: std::cell::Cell::new(1) }
    }

    /// Messages a second, so many a commit.
    fn write_for(&self, span: Duration, batch: usize) -> f64 {
        let row = vec![b'x'; TEXT_BYTES + 22];
        let start = Instant::now();
        let mut written = 0;
        while start.elapsed() < span {
            let mut transaction = self.database.begin_write().expect("a transaction");
            transaction.set_quick_repair(true);
            {
                let mut messages = transaction.open_table(MESSAGES).expect("a table");
                let mut by_room = transaction.open_table(BY_ROOM).expect("a table");
                for _ in 0..batch {
                    let id = self.next.get();
                    self.next.set(id + 1);
                    messages.insert(id, row.as_slice()).expect("a row");
                    by_room.insert((1, id), ()).expect("a row");
                }
            }
            transaction.commit().expect("a commit");
            written += batch;
        }
        written as f64 / start.elapsed().as_secs_f64()
    }
}

/// Microseconds a call, the median of many.
fn time(mut call: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..300)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    median(&mut times)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
