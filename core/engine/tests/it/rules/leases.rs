//! Seats taken over HTTP: nothing but time holds them, unless a connection takes them up.

use core_model::{Command, Refusal, Reply, Timestamp};

use super::*;

#[test]
fn a_lease_publishes_only_the_population() {
    let gateway = with_tea(&["ann", "bob"]);
    assert_eq!(gateway.tells(1, lease(room("tea"), user("bob"))), ["tea holds 2"]);
    assert_eq!(gateway.tells(2, lease(room("tea"), guest("gus"))), ["tea holds 3"]);
    assert_eq!(gateway.tells(3, end_lease(room("tea"), guest("gus"))), ["tea holds 2"]);
    assert_eq!(gateway.tells(4, end_lease(room("tea"), user("bob"))), ["tea holds 1"]);
    assert_eq!(gateway.refuses(5, end_lease(room("tea"), user("bob"))), Refusal::NotInRoom);
}

#[test]
fn the_end_of_an_http_exchange_keeps_its_lease() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, lease(room("tea"), user("bob")));
    assert_eq!(gateway.tells(1, disconnect()), [""; 0]);
    assert_eq!(population(&gateway), 2);
}

#[test]
fn a_lease_that_no_connection_uses_ends_after_its_time() {
    let mut gateway = with_tea(&["ann", "bob"]);
    assert_eq!(gateway.engine().next_expiry(), None);
    gateway.does(1, lease(room("tea"), user("bob")));
    let ends = 1_000 + TTL_MS;
    assert_eq!(gateway.engine().next_expiry(), Some(Timestamp(ends)));
    gateway.now = ends - 1;
    assert_eq!(gateway.tells(0, Command::Expire), [""; 0]);
    gateway.now = ends;
    assert_eq!(gateway.tells(0, Command::Expire), ["tea holds 1"]);
    assert_eq!(gateway.engine().next_expiry(), None);
}

#[test]
fn a_connection_takes_up_a_lease_instead_of_a_further_seat() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, lease(room("tea"), user("bob")));
    let (outcome, _) = gateway.call(2, enter(room("tea"), user("bob")));
    let Ok(Reply::Entered { room: seen, again, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((seen.population, again), (2, false));
    assert_eq!(gateway.engine().next_expiry(), None, "a used lease does not run out");
    gateway.now += 10 * TTL_MS;
    assert_eq!(gateway.tells(0, Command::Expire), [""; 0]);
    // The lease is used, so the next connection takes a seat of its own.
    assert_eq!(
        gateway.tells(3, enter(room("tea"), user("bob"))),
        ["bob enters tea by 3", "tea holds 3"]
    );
}

#[test]
fn taking_up_a_lease_publishes_no_population() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, lease(room("tea"), user("bob")));
    assert_eq!(gateway.tells(2, enter(room("tea"), user("bob"))), ["bob enters tea by 2"]);
}

#[test]
fn a_lease_is_taken_up_even_where_the_room_is_full() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, create(seating("tea", 1), None));
    gateway.does(1, lease(room("tea"), user("bob")));
    assert_eq!(gateway.refuses(2, enter(room("tea"), user("ann"))), Refusal::RoomFull);
    gateway.does(2, enter(room("tea"), user("bob")));
    assert_eq!(gateway.refuses(3, enter(room("tea"), user("bob"))), Refusal::RoomFull);
}

#[test]
fn a_lease_of_another_user_or_room_is_not_taken_up() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(titled("hall"), None));
    gateway.does(1, lease(room("tea"), user("ann")));
    gateway.does(1, lease(room("hall"), user("bob")));
    gateway.does(1, lease(room("tea"), guest("gus")));
    assert_eq!(
        gateway.tells(2, enter(room("tea"), user("bob"))),
        ["bob enters tea by 2", "tea holds 4"]
    );
    assert_eq!(gateway.tells(3, enter(room("tea"), guest("gus"))), ["guest:gus enters tea by 3"]);
}

#[test]
fn leaving_by_the_connection_restarts_the_lease() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, lease(room("tea"), user("bob")));
    gateway.does(2, enter(room("tea"), user("bob")));
    gateway.now += 5_000;
    assert_eq!(gateway.tells(2, exit(room("tea"), user("bob"))), ["bob leaves tea by 2"]);
    assert_eq!(gateway.engine().next_expiry(), Some(Timestamp(gateway.now + TTL_MS)));
    // The document's flow: leave over WebSocket, then over HTTP.
    assert_eq!(gateway.tells(3, end_lease(room("tea"), user("bob"))), ["tea holds 1"]);
}

#[test]
fn a_dropped_connection_keeps_the_lease_for_the_grace() {
    let mut gateway = with_tea(&["ann", "bob"]);
    for drop in [disconnect(), Command::SignOut { reason: String::new() }] {
        gateway.does(1, lease(room("tea"), user("bob")));
        gateway.does(2, enter(room("tea"), user("bob")));
        gateway.now += 5_000;
        assert_eq!(gateway.tells(2, drop), ["bob leaves tea by 2"]);
        let ends = gateway.now + GRACE_MS;
        assert_eq!(gateway.engine().next_expiry(), Some(Timestamp(ends)));
        // A connection that comes back in time takes it up again.
        gateway.now = ends - 1;
        assert_eq!(gateway.tells(3, enter(room("tea"), user("bob"))), ["bob enters tea by 3"]);
        assert_eq!(gateway.tells(3, disconnect()), ["bob leaves tea by 3"]);
        gateway.now += GRACE_MS;
        assert_eq!(gateway.tells(0, Command::Expire), ["tea holds 1"]);
    }
}

#[test]
fn ending_a_lease_prefers_one_that_no_connection_uses() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, lease(room("tea"), user("bob")));
    gateway.does(2, enter(room("tea"), user("bob")));
    gateway.does(3, lease(room("tea"), user("bob")));
    gateway.does(4, end_lease(room("tea"), user("bob")));
    gateway.does(2, say(room("tea"), user("bob"), "still here"));
    assert_eq!(
        gateway.tells(5, end_lease(room("tea"), user("bob"))),
        ["bob leaves tea by 2", "tea holds 1"],
        "then one that is used, whose connection leaves"
    );
    assert_eq!(gateway.refuses(2, say(room("tea"), user("bob"), "hi")), Refusal::NotInRoom);
}

#[test]
fn with_seats_of_connections_only_there_is_no_lease_to_end() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, enter(room("tea"), user("bob")));
    assert_eq!(gateway.refuses(2, end_lease(room("tea"), user("bob"))), Refusal::NotInRoom);
    gateway.does(1, say(room("tea"), user("bob"), "still here"));
}

#[test]
fn leases_end_each_at_its_own_time() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, lease(room("tea"), user("bob")));
    gateway.now += 10;
    gateway.does(2, lease(room("tea"), guest("gus")));
    gateway.now += 10;
    gateway.does(3, lease(room("tea"), user("ann")));
    gateway.now = 1_000 + TTL_MS + 10;
    assert_eq!(gateway.tells(0, Command::Expire), ["tea holds 3", "tea holds 2"]);
    assert_eq!(gateway.engine().next_expiry(), Some(Timestamp(1_000 + TTL_MS + 20)));
}
