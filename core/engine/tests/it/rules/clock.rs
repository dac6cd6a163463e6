//! A clock that jumps.

use core_model::{Command, RoomId, Timestamp};

use super::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const YEAR_MS: u64 = 365 * DAY_MS;

/// A pass of retention that keeps messages for thirty days.
fn prune(gateway: &Gateway) -> u32 {
    let before = Some(Timestamp(gateway.now.saturating_sub(30 * DAY_MS)));
    let command = Command::Prune { before, keep_per_room: None, from: RoomId(0), limit: u32::MAX };
    match gateway.does(0, command) {
        Reply::Pruned { messages, .. } => messages,
        other => panic!("{other:?}"),
    }
}

fn population(gateway: &Gateway) -> u32 {
    room_seen_by(gateway, room("tea"), None).population
}

/// A gateway with messages that are an hour old.
fn with_messages() -> Gateway {
    let mut gateway = with_tea(&["ann"]);
    gateway.now = 100 * DAY_MS;
    gateway.steady = Some(gateway.now);
    for number in 0..100 {
        gateway.does(0, post(room("tea"), user("ann"), &number.to_string()));
    }
    gateway.now += DAY_MS / 24;
    gateway.steady = Some(gateway.now);
    gateway.does(0, a_no_op());
    gateway
}

#[test]
fn a_jump_ahead_deletes_no_messages_and_a_real_month_does() {
    let mut gateway = with_messages();
    let steady = gateway.now;
    gateway.now += 10 * YEAR_MS;
    gateway.does(0, vouch(user("ann")));
    assert_eq!(prune(&gateway), 0);
    // Nor after an hour, nor after a restart, nor once the clock is right again.
    gateway.steady = Some(steady + DAY_MS / 24);
    assert_eq!(prune(&gateway), 0);
    gateway.reopen();
    gateway.steady = Some(7);
    gateway.does(0, start());
    assert_eq!(prune(&gateway), 0);
    gateway.now -= 10 * YEAR_MS;
    assert_eq!(prune(&gateway), 0);
    gateway.steady = Some(7 + 30 * DAY_MS);
    gateway.now += 30 * DAY_MS;
    assert_eq!(prune(&gateway), 100);
}

#[test]
fn a_first_command_after_years_deletes_no_messages() {
    let mut gateway = with_messages();
    gateway.reopen();
    gateway.now += 10 * YEAR_MS;
    gateway.steady = Some(0);
    assert!(gateway.engine().clock_warning(Timestamp(gateway.now)).is_some());
    gateway.does(0, start());
    assert_eq!(prune(&gateway), 0);
    // What the gateway has really been off for is caught up with.
    gateway.steady = Some(10 * YEAR_MS / 60);
    assert_eq!(prune(&gateway), 100);
}

#[test]
fn a_machine_that_starts_in_1970_keeps_its_messages_and_its_retention() {
    let mut gateway = with_messages();
    let right = gateway.now;
    gateway.reopen();
    gateway.now = 5_000;
    gateway.steady = Some(0);
    gateway.does(0, start());
    assert_eq!(prune(&gateway), 0);
    gateway.now = right + 31 * DAY_MS;
    gateway.steady = Some(31 * DAY_MS);
    assert_eq!(prune(&gateway), 100);
}

#[test]
fn messages_of_a_time_when_the_clock_was_ahead_do_not_stop_retention() {
    let mut gateway = with_messages();
    let right = gateway.now;
    gateway.now += YEAR_MS;
    gateway.does(0, post(room("tea"), user("ann"), "from the future"));
    gateway.now = right + 1;
    gateway.does(0, post(room("tea"), user("ann"), "right again"));
    gateway.now = right + 31 * DAY_MS;
    gateway.steady = Some(gateway.now);
    assert_eq!(prune(&gateway), 102);
}

#[test]
fn retention_goes_past_more_messages_of_such_a_time_than_a_step_removes() {
    for (before, behind) in [(0, 1), (3, 1), (3, 20)] {
        let mut gateway = with_tea(&["ann"]);
        gateway.now = 100 * DAY_MS;
        gateway.steady = Some(gateway.now);
        let right = gateway.now;
        let posts = |gateway: &Gateway, count: usize| {
            (0..count).for_each(|_| drop(gateway.does(0, post(room("tea"), user("ann"), "hi"))));
        };
        posts(&gateway, before);
        gateway.now += YEAR_MS;
        posts(&gateway, 30);
        gateway.now = right + 1;
        // Two steps may end before the first message behind.
        let limit = 12;
        let step = |gateway: &Gateway| {
            let before = Some(Timestamp(gateway.now - 30 * DAY_MS));
            let prune = Command::Prune { before, keep_per_room: None, from: RoomId(0), limit };
            match gateway.does(0, prune) {
                Reply::Pruned { messages, .. } => messages,
                other => panic!("{other:?}"),
            }
        };
        gateway.steady = Some(gateway.now);
        assert_eq!(step(&gateway), 0, "nothing follows that shows their age");
        posts(&gateway, behind);
        assert_eq!(step(&gateway), 0, "what follows is new");
        gateway.now = right + 31 * DAY_MS;
        gateway.steady = Some(gateway.now);
        let all = (before + 30 + behind) as u32;
        let mut removed = 0;
        while removed < all {
            let left = all - removed;
            assert_eq!(step(&gateway), left.min(limit), "{left} are left of {all}");
            removed += left.min(limit);
        }
    }
}

#[test]
fn a_jump_neither_frees_nor_freezes_a_leased_seat() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.steady = Some(gateway.now);
    gateway.does(
        0,
        Command::Enter {
            room: room("tea"),
            user: user("bob"),
            seat: core_model::SeatKind::Lease { ttl_ms: 3_000, grace_ms: 0 },
            opens: false,
            avatar: None,
            create: false,
        },
    );
    assert_eq!(population(&gateway), 2);
    let steady = gateway.now;
    gateway.now += 10 * YEAR_MS;
    gateway.does(0, Command::Expire);
    assert_eq!(population(&gateway), 2);
    gateway.now -= 10 * YEAR_MS;
    let due =
        |gateway: &Gateway, steady| gateway.engine().is_expiry_due(Timestamp(gateway.now), steady);
    assert!(!due(&gateway, steady + 2_999) && due(&gateway, steady + 3_000));
    gateway.steady = Some(steady + 3_000);
    gateway.does(0, Command::Expire);
    assert_eq!(population(&gateway), 1);
}

#[test]
fn tokens_of_before_a_jump_are_valid_again_after_it() {
    let mut gateway = with_tea(&["ann"]);
    gateway.steady = Some(gateway.now);
    gateway.does(0, issue(user("ann"), grant("t1", DAY_MS)));
    gateway.now += YEAR_MS;
    gateway.does(0, Command::Expire);
    assert!(gateway.call(0, vouch(by_token("t1"))).0.is_err());
    gateway.now -= YEAR_MS;
    gateway.does(0, vouch(by_token("t1")));
}

#[test]
fn the_clock_is_compared_with_the_store() {
    let mut gateway = Gateway::new();
    assert_eq!(gateway.engine().clock_warning(Timestamp(YEAR_MS)), None, "a new store");
    gateway.now = YEAR_MS;
    gateway.does(0, register("ann"));
    for now in [YEAR_MS, YEAR_MS + DAY_MS - 1, YEAR_MS - DAY_MS + 1] {
        assert_eq!(gateway.engine().clock_warning(Timestamp(now)), None);
    }
    let ahead = gateway.engine().clock_warning(Timestamp(YEAR_MS + 3 * DAY_MS)).unwrap();
    assert!(ahead.contains("3 days after"), "{ahead}");
    let behind = gateway.engine().clock_warning(Timestamp(0)).unwrap();
    assert!(behind.contains("365 days before"), "{behind}");
}
