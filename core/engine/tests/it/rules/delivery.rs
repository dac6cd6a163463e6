//! What a new session is handed of what arrived while the user had none.

use core_model::{Command, Reply};

use super::*;

/// Signs in with delivery and says what was handed over.
#[track_caller]
fn handed(gateway: &Gateway, connection: u64, who: &str, backlog_max: u32) -> Vec<String> {
    match gateway.does(connection, sign_in_for_messages(user(who), backlog_max)) {
        Reply::SignedIn { backlog, .. } => say::messages(&backlog),
        other => panic!("not signed in: {other:?}"),
    }
}

#[test]
fn messages_that_arrived_without_a_session_are_handed_over_in_order() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    gateway.does(0, create(titled("hall"), Some(user("ann"))));
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    gateway.does(0, post(room("tea"), user("ann"), "two"));
    gateway.does(0, post(room("hall"), user("ann"), "not bob's"));
    gateway.does(0, direct(user("ann"), user("cyd"), "nor this"));
    gateway.does(0, post(room("secret"), user("ann"), "three"));
    gateway.does(0, post(room("tea"), user("bob"), "four"));
    gateway.does(0, direct(user("bob"), user("ann"), "five"));
    assert_eq!(
        handed(&gateway, 1, "bob", 9),
        [
            "ann to bob: one",
            "ann to tea: two",
            "ann to secret: three",
            "bob to tea: four",
            "bob to ann: five",
        ]
    );
}

#[test]
fn what_was_handed_over_is_not_handed_over_again() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to bob: one"]);
    gateway.does(1, disconnect());
    assert_eq!(handed(&gateway, 2, "bob", 9), [""; 0]);
    // Live messages count up to the newest that was handed to the connection.
    for text in ["two", "three", "four"] {
        gateway.does(0, direct(user("ann"), user("bob"), text));
    }
    gateway.does(2, disconnect_after(3));
    gateway.does(0, direct(user("ann"), user("bob"), "five"));
    assert_eq!(handed(&gateway, 3, "bob", 9), ["ann to bob: four", "ann to bob: five"]);
}

#[test]
fn what_was_said_before_a_user_became_a_member_is_not_for_it() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, post(room("tea"), user("ann"), "before"));
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, post(room("tea"), user("ann"), "after"));
    gateway.does(0, kick(room("tea"), user("bob")));
    gateway.does(0, post(room("tea"), user("ann"), "between"));
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, post(room("tea"), user("ann"), "again"));
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to tea: again"]);
    // Nor is what a room says that the user is no longer in.
    gateway.does(1, disconnect());
    gateway.does(0, post(room("tea"), user("ann"), "missed"));
    gateway.does(0, kick(room("tea"), user("bob")));
    assert_eq!(handed(&gateway, 1, "bob", 9), [""; 0]);
}

#[test]
fn over_the_limit_the_newest_are_handed_over_oldest_first_and_the_rest_never() {
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
fn a_second_session_is_handed_nothing_while_another_gets_what_comes() {
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
fn a_connection_that_lagged_behind_another_takes_nothing_back() {
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
fn a_session_that_asks_for_no_messages_is_handed_none_and_delivers_none() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    let Reply::SignedIn { backlog, .. } = gateway.does(1, sign_in(user("bob"))) else { panic!() };
    assert_eq!(backlog, []);
    gateway.does(1, disconnect_after(1));
    gateway.does(2, sign_in(user("bob")));
    assert_eq!(handed(&gateway, 3, "bob", 9), ["ann to bob: one"]);
}

#[test]
fn signing_in_again_on_the_same_connection_repeats_nothing() {
    let gateway = with(&["ann", "bob"]);
    handed(&gateway, 1, "bob", 9);
    gateway.does(0, direct(user("ann"), user("bob"), "came to the session"));
    assert_eq!(handed(&gateway, 1, "bob", 9), [""; 0]);
    gateway.does(0, direct(user("ann"), user("bob"), "came to the next"));
    gateway.does(1, Command::SignOut);
    gateway.does(0, direct(user("ann"), user("bob"), "missed"));
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to bob: missed"]);
    // Somebody else's session on that connection ends his too.
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
fn reading_by_polling_and_being_handed_over_are_two_ways() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    assert_eq!(received(&gateway, receive(user("bob"), None)).0.len(), 1);
    assert_eq!(handed(&gateway, 1, "bob", 9), ["ann to bob: one"]);
}

#[test]
fn a_deleted_room_hands_nothing_over() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, post(room("tea"), user("ann"), "gone"));
    gateway.does(0, delete(room("tea"), None));
    assert_eq!(handed(&gateway, 1, "bob", 9), [""; 0]);
}
