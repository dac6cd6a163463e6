//! What holds in a room beyond its members: who may enter, find and post, and who may change that.

use core_model::{
    Barrier, Command, Detail, INVITATIONS_MAX, MASKS_MAX, MaskList, MessageId, PolicyChange, Query,
    Refusal, Reply, Role, RoomFilter, RoomRef, SeatKind, UserRef,
};

use super::*;

fn change(change: PolicyChange, by: UserRef) -> Command {
    Command::ChangePolicy { room: room("tea"), change, by: Some(by) }
}

fn mask(list: MaskList, mask: &str, held: bool) -> Command {
    change(PolicyChange::Mask { list, mask: mask.into(), held }, user("ann"))
}

fn barred(by: Barrier) -> Refusal {
    Refusal::Barred { by }
}

fn enter_with(key: &str, user: UserRef) -> Command {
    let room = RoomRef::Keyed { name: "tea".into(), key: key.into() };
    let seat = SeatKind::Connection;
    Command::Enter { room, user, seat, opens: false, avatar: None, create: false }
}

fn give(role: Role, to: UserRef) -> Command {
    Command::SetRole { room: room("tea"), user: to, role, held: true, by: Some(user("ann")) }
}

#[test]
fn only_the_owner_and_operators_change_what_holds() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(2, enter(room("tea"), guest("gus")));
    let moderate = |by| change(PolicyChange::Moderated(true), by);
    assert_eq!(gateway.refuses(1, moderate(user("bob"))), Refusal::NotAllowed);
    assert_eq!(gateway.refuses(2, moderate(guest("gus"))), Refusal::NotSignedIn);
    gateway.does(0, give(Role::Operator, user("guest:gus")));
    let told = gateway.tells(2, moderate(guest("gus")));
    assert_eq!(told, ["guest:gus changes Moderated(true) of tea"]);
    assert_eq!(gateway.tells(2, moderate(guest("gus"))), [""; 0], "it holds already");
    assert!(room_seen_by(&gateway, room("tea"), None).policy.moderated);
}

#[test]
fn in_a_moderated_room_the_owner_and_those_with_a_role_post() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, enter(room("tea"), user("bob")));
    gateway.does(2, enter(room("tea"), guest("gus")));
    gateway.does(1, change(PolicyChange::Moderated(true), user("ann")));
    let refused = |connection, author| gateway.refuses(connection, say(room("tea"), author, "hi"));
    assert_eq!(refused(1, user("bob")), barred(Barrier::Moderated));
    assert_eq!(refused(2, guest("gus")), barred(Barrier::Moderated));
    gateway.does(1, post(room("tea"), user("ann"), "the owner speaks"));
    gateway.does(1, give(Role::Voice, user("bob")));
    gateway.does(1, give(Role::Voice, user("guest:gus")));
    gateway.does(1, say(room("tea"), user("bob"), "hi"));
    gateway.does(2, say(room("tea"), guest("gus"), "hi"));
    // Another client that uses the name has no voice.
    gateway.does(3, enter(room("tea"), guest("gus")));
    assert_eq!(refused(3, guest("gus")), barred(Barrier::Moderated));
}

#[test]
fn a_banned_user_neither_enters_joins_nor_posts_unless_there_is_an_exception() {
    let gateway = with_tea(&["ann", "Bob"]);
    gateway.does(1, enter(room("tea"), user("Bob")));
    gateway.does(0, mask(MaskList::Ban, "b?b!*", true));
    assert_eq!(gateway.refuses(1, say(room("tea"), user("Bob"), "hi")), barred(Barrier::Ban));
    gateway.does(1, exit(room("tea"), user("Bob")));
    for command in [
        enter(room("tea"), user("Bob")),
        lease(room("tea"), user("Bob")),
        join(room("tea"), user("Bob")),
        post_joining(room("tea"), user("Bob"), "hi", false),
        receive(user("Bob"), Some(room("tea"))),
    ] {
        assert_eq!(gateway.refuses(1, command), barred(Barrier::Ban));
    }
    gateway.does(0, mask(MaskList::Exception, "*!10001", true));
    gateway.does(1, enter(room("tea"), user("Bob")));
    gateway.does(1, say(room("tea"), user("Bob"), "hi"));
    gateway.does(0, mask(MaskList::Exception, "*!10001", false));
    assert_eq!(gateway.refuses(1, say(room("tea"), user("Bob"), "hi")), barred(Barrier::Ban));
    gateway.does(0, mask(MaskList::Ban, "b?b!*", false));
    gateway.does(1, say(room("tea"), user("Bob"), "hi"));
    // The owner cannot be locked out.
    gateway.does(0, mask(MaskList::Ban, "*", true));
    gateway.does(2, enter(room("tea"), user("ann")));
}

#[test]
fn an_identity_without_an_account_is_refused_before_one_is_made() {
    let gateway = with_tea(&["ann"]);
    let new = || UserRef::IdentityOrNew("tel/9".into());
    gateway.does(0, mask(MaskList::Ban, "user-*", true));
    assert_eq!(gateway.refuses(1, join(room("tea"), new())), barred(Barrier::Ban));
    assert_eq!(gateway.ask(&about_user(identity("tel/9"))), Err(Refusal::UnknownUser));
    gateway.does(0, mask(MaskList::Ban, "user-*", false));
    gateway.does(1, join(room("tea"), new()));
}

#[test]
fn a_key_opens_a_room_to_those_who_know_it_and_members_need_none() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    gateway.does(0, join(room("tea"), user("cyd")));
    let told = gateway.tells(1, change(PolicyChange::Key(Some("k1".into())), user("ann")));
    assert_eq!(told, ["ann changes Key(Some(\"k1\")) of tea"]);
    assert_eq!(gateway.refuses(1, enter(room("tea"), user("bob"))), barred(Barrier::Key));
    assert_eq!(gateway.refuses(1, join(room("tea"), user("bob"))), barred(Barrier::Key));
    assert_eq!(gateway.refuses(1, enter_with("K1", user("bob"))), barred(Barrier::Key));
    gateway.does(1, enter_with("k1", user("bob")));
    gateway.does(2, enter(room("tea"), user("cyd")));
    let seen = room_seen_by(&gateway, room("tea"), None);
    assert!(seen.policy.keyed && !format!("{seen:?}").contains("k1"));
    gateway.does(1, change(PolicyChange::Key(None), user("ann")));
    gateway.does(3, enter(room("tea"), guest("gus")));
}

#[test]
fn an_invitation_lets_one_user_in_once_past_everything() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    gateway.does(3, enter(room("tea"), user("cyd")));
    gateway.does(0, change(PolicyChange::InviteOnly(true), user("ann")));
    gateway.does(0, change(PolicyChange::Key(Some("k1".into())), user("ann")));
    gateway.does(0, mask(MaskList::Ban, "bob", true));
    let invite = |by: &str| change(PolicyChange::Invited(user("bob")), user(by));
    assert_eq!(gateway.refuses(1, enter_with("k1", user("bob"))), barred(Barrier::Ban));
    assert_eq!(gateway.refuses(3, invite("cyd")), Refusal::NotAllowed);
    assert_eq!(gateway.refuses(1, invite("bob")), Refusal::NotInRoom);
    gateway.does(4, enter(room("tea"), user("ann")));
    gateway.does(4, invite("ann"));
    gateway.does(1, enter(room("tea"), user("bob")));
    gateway.does(1, exit(room("tea"), user("bob")));
    assert_eq!(gateway.refuses(1, enter(room("tea"), user("bob"))), barred(Barrier::Ban));
    gateway.does(0, mask(MaskList::Ban, "bob", false));
    assert_eq!(gateway.refuses(1, enter(room("tea"), user("bob"))), barred(Barrier::InviteOnly));
    gateway.does(0, mask(MaskList::Invitation, "b*", true));
    assert_eq!(gateway.refuses(1, enter(room("tea"), user("bob"))), barred(Barrier::Key));
    gateway.does(1, enter_with("k1", user("bob")));
}

#[test]
fn lists_of_masks_and_invitations_are_bounded() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), user("ann")));
    for nth in 0..MASKS_MAX {
        gateway.does(0, mask(MaskList::Ban, &format!("m{nth}"), true));
    }
    let full = |refusal| matches!(refusal, Refusal::QuotaExceeded { max: 100, .. });
    assert!(full(gateway.refuses(0, mask(MaskList::Ban, "one more", true))));
    gateway.does(0, mask(MaskList::Exception, "another list", true));
    let long = mask(MaskList::Ban, &"m".repeat(601), true);
    assert!(matches!(gateway.refuses(0, long), Refusal::TooLong { .. }));
    let invite = |nth| {
        let guest = user(&format!("guest:g{nth}"));
        change(PolicyChange::Invited(guest), user("ann"))
    };
    for nth in 0..INVITATIONS_MAX {
        gateway.does(1, invite(nth));
    }
    assert!(full(gateway.refuses(1, invite(INVITATIONS_MAX))));
    gateway.does(1, invite(0));
    let detail = Detail { masks: true, ..Detail::default() };
    let query = Query::Room { room: room("tea"), caller: None, detail };
    let Ok(Reply::Room { room: seen }) = gateway.ask(&query) else { panic!("no room") };
    assert_eq!(seen.masks.len(), 101);
    assert_eq!((seen.masks[0].by.as_str(), seen.masks[100].list), ("ann", MaskList::Exception));
    // They end with the room.
    gateway.does(0, delete(room("tea"), None));
    gateway.does(0, create(titled("tea"), Some(user("ann"))));
    gateway.does(1, enter(room("tea"), guest("m1")));
}

#[test]
fn a_secret_room_is_found_by_those_only_who_know_its_name() {
    let gateway = with_tea(&["ann"]);
    gateway.does(2, enter(room("tea"), guest("gus")));
    let lists = |gateway: &Gateway| {
        let Ok(Reply::Rooms { rooms }) = gateway.ask(&listed(RoomFilter::Open)) else { panic!() };
        let Ok(Reply::Rooms { rooms: found }) = gateway.ask(&search("tea")) else { panic!() };
        (rooms.len(), found.len())
    };
    assert_eq!(lists(&gateway), (1, 1));
    gateway.does(0, change(PolicyChange::Secret(true), user("ann")));
    assert_eq!(lists(&gateway), (0, 0));
    let rename = rename(room("tea"), "green tea", Some(user("ann")));
    gateway.does(0, rename);
    assert_eq!(lists(&gateway), (0, 0), "a change does not list it");
    let people = Query::Occupants { room: room("tea"), caller: None };
    assert_eq!(gateway.ask_on(9, &people), Err(Refusal::UnknownRoom));
    assert!(gateway.ask_on(2, &people).is_ok());
    gateway.does(3, enter(room("tea"), guest("zoe")));
    gateway.does(0, change(PolicyChange::Secret(false), user("ann")));
    assert_eq!(lists(&gateway), (1, 1));
}

#[test]
fn a_room_may_let_those_inside_describe_it_and_those_outside_post() {
    let gateway = with_tea(&["ann"]);
    let describe = |by| Command::UpdateRoom {
        room: room("tea"),
        changes: core_model::RoomChanges {
            description: Some("hot".into()),
            ..core_model::RoomChanges::default()
        },
        by: Some(by),
    };
    gateway.does(0, change(PolicyChange::OpenTopic(true), user("ann")));
    assert_eq!(gateway.refuses(2, describe(guest("gus"))), Refusal::NotSignedIn);
    let hello = || say(room("tea"), guest("gus"), "hello");
    assert_eq!(gateway.refuses(2, hello()), Refusal::NotInRoom);
    gateway.does(0, change(PolicyChange::OpenPosts(true), user("ann")));
    gateway.does(2, hello());
    gateway.does(0, mask(MaskList::Ban, "*!guest", true));
    assert_eq!(gateway.refuses(2, hello()), barred(Barrier::Ban));
    gateway.does(0, mask(MaskList::Ban, "*!guest", false));
    gateway.does(2, enter(room("tea"), guest("gus")));
    assert_eq!(gateway.tells(2, describe(guest("gus"))), ["guest:gus describes tea as hot"]);
}

#[test]
fn the_capacity_stays_within_that_of_the_front_end() {
    let gateway = with_tea(&["ann"]);
    let seats = |seats: Option<u32>| {
        gateway.does(0, change(PolicyChange::Capacity(seats), user("ann")));
        room_seen_by(&gateway, room("tea"), None).capacity
    };
    let usual = seats(None);
    assert_eq!(seats(Some(3)), 3);
    assert_eq!(seats(Some(0)), 1);
    assert_eq!(seats(Some(u32::MAX)), usual);
}

#[test]
fn a_message_is_deleted_by_its_author_the_owner_or_an_operator() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    gateway.does(2, enter(room("tea"), guest("gus")));
    for text in ["one", "two", "three"] {
        gateway.does(0, post_joining(room("tea"), user("bob"), text, false));
    }
    gateway.does(2, say(room("tea"), guest("gus"), "four"));
    let delete = |message, by| Command::DeleteMessage {
        room: room("tea"),
        message: MessageId(message),
        by: Some(by),
        reason: "spam".into(),
    };
    assert_eq!(gateway.refuses(1, delete(1, user("cyd"))), Refusal::NotAllowed);
    // Others may use the name of a guest.
    assert_eq!(gateway.refuses(2, delete(4, guest("gus"))), Refusal::NotAllowed);
    assert_eq!(gateway.tells(1, delete(1, user("bob"))), ["bob deletes 1"]);
    assert_eq!(gateway.tells(1, delete(2, user("ann"))), ["ann deletes 2"]);
    gateway.does(0, give(Role::Operator, user("guest:gus")));
    assert_eq!(gateway.tells(2, delete(3, guest("gus"))), ["guest:gus deletes 3"]);
    assert_eq!(gateway.refuses(1, delete(3, user("ann"))), Refusal::UnknownMessage);
    let Ok(Reply::Messages { messages }) = gateway.ask(&history(room("tea"), 9)) else { panic!() };
    assert_eq!(say::messages(&messages), ["guest:gus to tea: four"]);
}
