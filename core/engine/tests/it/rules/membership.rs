//! Joining, kicking, and closed rooms.

use core_model::{Refusal, Reply, RoomFilter, RoomId};

use super::*;

#[test]
fn a_closed_room_exists_only_for_its_members() {
    let gateway = with(&["ann", "bob", "cyd"]);
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    gateway.does(0, create(titled("tea"), None));
    let secret = || room("secret#1");
    let cyd = || user("cyd");
    let by_cyd = Some(cyd());
    refusals(
        &gateway,
        [
            (join(secret(), cyd()), Refusal::UnknownRoom),
            (join(room_id(1), cyd()), Refusal::UnknownRoom),
            (enter(secret(), cyd()), Refusal::UnknownRoom),
            (enter(secret(), guest("gus")), Refusal::UnknownRoom),
            (enter(secret(), guest("bob")), Refusal::UnknownRoom),
            (lease(secret(), cyd()), Refusal::UnknownRoom),
            (exit(secret(), cyd()), Refusal::UnknownRoom),
            (exit(secret(), guest("gus")), Refusal::UnknownRoom),
            (end_lease(secret(), cyd()), Refusal::UnknownRoom),
            (post(secret(), cyd(), "hi"), Refusal::UnknownRoom),
            (say(secret(), cyd(), "hi"), Refusal::UnknownRoom),
            (say(secret(), guest("gus"), "hi"), Refusal::UnknownRoom),
            (post_joining(secret(), cyd(), "hi", false), Refusal::UnknownRoom),
            (post_joining(secret(), cyd(), "hi", true), Refusal::UnknownRoom),
            (receive(cyd(), Some(secret())), Refusal::UnknownRoom),
            (kick(secret(), cyd()), Refusal::UnknownRoom),
            (kick(secret(), user("bob")), Refusal::UnknownRoom),
            (kick(secret(), user("ann")), Refusal::UnknownRoom),
            (kick(secret(), user("zed")), Refusal::UnknownRoom),
            (delete(secret(), by_cyd.clone()), Refusal::UnknownRoom),
            (delete(secret(), None), Refusal::UnknownRoom),
            (clear(secret(), by_cyd.clone()), Refusal::UnknownRoom),
            (rename(secret(), "x", by_cyd.clone()), Refusal::UnknownRoom),
            (rename(secret(), "x", None), Refusal::UnknownRoom),
        ],
    );
    for caller in [by_cyd, None] {
        let detail = core_model::Detail::default();
        for query in [
            core_model::Query::Room { room: secret(), caller: caller.clone(), detail },
            core_model::Query::Members { room: secret(), caller: caller.clone() },
            core_model::Query::History {
                room: secret(),
                caller: caller.clone(),
                before: None,
                after: None,
                limit: 9,
            },
        ] {
            assert_eq!(gateway.ask(&query), Err(Refusal::UnknownRoom), "{query:?}");
        }
    }
    assert_eq!(
        gateway.ask(&core_model::Query::RoomIds { after: RoomId(0), limit: 9 }),
        Ok(Reply::RoomIds { rooms: vec![RoomId(2)] })
    );
}

#[test]
fn a_closed_room_is_open_to_its_members_in_every_way() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    let secret = || room("secret#1");
    gateway.does(1, enter(secret(), user("bob")));
    gateway.does(1, say(secret(), user("bob"), "hi"));
    gateway.does(1, exit(secret(), user("bob")));
    gateway.does(2, lease(secret(), user("bob")));
    gateway.does(2, end_lease(secret(), user("bob")));
    gateway.does(0, join(secret(), user("bob")));
    gateway.does(0, post(secret(), user("bob"), "hi"));
    let seen = room_seen_by(&gateway, secret(), Some(user("bob")));
    assert!(seen.closed && seen.population == 2);
    // The owner's and the members' own lists have it.
    for filter in [RoomFilter::OwnedBy(user("ann")), RoomFilter::MemberOf(user("bob"))] {
        let Ok(Reply::Rooms { rooms }) = gateway.ask(&listed(filter)) else { panic!() };
        assert_eq!(say::rooms(&rooms), ["secret#1"]);
    }
    // A former member no longer finds it.
    let by_ann = kick_by(secret(), user("bob"), user("ann"));
    gateway.does(0, by_ann.clone());
    // As in an open room, removing a user that is not there changes nothing.
    gateway.does(0, by_ann);
    assert_eq!(gateway.refuses(1, enter(secret(), user("bob"))), Refusal::UnknownRoom);
}

#[test]
fn joining_twice_changes_nothing() {
    let gateway = with_tea(&["ann", "bob"]);
    assert_eq!(gateway.tells(0, join(room("tea"), user("bob"))), ["bob joins tea", "tea holds 2"]);
    assert_eq!(gateway.tells(0, join(room_id(1), uid(10_001))), [""; 0]);
    refusals(
        &gateway,
        [
            (join(room("none"), user("bob")), Refusal::UnknownRoom),
            (join(room_id(2), user("bob")), Refusal::UnknownRoom),
            (join(room("tea"), user("zed")), Refusal::UnknownUser),
            (join(room("tea"), guest("gus")), Refusal::NotSignedIn),
            (join(room("none"), user("zed")), Refusal::UnknownUser),
        ],
    );
}

#[test]
fn members_are_in_the_order_of_their_last_joining() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    for command in [
        join(room("tea"), user("cyd")),
        join(room("tea"), user("bob")),
        kick(room("tea"), user("cyd")),
        join(room("tea"), user("cyd")),
    ] {
        gateway.does(0, command);
    }
    assert_eq!(members_of(&gateway, "tea"), ["ann", "bob", "cyd"]);
    let views = tea(&gateway).members;
    assert_eq!(
        views.iter().map(|view| view.person.handle.as_str()).collect::<Vec<_>>(),
        ["ann", "bob", "cyd"]
    );
}

#[test]
fn kicking_ends_the_membership_and_every_seat() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(1, enter(room("tea"), user("bob")));
    gateway.does(2, enter(room("tea"), user("bob")));
    gateway.does(3, lease(room("tea"), user("bob")));
    assert_eq!(population(&gateway), 5);
    assert_eq!(
        gateway.tells(0, kick(room("tea"), user("bob"))),
        ["bob quits tea", "bob leaves tea by 1", "bob leaves tea by 2", "tea holds 1"]
    );
    assert_eq!(members_of(&gateway, "tea"), ["ann"]);
    assert_eq!(gateway.refuses(1, say(room("tea"), user("bob"), "hi")), Refusal::NotInRoom);
    assert_eq!(gateway.tells(1, disconnect()), [""; 0], "the seat is gone already");
}

#[test]
fn kicking_an_absent_user_succeeds_and_the_owner_stays() {
    let gateway = with_tea(&["ann", "bob"]);
    for name in [user("bob"), user("zed"), identity("openid:x/y"), uid(1), user("guest:gus")] {
        assert_eq!(gateway.tells(0, kick(room("tea"), name)), [""; 0]);
    }
    gateway.does(1, enter(room("tea"), user("ann")));
    refusals(
        &gateway,
        [
            (kick(room("tea"), user("ann")), Refusal::OwnerStays),
            (kick(room("none"), user("bob")), Refusal::UnknownRoom),
            (kick(room("none"), user("zed")), Refusal::UnknownRoom),
        ],
    );
    assert_eq!(population(&gateway), 2);
}
