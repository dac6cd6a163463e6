//! People without an account.

use core_model::{Claim, Refusal, Reply, UserRef};

use super::*;

#[test]
fn a_guest_enters_posts_and_leaves() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), guest("gus")));
    gateway.does(1, say(room("tea"), guest("gus"), "hi"));
    assert_eq!(talk(&gateway, "tea"), ["guest:gus to tea: hi"]);
    assert_eq!(
        gateway.tells(1, exit(room("tea"), guest("gus"))),
        ["guest:gus leaves tea by 1", "tea holds 1"]
    );
    assert_eq!(gateway.refuses(1, say(room("tea"), guest("gus"), "hi")), Refusal::NotInRoom);
    assert_eq!(gateway.refuses(1, exit(room("tea"), guest("gus"))), Refusal::NotInRoom);
}

#[test]
fn a_guest_of_one_connection_is_unknown_on_another() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), guest("gus")));
    assert_eq!(gateway.refuses(2, say(room("tea"), guest("gus"), "hi")), Refusal::NotInRoom);
    assert_eq!(gateway.refuses(2, exit(room("tea"), guest("gus"))), Refusal::NotInRoom);
    assert_eq!(gateway.refuses(1, say(room("tea"), guest("zoe"), "hi")), Refusal::NotInRoom);
}

#[test]
fn a_guest_is_refused_where_an_account_is_needed() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), guest("gus")));
    refusals(
        &gateway,
        [
            (join(room("tea"), guest("gus")), Refusal::NotSignedIn),
            (post(room("tea"), guest("gus"), "hi"), Refusal::NotSignedIn),
            (post_joining(room("tea"), guest("gus"), "hi", false), Refusal::NotSignedIn),
            (direct(guest("gus"), user("ann"), "hi"), Refusal::NotSignedIn),
            (receive(guest("gus"), None), Refusal::NotSignedIn),
            (direct(user("ann"), user("guest:gus"), "hi"), Refusal::UnknownUser),
            (sign_in(user("guest:gus")), Refusal::UnknownUser),
        ],
    );
}

#[test]
fn a_guest_is_kicked_by_its_handle() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), guest("gus")));
    gateway.does(2, enter(room("tea"), guest("gus")));
    gateway.does(3, enter(room("tea"), guest("zoe")));
    assert_eq!(
        gateway.tells(0, kick(room("tea"), user("guest:gus"))),
        ["guest:gus leaves tea by 1", "guest:gus leaves tea by 2", "tea holds 2"]
    );
}

#[test]
fn a_guest_whose_name_is_registered_may_stay_but_not_post() {
    let gateway = with_tea(&["ann"]);
    gateway.does(0, create(titled("hall"), None));
    gateway.does(1, enter(room("tea"), guest("gus")));
    gateway.does(2, lease(room("tea"), guest("gus")));
    gateway.does(0, register("gus"));
    assert_eq!(population(&gateway), 3);
    for (command, refusal) in [
        (say(room("tea"), guest("gus"), "hi"), Refusal::NotSignedIn),
        (enter(room("tea"), guest("gus")), Refusal::NotSignedIn),
        (enter(room("hall"), guest("gus")), Refusal::NotSignedIn),
        (lease(room("tea"), guest("gus")), Refusal::NotSignedIn),
        (end_lease(room("tea"), guest("gus")), Refusal::NotSignedIn),
    ] {
        assert_eq!(gateway.refuses(1, command), refusal);
    }
    assert_eq!(
        gateway.tells(1, exit(room("tea"), guest("gus"))),
        ["guest:gus leaves tea by 1", "tea holds 2"]
    );
    assert_eq!(gateway.refuses(1, exit(room("tea"), guest("gus"))), Refusal::NotInRoom);
}

#[test]
fn the_owner_of_a_name_and_its_former_guest_are_two_people() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), guest("gus")));
    gateway.does(0, register("gus"));
    gateway.does(0, issue(user("gus"), grant("proof", 9_000)));
    let proven = || UserRef::Claim(Claim { token: Some(token("proof")), ..claim("gus") });
    assert_eq!(
        gateway.tells(1, enter(room("tea"), proven())),
        ["gus enters tea by 1", "tea holds 3"]
    );
    let Reply::Posted { message } = gateway.does(1, say(room("tea"), guest("gus"), "hi")) else {
        panic!()
    };
    assert_eq!(message.author.handle, "gus", "the seat was taken with proof");
    assert_eq!(gateway.tells(1, exit(room("tea"), proven()))[0], "gus leaves tea by 1");
    assert_eq!(gateway.tells(1, exit(room("tea"), proven()))[0], "guest:gus leaves tea by 1");
}

#[test]
fn composed_and_decomposed_forms_are_one_guest() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), guest("e\u{301}ric")));
    gateway.does(1, say(room("tea"), guest("\u{e9}ric"), "hi"));
    let told = gateway.tells(0, kick(room("tea"), user("guest:e\u{301}ric")));
    assert_eq!(told.len(), 2);
}

#[test]
fn messages_of_guests_are_read_back_after_a_restart() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), guest("小茶")));
    gateway.does(1, say(room("tea"), guest("小茶"), "你好"));
    gateway.reopen();
    gateway.does(0, start());
    assert_eq!(talk(&gateway, "tea"), ["guest:小茶 to tea: 你好"]);
}

#[test]
fn a_guest_whose_name_resembles_a_handle_is_not_signed_in() {
    let gateway = with_tea(&["ann", "Boss", "ivan"]);
    let resembling = ["Ann", "boss", "\u{430}nn", "ａｎｎ", "\u{456}van", "IVAN"];
    refusals(
        &gateway,
        resembling.map(|name| (enter(room("tea"), guest(name)), Refusal::NotSignedIn)),
    );
    for name in ["anna", "boos", "ivam"] {
        gateway.does(1, enter(room("tea"), guest(name)));
    }
    let mixed = gateway.refuses(1, enter(room("tea"), guest("gu\u{435}st")));
    assert!(matches!(mixed, Refusal::InvalidHandle { .. }), "{mixed:?}");
}

#[test]
fn a_guest_whose_name_is_not_allowed_is_refused() {
    let gateway = with_tea(&["ann"]);
    for name in ["ann\u{200B}", " ann", "\u{3164}", "a\u{2028}b"] {
        let refusal = gateway.refuses(1, enter(room("tea"), guest(name)));
        assert!(matches!(refusal, Refusal::InvalidHandle { .. }), "{name:?}: {refusal:?}");
    }
}

#[test]
fn a_guest_named_without_a_claim_has_a_name_of_bounded_length() {
    let gateway = with_tea(&["ann"]);
    let name = format!("guest:{}", "a".repeat(70_000));
    let refusal = gateway.refuses(1, enter(room("tea"), user(&name)));
    assert!(matches!(refusal, Refusal::InvalidHandle { .. }), "{refusal:?}");
}
