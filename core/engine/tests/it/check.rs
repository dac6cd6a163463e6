//! `check` finds what is wrong with a store, and nothing where nothing is.

use std::path::Path;

use core_engine::{Report, check};
use core_model::{Claim, Command, RoomId, UserRef};
use redb::TableDefinition;

use crate::build::*;
use crate::gateway::Gateway;

/// A store with rows in every table, as a kill leaves it.
pub(crate) fn furnished(path: &Path) {
    let mut gateway = Gateway::on(path.into());
    gateway.address = Some(1);
    gateway.does(0, register("ann"));
    gateway.does(0, register("bob"));
    let link =
        |identity: &str| Command::LinkIdentity { user: user("ann"), identity: identity.into() };
    gateway.does(0, link("tel/1"));
    gateway.does(0, create(titled("tea"), Some(user("ann"))));
    gateway.does(0, issue(user("ann"), grant("t1", 1_000_000)));
    gateway.does(1, signing_in_with_an_address());
    gateway.does(2, enter(room("tea"), user("bob")));
    gateway.does(2, lease(room("tea"), user("bob")));
    for number in 0..100 {
        gateway.does(0, post(room("tea"), user("ann"), &number.to_string()));
        gateway.does(0, direct(user("ann"), user("bob"), &number.to_string()));
    }
    gateway.does(0, receive(user("ann"), Some(room("tea"))));
    // A room that is gone, whose messages are not swept up yet, and one without an owner.
    gateway.does(0, create(titled("gone"), Some(user("ann"))));
    for number in 0..100 {
        gateway.does(0, post(room("gone"), user("ann"), &number.to_string()));
    }
    gateway.does(0, delete(room("gone"), None));
    gateway.does(0, create(titled("free"), None));
    // An address that was used up by an entrance, and rooms whose oldest run was shortened.
    gateway.does(3, enter(room("free"), at_the_address("bob")));
    gateway.does(
        0,
        Command::Prune { before: None, keep_per_room: Some(50), from: RoomId(0), limit: 7 },
    );
    let key = Some("test/k".into());
    let posting = gateway.envelope(0, post(room("tea"), user("ann"), "hi"));
    gateway.call_as_is(core_engine::Envelope { key, ..posting }).0.unwrap();
}

fn signing_in_with_an_address() -> Command {
    let Command::SignIn { user, credential, create, changes, delivery, token, .. } =
        sign_in_for_messages(user("bob"), 9)
    else {
        unreachable!("it signs in")
    };
    let address = Some(core_model::AddressGrant { address: "10.0.0.1".into(), ttl_ms: 1_000_000 });
    Command::SignIn { user, credential, create, changes, session: true, delivery, token, address }
}

/// Whose address must be known for a while longer than its use lets it be.
fn at_the_address(name: &str) -> UserRef {
    let address = Some("10.0.0.1".into());
    UserRef::Claim(Claim { address, address_left_min_ms: 1_000, ..claim(name) })
}

fn faults(path: &Path) -> Report {
    check(path, 1 << 20).expect("it opens")
}

#[test]
fn nothing_is_wrong_with_a_store_that_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    furnished(&path);
    let report = faults(&path);
    assert_eq!(report.faults, Vec::<String>::new());
    assert!(report.is_whole());
    let rows = |table| report.readable.iter().find(|(name, _)| *name == table).unwrap().1;
    assert_eq!((rows("users"), rows("rooms"), rows("messages")), (2, 2, 294));
    assert!(check(&folder.path().join("missing"), 1 << 20).is_err());
}

/// Removes the first row of each table in turn, each from a copy of the store.
macro_rules! without_a_row {
    ($store:expr, $($name:literal: $key:ty => $value:ty,)*) => {$({
        let copy = $store.with_file_name(concat!($name, ".redb"));
        std::fs::copy($store, &copy).unwrap();
        {
            let database = redb::Database::open(&copy).unwrap();
            let write = database.begin_write().unwrap();
            let definition = TableDefinition::<$key, $value>::new($name);
            write.open_table(definition).unwrap().pop_first().unwrap().expect($name);
            write.commit().unwrap();
        }
        let report = faults(&copy);
        assert!(!report.is_whole(), "{}: {report:?}", $name);
    })*};
}

#[test]
fn a_missing_row_is_found_in_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    furnished(&path);
    without_a_row! { &path,
        "counters": u8 => &[u8],
        "users": u64 => &[u8],
        "handles": &str => u64,
        "lookalikes": (&str, u64) => (),
        "identities": &str => u64,
        "tokens": &[u8; 32] => &[u8],
        "tokens_by_user": (u64, &[u8; 32]) => (),
        "addresses": (&str, u64) => u64,
        "addresses_by_user": (u64, &str) => (),
        "rooms": u32 => &[u8],
        "room_names": &str => u32,
        "sections": (&str, u32) => (),
        "owned_rooms": (u64, u32) => (),
        "members": (u32, u64) => (u64, u64),
        "member_rooms": (u64, u32) => (),
        "membership_counts": u64 => u32,
        "open_rooms": u32 => (),
        "quotas": (u8, u128) => (u64, u32),
        "leases_by_address": (u128, u32, u64) => (),
        "keys_by_address": (u128, u64, &str) => (),
        "seats": u64 => &[u8],
        "seats_by_person": (u32, &str, u64) => (),
        "seats_by_connection": (u64, u64) => (),
        "seat_counts": u32 => u32,
        "seat_ends": (u64, u64) => (),
        "sessions": u64 => &[u8],
        "sessions_by_user": (u64, u64) => (),
        "presence": u64 => u32,
        "tails": u64 => &[u8],
        "chunks": (u64, u64) => &[u8],
        "keys": &str => &[u8],
        "expiries": (u64, u8, &[u8]) => (),
        "grams": (u64, u32) => (),
        "gram_counts": u64 => u32,
        "folded_names": (&str, u32) => (),
        "cleared": u64 => u64,
    }
}

/// The faults of a copy of the store, changed like this.
fn faults_after(store: &Path, name: &str, change: impl Fn(&redb::WriteTransaction)) -> Vec<String> {
    let copy = store.with_file_name(format!("{name}.redb"));
    std::fs::copy(store, &copy).unwrap();
    {
        let database = redb::Database::open(&copy).unwrap();
        let write = database.begin_write().unwrap();
        change(&write);
        write.commit().unwrap();
    }
    faults(&copy).faults
}

#[test]
fn a_row_too_many_is_found_among_rooms_without_an_owner_and_cleared_streams() {
    const UNOWNED: TableDefinition<'_, u32, ()> = TableDefinition::new("unowned_rooms");
    const CLEARED: TableDefinition<'_, u64, u64> = TableDefinition::new("cleared");
    const EXPIRIES: TableDefinition<'_, (u64, u8, &[u8]), ()> = TableDefinition::new("expiries");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    furnished(&path);
    for (room, what) in [(1, "owned"), (77, "unknown")] {
        let found = faults_after(&path, what, |write| {
            write.open_table(UNOWNED).unwrap().insert(room, ()).unwrap();
        });
        assert!(found.iter().any(|fault| fault.contains("no room without an owner")), "{found:?}");
    }
    let found = faults_after(&path, "endless", |write| {
        let mut expiries = write.open_table(EXPIRIES).unwrap();
        expiries.retain(|(_, kind, _), ()| kind != 5).unwrap();
    });
    assert_eq!(found, ["room 3 without an owner never ends"]);
    let found = faults_after(&path, "amid", |write| {
        let mut cleared = write.open_table(CLEARED).unwrap();
        let (stream, newest) = cleared
            .pop_first()
            .unwrap()
            .map(|(stream, newest)| (stream.value(), newest.value()))
            .unwrap();
        cleared.insert(stream, newest + 1).unwrap();
    });
    assert_eq!(found, ["stream 2 is cleared up to the middle of a run"]);
}

#[test]
fn a_message_that_is_missing_in_the_middle_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    furnished(&path);
    {
        let database = redb::Database::open(&path).unwrap();
        let write = database.begin_write().unwrap();
        let messages = TableDefinition::<u64, &[u8]>::new("messages");
        write.open_table(messages).unwrap().remove(50).unwrap().expect("message 50");
        write.commit().unwrap();
    }
    assert_eq!(faults(&path).faults.len(), 2, "both ends of a direct message");
}

#[test]
fn a_flipped_bit_is_found_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    furnished(&path);
    let dump = |path: &Path| Gateway::on(path.into()).engine().dump().unwrap();
    let expected = dump(&path);
    let whole = std::fs::read(&path).unwrap();
    let flipped = folder.path().join("flipped.redb");
    let mut found = 0;
    let flips = 150;
    for flip in 0..flips {
        let mut bytes = whole.clone();
        let at = 9 + (flip * 104_729 + 12_345) % (bytes.len() - 9);
        bytes[at] ^= 1 << (flip % 8);
        std::fs::write(&flipped, &bytes).unwrap();
        let is_found = check(&flipped, 1 << 20).map_or(true, |report| !report.is_whole());
        found += usize::from(is_found);
        if !is_found {
            std::fs::write(&flipped, &bytes).unwrap();
            assert_eq!(dump(&flipped), expected, "bit {} of byte {at}", flip % 8);
        }
    }
    assert!(found > 0);
}
