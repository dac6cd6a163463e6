//! What one command may cost the writer, counted in rows written: the same on every machine.

use std::cell::RefCell;
use std::sync::Arc;

use core_model::{
    AdminCommand, Command, ConnectionId, NewRoom, NewUser, PostRight, RoomChanges, RoomId, RoomRef,
    SeatKind, Timestamp, Uid, UserRef,
};
use redb::{Database, WriteTransaction, backends::InMemoryBackend};

use super::BatchContext;
use crate::envelope::{Envelope, FrontendSettings};
use crate::lookup;
use crate::migrate::prepare;
use crate::state::Batch;

/// Rows that one command may write: a row takes a microsecond or two, and a command 5 ms.
const ROWS_MAX: u64 = 2_500;

fn database() -> Database {
    let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
    prepare(&database).unwrap();
    database
}

fn begin(transaction: &WriteTransaction) -> BatchContext<'_> {
    let batch = Batch::new(transaction, RefCell::default());
    let counters = lookup::counters(&batch).unwrap();
    BatchContext::new(batch, counters, None)
}

/// Carries out a command and returns the rows that it writes.
fn rows(context: &mut BatchContext<'_>, connection: u64, command: Command) -> u64 {
    let frontend = FrontendSettings { room_capacity: 500, ..FrontendSettings::default() };
    let envelope = Envelope {
        at: Timestamp(1),
        steady_ms: 1,
        connection: ConnectionId(connection),
        address: Some(1),
        frontend: Arc::new(frontend),
        key: None,
        command,
    };
    let before = context.writes();
    context.apply(&envelope).unwrap().outcome.unwrap();
    context.writes() - before
}

fn named(name: String) -> NewRoom {
    NewRoom { name: Some(name), ..NewRoom::default() }
}

fn handle(number: usize) -> UserRef {
    UserRef::Handle(format!("u{number}"))
}

fn tea() -> RoomRef {
    RoomRef::Name("tea".into())
}

fn register(context: &mut BatchContext<'_>, count: usize) {
    for number in 0..count {
        let handle = Some(format!("u{number}"));
        rows(context, 0, Command::Register { user: NewUser { handle, ..NewUser::default() } });
    }
}

/// A text of as many different pairs of characters as there can be.
fn dense(first: u32, count: u32) -> String {
    (first..first + count).map(|code| char::from_u32(code).unwrap()).collect()
}

#[test]
fn the_longest_texts_of_a_room_are_a_bounded_number_of_index_rows() {
    let database = database();
    let transaction = database.begin_write().unwrap();
    let mut context = begin(&transaction);
    let room = NewRoom {
        section: dense(0x4e00, 64),
        description: dense(0x5000, 500),
        ..named(dense(0x6000, 64))
    };
    let name = room.name.clone().unwrap();
    let create = Command::CreateRoom { room, owner: None, members: None };
    assert!(rows(&mut context, 0, create) < ROWS_MAX);
    let changes = RoomChanges {
        name: Some(dense(0x7000, 64)),
        section: Some(dense(0x7100, 64)),
        description: Some(dense(0x8000, 500)),
    };
    let update =
        |changes| Command::UpdateRoom { room: RoomRef::Name(name.clone()), changes, by: None };
    assert!(rows(&mut context, 0, update(changes.clone())) < 2 * ROWS_MAX);
    assert!(rows(&mut context, 0, update(changes)) < 5, "what does not differ is not written");
}

#[test]
fn a_full_room_is_made_and_deleted_in_a_bounded_number_of_rows() {
    let database = database();
    let transaction = database.begin_write().unwrap();
    let mut context = begin(&transaction);
    register(&mut context, 500);
    let members = Some((1..500).map(handle).collect());
    let room = named("tea".into());
    let create = Command::CreateRoom { room, owner: Some(handle(0)), members };
    assert!(rows(&mut context, 0, create) < ROWS_MAX);
    for number in 0..5_000 {
        let room = tea();
        let author = handle(number % 500);
        let text = "hi".into();
        let standing = PostRight::Member;
        rows(&mut context, 0, Command::Post { room, author, text, standing, notice: false });
    }
    let clear = Command::ClearMessages { room: tea(), by: None };
    assert!(rows(&mut context, 0, clear) < 8, "however many messages there are");
    let delete = Command::DeleteRoom { room: tea(), by: None };
    let deleted = rows(&mut context, 0, delete);
    assert!(deleted < ROWS_MAX, "{deleted} rows");
    for _ in 0..10 {
        assert!(rows(&mut context, 0, Command::Expire) < ROWS_MAX);
    }
}

#[test]
fn a_big_account_is_deleted_and_all_rooms_are_told_in_small_steps() {
    /// A tenth of what a command may take.
    const STEP_ROWS_MAX: u64 = ROWS_MAX / 5;
    let database = database();
    let transaction = database.begin_write().unwrap();
    let mut context = begin(&transaction);
    register(&mut context, 2);
    for number in 0..200 {
        let room = NewRoom { closed: number % 2 == 0, ..named(format!("r{number}")) };
        let members = (number % 4 == 0).then(|| vec![handle(1)]);
        rows(&mut context, 0, Command::CreateRoom { room, owner: Some(handle(0)), members });
    }
    let admin = |command| Command::Admin(Box::new(command));
    let (name, text) = ("Announcement".to_owned(), "hi".to_owned());
    for after in [0, 64, 128, 192] {
        let (after, name, text) = (RoomId(after), name.clone(), text.clone());
        let announced =
            rows(&mut context, 0, admin(AdminCommand::AnnounceToNext { after, name, text }));
        assert!((8..STEP_ROWS_MAX).contains(&announced), "{announced} rows");
    }
    for step in 0..11 {
        let shed = rows(&mut context, 0, admin(AdminCommand::Shed { user: Uid(10_000) }));
        assert!((1..STEP_ROWS_MAX).contains(&shed), "step {step}: {shed} rows");
    }
    let user = handle(0);
    let delete = AdminCommand::DeleteUser { user, anonymize: true };
    let deleted = rows(&mut context, 0, admin(delete));
    assert!(deleted < 30, "{deleted} rows: nothing is left to give up");
}

#[test]
fn the_end_of_a_connection_or_of_many_leases_is_a_bounded_number_of_rows() {
    let database = database();
    let transaction = database.begin_write().unwrap();
    let mut context = begin(&transaction);
    register(&mut context, 1);
    let enter = |room: RoomRef, user: UserRef, seat: SeatKind| Command::Enter {
        room,
        user,
        seat,
        opens: false,
        avatar: None,
        create: false,
    };
    for number in 0..128 {
        let name = format!("r{number}");
        let room = named(name.clone());
        rows(&mut context, 0, Command::CreateRoom { room, owner: None, members: None });
        rows(&mut context, 7, enter(RoomRef::Name(name), handle(0), SeatKind::Connection));
    }
    let disconnect = Command::Disconnect { delivered: None };
    assert!(rows(&mut context, 7, disconnect) < ROWS_MAX);
    let room = NewRoom { capacity: Some(5_000), ..named("tea".into()) };
    rows(&mut context, 0, Command::CreateRoom { room, owner: None, members: None });
    for number in 0..3_000 {
        let guest = UserRef::Handle(format!("guest:g{number}"));
        rows(&mut context, 0, enter(tea(), guest, SeatKind::Lease { ttl_ms: 0, grace_ms: 0 }));
    }
    for _ in 0..20 {
        assert!(rows(&mut context, 0, Command::Expire) < ROWS_MAX);
    }
}
