//! Delivery to a new session of messages that arrived while the user had none.

use core_model::{Command, Reply};

use super::*;

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
fn delivered_messages_are_not_delivered_again() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to bob: one"]);
    gateway.does(1, disconnect());
    assert_eq!(handed(&gateway, 2, "bob", 9), [""; 0]);
    // Live messages count as delivered up to the newest that the connection got.
    for text in ["two", "three", "four"] {
        gateway.does(0, direct(user("ann"), user("bob"), text));
    }
    gateway.does(2, disconnect_after(3));
    gateway.does(0, direct(user("ann"), user("bob"), "five"));
    assert_eq!(handed(&gateway, 3, "bob", 9), ["ann to bob: four", "ann to bob: five"]);
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
    gateway.does(1, disconnect());
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
    gateway.does(1, disconnect());
    assert_eq!(handed(&gateway, 1, "bob", 9), [""; 0]);
    gateway.does(1, disconnect());
    gateway.does(0, direct(user("ann"), user("bob"), "4"));
    assert_eq!(handed(&gateway, 1, "bob", 0), [""; 0]);
}

#[test]
fn a_second_session_gets_no_backlog_while_another_receives() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    handed(&gateway, 1, "bob", 9);
    gateway.does(0, direct(user("ann"), user("bob"), "two"));
    assert_eq!(handed(&gateway, 2, "bob", 9), [""; 0]);
    gateway.does(1, disconnect_after(2));
    gateway.does(0, direct(user("ann"), user("bob"), "three"));
    assert_eq!(handed(&gateway, 3, "bob", 9), [""; 0]);
    gateway.does(2, disconnect_after(3));
    gateway.does(3, disconnect_after(3));
    gateway.does(0, direct(user("ann"), user("bob"), "four"));
    assert_eq!(handed(&gateway, 4, "bob", 9), ["ann to bob: four"]);
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
    gateway.does(1, Command::SignOut { reason: String::new() });
    gateway.does(0, direct(user("ann"), user("bob"), "missed"));
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to bob: missed"]);
    // Another user's session on that connection ends his as well.
    gateway.does(0, direct(user("ann"), user("bob"), "came"));
    handed(&gateway, 1, "ann", 9);
    gateway.does(0, direct(user("ann"), user("bob"), "missed too"));
    assert_eq!(handed(&gateway, 2, "bob", 9), ["ann to bob: missed too"]);
}

#[test]
fn a_restart_loses_no_message() {
    let mut gateway = with(&["ann", "bob"]);
    handed(&gateway, 1, "bob", 9);
    gateway.does(0, direct(user("ann"), user("bob"), "perhaps never arrived"));
    gateway.reopen();
    gateway.does(0, Command::Start);
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
