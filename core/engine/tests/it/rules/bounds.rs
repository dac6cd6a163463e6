//! How long everything may be.

use core_model::{Command, NewRoom, NewUser, ProfileChanges, Query, RoomChanges, RoomFilter};

use super::*;

fn too_long() -> Refusal {
    Refusal::TooLong { what: String::new(), limit: String::new() }
}

#[test]
fn texts_longer_than_their_bounds_are_refused_and_change_nothing() {
    let gateway = with_tea(&["ann"]);
    let before = gateway.engine().dump();
    let described = |chars: usize| RoomChanges {
        description: Some("茶".repeat(chars)),
        ..RoomChanges::default()
    };
    let update = |changes| Command::UpdateRoom { room: room("tea"), changes, by: None };
    let in_section =
        |chars: usize| RoomChanges { section: Some("茶".repeat(chars)), ..RoomChanges::default() };
    let profile = |profile| Command::Register { user: NewUser { profile, ..NewUser::default() } };
    let preferring = |preferences| {
        profile(ProfileChanges { preferences: Some(preferences), ..Default::default() })
    };
    let identities = (0..17).map(|number| format!("tel/{number}")).collect();
    refusals(
        &gateway,
        [
            update(described(501)),
            update(in_section(65)),
            create(NewRoom { description: "x".repeat(501), ..titled("x") }, None),
            create(NewRoom { info: Some("x".repeat(8_193)), ..titled("x") }, None),
            Command::DeclareRoom { room: NewRoom { section: "x".repeat(65), ..titled("x") } },
            profile(ProfileChanges { avatar: Some("x".repeat(2_049)), ..Default::default() }),
            profile(ProfileChanges { sex: Some("x".repeat(65)), ..Default::default() }),
            profile(ProfileChanges { info: Some("x".repeat(8_193)), ..Default::default() }),
            preferring(vec![String::new(); 65]),
            preferring(vec!["x".repeat(65)]),
            Command::Register { user: NewUser { identities, ..NewUser::default() } },
            post(room("tea"), user("ann"), &"x".repeat((1 << 20) + 1)),
        ]
        .map(|command| (command, too_long())),
    );
    assert_eq!(gateway.engine().dump(), before);
    gateway.does(0, update(described(500)));
    gateway.does(0, update(in_section(64)));
}

#[test]
fn a_title_is_cut_to_64_characters() {
    let gateway = with(&[]);
    gateway.does(0, create(titled(&"茶".repeat(100)), None));
    assert_eq!(room_seen_by(&gateway, room("room-1"), None).title, "茶".repeat(64));
    gateway.does(0, rename(room("room-1"), &"x".repeat(65), None));
    assert_eq!(room_seen_by(&gateway, room("room-1"), None).title, "x".repeat(64));
}

#[test]
fn a_user_has_at_most_16_identities() {
    let gateway = with(&["ann"]);
    let link = |number: usize| Command::LinkIdentity {
        user: user("ann"),
        identity: format!("tel/{number}"),
    };
    (0..16).for_each(|number| drop(gateway.does(0, link(number))));
    let refusal = gateway.refuses(0, link(16));
    assert_eq!(refusal.to_string(), "there are too many identities of the user: at most 16");
    gateway.does(0, link(3));
}

#[test]
fn a_search_key_longer_than_64_characters_is_refused() {
    let gateway = with_tea(&["ann"]);
    let by = |text: Option<String>, section: Option<String>| Query::SearchRooms {
        text,
        section,
        description: None,
        limit: 100,
        detail: core_model::Detail::default(),
    };
    for query in [
        by(Some("茶".repeat(65)), None),
        by(None, Some("x".repeat(65))),
        listed(RoomFilter::Section("x".repeat(65))),
    ] {
        let refused = gateway.ask(&query).map_err(|refusal| say::refusal(&refusal));
        assert_eq!(refused, Err(too_long()));
    }
    assert!(gateway.ask(&by(Some("茶".repeat(64)), None)).is_ok());
}

#[test]
fn more_members_than_the_room_has_seats_are_refused_before_they_are_looked_up() {
    let gateway = with(&["ann"]);
    let unknown: Vec<String> = (0..501).map(|number| format!("stranger-{number}")).collect();
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    let creation = |members| create_for(titled("x"), user("ann"), members);
    assert_eq!(gateway.refuses(0, creation(&unknown)), Refusal::RoomFull);
    assert_eq!(gateway.refuses(0, creation(&unknown[..500])), Refusal::UnknownUser);
}

#[test]
fn a_user_has_so_many_sessions_and_an_own_one_is_replaced() {
    let gateway = Gateway::new();
    gateway.does(0, register("ann"));
    gateway.does(0, register("bob"));
    for connection in 1..=core_model::bounds::SESSIONS_MAX as u64 {
        gateway.does(connection, sign_in(user("ann")));
    }
    let refused = gateway.refuses(5_000, sign_in(user("ann")));
    assert!(matches!(refused, Refusal::QuotaExceeded { max: 1_000, .. }), "{refused:?}");
    gateway.does(7, sign_in(user("ann")));
    gateway.does(5_000, sign_in(user("bob")));
    gateway.does(8, Command::Disconnect { delivered: None });
    gateway.does(5_001, sign_in(user("ann")));
}

#[test]
fn of_the_addresses_of_a_user_those_that_expire_first_are_forgotten() {
    let gateway = Gateway::new();
    gateway.does(0, register("ann"));
    let sign_in_from = |address: u64, ttl_ms: u64| {
        let mut command = vouch(user("ann"));
        if let Command::SignIn { address: granted, .. } = &mut command {
            let address = format!("10.0.0.{address}");
            *granted = Some(core_model::AddressGrant { address, ttl_ms });
        }
        gateway.does(0, command);
    };
    let counts = |address: u64| {
        let address = Some(format!("10.0.0.{address}"));
        let claim = core_model::Claim { address, ..claim("ann") };
        gateway.ask(&about_user(UserRef::Claim(claim))).is_ok()
    };
    let max = core_model::bounds::ADDRESSES_MAX as u64;
    for address in 1..=max {
        sign_in_from(address, 1_000_000 - address);
    }
    assert!((1..=max).all(counts));
    // The newest stays, however soon it expires.
    sign_in_from(200, 10);
    assert!(counts(200) && !counts(max) && (1..max).all(counts));
    let dump = gateway.engine().dump().unwrap();
    let rows = |table: &str| dump.iter().find(|(name, _)| *name == table).unwrap().1.len() as u64;
    assert_eq!((rows("addresses"), rows("addresses_by_user")), (max, max));
}

#[test]
fn an_id_for_which_all_names_are_taken_is_skipped() {
    let gateway = Gateway::new();
    // Those of the user that is made after them.
    for count in 1..=100 {
        let name = if count == 1 { "user-10100".into() } else { format!("user-10100-{count}") };
        gateway.does(0, register(&name));
    }
    let made = gateway.does(0, Command::Register { user: NewUser::default() });
    let Reply::Registered { user, .. } = made else { panic!("{made:?}") };
    assert_eq!((&*user.person.handle, user.person.uid.unwrap().0), ("user-10101", 10_101));
    for count in 1..=100 {
        let name = if count == 1 { "room-101".into() } else { format!("room-101-{count}") };
        gateway.does(0, create(titled(&name), None));
    }
    let made = gateway.does(0, create(NewRoom::default(), None));
    let Reply::RoomCreated { room } = made else { panic!("{made:?}") };
    assert_eq!((&*room.name, room.id.0), ("room-102", 102));
}
