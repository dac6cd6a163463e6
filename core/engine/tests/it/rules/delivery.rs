//! Delivery to a new session of messages that the user has not acknowledged.

use core_model::{Command, Delivery, MessageId, Refusal, Reply, RoomId, Timestamp, Uid};

use super::*;

fn acknowledge(gateway: &Gateway, connection: u64, user: u64, message: u64) {
    let (user, message) = (Uid(user), MessageId(message));
    let done = gateway.does(connection, Command::Acknowledge { user, message, device: None });
    assert_eq!(done, Reply::Done);
}

fn sign_in_on(device: &str, user: UserRef) -> Command {
    let mut command = sign_in_for_messages(user, 9);
    let Command::SignIn { delivery, .. } = &mut command else { unreachable!() };
    *delivery = Some(Delivery { backlog_max: 9, device: device.into(), ..Delivery::default() });
    command
}

/// Signs in on a device and returns the backlog.
#[track_caller]
fn handed_on(gateway: &Gateway, connection: u64, device: &str, who: &str) -> Vec<String> {
    match gateway.does(connection, sign_in_on(device, user(who))) {
        Reply::SignedIn { backlog, .. } => say::messages(&backlog),
        other => panic!("not signed in: {other:?}"),
    }
}

/// Signs in with delivery and returns the backlog.
#[track_caller]
fn handed(gateway: &Gateway, connection: u64, who: &str, backlog_max: u32) -> Vec<String> {
    match gateway.does(connection, sign_in_for_messages(user(who), backlog_max)) {
        Reply::SignedIn { backlog, .. } => say::messages(&backlog),
        other => panic!("not signed in: {other:?}"),
    }
}

#[test]
fn messages_that_arrived_without_a_session_are_delivered_in_order() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    gateway.does(0, create(titled("hall"), Some(user("ann"))));
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    gateway.does(0, post(room("tea"), user("ann"), "two"));
    gateway.does(0, post(room("hall"), user("ann"), "not bob's"));
    gateway.does(0, direct(user("ann"), user("cyd"), "nor this"));
    gateway.does(0, post(room("secret#2"), user("ann"), "three"));
    gateway.does(0, post(room("tea"), user("bob"), "four"));
    gateway.does(0, direct(user("bob"), user("ann"), "five"));
    assert_eq!(
        handed(&gateway, 1, "bob", 9),
        [
            "ann to bob: one",
            "ann to tea: two",
            "ann to secret#2: three",
            "bob to tea: four",
            "bob to ann: five",
        ]
    );
}

#[test]
fn acknowledged_messages_are_not_delivered_again_and_others_are() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to bob: one"]);
    gateway.does(1, disconnect());
    assert_eq!(handed(&gateway, 2, "bob", 9), ["ann to bob: one"], "it was never acknowledged");
    acknowledge(&gateway, 2, 10_001, 1);
    for text in ["two", "three", "four"] {
        gateway.does(0, direct(user("ann"), user("bob"), text));
    }
    acknowledge(&gateway, 2, 10_001, 2);
    // The end of the connection may say more.
    gateway.does(2, disconnect_after(3));
    gateway.does(0, direct(user("ann"), user("bob"), "five"));
    assert_eq!(handed(&gateway, 3, "bob", 9), ["ann to bob: four", "ann to bob: five"]);
}

#[test]
fn acknowledging_needs_the_users_own_session_with_delivery() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    acknowledge(&gateway, 1, 10_001, 1);
    gateway.does(1, sign_in(user("bob")));
    acknowledge(&gateway, 1, 10_001, 1);
    handed(&gateway, 1, "ann", 9);
    acknowledge(&gateway, 1, 10_001, 1);
    assert_eq!(handed(&gateway, 2, "bob", 9), ["ann to bob: one"]);
    // What does not exist is not acknowledged, nor what does.
    acknowledge(&gateway, 2, 10_001, 7);
    gateway.does(0, direct(user("ann"), user("bob"), "two"));
    assert_eq!(handed(&gateway, 3, "bob", 9), ["ann to bob: one", "ann to bob: two"]);
}

#[test]
fn messages_before_joining_are_not_delivered() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, post(room("tea"), user("ann"), "before"));
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, post(room("tea"), user("ann"), "after"));
    gateway.does(0, kick(room("tea"), user("bob")));
    gateway.does(0, post(room("tea"), user("ann"), "between"));
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, post(room("tea"), user("ann"), "again"));
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to tea: again"]);
    // Nor are messages in a room that the user has left.
    gateway.does(1, disconnect_after(4));
    gateway.does(0, post(room("tea"), user("ann"), "missed"));
    gateway.does(0, kick(room("tea"), user("bob")));
    assert_eq!(handed(&gateway, 1, "bob", 9), [""; 0]);
}

#[test]
fn over_the_limit_only_the_newest_are_delivered_oldest_first() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    for text in ["1", "2", "3"] {
        gateway.does(0, post(room("tea"), user("ann"), text));
        gateway.does(0, direct(user("ann"), user("bob"), text));
    }
    assert_eq!(handed(&gateway, 1, "bob", 3), ["ann to bob: 2", "ann to tea: 3", "ann to bob: 3"]);
    gateway.does(1, disconnect_after(6));
    assert_eq!(handed(&gateway, 1, "bob", 9), [""; 0]);
    gateway.does(1, disconnect());
    gateway.does(0, direct(user("ann"), user("bob"), "4"));
    assert_eq!(handed(&gateway, 1, "bob", 0), [""; 0]);
}

#[test]
fn a_second_session_gets_what_the_first_has_not_acknowledged() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    handed(&gateway, 1, "bob", 9);
    gateway.does(0, direct(user("ann"), user("bob"), "two"));
    acknowledge(&gateway, 1, 10_001, 1);
    // The first may be dead without the gateway knowing.
    assert_eq!(handed(&gateway, 2, "bob", 9), ["ann to bob: two"]);
    acknowledge(&gateway, 2, 10_001, 2);
    gateway.does(1, disconnect_after(1));
    assert_eq!(handed(&gateway, 3, "bob", 9), [""; 0]);
}

#[test]
fn what_a_lost_session_was_sent_is_not_limited() {
    let mut gateway = with(&["ann", "bob"]);
    let say = |gateway: &Gateway, text| gateway.does(0, direct(user("ann"), user("bob"), text));
    handed(&gateway, 1, "bob", 9);
    for text in ["1", "2", "3"] {
        say(&gateway, text);
    }
    acknowledge(&gateway, 1, 10_001, 1);
    // Beside the session, whose end was not noticed.
    assert_eq!(handed(&gateway, 2, "bob", 1), ["ann to bob: 2", "ann to bob: 3"]);
    gateway.does(2, disconnect());
    gateway.does(1, disconnect());
    for text in ["4", "5"] {
        say(&gateway, text);
    }
    let limited = ["ann to bob: 2", "ann to bob: 3", "ann to bob: 5"];
    assert_eq!(handed(&gateway, 3, "bob", 1), limited);
    gateway.reopen();
    gateway.does(0, start());
    say(&gateway, "6");
    say(&gateway, "7");
    let all = ["2", "3", "4", "5", "7"].map(|text| format!("ann to bob: {text}"));
    assert_eq!(handed(&gateway, 1, "bob", 1), all);
    gateway.does(1, disconnect_after(7));
    say(&gateway, "8");
    assert_eq!(handed(&gateway, 1, "bob", 1), ["ann to bob: 8"]);
}

#[test]
fn every_device_has_a_cursor_of_its_own() {
    let gateway = with(&["ann", "bob"]);
    for text in ["one", "two"] {
        gateway.does(0, direct(user("ann"), user("bob"), text));
    }
    let both = ["ann to bob: one", "ann to bob: two"];
    assert_eq!(handed_on(&gateway, 1, "phone", "bob"), both);
    acknowledge(&gateway, 1, 10_001, 2);
    assert_eq!(handed_on(&gateway, 2, "desk", "bob"), both);
    acknowledge(&gateway, 2, 10_001, 1);
    assert_eq!(handed(&gateway, 3, "bob", 9), both, "the shared cursor is not moved by devices");
    acknowledge(&gateway, 3, 10_001, 2);
    assert_eq!(handed_on(&gateway, 4, "phone", "bob"), [""; 0]);
    assert_eq!(handed_on(&gateway, 5, "desk", "bob"), both[1..]);
    let long = sign_in_on(&"x".repeat(65), user("bob"));
    assert!(matches!(gateway.refuses(6, long), Refusal::TooLong { .. }));
}

#[test]
fn of_too_many_devices_the_one_farthest_behind_is_forgotten() {
    let gateway = with(&["ann", "bob"]);
    for device in 1..=17 {
        gateway.does(0, direct(user("ann"), user("bob"), "hi"));
        gateway.does(device, sign_in_on(&format!("d{device}"), user("bob")));
        acknowledge(&gateway, device, 10_001, device);
    }
    assert_eq!(handed_on(&gateway, 30, "d2", "bob").len(), 15);
    assert_eq!(handed_on(&gateway, 31, "d17", "bob").len(), 0);
    assert_eq!(handed_on(&gateway, 32, "d10", "bob").len(), 7);
    // d1 was forgotten: a new device.
    gateway.does(33, sign_in_on("d1", user("bob")));
    let all = gateway.does(34, sign_in_for_messages(user("bob"), 99));
    let Reply::SignedIn { backlog, .. } = all else { panic!() };
    assert_eq!(backlog.len(), 17);
}

#[test]
fn a_lagging_connection_does_not_move_the_cursor_back() {
    let gateway = with(&["ann", "bob"]);
    handed(&gateway, 1, "bob", 9);
    handed(&gateway, 2, "bob", 9);
    for text in ["one", "two"] {
        gateway.does(0, direct(user("ann"), user("bob"), text));
    }
    gateway.does(1, disconnect_after(2));
    gateway.does(2, disconnect_after(1));
    assert_eq!(handed(&gateway, 3, "bob", 9), [""; 0]);
}

#[test]
fn a_session_without_delivery_gets_and_delivers_none() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    let Reply::SignedIn { backlog, .. } = gateway.does(1, sign_in(user("bob"))) else { panic!() };
    assert_eq!(backlog, []);
    gateway.does(1, disconnect_after(1));
    gateway.does(2, sign_in(user("bob")));
    assert_eq!(handed(&gateway, 3, "bob", 9), ["ann to bob: one"]);
}

#[test]
fn signing_in_again_on_one_connection_repeats_nothing() {
    let gateway = with(&["ann", "bob"]);
    handed(&gateway, 1, "bob", 9);
    gateway.does(0, direct(user("ann"), user("bob"), "came to the session"));
    assert_eq!(handed(&gateway, 1, "bob", 9), [""; 0]);
    gateway.does(0, direct(user("ann"), user("bob"), "came to the next"));
    acknowledge(&gateway, 1, 10_001, 2);
    gateway.does(1, Command::SignOut { reason: String::new() });
    gateway.does(0, direct(user("ann"), user("bob"), "missed"));
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to bob: missed"]);
    // Another user's session on that connection ends his, and acknowledges nothing for him.
    handed(&gateway, 1, "ann", 9);
    acknowledge(&gateway, 1, 10_000, 3);
    assert_eq!(handed(&gateway, 2, "bob", 9), ["ann to bob: missed"]);
}

#[test]
fn what_is_not_acknowledged_is_owed_to_each_reader_by_kind_of_room() {
    let gateway = with_tea(&["ann", "bob"]);
    let owed = || {
        let owed = gateway.engine().owed().unwrap();
        assert!(owed.is_complete);
        (owed.readers, [owed.public, owed.group, owed.direct])
    };
    gateway.does(0, post(room("tea"), user("ann"), "before bob joined"));
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    assert_eq!(owed(), (0, [0, 0, 0]), "no client of theirs acknowledges");
    handed(&gateway, 1, "bob", 9);
    gateway.does(1, disconnect());
    gateway.does(0, post(room("tea"), user("ann"), "two"));
    gateway.does(0, post(room("secret#2"), user("ann"), "three"));
    gateway.does(0, direct(user("bob"), user("ann"), "four"));
    assert_eq!(owed(), (1, [1, 1, 2]));
    handed_on(&gateway, 2, "phone", "bob");
    acknowledge(&gateway, 2, 10_001, 3);
    assert_eq!(owed(), (2, [1, 2, 3]), "the phone has two of the four");
    handed(&gateway, 3, "bob", 9);
    acknowledge(&gateway, 3, 10_001, 5);
    acknowledge(&gateway, 2, 10_001, 5);
    assert_eq!(owed(), (2, [0, 0, 0]));
}

#[test]
fn a_restart_loses_no_message() {
    let mut gateway = with(&["ann", "bob"]);
    handed(&gateway, 1, "bob", 9);
    gateway.does(0, direct(user("ann"), user("bob"), "perhaps never arrived"));
    gateway.reopen();
    gateway.does(0, start());
    gateway.does(0, direct(user("ann"), user("bob"), "missed"));
    let both = ["ann to bob: perhaps never arrived", "ann to bob: missed"];
    assert_eq!(handed(&gateway, 1, "bob", 9), both);
}

#[test]
fn polling_and_delivery_have_separate_cursors() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    assert_eq!(received(&gateway, receive(user("bob"), None)).0.len(), 1);
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to bob: one"]);
}

#[test]
fn a_deleted_room_delivers_nothing() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, post(room("tea"), user("ann"), "gone"));
    gateway.does(0, delete(room("tea"), None));
    assert_eq!(handed(&gateway, 1, "bob", 9), [""; 0]);
}

#[test]
fn a_device_learns_what_is_not_in_its_backlog() {
    let gateway = with(&["ann", "bob"]);
    let gap_of = |device: &str, backlog_max| {
        let mut command = sign_in_on(device, user("bob"));
        let Command::SignIn { delivery, .. } = &mut command else { unreachable!() };
        *delivery = Some(Delivery { backlog_max, device: device.into(), ..Delivery::default() });
        match gateway.does(1, command) {
            Reply::SignedIn { gap, backlog, .. } => {
                (backlog.len(), gap.map(|gap| (gap.after.0, gap.before.0, gap.count)))
            }
            other => panic!("{other:?}"),
        }
    };
    for _ in 0..5 {
        gateway.does(0, direct(user("ann"), user("bob"), "hi"));
    }
    assert_eq!(gap_of("phone", 9), (5, None));
    gateway.does(1, disconnect());
    assert_eq!(gap_of("desk", 2), (2, Some((0, 4, Some(3)))));
    assert_eq!(gap_of("", 2), (2, None), "a client without a device does not know of gaps");
    gateway.does(1, disconnect_after(5));
    gateway.does(0, direct(user("ann"), user("bob"), "hi"));
    gateway.does(
        0,
        Command::Prune {
            before: Some(core_model::Timestamp(u64::MAX)),
            keep_per_room: None,
            from: core_model::RoomId(0),
            limit: 99,
        },
    );
    assert_eq!(gap_of("desk", 2), (0, Some((0, 7, Some(6)))));
}

#[test]
fn a_message_of_a_user_to_itself_is_missing_once() {
    let gateway = with(&["ann"]);
    let mut to_itself = direct(user("ann"), user("ann"), "hi");
    let Command::PostDirect { allow_self, .. } = &mut to_itself else { unreachable!() };
    *allow_self = true;
    for _ in 0..3 {
        gateway.does(0, to_itself.clone());
    }
    let mut command = sign_in_on("phone", user("ann"));
    let Command::SignIn { delivery, .. } = &mut command else { unreachable!() };
    *delivery = Some(Delivery { backlog_max: 1, device: "phone".into(), ..Delivery::default() });
    let Reply::SignedIn { gap, .. } = gateway.does(1, command) else { panic!() };
    assert_eq!(gap.and_then(|gap| gap.count), Some(2));
}

#[test]
fn a_session_for_direct_messages_only_has_none_of_its_rooms_in_their_way() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, direct(user("ann"), user("bob"), "psst"));
    for _ in 0..5 {
        gateway.does(0, post(room("tea"), user("ann"), "hi"));
    }
    let mut command = sign_in_on("irc", user("bob"));
    let Command::SignIn { delivery, .. } = &mut command else { unreachable!() };
    *delivery = Some(deliver((2, "irc", true)));
    let Reply::SignedIn { backlog, gap, .. } = gateway.does(1, command) else { panic!() };
    assert_eq!((say::messages(&backlog), gap), (vec!["ann to bob: psst".to_owned()], None));
}

#[test]
fn what_retention_takes_from_each_reader_is_counted() {
    let mut gateway = with_tea(&["ann", "bob", "cyd"]);
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    gateway.does(0, post(room("tea"), user("ann"), "before bob joined"));
    for name in ["bob", "cyd"] {
        gateway.does(0, join(room("tea"), user(name)));
    }
    handed(&gateway, 1, "bob", 9);
    handed_on(&gateway, 2, "phone", "bob");
    for text in ["two", "three", "four", "five"] {
        gateway.does(0, post(room("tea"), user("ann"), text));
    }
    gateway.does(0, post(room("secret#2"), user("ann"), "six"));
    gateway.does(0, direct(user("ann"), user("bob"), "seven"));
    acknowledge(&gateway, 1, 10_001, 3);
    acknowledge(&gateway, 2, 10_001, 2);
    let owed = |gateway: &Gateway| {
        let owed = gateway.engine().owed().unwrap();
        [owed.public, owed.group, owed.direct]
    };
    let prune = |gateway: &Gateway, before: Option<u64>, keep_per_room| {
        let before = before.map(Timestamp);
        let from = RoomId(0);
        match gateway.does(0, Command::Prune { before, keep_per_room, from, limit: 100 }) {
            Reply::Pruned { expired, .. } => [expired.public, expired.group, expired.direct],
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(owed(&gateway), [2 + 3, 2, 2]);
    // Messages 1 to 4: the shared session has 2 and 3 and lacks 4, the phone lacks 3 and 4. The
    // client of cyd acknowledges nothing.
    assert_eq!(prune(&gateway, None, Some(1)), [1 + 2, 0, 0]);
    assert_eq!(owed(&gateway), [1 + 1, 2, 2]);
    gateway.now += 10_000;
    let now = gateway.now;
    assert_eq!(prune(&gateway, Some(now), None), [2, 2, 2]);
    assert_eq!(owed(&gateway), [0, 0, 0]);
    // One to oneself is in two streams.
    let note = direct(user("bob"), user("bob"), "eight");
    let Command::PostDirect { author, to, text, notice, .. } = note else { panic!() };
    gateway.does(0, Command::PostDirect { author, to, text, notice, allow_self: true });
    assert_eq!(owed(&gateway), [0, 0, 2]);
    gateway.now += 10_000;
    let now = gateway.now;
    assert_eq!(prune(&gateway, Some(now), None), [0, 0, 2]);
}

#[test]
fn an_acknowledgement_is_of_the_device_that_it_names_whatever_the_session_is_on_now() {
    let gateway = with(&["ann", "bob"]);
    for text in ["one", "two"] {
        gateway.does(0, direct(user("ann"), user("bob"), text));
    }
    assert_eq!(handed_on(&gateway, 1, "phone", "bob").len(), 2);
    assert_eq!(handed_on(&gateway, 1, "desk", "bob").len(), 2);
    let (user, message, device) = (Uid(10_001), MessageId(2), Some("phone".into()));
    gateway.does(1, Command::Acknowledge { user, message, device });
    gateway.does(1, disconnect());
    assert_eq!(handed_on(&gateway, 2, "desk", "bob").len(), 2);
    assert_eq!(handed_on(&gateway, 3, "phone", "bob").len(), 0);
    // Of another user's session it changes nothing.
    let (user, device) = (Uid(10_000), Some("desk".into()));
    gateway.does(2, Command::Acknowledge { user, message, device });
    gateway.does(2, disconnect());
    assert_eq!(handed_on(&gateway, 2, "desk", "bob").len(), 2);
}

#[test]
fn what_the_store_owes_counts_a_reader_from_its_sign_in_on() {
    let gateway = with_tea(&["ann", "bob"]);
    let owed = || {
        let owed = gateway.engine().owed().expect("the store can be read");
        (owed.readers, owed.direct)
    };
    gateway.does(0, direct(user("ann"), user("bob"), "1"));
    gateway.does(1, sign_in(user("ann")));
    assert_eq!(owed(), (0, 0), "none reads by delivery");
    gateway.does(2, sign_in_for_messages(user("bob"), 9));
    assert_eq!(owed(), (1, 1));
    gateway.does(3, sign_in_on("phone", user("bob")));
    gateway.does(0, direct(user("ann"), user("bob"), "2"));
    assert_eq!(owed(), (2, 4), "each of the two the two");
    acknowledge(&gateway, 2, 10_001, 2);
    assert_eq!(owed(), (2, 2));
    gateway.does(3, Command::Disconnect { delivered: None });
    assert_eq!(owed(), (2, 2), "the phone was sent them");
}
