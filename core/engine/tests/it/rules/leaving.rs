//! How and why users leave, notices, and changes of rooms.

use core_model::{Command, Event, Outcome, Recorded, Refusal, Reply, RoomChanges, SeatKind};

use super::*;

/// Of each user that left: the room, whether it left the gateway, the reason, and its remover.
fn left(events: &[Recorded]) -> Vec<(String, bool, String, Option<String>)> {
    let left = events.iter().filter_map(|recorded| match &recorded.event {
        Event::Left { room, quit, reason, by, .. } => {
            let by = by.as_ref().map(|by| by.handle.clone());
            Some((room.name.to_string(), *quit, reason.clone(), by))
        }
        _ => None,
    });
    left.collect()
}

fn sign_out(reason: &str) -> Command {
    Command::SignOut { reason: reason.into() }
}

#[test]
fn a_leave_has_its_reason_and_says_whether_the_user_has_left_the_gateway() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, enter(room("tea"), guest("gus")));
    let exit = Command::Exit {
        room: room("tea"),
        user: guest("gus"),
        seat: SeatKind::Connection,
        reason: "tired".into(),
    };
    let (_, events) = gateway.call(1, exit);
    assert_eq!(left(&events), [("tea".into(), false, "tired".into(), None)]);

    gateway.does(1, enter(room("tea"), guest("gus")));
    let (_, events) = gateway.call(1, sign_out("good night"));
    assert_eq!(left(&events), [("tea".into(), true, "good night".into(), None)]);
    gateway.does(1, enter(room("tea"), guest("gus")));
    let (_, events) = gateway.call(1, disconnect());
    assert_eq!(left(&events), [("tea".into(), true, String::new(), None)]);

    // bob is still there by another connection; ann is a member.
    for connection in [2, 3] {
        gateway.does(connection, enter(room("tea"), user("bob")));
    }
    let (_, events) = gateway.call(2, sign_out("x"));
    assert_eq!(left(&events), [("tea".into(), false, "x".into(), None)]);
    let (_, events) = gateway.call(3, sign_out("x"));
    assert_eq!(left(&events), [("tea".into(), true, "x".into(), None)]);
    gateway.does(4, enter(room("tea"), user("ann")));
    let (_, events) = gateway.call(4, sign_out("x"));
    assert_eq!(left(&events), [("tea".into(), false, "x".into(), None)]);
}

#[test]
fn a_kick_by_a_user_needs_the_owner_and_names_it() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, enter(room("tea"), user("bob")));
    let kick = |by: &str| Command::Kick {
        room: room("tea"),
        user: user("bob"),
        by: Some(user(by)),
        reason: "spam".into(),
    };
    assert_eq!(gateway.refuses(2, kick("bob")), Refusal::NotAllowed);
    let (outcome, events) = gateway.call(2, kick("ann"));
    assert_eq!(outcome, Ok(Reply::Done));
    assert_eq!(left(&events), [("tea".into(), false, "spam".into(), Some("ann".into()))]);
}

#[test]
fn a_notice_stays_a_notice_in_the_event_and_in_the_store() {
    let mut gateway = with_tea(&["ann", "bob"]);
    let post = Command::Post {
        room: room("tea"),
        author: user("ann"),
        text: "beware".into(),
        standing: core_model::PostRight::Member,
        notice: true,
    };
    let (outcome, events) = gateway.call(1, post);
    let is_notice =
        |outcome: &Outcome| matches!(outcome, Ok(Reply::Posted { message }) if message.notice);
    assert!(is_notice(&outcome), "{outcome:?}");
    let Event::Posted { message } = &events[0].event else { panic!("{events:?}") };
    assert!(message.notice);
    gateway.does(1, self::post(room("tea"), user("ann"), "hello"));
    gateway.reopen();
    let messages = match gateway.ask(&history(room("tea"), 10)) {
        Ok(Reply::Messages { messages }) => messages,
        other => panic!("{other:?}"),
    };
    let kinds: Vec<bool> = messages.iter().map(|message| message.notice).collect();
    assert_eq!(kinds, [true, false]);
    let direct = Command::PostDirect {
        author: user("ann"),
        to: user("bob"),
        text: "beware".into(),
        notice: true,
        allow_self: false,
    };
    assert!(is_notice(&gateway.call(1, direct).0));
}

#[test]
fn a_change_of_a_room_is_announced_with_its_author() {
    let gateway = with_tea(&["ann", "bob"]);
    let changes = RoomChanges { description: Some("hot water".into()), ..RoomChanges::default() };
    let update = |by: Option<&str>| Command::UpdateRoom {
        room: room("tea"),
        changes: changes.clone(),
        by: by.map(user),
    };
    assert_eq!(gateway.refuses(1, update(Some("bob"))), Refusal::NotAllowed);
    assert_eq!(gateway.tells(1, update(Some("ann"))), ["ann describes tea as hot water"]);
    assert_eq!(gateway.tells(1, update(None)), ["the gateway describes tea as hot water"]);
}
