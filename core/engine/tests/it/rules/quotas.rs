//! Quotas by owner, connection and address.

use core_engine::Quotas;
use core_model::{Command, NewRoom, Refusal, Reply, RoomId, Timestamp};

use super::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn exceeded(max: u32) -> Refusal {
    Refusal::QuotaExceeded { what: String::new(), max }
}

fn not_public(id: u32) -> Refusal {
    Refusal::RoomNotPublic { room: RoomId(id), why: String::new() }
}

#[test]
fn a_lease_of_the_same_person_is_renewed_instead_of_a_further_seat() {
    let mut gateway = with_tea(&["ann", "bob"]);
    assert_eq!(gateway.tells(1, lease(room("tea"), user("bob"))), ["tea holds 2"]);
    gateway.now += 5_000;
    assert_eq!(gateway.tells(2, lease(room("tea"), user("bob"))), [""; 0]);
    assert_eq!(gateway.engine().next_expiry(), Some(Timestamp(gateway.now + TTL_MS)));
    assert_eq!(population(&gateway), 2);
    // A device that is connected is another.
    gateway.does(3, enter(room("tea"), user("bob")));
    assert_eq!(gateway.tells(4, lease(room("tea"), user("bob"))), ["tea holds 3"]);
}

#[test]
fn an_address_has_a_bounded_number_of_leases_in_a_room() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(0, create(titled("hall"), None));
    gateway.frontend.quotas = Quotas { leases_per_address_max: 10, ..Quotas::default() };
    gateway.address = Some(1);
    let taking = |number: usize| lease(room("tea"), guest(&format!("g{number}")));
    (0..10).for_each(|number| drop(gateway.does(1, taking(number))));
    refusals(&gateway, [(taking(10), Refusal::RoomFull)]);
    // One that is renewed, another room, another address, and a connection are not affected.
    gateway.does(1, taking(3));
    gateway.does(1, lease(room("hall"), guest("g10")));
    gateway.does(1, enter(room("tea"), guest("g10")));
    gateway.address = Some(2);
    gateway.does(1, taking(11));
    gateway.address = Some(1);
    gateway.does(2, enter(room("tea"), guest("g0")));
    gateway.does(1, taking(12));
    refusals(&gateway, [(taking(13), Refusal::RoomFull)]);
    gateway.does(1, end_lease(room("tea"), guest("g1")));
    gateway.does(1, taking(13));
    gateway.now += TTL_MS;
    gateway.does(0, Command::Expire);
    (20..30).for_each(|number| drop(gateway.does(1, taking(number))));
}

#[test]
fn a_connection_is_in_a_room_under_a_bounded_number_of_names() {
    let mut gateway = with_tea(&["ann"]);
    gateway.frontend.quotas = Quotas { names_per_connection_max: 8, ..Quotas::default() };
    let entering = |number: usize| enter(room("tea"), guest(&format!("g{number}")));
    (0..8).for_each(|number| drop(gateway.does(9, entering(number))));
    refusals(&gateway, [(entering(8), Refusal::RoomFull)]);
    gateway.does(9, entering(3));
    gateway.does(8, entering(8));
    gateway.does(9, exit(room("tea"), guest("g0")));
    gateway.does(9, entering(9));
}

#[test]
fn an_address_has_a_bounded_number_of_guests_in_a_room() {
    let mut gateway = with_tea(&["ann"]);
    gateway.frontend.quotas = Quotas { guests_per_address_max: 4, ..Quotas::default() };
    let entering = |number: u64| enter(room("tea"), guest(&format!("g{number}")));
    gateway.address = Some(7);
    for number in 0..4 {
        gateway.does(10 + number / 2, entering(number));
    }
    refusals(&gateway, [(entering(4), Refusal::RoomFull)]);
    // A guest that is there, users with an account, another room, and another address.
    gateway.does(10, entering(0));
    gateway.does(20, enter(room("tea"), user("ann")));
    gateway.does(0, create(titled("milk"), None));
    gateway.does(21, enter(room("milk"), guest("g4")));
    gateway.address = Some(8);
    gateway.does(22, entering(5));
    gateway.address = Some(7);
    refusals(&gateway, [(entering(4), Refusal::RoomFull)]);
    gateway.does(10, exit(room("tea"), guest("g0")));
    gateway.does(23, entering(4));
    refusals(&gateway, [(entering(6), Refusal::RoomFull)]);
    gateway.does(11, disconnect());
    gateway.does(24, entering(6));
    gateway.does(24, entering(7));
    refusals(&gateway, [(entering(8), Refusal::RoomFull)]);
}

#[test]
fn a_connection_and_a_person_have_a_bounded_number_of_seats() {
    let gateway = with_tea(&["ann"]);
    for connection in 101..165 {
        gateway.does(connection, enter(room("tea"), user("ann")));
    }
    refusals(&gateway, [(enter(room("tea"), user("ann")), Refusal::RoomFull)]);
    for number in 0..128 {
        gateway.does(0, create(titled(&format!("r{number}")), None));
        gateway.does(9, enter(room(&format!("r{number}")), guest("gus")));
    }
    // This connection has 129 with the one in tea; the next has to wait for one to be given back.
    let one_more = enter(room("tea"), guest("gus"));
    refusals(&gateway, [(one_more.clone(), exceeded(128))]);
    gateway.does(9, exit(room("r0"), guest("gus")));
    gateway.does(9, exit(room("r1"), guest("gus")));
    gateway.does(9, one_more);
}

#[test]
fn an_address_makes_a_bounded_number_of_accounts_in_an_hour() {
    let mut gateway = with(&["ann"]);
    gateway.frontend.quotas = Quotas { accounts_per_address_per_hour_max: 2, ..Quotas::default() };
    gateway.does(0, register("by the operator"));
    gateway.address = Some(1);
    gateway.does(1, register("b1"));
    gateway.now += 60_000;
    gateway.does(1, register("b2"));
    let retry_after_ms = 59 * 60 * 1000;
    refusals(&gateway, [(register("b3"), Refusal::SlowDown { retry_after_ms })]);
    gateway.does(1, sign_in(user("ann")));
    gateway.address = Some(2);
    gateway.does(1, register("c1"));
    gateway.address = Some(1);
    gateway.now += retry_after_ms;
    gateway.does(1, register("b3"));
    gateway.does(0, Command::Expire);
    gateway.does(1, register("b4"));
    refusals(&gateway, [(register("b5"), Refusal::SlowDown { retry_after_ms: 60 * 60 * 1000 })]);
}

#[test]
fn rooms_without_an_owner_are_bounded_by_address_and_in_all() {
    let mut gateway = with(&["ann"]);
    gateway.frontend.quotas =
        Quotas { rooms_per_address_per_day_max: 2, unowned_rooms_max: 3, ..Quotas::default() };
    gateway.address = Some(1);
    let making = |name: &str| create(titled(name), None);
    gateway.does(1, making("a"));
    gateway.does(1, making("b"));
    refusals(&gateway, [(making("c"), Refusal::SlowDown { retry_after_ms: DAY_MS })]);
    gateway.does(1, create(titled("own"), Some(user("ann"))));
    gateway.address = Some(2);
    gateway.does(1, making("c"));
    refusals(&gateway, [(making("d"), exceeded(3))]);
    // A declared room is the operator's.
    gateway.does(0, Command::DeclareRoom { room: titled("a") });
    gateway.does(0, Command::DeclareRoom { room: titled("declared") });
    gateway.does(1, making("d"));
}

#[test]
fn a_room_without_an_owner_ends_a_week_after_its_last_use() {
    let mut gateway = with(&["ann"]);
    let names = ["unused", "seated", "written", "declared", "own"];
    for name in names {
        let owner = (name == "own").then(|| user("ann"));
        gateway.does(0, create(titled(name), owner));
    }
    gateway.does(0, Command::DeclareRoom { room: titled("declared") });
    gateway.does(1, enter(room("seated"), guest("gus")));
    gateway.does(2, enter(room("written"), guest("gus")));
    gateway.does(2, say(room("written"), guest("gus"), "hi"));
    gateway.does(2, disconnect());
    gateway.now += 7 * DAY_MS - 1;
    assert_eq!(gateway.tells(0, Command::Expire), [""; 0]);
    gateway.now += 1;
    assert_eq!(gateway.tells(0, Command::Expire), ["unused is gone"]);
    gateway.does(1, disconnect());
    let from = RoomId(0);
    gateway.does(
        0,
        Command::Prune {
            before: Some(Timestamp(gateway.now)),
            keep_per_room: None,
            from,
            limit: 9,
        },
    );
    gateway.now += 7 * DAY_MS;
    assert_eq!(gateway.tells(0, Command::Expire), ["seated is gone", "written is gone"]);
    gateway.now += 30 * DAY_MS;
    assert_eq!(gateway.tells(0, Command::Expire), [""; 0]);
}

#[test]
fn an_owner_has_a_bounded_number_of_rooms() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.frontend.quotas = Quotas { rooms_per_owner_max: 2, ..Quotas::default() };
    gateway.does(0, create(titled("b"), Some(user("ann"))));
    refusals(
        &gateway,
        [
            (create(titled("c"), Some(user("ann"))), exceeded(2)),
            (post_joining(room("c"), user("ann"), "hi", true), exceeded(2)),
        ],
    );
    gateway.does(0, create(titled("c"), Some(user("bob"))));
    gateway.does(0, delete(room("b"), None));
    gateway.does(0, create(titled("b"), Some(user("ann"))));
}

#[test]
fn others_make_a_user_a_member_of_fewer_rooms_than_it_may_join() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.frontend.quotas =
        Quotas { groups_per_user_max: 1, memberships_per_user_max: 2, ..Quotas::default() };
    let group = |name: &str| create_for(closed(name), user("ann"), &["bob"]);
    gateway.frontend.quotas.memberships_per_user_max = 0;
    gateway.does(0, group("one"));
    refusals(&gateway, [(group("two"), exceeded(1))]);
    gateway.frontend.quotas.memberships_per_user_max = 2;
    gateway.does(0, create(titled("hall"), None));
    gateway.does(0, join(room("hall"), user("bob")));
    refusals(&gateway, [(join(room("tea"), user("bob")), exceeded(2))]);
    gateway.does(0, kick(room("hall"), user("bob")));
    gateway.does(0, join(room("tea"), user("bob")));
}

#[test]
fn a_further_token_replaces_the_one_that_expires_first() {
    let mut gateway = with(&["ann", "bob"]);
    gateway.frontend.quotas = Quotas { tokens_per_user_max: 2, ..Quotas::default() };
    gateway.does(0, issue(user("bob"), grant("bob's", 1)));
    gateway.does(0, issue(user("ann"), grant("long", 9_000)));
    gateway.does(0, issue(user("ann"), grant("short", 5_000)));
    gateway.does(0, issue(user("ann"), grant("newest", 10)));
    let known = |text| gateway.ask(&about_user(by_token(text))).is_ok();
    assert_eq!(["long", "short", "newest", "bob's"].map(known), [true, false, true, true]);
}

#[test]
fn a_further_key_replaces_the_oldest_of_its_address() {
    let mut gateway = with_tea(&["ann"]);
    gateway.frontend.quotas = Quotas { keys_per_address_max: 2, ..Quotas::default() };
    let posted = |gateway: &Gateway, key: &str| {
        let envelope = gateway.envelope(1, post(room("tea"), user("ann"), key));
        let envelope = core_engine::Envelope { key: Some(key.into()), ..envelope };
        match gateway.call_as_is(envelope).0 {
            Ok(Reply::Posted { message }) => message.id.0,
            other => panic!("{other:?}"),
        }
    };
    gateway.address = Some(1);
    assert_eq!(posted(&gateway, "t/a"), 1);
    gateway.now += 1;
    assert_eq!(posted(&gateway, "t/b"), 2);
    gateway.address = Some(2);
    assert_eq!(posted(&gateway, "t/c"), 3);
    gateway.address = Some(1);
    gateway.now += 1;
    assert_eq!(posted(&gateway, "t/d"), 4);
    assert_eq!(["t/b", "t/c", "t/d"].map(|key| posted(&gateway, key)), [2, 3, 4]);
    assert_eq!(posted(&gateway, "t/a"), 5, "forgotten");
    gateway.now += DAY_MS;
    gateway.does(0, Command::Expire);
    let rows = |table: &str| {
        let dump = gateway.engine().dump().unwrap();
        dump.into_iter().find(|(name, _)| *name == table).unwrap().1.len()
    };
    assert_eq!(["keys", "keys_by_address", "quotas", "expiries"].map(rows), [0; 4]);
}

#[test]
fn a_room_of_a_user_is_not_declared_and_a_closed_one_not_joined_by_everyone() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(0, create(titled("open"), None));
    let declare = |name: &str| Command::DeclareRoom { room: titled(name) };
    let refusal = gateway.refuses(0, declare("tea"));
    assert_eq!(refusal.to_string(), "room 1 of that name belongs to ann");
    gateway.does(0, declare("open"));
    gateway.does(0, register("cyd"));
    gateway.does(0, create_for(closed("group"), user("ann"), &["cyd"]));
    let refusal = gateway.refuses(0, declare("group#3"));
    assert_eq!(refusal.to_string(), "room 3 of that name belongs to ann and is closed");
    gateway.frontend.auto_join = vec!["group#3".into(), "tea".into(), "open".into()];
    let Reply::Registered { skipped, .. } = gateway.does(0, register("bob")) else { panic!() };
    let why: Vec<Refusal> = skipped.iter().map(|skip| say::refusal(&skip.why)).collect();
    assert_eq!(why, [not_public(3)]);
    assert_eq!(members_of(&gateway, "open"), ["bob"]);
}

#[test]
fn a_closed_room_takes_no_name_that_others_could_want() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, create_for(closed("LOBBY"), user("ann"), &["bob"]));
    let seen = room_seen_by(&gateway, room("LOBBY#1"), Some(user("ann")));
    assert_eq!((seen.title.as_str(), seen.closed), ("LOBBY", true));
    let new = NewRoom { insist: true, ..titled("LOBBY") };
    gateway.does(0, create(new, None));
    gateway.does(0, Command::DeclareRoom { room: titled("LOBBY") });
}
