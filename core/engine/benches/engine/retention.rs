//! The cost of a step of retention to clients that post meanwhile.

use std::time::Duration;

use core_model::{Command, RoomId, Timestamp};

use crate::ingest::nth_room;
use crate::measure::{percentile, times};
use crate::posts::Posts as _;
use crate::subject::{Subject, post};

const MESSAGES: u64 = 400_000;
const ROOMS: u32 = 10_000;

/// Messages that a step removes at most: as the gateway has it.
const LIMIT: u32 = 512;

pub(crate) fn run() {
    println!("\na step of retention, {MESSAGES} messages in {ROOMS} rooms: milliseconds");
    println!("{:>32} {:>8} {:>8} {:>8}", "", "median", "of 100", "most");
    let prune = |before: Option<u64>, keep_per_room: Option<u32>, from: u32| Command::Prune {
        before: before.map(Timestamp),
        keep_per_room,
        from: RoomId(from),
        limit: LIMIT,
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let subject = Subject::open(&folder.path().join("engine.redb"));
    subject.furnish(ROOMS.into());
    // The time is the number: half of them are to go by age.
    subject.call_many_at(MESSAGES, |number| (number, post(nth_room(number as u32, ROOMS))));
    let steps = |title: &str, commands: &mut dyn FnMut() -> Command, count: usize| {
        let mut steps = times(count, || {
            subject.submit(MESSAGES, commands());
            subject.answered().recv_timeout(Duration::from_secs(60)).expect("an answer");
        });
        let [median, of_100, most] =
            [0.5, 0.99, 1.0].map(|share| percentile(&mut steps, share) / 1e3);
        println!("{title:>32} {median:>8.2} {of_100:>8.2} {most:>8.2}");
    };
    steps("512 that are too old", &mut || prune(Some(MESSAGES / 2), None, 0), 300);
    steps("512 too many for their rooms", &mut || prune(None, Some(10), 0), 300);
    let mut from = 0;
    let mut looked = || {
        from = (from + 1_024) % ROOMS;
        prune(None, Some(1_000), from)
    };
    steps("1024 rooms looked at", &mut looked, 100);
    steps("nothing", &mut || prune(Some(1), None, 0), 100);
}
