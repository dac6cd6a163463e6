//! Lists of rooms, and the time of the last change.

use core_model::{
    Command, Detail, ProfileChanges, Query, Refusal, Reply, RoomFilter, RoomId, Timestamp,
};

use super::*;

fn names(gateway: &Gateway, filter: RoomFilter) -> Vec<String> {
    match gateway.ask(&listed(filter)).expect("a list") {
        Reply::Rooms { rooms } => say::rooms(&rooms),
        other => panic!("not rooms: {other:?}"),
    }
}

/// Rooms `a` (music) and `b` (art) of ann, `c` (music) of bob, `d` without an owner, and the closed `e`.
fn with_rooms() -> Gateway {
    let gateway = with(&["ann", "bob"]);
    let of =
        |name: &str, section: &str| core_model::NewRoom { section: section.into(), ..titled(name) };
    gateway.does(0, create(of("a", "music"), Some(user("ann"))));
    gateway.does(0, create(of("b", "art"), Some(user("ann"))));
    gateway.does(0, create(of("c", "music"), Some(user("bob"))));
    gateway.does(0, create(of("d", ""), None));
    let closed = core_model::NewRoom { closed: true, ..of("e", "music") };
    gateway.does(0, create_for(closed, user("ann"), &["bob"]));
    gateway.does(0, join(room("b"), user("bob")));
    gateway
}

#[test]
fn each_list_is_ordered_by_id() {
    let gateway = with_rooms();
    let preferences = Some(vec!["music".into(), "art".into(), "none".into()]);
    let changes = ProfileChanges { preferences, ..ProfileChanges::default() };
    gateway.does(0, Command::UpdateUser { user: user("bob"), create: false, changes });
    for (filter, expected) in [
        (RoomFilter::Open, &["a", "b", "c", "d"][..]),
        (RoomFilter::OwnedBy(user("ann")), &["a", "b", "e#5"]),
        (RoomFilter::OwnedBy(user("bob")), &["c"]),
        (RoomFilter::MemberOf(user("ann")), &["a", "b", "e#5"]),
        (RoomFilter::MemberOf(user("bob")), &["b", "c", "e#5"]),
        (RoomFilter::Section("music".into()), &["a", "c"]),
        (RoomFilter::Section("mus".into()), &[]),
        (RoomFilter::Section(String::new()), &["d"]),
        (RoomFilter::PreferredBy(user("bob")), &["a", "b", "c"]),
        (RoomFilter::PreferredBy(user("ann")), &[]),
    ] {
        let shown = format!("{filter:?}");
        assert_eq!(names(&gateway, filter), expected, "{shown}");
    }
    for filter in [
        RoomFilter::OwnedBy(user("zed")),
        RoomFilter::MemberOf(user("zed")),
        RoomFilter::PreferredBy(user("zed")),
    ] {
        assert_eq!(gateway.ask(&listed(filter)), Err(Refusal::UnknownUser));
    }
}

#[test]
fn a_list_follows_changes_to_its_rooms() {
    let gateway = with_rooms();
    let into_art = Command::UpdateRoom {
        room: room("a"),
        changes: core_model::RoomChanges { section: Some("art".into()), ..Default::default() },
        by: None,
    };
    gateway.does(0, into_art);
    gateway.does(0, kick(room("b"), user("bob")));
    gateway.does(0, delete(room("c"), None));
    assert_eq!(names(&gateway, RoomFilter::Section("art".into())), ["a", "b"]);
    assert_eq!(names(&gateway, RoomFilter::Section("music".into())), [""; 0]);
    assert_eq!(names(&gateway, RoomFilter::MemberOf(user("bob"))), ["e#5"]);
    assert_eq!(names(&gateway, RoomFilter::OwnedBy(user("bob"))), [""; 0]);
    assert_eq!(names(&gateway, RoomFilter::Open), ["a", "b", "d"]);
}

#[test]
fn a_list_continues_after_the_given_room() {
    let gateway = with_rooms();
    for (after, limit, expected) in [
        (0, 2, &[1, 2][..]),
        (2, 2, &[3, 4]),
        (4, 2, &[]),
        (3, 9, &[4]),
        (0, 0, &[]),
        (u32::MAX, 9, &[]),
    ] {
        let rooms: Vec<RoomId> = expected.iter().copied().map(RoomId).collect();
        let query = Query::RoomIds { after: RoomId(after), limit };
        assert_eq!(gateway.ask(&query), Ok(Reply::RoomIds { rooms }), "after {after}");
        for filter in [
            RoomFilter::Open,
            RoomFilter::Section("music".into()),
            RoomFilter::OwnedBy(user("ann")),
        ] {
            let all = match gateway.ask(&listed(filter.clone())) {
                Ok(Reply::Rooms { rooms }) => rooms,
                other => panic!("{other:?}"),
            };
            let rest = all.into_iter().filter(|room| room.id.0 > after).take(limit as usize);
            let detail = Detail::default();
            let query = Query::Rooms { filter, after: RoomId(after), limit, detail };
            assert_eq!(
                gateway.ask(&query),
                Ok(Reply::Rooms { rooms: rest.collect() }),
                "{query:?}"
            );
        }
    }
}

#[test]
fn a_list_shows_members_and_messages_on_request() {
    let gateway = with_rooms();
    gateway.does(0, post(room("b"), user("bob"), "hi"));
    let detail = Detail { members: true, messages: 5, ..Detail::default() };
    let filter = RoomFilter::OwnedBy(user("ann"));
    let query = Query::Rooms { filter, after: RoomId(1), limit: 1, detail };
    let Ok(Reply::Rooms { rooms }) = gateway.ask(&query) else { panic!() };
    assert_eq!(say::messages(&rooms[0].messages), ["bob to b: hi"]);
    let members: Vec<_> = rooms[0].members.iter().map(|view| &*view.person.handle).collect();
    assert_eq!(members, ["ann", "bob"]);
}

#[test]
fn the_last_change_is_the_time_of_the_newest_visible_change() {
    let mut gateway = Gateway::new();
    let last = |gateway: &Gateway| match gateway.ask(&Query::LastChange) {
        Ok(Reply::LastChange { at }) => at,
        other => panic!("{other:?}"),
    };
    assert_eq!(last(&gateway), Timestamp(0), "before anything happened");
    let rename = |name: &str| Command::UpdateUser {
        user: user("ann"),
        create: false,
        changes: ProfileChanges { name: Some(name.into()), ..ProfileChanges::default() },
    };
    for (now, command, seen) in [
        (10, register("ann"), true),
        (20, create(titled("tea"), Some(user("ann"))), true),
        (30, register("bob"), true),
        (40, join(room("tea"), user("bob")), true),
        (50, join(room("tea"), user("bob")), false),
        (60, post(room("tea"), user("bob"), "hi"), true),
        (70, rename("Ann"), true),
        (80, issue(user("ann"), grant("t", 50)), false),
        (90, receive(user("ann"), None), false),
        (100, vouch(user("ann")), false),
        (110, clear(room("tea"), None), true),
        (120, Command::Expire, false),
        (130, start(), false),
        (140, lease(room("tea"), user("ann")), true),
        (150, end_lease(room("tea"), user("ann")), true),
        (160, super::rename(room("tea"), "Tea", None), true),
        (170, kick(room("tea"), user("bob")), true),
        (180, kick(room("tea"), user("bob")), false),
        (190, direct(user("ann"), user("bob"), "hi"), true),
        (200, delete(room("tea"), None), true),
    ] {
        let before = last(&gateway);
        let shown = format!("{command:?}");
        gateway.now = now;
        gateway.does(0, command);
        let expected = if seen { Timestamp(now) } else { before };
        assert_eq!(last(&gateway), expected, "{shown}");
        gateway.refuses(0, join(room("none"), user("ann")));
        assert_eq!(last(&gateway), expected, "what is refused is no change");
    }
    gateway.reopen();
    assert_eq!(last(&gateway), Timestamp(200));
}
