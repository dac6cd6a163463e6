//! A store of ten million messages: what it takes on disk, how fast it opens, and whether it
//! answers as fast as a small one.

use std::path::Path;
use std::time::Instant;

use core_model::{Command, Detail, Query, RoomFilter, RoomId, RoomRef, Timestamp, UserRef};

use crate::floor::Floor;
use crate::ingest::{flat_out, nth_room};
use crate::measure::{cpu, median, times};
use crate::posts::{Posts, TEXT_BYTES};
use crate::subject::{Subject, post, register, room};

/// Measurements of each side, in turn; the median counts.
const TURNS: usize = 7;

struct Size {
    messages: u64,
    /// Rooms with messages.
    busy: u64,
    rooms: u64,
    users: u64,
}

const SMALL: Size = Size { messages: 10_000, busy: 100, rooms: 100, users: 1_000 };
const LARGE: Size = Size { messages: 10_000_000, busy: 10_000, rooms: 100_000, users: 1_000_000 };

fn start_of(boot: u64) -> Command {
    Command::Start { node: String::new(), boot, speaks: 1 }
}

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let small = folder.path().join("small.redb");
    let large = folder.path().join("large.redb");
    fill_messages(&small, &SMALL);
    fill_messages(&large, &LARGE);
    println!("\n{} messages of {TEXT_BYTES} bytes in {} rooms", LARGE.messages, LARGE.busy);
    say_size("on disk, closed", &large);
    for _ in 0..3 {
        drop(Subject::open(&large));
    }
    say_size("opened and closed three times", &large);
    fill_others(&small, &SMALL);
    fill_others(&large, &LARGE);
    println!("with {} rooms and {} users", LARGE.rooms, LARGE.users);
    let start = Instant::now();
    let large_subject = Subject::open(&large);
    println!("{:>38} {:>8.1} ms", "opening, closed before", millis(start));
    large_subject.call_many(1, |_| start_of(1));
    println!("{:>38} {:>8.1} ms", "and the gateway's first commit", millis(start));
    large_subject.call_many(1_000, |number| post(number as u32 + 1));
    let copy = folder.path().join("killed.redb");
    std::fs::copy(&large, &copy).expect("the store can be copied");
    // Else opening it would wait for the disk to take all of the copy.
    std::fs::File::open(&copy).and_then(|copy| copy.sync_all()).expect("the copy is written");
    let start = Instant::now();
    let killed = Subject::open(&copy);
    println!("{:>38} {:>8.1} ms", "opening, killed before", millis(start));
    killed.call_many(1, |_| start_of(2));
    println!("{:>38} {:>8.1} ms", "and the gateway's first commit", millis(start));
    drop(killed);
    std::fs::remove_file(&copy).expect("it is there");
    let small_subject = Subject::open(&small);
    compare(&small_subject, &large_subject);
    let [small_floor, large_floor] = [("small", SMALL), ("large", LARGE)].map(|(name, size)| {
        let path = folder.path().join(format!("{name}-floor.redb"));
        Floor::filled(&path, size.messages, size.busy as u32)
    });
    for senders in [1, 64] {
        compare_posts("a post", senders, &small_subject, &large_subject);
        compare_posts("a post of the floor", senders, &small_floor, &large_floor);
    }
    let before = cpu();
    std::thread::sleep(std::time::Duration::from_secs(1));
    println!(
        "{:>38} {:>10.1} µs of CPU",
        "a second of idling",
        (cpu() - before).as_secs_f64() * 1e6
    );
}

fn fill_messages(path: &Path, size: &Size) {
    let subject = Subject::open(path);
    subject.furnish(size.busy);
    subject.call_many(size.messages, |number| post(nth_room(number as u32, size.busy as u32)));
}

fn fill_others(path: &Path, size: &Size) {
    let subject = Subject::open(path);
    subject.call_many(size.rooms - size.busy, |number| Command::CreateRoom {
        room: room(size.busy + number),
        owner: None,
        members: None,
    });
    subject.call_many(size.users, register);
}

fn say_size(title: &str, path: &Path) {
    let bytes = path.metadata().expect("it is there").len();
    let own = LARGE.messages * TEXT_BYTES as u64;
    println!("{title:>32} {bytes:>12} bytes, {:.2} × the texts", bytes as f64 / own as f64);
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// Each operation on both, in turn.
fn compare(small: &Subject, large: &Subject) {
    println!("{:>38} {:>10} {:>10} {:>6}", "µs, median", "small", "large", "×");
    let history = |size: &Size, n: u64, before: Option<u64>| Query::History {
        room: RoomRef::Id(RoomId((n % size.busy) as u32 + 1)),
        caller: None,
        before: before.map(core_model::MessageId),
        after: None,
        limit: 50,
    };
    let rooms = |size: &Size, n: u64| Query::Rooms {
        filter: RoomFilter::Open,
        after: RoomId((n % (size.rooms / 2)) as u32),
        limit: 50,
        detail: Detail::default(),
    };
    let named = |size: &Size, n: u64| Query::Room {
        room: RoomRef::Name(format!("room {}", n % size.rooms)),
        caller: None,
        detail: Detail::default(),
    };
    type Call<'a> = &'a dyn Fn(&Subject, &Size, u64);
    let calls: [(&str, Call<'_>); 6] = [
        ("history, newest 50", &|subject, size, n| subject.ask(&history(size, n, None))),
        ("history, 50 in the middle", &|subject, size, n| {
            subject.ask(&history(size, n, Some(size.messages / 2)));
        }),
        ("room list of 50", &|subject, size, n| subject.ask(&rooms(size, n))),
        ("a room by name", &|subject, size, n| subject.ask(&named(size, n))),
        ("sign-in look-up", &|subject, size, n| {
            let user = UserRef::Identity(format!("tel/{}", n % size.users));
            let found = subject.engine.credential(Timestamp(1), &user);
            assert!(found.expect("the store reads").is_some());
        }),
        ("search by name", &|subject, size, n| {
            subject.ask(&Query::SearchRooms {
                text: Some(format!("rom {}", n % size.rooms)),
                section: None,
                description: None,
                limit: 100,
                detail: Detail::default(),
            });
        }),
    ];
    for (title, call) in calls {
        let measured = |subject: &Subject, size: &Size| {
            let mut n = 0;
            median(times(500, || {
                n += 7_919;
                call(subject, size, n);
            }))
        };
        let mut of_small = Vec::new();
        let mut of_large = Vec::new();
        for _ in 0..TURNS {
            of_small.push(measured(small, &SMALL));
            of_large.push(measured(large, &LARGE));
        }
        say(title, median(of_small), median(of_large));
    }
}

/// CPU of a durable post to each, in turn.
fn compare_posts(title: &str, senders: usize, small: &impl Posts, large: &impl Posts) {
    let mut of_small = Vec::new();
    let mut of_large = Vec::new();
    for _ in 0..TURNS {
        of_small.push(flat_out(small, senders, 100).cpu);
        of_large.push(flat_out(large, senders, 100).cpu);
    }
    say(&format!("CPU of {title}, {senders} senders"), median(of_small), median(of_large));
}

fn say(title: &str, small: f64, large: f64) {
    println!("{title:>32} {small:>10.1} {large:>10.1} {:>6.2}", large / small);
}
