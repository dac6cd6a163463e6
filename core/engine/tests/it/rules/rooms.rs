//! Rooms: names, state, closed ones, membership, changes, the end.

use core_model::{
    Command, Expired, NewRoom, PostRight, Refusal, Reply, RoomChanges, RoomFilter, RoomId,
};

use super::*;

fn name_given(gateway: &Gateway, new: NewRoom) -> (u32, String) {
    match gateway.does(0, create(new, None)) {
        Reply::RoomCreated { room } => (room.id.0, room.name),
        other => panic!("not created: {other:?}"),
    }
}

#[test]
fn a_taken_or_invalid_room_name_is_replaced_unless_insisted_on() {
    let gateway = Gateway::new();
    let long = "x".repeat(65);
    for (id, wanted, given) in [
        (1, Some("tea"), "tea"),
        (2, Some("tea"), "tea#2"),
        (3, None, "room-3"),
        (4, Some(""), "room-4"),
        (5, Some("a\u{7}"), "room-5"),
        (6, Some(long.as_str()), "room-6"),
        (7, Some("Tea"), "Tea"),
        (8, Some("@tea"), "room-8"),
        (9, Some("tea#10"), "room-9"),
        (10, Some("tea"), "tea#10"),
        (11, Some("room-12"), "room-12"),
        (12, None, "room-12-2"),
    ] {
        let new = NewRoom { name: wanted.map(Into::into), ..NewRoom::default() };
        assert_eq!(name_given(&gateway, new), (id, given.into()), "{wanted:?}");
        let seen = room_seen_by(&gateway, room(given), None);
        let title = wanted.unwrap_or_default();
        let title = &title[..title.len().min(64)];
        assert_eq!((seen.id, seen.title.as_str()), (RoomId(id), title));
    }
}

#[test]
fn a_refused_creation_of_a_room_makes_nothing() {
    let gateway = with_tea(&["ann", "bob"]);
    let why = String::new();
    let insisting = |name: &str| create(NewRoom { insist: true, ..titled(name) }, None);
    let seats = |capacity| seating("x", capacity);
    refusals(
        &gateway,
        [
            (insisting("tea"), Refusal::RoomNameTaken),
            (insisting(""), Refusal::InvalidRoomName { why: why.clone() }),
            (insisting(&"x".repeat(65)), Refusal::InvalidRoomName { why: why.clone() }),
            (insisting("@x"), Refusal::InvalidRoomName { why: why.clone() }),
            (insisting("guest:x"), Refusal::InvalidRoomName { why: why.clone() }),
            (insisting("x#7"), Refusal::InvalidRoomName { why }),
            (create(titled("x"), Some(user("zed"))), Refusal::UnknownUser),
            (create(titled("x"), Some(core_model::UserRef::Session)), Refusal::NotSignedIn),
            (create(titled("x"), Some(guest("gus"))), Refusal::NotSignedIn),
            (create(titled("x"), Some(by_token("none"))), Refusal::TokenInvalid),
            (create_for(titled("x"), user("ann"), &[]), Refusal::TooFewMembers),
            (create_for(titled("x"), user("ann"), &["ann", "ann"]), Refusal::TooFewMembers),
            (create_for(titled("x"), user("ann"), &["bob", "zed"]), Refusal::UnknownUser),
            (create_for(titled("x"), user("ann"), &["zed"]), Refusal::UnknownUser),
            (create_for(seats(1), user("ann"), &["bob"]), Refusal::RoomFull),
            (create(seats(0), Some(user("ann"))), Refusal::RoomFull),
        ],
    );
    assert_eq!(name_given(&gateway, titled("next")), (2, "next".into()), "no room id was spent");
}

#[test]
fn the_owner_is_the_first_member_and_each_invited_user_follows_once() {
    let gateway = with(&["ann", "bob", "cyd"]);
    let told =
        gateway.tells(0, create_for(titled("tea"), user("bob"), &["cyd", "bob", "ann", "cyd"]));
    assert_eq!(
        told,
        [
            "tea is made by bob for ann, bob, cyd",
            "bob joins tea",
            "ann joins tea",
            "cyd joins tea",
            "tea holds 3",
        ]
    );
    assert_eq!(members_of(&gateway, "tea"), ["bob", "ann", "cyd"]);
    let seen = tea(&gateway);
    assert_eq!(seen.owner.unwrap().handle, "bob");
    assert!(!seen.active, "a room is created inactive");
}

#[test]
fn a_room_keeps_the_fields_it_was_made_with() {
    let gateway = with(&["ann"]);
    let new = NewRoom {
        section: "music".into(),
        description: "loud".into(),
        app_code: Some(7),
        info: Some("{\"a\":1}".into()),
        ..titled("tea")
    };
    gateway.does(0, create(new, Some(user("ann"))));
    let seen = tea(&gateway);
    assert_eq!((seen.section.as_str(), seen.description.as_str()), ("music", "loud"));
    assert_eq!((seen.app_code, seen.info.as_str()), (Some(7), "{\"a\":1}"));
    assert_eq!((seen.capacity, seen.population), (500, 1));
    assert_eq!(seen.created.0, 1_000);
}

#[test]
fn a_room_without_a_capacity_gets_its_front_ends() {
    let mut gateway = Gateway::new();
    gateway.frontend.room_capacity = 3;
    gateway.does(0, create(titled("a"), None));
    gateway.does(0, create(seating("b", 9), None));
    gateway.frontend.room_capacity = 5;
    assert_eq!(room_seen_by(&gateway, room("a"), None).capacity, 3);
    assert_eq!(room_seen_by(&gateway, room("b"), None).capacity, 9);
}

#[test]
fn the_capacity_bounds_every_way_in_but_keeps_members() {
    let mut gateway = with(&["ann", "bob", "cyd"]);
    gateway.does(0, create(seating("tea", 2), Some(user("ann"))));
    gateway.does(1, enter(room("tea"), user("bob")));
    refusals(
        &gateway,
        [
            (join(room("tea"), user("cyd")), Refusal::RoomFull),
            (enter(room("tea"), user("cyd")), Refusal::RoomFull),
            (enter(room("tea"), user("ann")), Refusal::RoomFull),
            (enter(room("tea"), guest("gus")), Refusal::RoomFull),
            (lease(room("tea"), user("cyd")), Refusal::RoomFull),
            (post_joining(room("tea"), user("cyd"), "hi", true), Refusal::RoomFull),
            (receive(user("cyd"), Some(room("tea"))), Refusal::RoomFull),
        ],
    );
    gateway.frontend.auto_join = vec!["tea".into()];
    gateway.does(3, sign_in(user("cyd")));
    assert_eq!(population(&gateway), 2);
    // People who are in the room already need no further seat.
    gateway.does(0, join(room("tea"), user("ann")));
    gateway.does(1, enter(room("tea"), user("bob")));
    gateway.does(0, post_joining(room("tea"), user("ann"), "hi", true));
    gateway.does(1, disconnect());
    gateway.does(0, join(room("tea"), user("cyd")));
    assert_eq!(population(&gateway), 2);
}

#[test]
fn a_room_becomes_active_on_the_first_entrance_or_post_and_stays_so() {
    type Case = (&'static str, u64, Command, bool);
    let cases: [Case; 7] = [
        ("the owner joins what it is in", 0, join(room("tea"), user("ann")), false),
        ("a user joins", 0, join(room("tea"), user("bob")), true),
        ("a user enters", 1, enter(room("tea"), user("ann")), true),
        ("a guest enters", 1, enter(room("tea"), guest("gus")), true),
        ("a user takes a seat over HTTP", 1, lease(room("tea"), user("bob")), true),
        ("the owner posts", 0, post(room("tea"), user("ann"), "hi"), true),
        ("a user posts and joins", 0, post_joining(room("tea"), user("bob"), "hi", false), true),
    ];
    for (why, connection, command, active) in cases {
        let gateway = with_tea(&["ann", "bob"]);
        assert!(!tea(&gateway).active);
        gateway.does(connection, command);
        assert_eq!(tea(&gateway).active, active, "{why}");
        gateway.does(0, kick(room("tea"), user("bob")));
        gateway.does(connection, disconnect());
        assert_eq!(tea(&gateway).active, active, "{why}, and is gone");
    }
}

#[test]
fn a_declared_room_is_made_once_and_never_changed() {
    let gateway = Gateway::new();
    let declare = |capacity: u32| Command::DeclareRoom {
        room: NewRoom { section: "s".into(), ..seating("TEST", capacity) },
    };
    let first = gateway.does(0, declare(7));
    let again = gateway.does(0, declare(9));
    assert_eq!(first, again);
    let Reply::RoomCreated { room: made } = first else { panic!("{first:?}") };
    assert_eq!((made.name.as_str(), made.capacity, made.owner), ("TEST", 7, None));
    for name in ["a\u{7}", "TEST#7", "@TEST", "guest:TEST"] {
        let bad = Command::DeclareRoom { room: titled(name) };
        refusals(&gateway, [(bad, Refusal::InvalidRoomName { why: String::new() })]);
    }
}

#[test]
fn a_room_that_the_gateway_has_numbered_can_be_declared() {
    let gateway = with_tea(&["ann"]);
    let second = gateway.does(0, create(titled("tea"), None));
    let Reply::RoomCreated { room: second } = second else { panic!("{second:?}") };
    assert_eq!(second.name, "tea#2");
    let declared = gateway.does(0, Command::DeclareRoom { room: titled("tea#2") });
    assert!(matches!(declared, Reply::RoomCreated { room } if room.id == second.id));
}

#[test]
fn a_renamed_room_keeps_its_room_name_and_is_changed_by_its_owner() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    let by = |handle: &str| Some(user(handle));
    refusals(
        &gateway,
        [
            (rename(room("tea"), "x", by("bob")), Refusal::NotAllowed),
            (rename(room("tea"), "x", by("zed")), Refusal::UnknownUser),
            (rename(room("none"), "x", by("ann")), Refusal::UnknownRoom),
        ],
    );
    gateway.does(0, rename(room("tea"), "coffee", by("ann")));
    let changes = RoomChanges {
        section: Some("drinks".into()),
        description: Some("hot".into()),
        ..RoomChanges::default()
    };
    let Reply::Room { room: seen } =
        gateway.does(0, Command::UpdateRoom { room: room("tea"), changes, by: None })
    else {
        panic!("an updated room")
    };
    assert_eq!(
        (&*seen.name, &*seen.title, &*seen.section, &*seen.description),
        ("tea", "coffee", "drinks", "hot")
    );
    assert_eq!(gateway.refuses(0, join(room("coffee"), user("bob"))), Refusal::UnknownRoom);
}

#[test]
fn everyone_leaves_a_deleted_room_which_is_unknown_from_then_on() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(1, enter(room("tea"), user("bob")));
    gateway.does(2, enter(room("tea"), guest("gus")));
    gateway.does(3, lease(room("tea"), user("ann")));
    gateway.does(1, say(room("tea"), user("bob"), "hi"));
    refusals(
        &gateway,
        [
            (delete(room("tea"), Some(user("bob"))), Refusal::NotAllowed),
            (delete(room("tea"), Some(user("zed"))), Refusal::UnknownUser),
            (delete(room("none"), Some(user("ann"))), Refusal::UnknownRoom),
        ],
    );
    assert_eq!(
        gateway.tells(0, delete(room("tea"), Some(user("ann")))),
        [
            "ann quits tea",
            "bob quits tea",
            "guest:gus leaves tea by 2",
            "bob leaves tea by 1",
            "tea holds 0",
            "tea is gone",
        ]
    );
    for query in [history(room("tea"), 9), members(room("tea")), about_room(room_id(1))] {
        assert_eq!(gateway.ask(&query), Err(Refusal::UnknownRoom));
    }
    let Ok(Reply::Rooms { rooms }) = gateway.ask(&listed(RoomFilter::MemberOf(user("bob")))) else {
        panic!()
    };
    assert_eq!(say::rooms(&rooms), [""; 0]);
    // The name is free, the id and the message ids are not.
    assert_eq!(name_given(&gateway, titled("tea")), (2, "tea".into()));
    assert_eq!(talk(&gateway, "tea"), [""; 0]);
    let Reply::Posted { message } =
        gateway.does(0, post_joining(room("tea"), user("bob"), "again", false))
    else {
        panic!()
    };
    assert_eq!(message.id.0, 2);
    // Later commands of its connections are refused or do nothing.
    assert_eq!(gateway.refuses(1, say(room("tea"), user("bob"), "hi")), Refusal::NotInRoom);
    assert_eq!(gateway.tells(1, disconnect()), [""; 0]);
}

#[test]
fn nothing_of_a_deleted_room_stays_in_the_store() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(1, enter(room("tea"), guest("gus")));
    gateway.does(1, lease(room("tea"), user("bob")));
    let posting = |number: usize| post(room("tea"), user("ann"), &number.to_string());
    let posts = (0..3_000).map(|number| gateway.envelope(0, posting(number)));
    for batch in posts.collect::<Vec<_>>().chunks(1_000) {
        gateway.batch(batch.to_vec());
    }
    gateway.does(0, delete(room("tea"), None));
    // Messages are swept up in small steps.
    let mut steps = 0;
    while gateway.engine().next_expiry().is_some() {
        gateway.does(0, Command::Expire);
        steps += 1;
    }
    assert!(steps > 1, "one command does not do it all");
    for (table, rows) in gateway.engine().dump().unwrap() {
        let of_users = ["counters", "users", "handles", "lookalikes"].contains(&table);
        assert_eq!(rows.is_empty(), !of_users, "{table}: {rows:?}");
    }
}

#[test]
fn deleting_an_empty_room_publishes_only_its_end() {
    let gateway = Gateway::new();
    gateway.does(0, create(titled("tea"), None));
    assert_eq!(gateway.tells(0, delete(room("tea"), None)), ["tea is gone"]);
    assert_eq!(gateway.refuses(0, delete(room_id(1), None)), Refusal::UnknownRoom);
}

#[test]
fn owners_acts_are_refused_to_others_and_in_rooms_without_an_owner() {
    let gateway = with(&["ann"]);
    gateway.does(0, create(titled("tea"), None));
    gateway.does(0, join(room("tea"), user("ann")));
    let by = || Some(user("ann"));
    refusals(
        &gateway,
        [
            (delete(room("tea"), by()), Refusal::NotAllowed),
            (clear(room("tea"), by()), Refusal::NotAllowed),
            (rename(room("tea"), "x", by()), Refusal::NotAllowed),
        ],
    );
    gateway.does(0, kick(room("tea"), user("ann")));
}

#[test]
fn cleared_messages_are_gone_and_their_ids_are_not_reused() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    for text in ["one", "two"] {
        gateway.does(0, post(room("tea"), user("ann"), text));
    }
    gateway.does(0, direct(user("ann"), user("bob"), "kept"));
    assert_eq!(gateway.refuses(0, clear(room("tea"), Some(user("bob")))), Refusal::NotAllowed);
    assert_eq!(gateway.tells(0, clear(room("tea"), Some(user("ann")))), [""; 0]);
    assert_eq!(talk(&gateway, "tea"), [""; 0]);
    gateway.does(0, post(room("tea"), user("ann"), "three"));
    assert_eq!(talk(&gateway, "tea"), ["ann to tea: three"]);
    gateway.does(0, clear(room("tea"), None));
    assert_eq!(talk(&gateway, "tea"), [""; 0]);
    // Only cleared messages are swept up later.
    gateway.does(0, post(room("tea"), user("ann"), "four"));
    assert!(gateway.engine().next_expiry().is_some());
    gateway.does(0, Command::Expire);
    assert!(gateway.engine().next_expiry().is_none());
    assert_eq!(talk(&gateway, "tea"), ["ann to tea: four"]);
    assert_eq!(received(&gateway, receive(user("bob"), None)).0, ["ann to bob: kept"]);
    let left: Vec<_> = gateway.engine().dump().unwrap();
    let messages = left.iter().find(|(name, _)| *name == "messages").unwrap();
    assert_eq!(messages.1.len(), 2, "the rows are gone too");
}

#[test]
fn posting_to_an_unknown_channel_creates_it_on_request() {
    let gateway = with(&["ann"]);
    let new = |name: &str, create| post_joining(room(name), user("ann"), "hi", create);
    let empty = |name: &str| Command::Post {
        room: room(name),
        author: user("ann"),
        text: String::new(),
        standing: PostRight::Joining { create: true },
        notice: false,
    };
    refusals(
        &gateway,
        [
            (new("tea", false), Refusal::UnknownRoom),
            (post_joining(room_id(1), user("ann"), "hi", true), Refusal::UnknownRoom),
            (new("", true), Refusal::InvalidRoomName { why: String::new() }),
            (new(&"x".repeat(65), true), Refusal::InvalidRoomName { why: String::new() }),
            (empty("tea"), Refusal::EmptyText),
        ],
    );
    assert_eq!(
        gateway.tells(0, new("tea", true)),
        ["ann joins tea", "tea holds 1", "ann to tea: hi"]
    );
    let seen = tea(&gateway);
    assert_eq!(seen.owner.unwrap().handle, "ann");
    assert!(seen.active, "a user posted");
}

#[test]
fn an_operator_releases_a_room_or_gives_it_to_another_user() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(titled("den"), Some(user("ann"))));
    let set = |name: &str, owner: Option<&str>| Command::SetOwner {
        room: room(name),
        owner: owner.map(user),
    };
    let owner = |name: &str| {
        let room = gateway.engine().room_named(name).unwrap().expect("it exists");
        room.owner.as_ref().map(|owner| owner.handle.clone())
    };
    let declare = Command::DeclareRoom { room: titled("den") };
    let refused = gateway.refuses(0, declare.clone());
    assert!(matches!(refused, Refusal::RoomNotPublic { .. }), "{refused:?}");
    gateway.does(0, set("den", None));
    assert_eq!(owner("den"), None);
    gateway.does(0, declare);
    let members = |room: &core_model::RoomView| room.population;
    assert_eq!(members(&room_seen_by(&gateway, room("den"), None)), 1, "ann stays a member");
    gateway.does(0, set("den", Some("bob")));
    assert_eq!(owner("den").as_deref(), Some("bob"));
    let delete = |by: &str| Command::DeleteRoom { room: room("den"), by: Some(user(by)) };
    assert_eq!(gateway.refuses(0, delete("ann")), Refusal::NotAllowed);
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    let name = "secret#3";
    let refused = gateway.refuses(0, set(name, None));
    assert!(matches!(refused, Refusal::RoomNotPublic { .. }), "{refused:?}");
    gateway.does(0, set(name, Some("bob")));
    assert_eq!(owner(name).as_deref(), Some("bob"));
    assert_eq!(gateway.refuses(0, set("none", None)), Refusal::UnknownRoom);
    assert_eq!(gateway.refuses(0, set("den", Some("zoe"))), Refusal::UnknownUser);
    gateway.does(0, delete("bob"));
}

#[test]
fn a_user_that_may_be_new_is_made_where_it_joins_or_creates_a_room() {
    let gateway = with_tea(&["ann"]);
    let new = |subject: &str| UserRef::IdentityOrNew(format!("openid:wechat/{subject}"));
    let known =
        |subject: &str| gateway.ask(&about_user(identity(&format!("openid:wechat/{subject}"))));
    assert_eq!(gateway.refuses(0, join(room("none"), new("a"))), Refusal::UnknownRoom);
    assert_eq!(known("a"), Err(Refusal::UnknownUser));
    gateway.does(0, join(room("tea"), new("a")));
    gateway.does(0, join(room("tea"), new("a")));
    gateway.does(0, create(titled("den"), Some(new("b"))));
    assert!(known("a").is_ok() && known("b").is_ok());
    // Nowhere else.
    assert_eq!(gateway.refuses(0, post(room("tea"), new("c"), "hi")), Refusal::UnknownUser);
    let clear = || Command::ClearMessages { room: room("tea"), by: None };
    let nothing = Reply::Pruned { messages: 0, expired: Expired::default(), next: None };
    assert_eq!(gateway.does(0, clear()), nothing);
    gateway.does(0, post(room("tea"), new("a"), "hi"));
    assert_eq!(gateway.does(0, clear()), Reply::Done);
    assert_eq!(gateway.does(0, clear()), nothing);
}

#[test]
fn no_user_is_made_for_a_room_that_is_refused() {
    let mut gateway = with(&["ann", "bob"]);
    gateway.does(0, create(seating("full", 1), Some(user("ann"))));
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    gateway.does(0, create(titled("tea"), None));
    gateway.frontend.auto_join = vec!["tea".into()];
    let new = || UserRef::IdentityOrNew("openid:wechat/a".into());
    let insisting = |name: &str| NewRoom { insist: true, ..titled(name) };
    for (command, refusal) in [
        (join(room("full"), new()), Refusal::RoomFull),
        (join(room_id(2), new()), Refusal::UnknownRoom),
        (create(insisting("full"), Some(new())), Refusal::RoomNameTaken),
        (create(seating("none", 0), Some(new())), Refusal::RoomFull),
        (create_for(seating("two", 2), new(), &["ann", "bob"]), Refusal::RoomFull),
        (create_for(titled("two"), new(), &[]), Refusal::TooFewMembers),
        (create_for(titled("two"), new(), &["zoe"]), Refusal::UnknownUser),
    ] {
        let before = gateway.engine().dump().unwrap();
        assert_eq!(gateway.refuses(0, command.clone()), refusal, "{command:?}");
        assert!(gateway.engine().dump().unwrap() == before, "{command:?} has changed something");
    }
    // The room that was asked for comes before automatic ones.
    gateway.frontend.quotas.memberships_per_user_max = 1;
    gateway.does(0, create(titled("den"), Some(new())));
    let rooms = |command| match gateway.does(1, command) {
        Reply::SignedIn { rooms, .. } => rooms.iter().map(|room| room.name.to_string()).collect(),
        other => panic!("{other:?}"),
    };
    let names: Vec<String> = rooms(sign_in(identity("openid:wechat/a")));
    assert_eq!(names, ["den"]);
}
