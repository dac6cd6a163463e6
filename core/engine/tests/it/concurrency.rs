//! Many at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};

use core_engine::{Done, Engine, Envelope, FrontendSettings, Options};
use core_model::{Command, ConnectionId, MessageId, Outcome, Query, Refusal, Reply, Timestamp};

use crate::build::*;
use crate::memory::Memory;

const THREADS: u64 = 64;
const POSTS: usize = 40;

/// Where the answer to a command goes.
struct Ticket {
    thread: u64,
    number: usize,
    answer: Sender<(usize, Outcome)>,
}

fn envelope(connection: u64, command: Command) -> Envelope {
    let frontend = Arc::new(FrontendSettings { room_capacity: 500, ..FrontendSettings::default() });
    let connection = ConnectionId(connection);
    Envelope {
        at: Timestamp(1_000),
        steady_ms: 1_000,
        connection,
        address: None,
        frontend,
        key: None,
        command,
    }
}

#[test]
fn answers_come_once_each_in_order_and_a_query_after_an_answer_sees_it() {
    let (log, published) = channel();
    let publish = move |batch: Vec<Done<Ticket>>| {
        for Done { ticket, outcome, .. } in batch {
            let Ticket { thread, number, answer } = ticket.expect("its own");
            log.send((thread, number, outcome.clone())).expect("the test listens");
            answer.send((number, outcome)).expect("the thread waits");
        }
    };
    let options = Options { cache_bytes: 16 << 20, ..Options::default() };
    let engine = Engine::open_with_backend(Memory::default(), options, publish).unwrap();
    let (answer, answers) = channel();
    for command in [register("ann"), create(titled("tea"), Some(user("ann")))] {
        let ticket = Ticket { thread: THREADS, number: 0, answer: answer.clone() };
        assert!(engine.submit(envelope(0, command), ticket).is_ok());
        answers.recv().unwrap().1.unwrap();
    }
    let together = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let engine = &engine;
            let together = &together;
            scope.spawn(move || {
                together.wait();
                posts_and_looks(engine, thread);
            });
        }
    });
    engine.stop();
    let mut answered = BTreeSet::new();
    let mut newest = 0;
    // The first two made the room.
    for (thread, number, outcome) in published.try_iter().skip(2) {
        assert!(answered.insert((thread, number)), "{thread} {number} was answered twice");
        let Ok(Reply::Posted { message }) = outcome else { panic!("{outcome:?}") };
        assert_eq!(message.id.0, newest + 1, "ids follow the order of publication");
        newest = message.id.0;
    }
    assert_eq!(answered.len(), THREADS as usize * POSTS);
}

/// Posts, two at a time, and looks for each when it is answered.
fn posts_and_looks(engine: &Engine<Ticket>, thread: u64) {
    let (answer, answers) = channel();
    for pair in 0..POSTS / 2 {
        let numbers = [2 * pair, 2 * pair + 1];
        for number in numbers {
            let text = format!("{thread} {number}");
            let ticket = Ticket { thread, number, answer: answer.clone() };
            let posting = post(room("tea"), user("ann"), &text);
            assert!(engine.submit(envelope(thread, posting), ticket).is_ok());
        }
        for number in numbers {
            let (answered, outcome) = answers.recv().expect("an answer");
            assert_eq!(answered, number, "one's own answers are in order");
            let Ok(Reply::Posted { message }) = outcome else { panic!("{outcome:?}") };
            assert_eq!(message.text, format!("{thread} {number}"));
            let after = Some(MessageId(message.id.0 - 1));
            let query =
                Query::History { room: room("tea"), caller: None, before: None, after, limit: 1 };
            let found = engine.query(Timestamp(1_000), ConnectionId(thread), &query).outcome;
            assert_eq!(found, Ok(Reply::Messages { messages: vec![message.into()] }));
        }
    }
}

#[test]
fn a_room_is_listed_from_its_answer_on_under_concurrent_lists() {
    const ROOMS: usize = 300;
    let publish = |batch: Vec<Done<Sender<Outcome>>>| {
        for Done { ticket, outcome, .. } in batch {
            ticket.expect("its own").send(outcome).expect("the test waits");
        }
    };
    let options = Options { cache_bytes: 16 << 20, ..Options::default() };
    let engine = Engine::open_with_backend(Memory::default(), options, publish).unwrap();
    let listed = || {
        let query = listed(core_model::RoomFilter::Open);
        match engine.query(Timestamp(1_000), ConnectionId(0), &query).outcome {
            Ok(Reply::Rooms { rooms }) => rooms.len(),
            other => panic!("not rooms: {other:?}"),
        }
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut seen = 0;
                while !over.load(Ordering::Relaxed) {
                    let now = listed();
                    assert!(now >= seen, "{now} rooms, and before that {seen}");
                    seen = now;
                }
            });
        }
        let (answer, answers) = channel();
        for made in 1..=ROOMS {
            let making = envelope(1, create(titled(&format!("room {made}")), None));
            assert!(engine.submit(making, answer.clone()).is_ok());
            answers.recv().expect("an answer").expect("a room");
            let now = listed();
            if now != made {
                over.store(true, Ordering::Relaxed);
                panic!("{made} rooms are made, and {now} listed");
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_full_queue_rejects_commands_and_returns_their_tickets() {
    let (publish, published) = channel();
    let (go_on, held) = channel::<()>();
    let publish = move |batch: Vec<Done<usize>>| {
        publish.send(batch).expect("the test listens");
        let _ = held.recv();
    };
    let options = Options { queue_max: 2, cache_bytes: 4 << 20 };
    let engine = Engine::open_with_backend(Memory::default(), options, publish).unwrap();
    engine.submit(envelope(0, a_no_op()), 0).unwrap();
    published.recv().unwrap();
    // The writer is blocked, so these wait.
    engine.submit(envelope(1, register("ann")), 1).unwrap();
    engine.submit(envelope(1, register("bob")), 2).unwrap();
    assert_eq!(engine.submit(envelope(1, register("cyd")), 3), Err((3, Refusal::Overloaded)));
    engine.submit_always(envelope(1, disconnect()), 4).unwrap();
    go_on.send(()).unwrap();
    let tickets =
        |batch: Vec<Done<usize>>| batch.iter().filter_map(|done| done.ticket).collect::<Vec<_>>();
    assert_eq!(tickets(published.recv().unwrap()), [1, 2, 4]);
    // Commands queued before the stop are carried out, later ones are not.
    engine.submit(envelope(1, register("dan")), 5).unwrap();
    drop(go_on);
    engine.stop();
    assert_eq!(tickets(published.recv().unwrap()), [5]);
    assert_eq!(engine.submit(envelope(1, register("eve")), 6), Err((6, Refusal::Overloaded)));
    assert_eq!(engine.submit_always(envelope(1, disconnect()), 7), Err((7, Refusal::Overloaded)));
    let known = |handle: &str| {
        let query = about_user(user(handle));
        engine.query(Timestamp(1_000), ConnectionId(0), &query).outcome.is_ok()
    };
    assert!(known("ann") && known("bob") && known("dan") && !known("cyd") && !known("eve"));
}

#[test]
fn more_commands_than_fit_in_one_commit_are_done_in_order() {
    let (publish, published) = channel();
    let (go_on, held) = channel::<()>();
    let publish = move |batch: Vec<Done<usize>>| {
        publish.send(batch).expect("the test listens");
        let _ = held.recv();
    };
    let options = Options { cache_bytes: 16 << 20, ..Options::default() };
    let engine = Engine::open_with_backend(Memory::default(), options, publish).unwrap();
    engine.submit(envelope(0, a_no_op()), 0).unwrap();
    published.recv().unwrap();
    for ticket in 0..2_500 {
        engine.submit(envelope(1, create(core_model::NewRoom::default(), None)), ticket).unwrap();
    }
    drop(go_on);
    engine.stop();
    let batches: Vec<Vec<Done<usize>>> = published.try_iter().collect();
    assert!(batches.len() > 1, "a commit is bounded");
    let tickets: Vec<usize> = batches.iter().flatten().filter_map(|done| done.ticket).collect();
    assert_eq!(tickets, (0..2_500).collect::<Vec<_>>());
}
