//! Reading, by how many messages, rooms and users there are; and opening after a kill.

use std::path::Path;
use std::time::Instant;

use core_model::{
    Command, ConnectionId, Detail, Query, Reply, RoomFilter, RoomId, RoomRef, Timestamp, UserRef,
};

use crate::measure::{median, percentile, times};
use crate::subject::{Subject, post, register, room};

pub(crate) fn run(size: u64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("engine.redb");
    let bench = Subject::open(&path);
    bench.furnish(1);
    bench.call_many(size, |_| post(1));
    bench.call_many(size, |number| Command::CreateRoom {
        room: room(number + 1),
        owner: None,
        members: None,
    });
    bench.call_many(size, register);
    println!("\nat {size} messages, rooms and users: microseconds a query (median)");
    let half = RoomId(size as u32 / 2);
    let history = Query::History {
        room: RoomRef::Id(RoomId(1)),
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
    let search = |number: u64| Query::SearchRooms {
        text: Some(format!("rom {number}")),
        section: None,
        description: None,
        limit: 100,
        detail: Detail::default(),
    };
    let asked = |query: &Query| median(times(300, || bench.ask(query)));
    println!("{:>24} {:>10.1}", "history of 50", asked(&history));
    println!("{:>24} {:>10.1}", "room list of 50", asked(&list));
    let mut number = 0;
    let mut searches = times(1_000, || {
        number = (number + 7_919) % size;
        bench.ask(&search(number));
    });
    println!("{:>24} {:>10.1}", "search with a typo", percentile(&mut searches, 0.5));
    println!("{:>24} {:>10.1}", "99 of 100 below", percentile(&mut searches, 0.99));
    let look_up = median(times(300, || {
        number = (number + 7_919) % size;
        let user = UserRef::Identity(format!("tel/{number}"));
        let found = bench.engine.credential(Timestamp(1), &user);
        assert!(found.expect("the store reads").is_some());
    }));
    println!("{:>24} {look_up:>10.1}", "sign-in look-up");
    reopen(folder.path(), &path, &history);
}

/// Opens a copy of the file of a running engine, as a kill leaves it.
fn reopen(folder: &Path, path: &Path, history: &Query) {
    let copy = folder.join("killed.redb");
    std::fs::copy(path, &copy).expect("the store can be copied");
    let start = Instant::now();
    let reopened = Subject::open(&copy);
    let opened = start.elapsed();
    assert!(
        matches!(reopened.engine.query(Timestamp(1), ConnectionId(0), history).outcome, Ok(Reply::Messages { messages }) if messages.len() == 50)
    );
    println!("{:>24} {:>10.1} ms", "opening after a kill", opened.as_secs_f64() * 1e3);
}
