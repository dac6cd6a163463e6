//! Commands of operators: bans, mutes, deletion of users and messages, tokens of the admin API.

use core_model::{
    AdminCommand, AdminRole, AdminToken, BanNetwork, BanTarget, Banned, Command, Event, MessageId,
    Query, Recorded, RoomFilter, RoomId, Timestamp, Uid,
};

use super::*;

fn admin(command: AdminCommand) -> Command {
    Command::Admin(Box::new(command))
}

fn ban(target: BanTarget, until: Option<u64>) -> Command {
    let until = until.map(Timestamp);
    admin(AdminCommand::Ban { target, reason: "spam".into(), until })
}

fn lift(target: BanTarget) -> Command {
    admin(AdminCommand::LiftBan { target })
}

fn ann() -> BanTarget {
    BanTarget::User(user("ann"))
}

fn is_banned(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Banned { reason, .. } if reason == "spam")
}

fn delete_messages(ids: &[u64]) -> Command {
    let messages = ids.iter().map(|id| MessageId(*id)).collect();
    admin(AdminCommand::DeleteMessages { messages })
}

#[test]
fn no_client_can_give_a_command_of_an_operator() {
    let gateway = with_tea(&["ann"]);
    assert_eq!(gateway.refuses(1, ban(ann(), None)), Refusal::NotAllowed);
    assert!(gateway.engine().bans(Timestamp(0), None, 9).unwrap().is_empty());
}

#[test]
fn a_banned_user_can_do_nothing_but_leave_until_the_ban_is_lifted() {
    let gateway = with_tea(&["bob", "ann"]);
    gateway.does(1, sign_in(user("ann")));
    gateway.does(1, join(room("tea"), UserRef::Session));
    gateway.does(1, enter(room("tea"), UserRef::Session));
    gateway.does(0, issue(user("ann"), grant("ann's", 1 << 40)));
    gateway.does(0, ban(ann(), None));
    for command in [
        post(room("tea"), UserRef::Session, "hi"),
        say(room("tea"), UserRef::Session, "hi"),
        direct(by_token("ann's"), user("bob"), "hi"),
        receive(by_token("ann's"), None),
        create(titled("coffee"), Some(UserRef::Session)),
        Command::UpdateUser {
            user: UserRef::Session,
            create: false,
            changes: core_model::ProfileChanges::default(),
        },
    ] {
        let refusal = gateway.refuses(1, command.clone());
        assert!(is_banned(&refusal), "{refusal}: {command:?}");
    }
    for command in [vouch(user("ann")), sign_in(user("ann")), join(room("tea"), user("ann"))] {
        let refusal = gateway.refuses(2, command.clone());
        assert!(is_banned(&refusal), "{refusal}: {command:?}");
    }
    let asked = Query::Members { room: room("tea"), caller: Some(by_token("ann's")) };
    assert!(gateway.ask(&asked).is_err_and(|refusal| is_banned(&refusal)));
    let polls = receive(by_token("ann's"), Some(room("tea")));
    let (at, connection) = (Timestamp(gateway.now), core_model::ConnectionId(3));
    let polled = gateway.engine().try_read_only(at, connection, &polls, 9);
    assert!(polled.is_err(), "{polled:?}");
    // Others still see and reach the user, who may leave.
    gateway.does(0, direct(user("bob"), user("ann"), "why?"));
    gateway.does(1, exit(room("tea"), UserRef::Session));
    gateway.does(0, lift(ann()));
    gateway.does(1, post(room("tea"), UserRef::Session, "back"));
    assert_eq!(talk(&gateway, "tea").len(), 1);
}

#[test]
fn a_ban_ends_by_itself_and_is_replaced_by_the_next() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(0, ban(ann(), Some(2_000)));
    assert!(is_banned(&gateway.refuses(1, vouch(user("ann")))));
    gateway.now = 2_000;
    gateway.does(1, vouch(user("ann")));
    assert!(gateway.engine().bans(Timestamp(2_000), None, 9).unwrap().is_empty());
    gateway.does(0, ban(ann(), Some(3_000)));
    gateway.does(0, ban(ann(), None));
    gateway.now = 4_000;
    assert!(is_banned(&gateway.refuses(1, vouch(user("ann")))));
    gateway.reopen_checked();
    gateway.does(0, start());
    assert!(is_banned(&gateway.refuses(1, vouch(user("ann")))));
}

#[test]
fn a_banned_identity_refuses_who_has_it_and_who_would_get_it() {
    let gateway = with_tea(&["ann"]);
    let link =
        |identity: &str| Command::LinkIdentity { user: user("ann"), identity: identity.to_owned() };
    gateway.does(0, link("tel/1"));
    for banned in ["tel/1", "tel/2"] {
        gateway.does(0, ban(BanTarget::Identity(banned.into()), None));
    }
    assert!(is_banned(&gateway.refuses(1, vouch(user("ann")))));
    let new = core_model::NewUser { identities: vec!["tel/2".into()], ..named("cyd") };
    assert!(is_banned(&gateway.refuses(1, Command::Register { user: new.clone() })));
    let mut creating = vouch(identity("tel/2"));
    if let Command::SignIn { create, .. } = &mut creating {
        *create = Some(new);
    }
    assert!(is_banned(&gateway.refuses(1, creating)));
    let joining = join(room("tea"), UserRef::IdentityOrNew("tel/2".into()));
    assert!(is_banned(&gateway.refuses(1, joining)));
    gateway.does(0, Command::UnlinkIdentity { user: user("ann"), identity: "tel/1".into() });
    gateway.does(1, vouch(user("ann")));
}

#[test]
fn bans_are_listed_in_pages_with_those_of_networks() {
    let gateway = with(&["ann", "bob"]);
    let network = BanNetwork { bits: 0xffff_0a00_0000, prefix: 104 };
    gateway.does(0, ban(BanTarget::Network(network), None));
    gateway.does(0, ban(BanTarget::Identity("tel/1".into()), Some(5_000)));
    gateway.does(0, ban(ann(), None));
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = gateway.engine().bans(Timestamp(1_000), after.as_ref(), 2).unwrap();
        after = page.last().map(|ban| ban.target.clone());
        found.extend(page.into_iter().map(|ban| ban.target));
        if after.is_none() {
            break;
        }
    }
    let expected =
        [Banned::User(Uid(10_000)), Banned::Identity("tel/1".into()), Banned::Network(network)];
    assert_eq!(found.len(), 3);
    assert!(expected.iter().all(|target| found.contains(target)), "{found:?}");
}

#[test]
fn a_muted_user_reads_and_does_not_post_in_that_room() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(titled("coffee"), Some(user("bob"))));
    gateway.does(0, join(room("tea"), user("bob")));
    let mute = |until: Option<u64>| {
        let until = until.map(Timestamp);
        admin(AdminCommand::Mute { room: room("tea"), user: user("bob"), until })
    };
    let unmute = || admin(AdminCommand::Unmute { room: room("tea"), user: user("bob") });
    gateway.does(0, mute(Some(9_000)));
    let refusal = gateway.refuses(1, post(room("tea"), user("bob"), "hi"));
    assert_eq!(refusal, Refusal::Muted { until: Some(Timestamp(9_000)) });
    gateway.does(1, post(room("coffee"), user("bob"), "hi"));
    gateway.does(1, post(room("tea"), user("ann"), "hi"));
    assert_eq!(received(&gateway, receive(user("bob"), Some(room("tea")))).0.len(), 1);
    assert_eq!(gateway.engine().muted(Timestamp(1_000), &room("tea")).unwrap().len(), 1);
    gateway.now = 9_000;
    gateway.does(1, post(room("tea"), user("bob"), "it is over"));
    assert!(gateway.engine().muted(Timestamp(9_000), &room("tea")).unwrap().is_empty());
    gateway.does(0, mute(None));
    gateway.refuses(1, post(room("tea"), user("bob"), "hi"));
    gateway.does(0, unmute());
    gateway.does(1, post(room("tea"), user("bob"), "hi"));
    // A room that ends takes its mutes along.
    gateway.does(0, mute(None));
    gateway.does(0, delete(room("tea"), None));
    gateway.reopen_checked();
}

#[test]
fn a_deleted_message_is_in_no_list_whether_in_a_tail_or_a_run() {
    let mut gateway = with_tea(&["ann", "bob"]);
    for number in 0..70 {
        gateway.does(0, post(room("tea"), user("ann"), &number.to_string()));
    }
    gateway.does(0, direct(user("ann"), user("bob"), "psst"));
    let before = talk(&gateway, "tea").len();
    assert_eq!(before, 70);
    // The first, the middle and the end of a run, the tail, a direct one, and one that is not there.
    let ids = [1, 16, 32, 69, 70, 71, 9_999];
    let Reply::Pruned { messages, .. } = gateway.does(0, delete_messages(&ids)) else {
        panic!("not pruned")
    };
    assert_eq!(messages, 6);
    assert_eq!(talk(&gateway, "tea").len(), 65);
    assert!(
        !talk(&gateway, "tea").iter().any(|line| line.contains(" 15") || line.ends_with(": 0"))
    );
    assert_eq!(received(&gateway, receive(user("bob"), None)).0, Vec::<String>::new());
    let again = gateway.does(0, delete_messages(&ids));
    assert!(matches!(again, Reply::Pruned { messages: 0, .. }));
    gateway.reopen_checked();
    // A whole run and a whole tail; then the room goes on.
    gateway.does(0, start());
    let all: Vec<u64> = (1..=70).collect();
    gateway.does(0, delete_messages(&all));
    assert_eq!(talk(&gateway, "tea"), Vec::<String>::new());
    gateway.does(0, post(room("tea"), user("ann"), "again"));
    assert_eq!(talk(&gateway, "tea").len(), 1);
    gateway.reopen_checked();
}

#[test]
fn what_an_owner_has_cleared_cannot_be_deleted_twice() {
    let mut gateway = with_tea(&["ann"]);
    for number in 0..40 {
        gateway.does(0, post(room("tea"), user("ann"), &number.to_string()));
    }
    gateway.does(0, clear(room("tea"), Some(user("ann"))));
    let deleted = gateway.does(0, delete_messages(&[3, 39]));
    assert!(matches!(deleted, Reply::Pruned { messages: 0, .. }), "{deleted:?}");
    gateway.does(0, Command::Expire);
    gateway.reopen_checked();
}

fn delete_user(handle: &str, anonymize: bool) -> Command {
    admin(AdminCommand::DeleteUser { user: user(handle), anonymize })
}

#[test]
fn a_deleted_user_keeps_nothing_but_a_name_for_its_messages() {
    for anonymize in [false, true] {
        let mut gateway = with_tea(&["ann", "bob"]);
        gateway.does(0, create_for(closed("shared"), user("ann"), &["bob"]));
        gateway.does(0, create(closed("own"), Some(user("ann"))));
        gateway.does(0, Command::LinkIdentity { user: user("ann"), identity: "tel/1".into() });
        gateway.does(0, issue(user("ann"), grant("ann's", 1 << 40)));
        gateway.does(0, post(room("tea"), user("ann"), "I was here"));
        gateway.does(0, delete_user("ann", anonymize));
        let left = account(&gateway, uid(10_000));
        assert_eq!(left.person.identities, Vec::<String>::new());
        assert_eq!(left.person.handle, if anonymize { "deleted-10000" } else { "ann" });
        assert_eq!(talk(&gateway, "tea").len(), 1);
        assert_eq!(members_of(&gateway, "tea"), Vec::<String>::new());
        assert_eq!(tea(&gateway).owner, None);
        let shared = room_seen_by(&gateway, room("shared#2"), Some(user("bob")));
        assert_eq!(shared.owner.map(|owner| owner.handle.clone()), Some("bob".into()));
        assert!(gateway.engine().room(&room("own#3")).is_err());
        assert_eq!(
            gateway.refuses(1, direct(by_token("ann's"), user("bob"), "x")),
            Refusal::TokenInvalid
        );
        assert!(matches!(gateway.refuses(1, vouch(uid(10_000))), Refusal::Banned { .. }));
        // The identity is free, and the ban of the deleted user stays.
        gateway.does(1, Command::Register { user: identified("tel/1") });
        for command in
            [lift(BanTarget::User(uid(10_000))), ban(BanTarget::User(uid(10_000)), Some(1))]
        {
            assert_eq!(gateway.refuses(0, command), Refusal::UnknownUser);
        }
        let handle_is_free = gateway.call(1, register("ann")).0.is_ok();
        assert_eq!(handle_is_free, anonymize);
        gateway.reopen_checked();
    }
}

#[test]
fn what_a_user_wrote_and_was_sent_is_found_in_pages() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    for handle in ["bob", "cyd"] {
        gateway.does(0, join(room("tea"), user(handle)));
        gateway.does(0, post(room("tea"), user(handle), handle));
    }
    gateway.does(0, direct(user("ann"), user("bob"), "to bob"));
    gateway.does(0, direct(user("ann"), user("cyd"), "to cyd"));
    gateway.does(0, direct(user("bob"), user("ann"), "by bob"));
    let mut texts = Vec::new();
    let mut after = Some(MessageId(0));
    while let Some(from) = after {
        let page = gateway.engine().messages_of_user(Uid(10_001), from, 1).unwrap();
        texts.extend(page.items.iter().map(|message| message.text.clone()));
        after = page.next;
    }
    assert_eq!(texts, ["bob", "to bob", "by bob"]);
}

#[test]
fn operators_list_change_kick_from_and_delete_closed_rooms_too() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    let page = gateway.engine().all_rooms(RoomId(0), None, 9).unwrap();
    assert_eq!(page.items.len(), 2);
    let found = gateway.engine().all_rooms(RoomId(0), Some("SECR"), 9).unwrap().items;
    assert_eq!(found.len(), 1);
    let description = Some("hush".into());
    let (room_of, title, section) = (room("secret#2"), None, None);
    let change = AdminCommand::ChangeRoom { room: room_of, title, section, description };
    gateway.does(0, admin(change));
    assert_eq!(gateway.engine().room(&room("secret#2")).unwrap().description, "hush");
    let kick = |name: &str| {
        let (room, user) = (room("secret#2"), user(name));
        admin(AdminCommand::Kick { room, user, reason: "spam".into() })
    };
    let (_, events) = gateway.call(0, kick("bob"));
    let left = events.iter().find_map(|event| match event {
        Recorded { event: Event::Left { reason, .. }, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(left, Some("spam"));
    assert_eq!(gateway.engine().room(&room("secret#2")).unwrap().population, 1);
    assert_eq!(gateway.refuses(0, kick("ann")), Refusal::OwnerStays);
    assert_eq!(gateway.refuses(0, kick("zed")), Refusal::UnknownUser);
    gateway.does(0, admin(AdminCommand::DeleteRoom { room: room("secret#2") }));
    assert!(gateway.engine().room(&room("secret#2")).is_err());
    let Ok(Reply::Rooms { rooms }) = gateway.ask(&listed(RoomFilter::Open)) else { panic!() };
    assert_eq!(rooms.len(), 1);
    gateway.reopen_checked();
}

#[test]
fn an_announcement_is_a_notice_under_a_name_of_no_account() {
    let gateway = with_tea(&["ann"]);
    let announce = |name: &str, text: &str| {
        admin(AdminCommand::Announce { room: room("tea"), name: name.into(), text: text.into() })
    };
    assert_eq!(gateway.refuses(0, announce("ann", "hi")), Refusal::HandleTaken);
    assert_eq!(gateway.refuses(0, announce("Gateway", "")), Refusal::EmptyText);
    let Reply::Posted { message } = gateway.does(0, announce("Gateway", "hi")) else { panic!() };
    assert!(message.notice);
    assert_eq!(message.author.handle, "guest:Gateway");
}

#[test]
fn a_token_of_the_admin_api_is_known_until_it_expires_or_is_removed() {
    let mut gateway = Gateway::new();
    let token_of = |name: &str, expires: Option<u64>| AdminToken {
        hash: token(name),
        label: name.into(),
        role: AdminRole::Moderator,
        created: Timestamp(0),
        expires: expires.map(Timestamp),
    };
    for (name, expires) in [("a", None), ("b", Some(2_000))] {
        gateway.does(0, admin(AdminCommand::AddToken(token_of(name, expires))));
    }
    let known = |gateway: &Gateway, name: &str, at: u64| {
        gateway.engine().admin_token(Timestamp(at), &token(name)).unwrap().map(|it| it.role)
    };
    assert_eq!(known(&gateway, "a", 1 << 50), Some(AdminRole::Moderator));
    assert_eq!(known(&gateway, "b", 1_999), Some(AdminRole::Moderator));
    assert_eq!(known(&gateway, "b", 2_000), None);
    assert_eq!(known(&gateway, "c", 0), None);
    gateway.does(0, admin(AdminCommand::RemoveToken { hash: token("a") }));
    let again = gateway.refuses(0, admin(AdminCommand::RemoveToken { hash: token("a") }));
    assert_eq!(again, Refusal::TokenInvalid);
    gateway.reopen_checked();
    assert_eq!(known(&gateway, "a", 0), None);
    assert_eq!(gateway.engine().admin_tokens().unwrap().len(), 1);
}
