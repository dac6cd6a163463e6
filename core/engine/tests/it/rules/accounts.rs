//! Users: handles, identities, profiles, sessions.

use core_model::{
    Command, Credential, NewUser, ProfileChanges, Refusal, Reply, Secret, Timestamp, Uid, UserRef,
};

use super::*;

fn handle_given(gateway: &Gateway, user: NewUser) -> String {
    match gateway.does(0, Command::Register { user }) {
        Reply::Registered { user, .. } => user.person.handle.clone(),
        other => panic!("not registered: {other:?}"),
    }
}

#[test]
fn uids_begin_at_10000_and_count_up() {
    let gateway = with(&["ann", "bob"]);
    assert_eq!(account(&gateway, user("ann")).person.uid, Some(Uid(10_000)));
    assert_eq!(account(&gateway, user("bob")).person.uid, Some(Uid(10_001)));
    assert_eq!(account(&gateway, user("ann")).created, Timestamp(1_000));
}

#[test]
fn a_taken_or_invalid_handle_is_replaced_unless_insisted_on() {
    let gateway = with(&["ann"]);
    let long = "x".repeat(65);
    for (wanted, given) in [
        (Some("bob"), "bob"),
        (Some("ann"), "ann-10002"),
        (None, "user-10003"),
        (Some("@ann"), "user-10004"),
        (Some("guest:ann"), "user-10005"),
        (Some("a\u{7}"), "user-10006"),
        (Some(""), "user-10007"),
        (Some(long.as_str()), "user-10008"),
        (Some("Ann"), "Ann"),
    ] {
        let user = NewUser { handle: wanted.map(Into::into), ..NewUser::default() };
        assert_eq!(handle_given(&gateway, user), given, "{wanted:?}");
    }
}

#[test]
fn a_taken_derived_handle_gets_a_number() {
    let gateway = with(&["ann", "ann-10004", "user-10005", "user-10005-2"]);
    assert_eq!(handle_given(&gateway, named("ann")), "ann-10004-2");
    assert_eq!(handle_given(&gateway, NewUser::default()), "user-10005-3");
}

#[test]
fn a_derived_handle_fits_the_longest_handle() {
    let longest = "茶".repeat(64);
    let gateway = with(&[longest.as_str()]);
    let handle = handle_given(&gateway, named(&longest));
    assert_eq!(handle, format!("{}-10001", "茶".repeat(58)));
}

#[test]
fn composed_and_decomposed_forms_are_one_handle() {
    let gateway = with(&["e\u{301}ric"]);
    assert_eq!(account(&gateway, user("\u{e9}ric")).person.handle, "\u{e9}ric");
    refusals(&gateway, [(register("\u{e9}ric"), Refusal::HandleTaken)]);
}

#[test]
fn a_refused_registration_makes_nothing() {
    let gateway = with(&["ann"]);
    gateway.does(0, Command::Register { user: identified("tel/5551234") });
    let insisting = |handle: &str| register(handle);
    let with_identity = |identity: &str| Command::Register { user: identified(identity) };
    let why = String::new();
    let plain = NewUser { password: Some(Secret::Plain("secret".into())), ..named("cyd") };
    refusals(
        &gateway,
        [
            (insisting("ann"), Refusal::HandleTaken),
            (insisting(""), Refusal::InvalidHandle { why: why.clone() }),
            (insisting("@cyd"), Refusal::InvalidHandle { why: why.clone() }),
            (insisting("guest:cyd"), Refusal::InvalidHandle { why: why.clone() }),
            (insisting(&"x".repeat(65)), Refusal::InvalidHandle { why: why.clone() }),
            (with_identity("tel/5551234"), Refusal::IdentityTaken),
            (with_identity("tel/"), Refusal::InvalidIdentity { why: why.clone() }),
            (with_identity("/5551234"), Refusal::InvalidIdentity { why: why.clone() }),
            (with_identity("tel"), Refusal::InvalidIdentity { why: why.clone() }),
            (
                with_identity(&format!("openid:wechat/{}", "o".repeat(256))),
                Refusal::InvalidIdentity { why: why.clone() },
            ),
            // The host hashes passwords; the engine takes no other.
            (Command::Register { user: plain }, Refusal::Internal { why }),
        ],
    );
    gateway.does(0, register("cyd"));
    assert_eq!(account(&gateway, user("cyd")).person.uid, Some(Uid(10_002)), "no uid was spent");
}

#[test]
fn an_identity_that_is_given_twice_is_one() {
    let gateway = Gateway::new();
    let identities = vec!["tel/1".to_owned(), "tel/2".to_owned(), "tel/1".to_owned()];
    gateway.does(0, Command::Register { user: NewUser { identities, ..named("ann") } });
    assert_eq!(account(&gateway, user("ann")).person.identities, ["tel/1", "tel/2"]);
}

#[test]
fn a_user_is_found_by_uid_handle_and_every_identity() {
    let gateway = Gateway::new();
    let identities = vec!["email/ann@example.org".to_owned(), "tel/5551234".to_owned()];
    let user_made = NewUser { identities: identities.clone(), ..named("ann") };
    gateway.does(0, Command::Register { user: user_made });
    for name in [uid(10_000), user("ann"), identity("tel/5551234"), identity(&identities[0])] {
        let found = account(&gateway, name.clone());
        assert_eq!(found.person.handle, "ann", "{name:?}");
        assert_eq!(found.person.identities, identities);
    }
    for name in [uid(10_001), user("Ann"), identity("tel/555"), user("guest:ann")] {
        assert_eq!(gateway.ask(&about_user(name)), Err(Refusal::UnknownUser));
    }
}

#[test]
fn identities_are_linked_and_unlinked_one_by_one() {
    let gateway = with(&["ann", "bob"]);
    let link = |who: &str, identity: &str| Command::LinkIdentity {
        user: user(who),
        identity: identity.into(),
    };
    let unlink = |who: &str, identity: &str| Command::UnlinkIdentity {
        user: user(who),
        identity: identity.into(),
    };
    gateway.does(0, link("ann", "tel/1"));
    gateway.does(0, link("ann", "email/a@b"));
    gateway.does(0, link("ann", "tel/1"));
    assert_eq!(account(&gateway, identity("tel/1")).person.identities, ["tel/1", "email/a@b"]);
    refusals(
        &gateway,
        [
            (link("bob", "tel/1"), Refusal::IdentityTaken),
            (link("bob", "nonsense"), Refusal::InvalidIdentity { why: String::new() }),
            (link("cyd", "tel/2"), Refusal::UnknownUser),
            (unlink("bob", "tel/1"), Refusal::InvalidIdentity { why: String::new() }),
            (unlink("cyd", "tel/1"), Refusal::UnknownUser),
        ],
    );
    gateway.does(0, unlink("ann", "tel/1"));
    assert_eq!(account(&gateway, user("ann")).person.identities, ["email/a@b"]);
    gateway.does(0, link("bob", "tel/1"));
    assert_eq!(account(&gateway, identity("tel/1")).person.handle, "bob");
}

#[test]
fn given_profile_fields_change_and_the_handle_never_does() {
    let gateway = with(&["ann"]);
    let change = |changes: ProfileChanges| {
        gateway.does(0, Command::UpdateUser { user: user("ann"), create: false, changes });
        account(&gateway, uid(10_000))
    };
    let named = change(ProfileChanges { name: Some("Annie".into()), ..Default::default() });
    assert_eq!((named.person.handle.as_str(), named.person.name.as_str()), ("ann", "Annie"));
    let more = change(ProfileChanges {
        avatar: Some("a.png".into()),
        sex: Some("1".into()),
        preferences: Some(vec!["music".into()]),
        info: Some("{}".into()),
        ..Default::default()
    });
    assert_eq!(more.person.name, "Annie");
    assert_eq!((more.person.avatar.as_str(), more.sex.as_str()), ("a.png", "1"));
    assert_eq!((more.preferences.as_slice(), more.info.as_str()), (&["music".into()][..], "{}"));
    let unnamed = change(ProfileChanges { name: Some(String::new()), ..Default::default() });
    assert_eq!(unnamed.person.name, "ann", "without a display name the handle is shown");
}

#[test]
fn an_update_creates_a_user_only_on_request_and_by_identity() {
    let gateway = with(&["ann"]);
    let update = |user: UserRef, create: bool| {
        let changes = ProfileChanges { name: Some("ann".into()), ..Default::default() };
        Command::UpdateUser { user, create, changes }
    };
    refusals(
        &gateway,
        [
            (update(identity("openid:wechat/o1"), false), Refusal::UnknownUser),
            (update(user("bob"), true), Refusal::UnknownUser),
            (update(uid(1), true), Refusal::UnknownUser),
            (update(identity("o1"), true), Refusal::InvalidIdentity { why: String::new() }),
        ],
    );
    gateway.does(0, update(identity("openid:wechat/o1"), true));
    let made = account(&gateway, identity("openid:wechat/o1")).person;
    assert_eq!((made.handle.as_str(), made.name.as_str()), ("ann-10001", "ann"));
    gateway.does(0, update(identity("openid:wechat/o1"), true));
    assert_eq!(account(&gateway, identity("openid:wechat/o1")).person.uid, made.uid);
}

#[test]
fn signing_in_creates_an_unknown_account_on_request() {
    let gateway = with(&["ann"]);
    let sign_in_as = |name: &str, create: Option<NewUser>| {
        let mut command = sign_in(identity(name));
        let Command::SignIn { create: slot, .. } = &mut command else { unreachable!() };
        *slot = create;
        command
    };
    let new = || Some(NewUser { insist: false, ..identified("openid:qq/1") });
    refusals(&gateway, [(sign_in_as("openid:qq/1", None), Refusal::UnknownUser)]);
    gateway.does(1, sign_in_as("openid:qq/1", new()));
    gateway.does(2, sign_in_as("openid:qq/1", new()));
    assert_eq!(account(&gateway, identity("openid:qq/1")).person.uid, Some(Uid(10_001)));
    // A refused account signs no user in.
    let taken = Some(NewUser { handle: Some("ann".into()), insist: true, ..NewUser::default() });
    refusals(&gateway, [(sign_in_as("openid:qq/2", taken), Refusal::HandleTaken)]);
    let whoami = about_user(UserRef::Session);
    assert_eq!(gateway.ask_on(9, &whoami), Err(Refusal::NotSignedIn));
}

#[test]
fn an_unchecked_password_is_refused() {
    let gateway = with(&["ann"]);
    let mut command = sign_in(user("ann"));
    let Command::SignIn { credential, .. } = &mut command else { unreachable!() };
    *credential = Credential::Password("secret".into());
    refusals(&gateway, [(command, Refusal::WrongPassword)]);
    assert!(!online(&gateway, "ann"));
}

#[test]
fn a_password_that_was_changed_after_its_check_signs_no_one_in() {
    let gateway = with(&["bob"]);
    let password = Some(Secret::Hashed("$argon2id$a".into()));
    gateway.does(0, Command::Register { user: NewUser { password, ..named("ann") } });
    let checked = |stored: &str, handle: &str| {
        let mut command = sign_in(user(handle));
        let Command::SignIn { credential, create, .. } = &mut command else { unreachable!() };
        *credential = Credential::verified(stored);
        *create = Some(named("cyd"));
        command
    };
    gateway.does(1, checked("$argon2id$a", "ann"));
    let password = Secret::Hashed("$argon2id$b".into());
    gateway.does(0, Command::SetPassword { user: user("ann"), password });
    refusals(
        &gateway,
        [
            (checked("$argon2id$a", "ann"), Refusal::WrongPassword),
            // Nor where there is none, nor as an account that is made on the way.
            (checked("", "bob"), Refusal::WrongPassword),
            (checked("$argon2id$a", "cyd"), Refusal::UnknownUser),
        ],
    );
    gateway.does(1, checked("$argon2id$b", "ann"));
}

#[test]
fn a_password_is_stored_as_its_hash_and_never_shown() {
    let gateway = Gateway::new();
    let password = Some(Secret::Hashed("$argon2id$x".into()));
    gateway.does(0, Command::Register { user: NewUser { password, ..named("ann") } });
    gateway.does(0, register("bob"));
    let credential = |name: &UserRef| gateway.engine().credential(Timestamp(0), name);
    assert_eq!(credential(&user("ann")), Ok(Some((Uid(10_000), "$argon2id$x".into()))));
    assert_eq!(credential(&user("bob")), Ok(Some((Uid(10_001), String::new()))));
    assert_eq!(credential(&user("cyd")), Ok(None));
}

#[test]
fn a_session_lasts_until_its_connection_signs_out_or_ends() {
    let gateway = with(&["ann"]);
    let whoami = about_user(UserRef::Session);
    for end in [Command::SignOut { reason: String::new() }, disconnect()] {
        gateway.does(1, sign_in(user("ann")));
        assert!(gateway.ask_on(1, &whoami).is_ok());
        assert_eq!(gateway.ask_on(2, &whoami), Err(Refusal::NotSignedIn));
        assert!(online(&gateway, "ann"));
        gateway.does(1, end);
        assert_eq!(gateway.ask_on(1, &whoami), Err(Refusal::NotSignedIn));
        assert!(!online(&gateway, "ann"));
    }
    // Signing out and disconnecting need no session.
    gateway.does(1, Command::SignOut { reason: String::new() });
    gateway.does(1, disconnect());
}

#[test]
fn signing_in_without_a_session_leaves_no_session() {
    let gateway = with(&["ann"]);
    gateway.does(1, vouch(user("ann")));
    assert!(!online(&gateway, "ann"));
    assert_eq!(gateway.ask_on(1, &about_user(UserRef::Session)), Err(Refusal::NotSignedIn));
}

#[test]
fn a_user_is_online_while_a_connection_is_signed_in_or_seated_as_it() {
    let gateway = with_tea(&["ann", "bob"]);
    for (connection, command, is_online) in [
        (1, sign_in(user("bob")), true),
        (2, sign_in(user("bob")), true),
        (1, disconnect(), true),
        (3, enter(room("tea"), user("bob")), true),
        (2, Command::SignOut { reason: String::new() }, true),
        (3, exit(room("tea"), user("bob")), false),
        // Requests and leases that no connection uses do not count.
        (4, lease(room("tea"), user("bob")), false),
        (5, enter(room("tea"), user("bob")), true),
        (5, disconnect(), false),
        (6, join(room("tea"), user("bob")), false),
        (7, enter(room("tea"), user("bob")), true),
        (8, kick(room("tea"), user("bob")), false),
        (9, enter(room("tea"), user("bob")), true),
        (9, delete(room("tea"), None), false),
    ] {
        let shown = format!("{command:?} on {connection}");
        gateway.does(connection, command);
        assert_eq!(online(&gateway, "bob"), is_online, "{shown}");
    }
}

#[test]
fn signing_in_again_replaces_the_session_and_gives_back_its_seats() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, sign_in(user("ann")));
    gateway.does(1, enter(room("tea"), UserRef::Session));
    let told = gateway.tells(1, sign_in(user("bob")));
    assert_eq!(told, ["ann leaves tea by 1", "tea holds 1"]);
    assert!(!online(&gateway, "ann") && online(&gateway, "bob"));
    let Ok(Reply::User { user: now }) = gateway.ask_on(1, &about_user(UserRef::Session)) else {
        panic!("bob is signed in")
    };
    assert_eq!(now.person.handle, "bob");
}

#[test]
fn a_failed_sign_in_keeps_the_former_session_and_its_seats() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, sign_in(user("ann")));
    gateway.does(1, enter(room("tea"), UserRef::Session));
    gateway.refuses(1, sign_in(user("zed")));
    assert_eq!(population(&gateway), 2);
    assert!(gateway.ask_on(1, &about_user(UserRef::Session)).is_ok());
}

#[test]
fn signing_out_gives_back_every_seat_of_the_connection() {
    let gateway = with_tea(&["ann"]);
    gateway.does(0, create(titled("hall"), None));
    gateway.does(1, sign_in(user("ann")));
    gateway.does(1, enter(room("tea"), UserRef::Session));
    gateway.does(1, enter(room("hall"), UserRef::Session));
    gateway.does(2, enter(room("tea"), user("ann")));
    assert_eq!(
        gateway.tells(1, Command::SignOut { reason: String::new() }),
        ["ann leaves tea by 1", "tea holds 2", "ann leaves hall by 1", "hall holds 0"]
    );
}

#[test]
fn signing_in_changes_given_profile_fields() {
    let gateway = with(&["ann"]);
    for (given, kept) in [(Some("{\"a\":1}"), "{\"a\":1}"), (None, "{\"a\":1}"), (Some("{}"), "{}")]
    {
        let mut command = vouch(user("ann"));
        let Command::SignIn { changes, .. } = &mut command else { unreachable!() };
        changes.info = given.map(Into::into);
        let Reply::SignedIn { user: seen, .. } = gateway.does(1, command) else { panic!() };
        assert_eq!((&*seen.info, &*account(&gateway, user("ann")).info), (kept, kept));
    }
}

#[test]
fn a_changed_profile_shows_in_new_events_and_old_messages() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, post(room("tea"), user("ann"), "before"));
    let changes = ProfileChanges {
        name: Some("Annie".into()),
        avatar: Some("a.png".into()),
        ..ProfileChanges::default()
    };
    gateway.does(0, Command::UpdateUser { user: user("ann"), create: false, changes });
    let Reply::Posted { message } = gateway.does(0, post(room("tea"), user("ann"), "after")) else {
        panic!()
    };
    assert_eq!((&*message.author.name, &*message.author.avatar), ("Annie", "a.png"));
    let Ok(Reply::Messages { messages }) = gateway.ask(&history(room("tea"), 9)) else { panic!() };
    assert!(messages.iter().all(|message| message.author.name == "Annie"));
    assert_eq!(tea(&gateway).owner.unwrap().name, "Annie");
}

#[test]
fn a_display_name_has_256_characters_at_most() {
    let gateway = Gateway::new();
    let long = "茶".repeat(300);
    gateway.does(0, Command::Register { user: named(&long) });
    assert_eq!(account(&gateway, user("user-10000")).person.name, "茶".repeat(256));
    let changes = ProfileChanges { name: Some("a".repeat(257)), ..Default::default() };
    gateway.does(0, Command::UpdateUser { user: uid(10_000), create: false, changes });
    assert_eq!(account(&gateway, user("user-10000")).person.name, "a".repeat(256));
}

#[test]
fn signing_in_returns_the_users_rooms() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create_for(closed("secret"), user("bob"), &["ann"]));
    gateway.does(0, create(titled("hall"), Some(user("bob"))));
    let Reply::SignedIn { rooms, .. } = gateway.does(1, sign_in(user("ann"))) else { panic!() };
    let names: Vec<_> = rooms.iter().map(|room| &*room.name).collect();
    assert_eq!(names, ["tea", "secret#2"]);
}

#[test]
fn registering_and_signing_in_join_the_rooms_of_the_front_end() {
    let mut gateway = with(&["ann"]);
    gateway.does(0, create(titled("tea"), None));
    gateway.does(0, join(room("tea"), user("ann")));
    gateway.does(0, create(seating("full", 0), None));
    gateway.frontend.auto_join = vec!["tea".into(), "full".into(), "missing".into()];
    let (outcome, _) = gateway.call(0, register("bob"));
    let Ok(Reply::Registered { skipped, .. }) = outcome else { panic!("{outcome:?}") };
    let skipped: Vec<_> = skipped.into_iter().map(|skip| (skip.room, skip.why)).collect();
    let expected =
        [("full".to_owned(), Refusal::RoomFull), ("missing".to_owned(), Refusal::UnknownRoom)];
    assert_eq!(skipped, expected);
    assert_eq!(members_of(&gateway, "tea"), ["ann", "bob"]);
    gateway.does(0, kick(room("tea"), user("bob")));
    assert_eq!(gateway.tells(1, vouch(user("bob"))), ["bob joins tea", "tea holds 2"]);
    assert_eq!(gateway.tells(1, sign_in(user("bob"))), [""; 0], "once a member, nothing changes");
    let Reply::SignedIn { skipped, rooms, .. } = gateway.does(1, sign_in(user("bob"))) else {
        panic!("bob signs in")
    };
    assert_eq!((skipped.len(), rooms.len()), (2, 1));
    // A user that an update makes has registered too.
    let update = Command::UpdateUser {
        user: identity("openid:qq/1"),
        create: true,
        changes: ProfileChanges::default(),
    };
    assert_eq!(gateway.tells(0, update), ["user-10002 joins tea", "tea holds 3"]);
}

#[test]
fn a_handle_that_resembles_another_is_taken_unless_only_the_case_differs() {
    let gateway = with(&["ann"]);
    let register =
        |name: &str, insist| Command::Register { user: NewUser { insist, ..named(name) } };
    for name in ["\u{430}nn", "ａｎｎ"] {
        assert_eq!(gateway.refuses(0, register(name, true)), Refusal::HandleTaken, "{name:?}");
    }
    assert_eq!(handle_given(&gateway, named("ａｎｎ")), "ａｎｎ-10001");
    // With the number it would mix alphabets still.
    assert_eq!(handle_given(&gateway, named("\u{430}nn")), "user-10002");
    gateway.does(0, register("Ann", true));
    let mixed = gateway.refuses(0, register("gu\u{435}st", true));
    assert!(matches!(mixed, Refusal::InvalidHandle { .. }), "{mixed:?}");
}

#[test]
fn a_display_name_that_looks_like_a_guest_or_a_handle_is_not_taken() {
    let gateway = with(&["ann"]);
    let name = |who: UserRef| account(&gateway, who).person.name.clone();
    let rename = |name: &str| Command::UpdateUser {
        user: user("ann"),
        create: false,
        changes: ProfileChanges { name: Some(name.into()), ..ProfileChanges::default() },
    };
    gateway.does(0, rename("Ann Lee"));
    for reserved in ["guest:bob", "@bob", " @bob", "gu\u{200B}est:bob", "gu\u{435}st\u{FF1A}bob"] {
        gateway.does(0, rename(reserved));
        assert_eq!(name(user("ann")), "Ann Lee", "{reserved:?}");
        let handle = handle_given(&gateway, named(reserved));
        assert_eq!(name(user(&handle)), handle, "{reserved:?}");
    }
    gateway.does(0, rename("ann@work: busy"));
    assert_eq!(name(user("ann")), "ann@work: busy");
}

#[test]
fn a_handle_that_the_profile_does_not_allow_is_refused_where_it_is_insisted_on() {
    let gateway = with(&[]);
    for name in ["ann ", "\u{202E}nna", "a\u{FEFF}", "\u{FFFD}"] {
        let register = Command::Register { user: NewUser { insist: true, ..named(name) } };
        let refusal = gateway.refuses(0, register);
        assert!(matches!(refusal, Refusal::InvalidHandle { .. }), "{name:?}: {refusal:?}");
    }
}
