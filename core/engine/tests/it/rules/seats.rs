//! Live seats that a connection holds.

use core_model::{Command, Event, NewRoom, Refusal, Reply, SeatKind, UserRef};

use super::*;

#[test]
fn entering_and_leaving_are_published_with_the_population() {
    let gateway = with_tea(&["ann", "bob"]);
    assert_eq!(
        gateway.tells(1, enter(room("tea"), user("bob"))),
        ["bob enters tea by 1", "tea holds 2"]
    );
    assert_eq!(
        gateway.tells(1, exit(room("tea"), user("bob"))),
        ["bob leaves tea by 1", "tea holds 1"]
    );
    assert_eq!(gateway.refuses(1, exit(room("tea"), user("bob"))), Refusal::NotInRoom);
}

#[test]
fn an_absent_owner_takes_no_seat_and_stays_the_owner() {
    let gateway = with(&["ann", "bob"]);
    let absent = NewRoom { owner_absent: true, ..seating("tea", 1) };
    assert_eq!(gateway.tells(1, create(absent, Some(user("ann")))), [""; 0]);
    assert_eq!((population(&gateway), tea(&gateway).active), (0, false));
    assert_eq!(
        gateway.tells(1, enter(room("tea"), user("ann"))),
        ["ann enters tea by 1", "tea holds 1"]
    );
    assert_eq!(gateway.refuses(2, enter(room("tea"), user("bob"))), Refusal::RoomFull);
    gateway.does(1, exit(room("tea"), user("ann")));
    assert_eq!(population(&gateway), 0);
    assert_eq!(gateway.refuses(2, delete(room("tea"), Some(user("bob")))), Refusal::NotAllowed);
    gateway.does(1, delete(room("tea"), Some(user("ann"))));
}

#[test]
fn the_reply_to_entering_counts_the_callers_seat() {
    let gateway = with_tea(&["ann", "bob"]);
    let Reply::Entered { room: seen, user: who, again, .. } =
        gateway.does(1, enter(room("tea"), user("bob")))
    else {
        panic!("bob enters")
    };
    assert_eq!((seen.population, seen.active, &*who.handle, again), (2, true, "bob", false));
}

#[test]
fn occupants_are_members_in_the_order_of_joining_then_live_seats() {
    let gateway = with_tea(&["ann", "bob", "cy"]);
    gateway.does(0, join(room("tea"), user("cy")));
    gateway.does(1, enter(room("tea"), user("bob")));
    gateway.does(2, enter(room("tea"), user("bob")));
    gateway.does(3, enter(room("tea"), user("ann")));
    gateway.does(4, enter(room("tea"), guest("zed")));
    let query = core_model::Query::Occupants { room: room("tea"), caller: None };
    let Ok(Reply::Members { members, .. }) = gateway.ask(&query) else { panic!("not members") };
    let handles: Vec<&str> = members.iter().map(|person| &*person.handle).collect();
    assert_eq!(handles, ["ann", "cy", "bob", "guest:zed"]);
}

#[test]
fn entering_twice_by_one_connection_changes_nothing() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, enter(room("tea"), user("bob")));
    let (outcome, events) = gateway.call(1, enter(room("tea"), user("bob")));
    assert!(matches!(outcome, Ok(Reply::Entered { again: true, .. })), "{outcome:?}");
    assert_eq!((events.len(), population(&gateway)), (0, 2));
}

#[test]
fn one_user_may_have_seats_on_several_connections() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, enter(room("tea"), user("bob")));
    assert_eq!(
        gateway.tells(2, enter(room("tea"), user("bob"))),
        ["bob enters tea by 2", "tea holds 3"]
    );
    // A durable membership is a further one.
    assert_eq!(gateway.tells(0, join(room("tea"), user("bob"))), ["bob joins tea", "tea holds 4"]);
    assert_eq!(
        gateway.tells(1, exit(room("tea"), user("bob"))),
        ["bob leaves tea by 1", "tea holds 3"]
    );
    assert_eq!(gateway.refuses(1, say(room("tea"), user("bob"), "hi")), Refusal::NotInRoom);
    gateway.does(2, say(room("tea"), user("bob"), "hi"));
}

#[test]
fn an_event_says_whether_the_user_is_visible_elsewhere() {
    let gateway = with_tea(&["ann", "bob"]);
    let elsewhere = |connection, command| {
        let (_, events) = gateway.call(connection, command);
        let flag = |event: Event| match event {
            Event::Entered { elsewhere, .. } | Event::Left { elsewhere, .. } => Some(elsewhere),
            _ => None,
        };
        events.into_iter().filter_map(|recorded| flag(recorded.event)).collect::<Vec<_>>()
    };
    // A lease that no connection uses has no events of its own.
    gateway.does(9, lease(room("tea"), user("bob")));
    assert_eq!(elsewhere(1, enter(room("tea"), user("bob"))), [false]);
    assert_eq!(elsewhere(2, enter(room("tea"), user("bob"))), [true]);
    assert_eq!(elsewhere(0, join(room("tea"), user("bob"))), [true]);
    assert_eq!(elsewhere(1, disconnect()), [true]);
    assert_eq!(elsewhere(0, kick(room("tea"), user("bob"))), [true, false]);
    assert_eq!(elsewhere(0, join(room("tea"), user("bob"))), [false]);
    assert_eq!(elsewhere(1, enter(room("tea"), user("bob"))), [true]);
    assert_eq!(elsewhere(0, kick(room("tea"), user("bob"))), [true, false]);
    assert_eq!(elsewhere(1, enter(room("tea"), guest("bo"))), [false]);
    assert_eq!(elsewhere(2, enter(room("tea"), guest("bo"))), [true]);
    assert_eq!(elsewhere(1, exit(room("tea"), guest("bo"))), [true]);
    assert_eq!(elsewhere(2, exit(room("tea"), guest("bo"))), [false]);
}

#[test]
fn one_connection_may_have_seats_in_several_rooms_for_several_people() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(titled("hall"), None));
    gateway.does(1, enter(room("tea"), user("bob")));
    gateway.does(1, enter(room("tea"), guest("gus")));
    gateway.does(1, enter(room("hall"), user("bob")));
    gateway.does(2, enter(room("hall"), user("bob")));
    assert_eq!(
        gateway.tells(1, disconnect()),
        [
            "bob leaves tea by 1",
            "tea holds 2",
            "guest:gus leaves tea by 1",
            "tea holds 1",
            "bob leaves hall by 1",
            "hall holds 1",
        ]
    );
    assert_eq!(gateway.tells(1, disconnect()), [""; 0]);
}

#[test]
fn entering_and_leaving_are_refused_with_the_reason() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(seating("full", 0), None));
    gateway.does(1, enter(room("tea"), user("bob")));
    refusals(
        &gateway,
        [
            (enter(room("none"), user("bob")), Refusal::UnknownRoom),
            (enter(room_id(9), user("bob")), Refusal::UnknownRoom),
            (enter(room("tea"), user("zed")), Refusal::UnknownUser),
            (enter(room("tea"), UserRef::Session), Refusal::NotSignedIn),
            (enter(room("none"), UserRef::Session), Refusal::NotSignedIn),
            (enter(room("tea"), by_token("none")), Refusal::TokenInvalid),
            (enter(room("full"), user("bob")), Refusal::RoomFull),
            // Another connection's seat is not this one's, nor is membership a seat.
            (exit(room("tea"), user("bob")), Refusal::NotInRoom),
            (exit(room("tea"), user("ann")), Refusal::NotInRoom),
            (exit(room("none"), user("bob")), Refusal::UnknownRoom),
            (exit(room("tea"), UserRef::Session), Refusal::NotSignedIn),
            (end_lease(room("tea"), user("bob")), Refusal::NotInRoom),
            (end_lease(room("none"), user("bob")), Refusal::UnknownRoom),
            (end_lease(room("tea"), user("zed")), Refusal::UnknownUser),
        ],
    );
}

#[test]
fn the_first_entrance_with_opens_opens_the_room_once() {
    let mut gateway = with_tea(&["ann", "bob"]);
    let tea = || room("tea");
    gateway.does(0, join(tea(), user("bob")));
    gateway.does(1, enter(tea(), user("bob")));
    gateway.does(2, lease(tea(), user("ann")));
    assert_eq!(
        gateway.tells(3, enter_and_open(tea(), user("bob"))),
        ["bob enters tea by 3, opening it", "tea holds 5"]
    );
    gateway.does(3, disconnect());
    assert_eq!(
        gateway.tells(4, enter_and_open(tea(), user("bob"))),
        ["bob enters tea by 4", "tea holds 5"]
    );
    gateway.reopen();
    gateway.does(0, start());
    assert_eq!(
        gateway.tells(5, enter_and_open(tea(), user("bob"))),
        ["bob enters tea by 5", "tea holds 3"]
    );
    // Another room of the same name is another room.
    gateway.does(0, delete(tea(), None));
    gateway.does(0, create(titled("tea"), None));
    assert_eq!(
        gateway.tells(5, enter_and_open(tea(), user("bob"))),
        ["bob enters tea by 5, opening it", "tea holds 1"]
    );
}

#[test]
fn others_see_the_avatar_given_on_entering() {
    let gateway = with_tea(&["ann", "bob"]);
    let changes =
        core_model::ProfileChanges { avatar: Some("own.png".into()), ..Default::default() };
    gateway.does(0, Command::UpdateUser { user: user("bob"), create: false, changes });
    let enter_as = |avatar: &str| Command::Enter {
        room: room("tea"),
        user: user("bob"),
        seat: SeatKind::Connection,
        opens: false,
        avatar: Some(avatar.into()),
        create: false,
    };
    assert_eq!(
        gateway.tells(1, enter_as("new.png")),
        ["bob enters tea by 1 looking like new.png", "tea holds 2"]
    );
    assert_eq!(
        gateway.tells(2, enter(room("tea"), user("bob"))),
        ["bob enters tea by 2 looking like own.png", "tea holds 3"]
    );
    for (connection, command, avatar) in [
        (1, say(room("tea"), user("bob"), "hi"), "new.png"),
        (2, say(room("tea"), user("bob"), "hi"), "own.png"),
        (1, post_joining(room("tea"), user("ann"), "hi", false), ""),
    ] {
        let Reply::Posted { message } = gateway.does(connection, command) else { panic!() };
        assert_eq!(message.author.avatar, avatar);
    }
    assert_eq!(account(&gateway, user("bob")).person.avatar, "own.png");
    assert_eq!(
        gateway.tells(1, disconnect()),
        ["bob leaves tea by 1 looking like new.png", "tea holds 2"]
    );
    assert_eq!(
        gateway.tells(2, disconnect()),
        ["bob leaves tea by 2 looking like own.png", "tea holds 1"]
    );
}

#[test]
fn a_restart_leaves_no_seats_and_no_sessions_but_every_membership() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(1, sign_in(user("bob")));
    gateway.does(1, enter(room("tea"), UserRef::Session));
    gateway.does(2, enter(room("tea"), guest("gus")));
    gateway.does(3, enter(room("tea"), user("bob")));
    gateway.does(4, lease(room("tea"), user("bob")));
    assert_eq!(population(&gateway), 6);
    assert!(gateway.engine().next_expiry().is_some());
    gateway.reopen();
    assert_eq!(
        gateway.tells(0, start()),
        [
            "bob leaves tea by 1",
            "tea holds 5",
            "guest:gus leaves tea by 2",
            "tea holds 4",
            "bob leaves tea by 3",
            "tea holds 3",
            "tea holds 2"
        ]
    );
    assert_eq!(gateway.tells(0, start()), [""; 0]);
    assert_eq!(population(&gateway), 2);
    assert!(!online(&gateway, "bob"));
    assert_eq!(members_of(&gateway, "tea"), ["ann", "bob"]);
    assert_eq!(gateway.engine().next_expiry(), None, "no lease of the former run is waited for");
    // A connection of this run is not one of the former that had the same number.
    assert_eq!(gateway.refuses(2, say(room("tea"), guest("gus"), "hi")), Refusal::NotInRoom);
    assert_eq!(gateway.refuses(1, join(room("tea"), UserRef::Session)), Refusal::NotSignedIn);
    assert_eq!(gateway.tells(1, disconnect()), [""; 0]);
    gateway.does(1, enter(room("tea"), user("bob")));
    assert_eq!(population(&gateway), 3);
}
