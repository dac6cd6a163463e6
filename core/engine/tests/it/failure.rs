//! When the store fails.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use core_engine::{Done, Engine, Envelope, FrontendSettings, Options};
use core_model::{Command, ConnectionId, ProfileChanges, Query, Refusal, Reply, Timestamp};
use redb::StorageBackend;

use crate::build::*;
use crate::memory::{Failing, Memory};

pub(crate) type Published = Receiver<Vec<Done<usize>>>;

pub(crate) fn open(memory: &Memory) -> (Engine<usize>, Published) {
    let (publish, published) = channel();
    let options = Options { cache_bytes: 4 << 20, ..Options::default() };
    let publish = move |batch| publish.send(batch).expect("the test listens");
    let engine = Engine::open_with_backend(memory.clone(), options, publish);
    (engine.expect("the store opens"), published)
}

pub(crate) fn envelope(command: Command) -> Envelope {
    let frontend = Arc::new(FrontendSettings { room_capacity: 500, ..FrontendSettings::default() });
    Envelope {
        at: Timestamp(1_000),
        steady_ms: 1_000,
        connection: ConnectionId(1),
        address: None,
        frontend,
        key: None,
        command,
    }
}

/// One command, carried out.
pub(crate) fn does(engine: &Engine<usize>, published: &Published, command: Command) {
    engine.submit(envelope(command), 0).expect("the engine takes the command");
    let done = published.recv().expect("the writer answers");
    assert!(done[0].outcome.is_ok(), "{:?}", done[0].outcome);
}

fn handle_known(engine: &Engine<usize>, handle: &str) -> bool {
    let query = about_user(user(handle));
    engine.query(Timestamp(1_000), ConnectionId(0), &query).outcome.is_ok()
}

/// The outcomes of the next commands, with their tickets in order.
pub(crate) fn outcomes(published: &Published, count: usize) -> Vec<core_model::Outcome> {
    let mut done = Vec::new();
    while done.len() < count {
        done.extend(published.recv().expect("the writer answers"));
    }
    done.sort_by_key(|done| done.ticket);
    done.into_iter().map(|done| done.outcome).collect()
}

fn is_full(outcome: &core_model::Outcome) -> bool {
    matches!(outcome, Err(refusal @ Refusal::Internal { why })
        if why.contains("no space left on this test") && !refusal.is_outcome_unknown())
}

#[test]
fn the_engine_recovers_by_itself_from_a_full_disk() {
    let memory = Memory::that_may_lose_power();
    let (engine, published) = open(&memory);
    does(&engine, &published, register("ann"));
    does(&engine, &published, vouch(user("ann")));
    let ((reached, failing), (go_on, wait)) = (channel(), channel());
    memory.fill_up(Failing { reached, go_on: wait });
    engine.submit(envelope(register("bob")), 0).unwrap();
    failing.recv().expect("the writer tries to write");
    // These wait while the commit is failing.
    engine.submit(envelope(register("cyd")), 1).unwrap();
    engine.submit_always(envelope(disconnect()), 2).unwrap();
    go_on.send(()).unwrap();
    // The disk is still full at the first attempt to recover.
    assert!(outcomes(&published, 2).iter().all(|outcome| {
        is_full(outcome) || outcome.as_ref().is_err_and(Refusal::is_outcome_unknown)
    }));
    let why = engine.failure().expect("the engine reports its failure");
    assert!(why.contains("no space left on this test"), "{why}");
    let refused = engine.submit(envelope(register("dan")), 7);
    assert_eq!(refused, Err((7, Refusal::Internal { why })));
    assert!(engine.query(Timestamp(0), ConnectionId(0), &Query::LastChange).outcome.is_err());
    memory.free_up();
    engine.wait_for_recovery();
    // The end of the connection was kept.
    let [done] = &published.recv().unwrap()[..] else { panic!("one command was kept") };
    assert_eq!((done.ticket, &done.outcome), (Some(2), &Ok(Reply::Done)));
    assert_eq!((engine.failure(), engine.failures()), (None, 1));
    assert!(handle_known(&engine, "ann") && !handle_known(&engine, "bob"));
    does(&engine, &published, register("bob"));
    let (after, _published) = open(&memory.without_power());
    assert_eq!(after.dump(), engine.dump());
}

#[test]
fn a_commit_that_failed_before_it_was_durable_is_refused() {
    let memory = Memory::that_may_lose_power();
    let (engine, published) = open(&memory);
    let ((reached, failing), (go_on, wait)) = (channel(), channel());
    memory.fill_up(Failing { reached, go_on: wait });
    engine.submit(envelope(register("bob")), 0).unwrap();
    failing.recv().expect("the writer tries to write");
    memory.free_up();
    go_on.send(()).unwrap();
    assert!(is_full(&outcomes(&published, 1)[0]));
    engine.wait_for_recovery();
    assert!(!handle_known(&engine, "bob"));
    does(&engine, &published, register("bob"));
}

#[test]
fn a_commit_that_failed_after_it_was_durable_is_answered_as_stored() {
    let memory = Memory::that_may_lose_power();
    let (engine, published) = open(&memory);
    does(&engine, &published, register("ann"));
    does(&engine, &published, create(titled("tea"), Some(user("ann"))));
    // The first sync of a commit is for its pages, the second for the header that names them.
    memory.fail_after_sync(1);
    does(&engine, &published, post(room("tea"), user("ann"), "hi"));
    engine.wait_for_recovery();
    assert_eq!(engine.failures(), 1);
    let (after, _published) = open(&memory.without_power());
    assert_eq!(after.dump(), engine.dump());
}

#[test]
fn a_failed_read_of_a_query_is_a_failure_that_the_engine_recovers_from() {
    let memory = Memory::default();
    let (publish, published) = channel();
    let options = Options { cache_bytes: 0, ..Options::default() };
    let publish = move |batch| publish.send(batch).expect("the test listens");
    let engine = Engine::open_with_backend(memory.clone(), options, publish).unwrap();
    does(&engine, &published, register("ann"));
    memory.fail_reads(1);
    let query = about_user(user("ann"));
    let refused = engine.query(Timestamp(0), ConnectionId(0), &query).outcome.unwrap_err();
    assert!(matches!(refused, Refusal::Internal { why } if why.contains("a read fails")));
    engine.wait_for_recovery();
    assert_eq!((engine.failure(), engine.failures()), (None, 1));
    assert!(handle_known(&engine, "ann"));
    does(&engine, &published, register("bob"));
}

#[test]
fn answered_commands_survive_a_power_failure() {
    let memory = Memory::that_may_lose_power();
    let (engine, published) = open(&memory);
    does(&engine, &published, register("ann"));
    does(&engine, &published, create(titled("tea"), Some(user("ann"))));
    for number in 0..150 {
        does(&engine, &published, post(room("tea"), user("ann"), &number.to_string()));
        if number % 10 != 0 {
            continue;
        }
        let (after, _published) = open(&memory.without_power());
        assert_eq!(after.dump(), engine.dump(), "after {number}");
    }
}

#[test]
fn commands_that_change_nothing_write_nothing() {
    let memory = Memory::default();
    let (engine, published) = open(&memory);
    does(&engine, &published, register("ann"));
    does(&engine, &published, create(titled("tea"), Some(user("ann"))));
    does(&engine, &published, receive(user("ann"), Some(room("tea"))));
    let ((reached, _failing), (_go_on, go_on)) = (channel(), channel());
    drop(_go_on);
    memory.fill_up(Failing { reached, go_on });
    // On a full disk these can still be answered.
    for command in [
        receive(user("ann"), Some(room("tea"))),
        join(room("tea"), user("ann")),
        vouch(user("ann")),
        Command::SignOut { reason: String::new() },
        disconnect(),
        kick(room("tea"), user("zed")),
        a_no_op(),
    ] {
        does(&engine, &published, command);
    }
    engine.submit(envelope(join(room("none"), user("ann"))), 0).unwrap();
    assert_eq!(published.recv().unwrap()[0].outcome, Err(Refusal::UnknownRoom));
    assert_eq!(engine.failure(), None);
}

#[test]
fn an_old_snapshot_does_not_keep_replaced_pages() {
    let memory = Memory::default();
    let (engine, published) = open(&memory);
    does(&engine, &published, register("ann"));
    assert!(handle_known(&engine, "ann"));
    for number in 0..2_000 {
        let info = Some(format!("{number}").repeat(2_000));
        let changes = ProfileChanges { info, ..ProfileChanges::default() };
        does(
            &engine,
            &published,
            Command::UpdateUser { user: user("ann"), create: false, changes },
        );
    }
    let bytes = memory.len().unwrap();
    assert!(bytes < 8 << 20, "{bytes} bytes for one user");
}

#[test]
fn an_unreadable_row_refuses_the_commands_that_need_it_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let open = || {
        let (publish, published) = channel();
        let publish = move |batch| publish.send(batch).expect("the test listens");
        let engine = Engine::open(&path, Options::default(), publish).expect("the store opens");
        (engine, published)
    };
    let (engine, published) = open();
    does(&engine, &published, register("ann"));
    drop(engine);
    {
        let users = redb::TableDefinition::<u64, &[u8]>::new("users");
        let database = redb::Database::open(&path).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(users).unwrap().insert(10_000, &b"\x01nonsense"[..]).unwrap();
        write.commit().unwrap();
    }
    let (engine, published) = open();
    let unreadable = |refusal: Refusal| match refusal {
        Refusal::Internal { why } => assert!(why.contains("\"users\""), "{why}"),
        other => panic!("{other:?}"),
    };
    let query = about_user(user("ann"));
    unreadable(engine.query(Timestamp(0), ConnectionId(0), &query).outcome.unwrap_err());
    assert_eq!(engine.failure(), None, "a query breaks nothing");
    // In one batch with commands that do not need the row.
    engine.submit(envelope(register("bob")), 0).unwrap();
    engine.submit(envelope(vouch(user("ann"))), 1).unwrap();
    engine.submit(envelope(register("cyd")), 2).unwrap();
    let mut outcomes = outcomes(&published, 3);
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    unreadable(outcomes.swap_remove(1).unwrap_err());
    assert_eq!(engine.failure(), None);
}

#[test]
fn a_panic_while_publishing_stops_the_engine() {
    let options = Options { cache_bytes: 4 << 20, ..Options::default() };
    let publish = |_: Vec<Done<()>>| panic!("on purpose");
    let engine = Engine::open_with_backend(Memory::default(), options, publish).unwrap();
    engine.submit(envelope(register("ann")), ()).unwrap();
    // Waits until the writer is gone.
    engine.stop();
    assert!(engine.failure().is_some_and(|why| why.contains("panicked")));
    let refused = engine.submit(envelope(register("bob")), ());
    assert!(matches!(refused, Err(((), Refusal::Internal { .. }))));
}
