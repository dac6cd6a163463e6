//! Claims: which names a caller may use.

use core_engine::SignIn;
use core_model::{
    AddressGrant, AdminCommand, Claim, Command, Delivery, Grant, Refusal, Secret, SignInKey,
    Timestamp, UserRef,
};

use super::*;

fn claiming(claim: Claim) -> Command {
    join(room("tea"), UserRef::Claim(claim))
}

#[test]
fn a_name_that_an_account_owns_needs_its_token_or_its_address() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, issue(user("ann"), grant("ann's", 5_000)));
    gateway.does(0, issue(user("bob"), grant("bob's", 5_000)));
    let mut from_home = vouch(user("ann"));
    let Command::SignIn { address, .. } = &mut from_home else { unreachable!() };
    *address = Some(AddressGrant { address: "10.0.0.1".into(), ttl_ms: 9_000 });
    gateway.does(0, from_home);
    let ann = |token_of: Option<&str>, address: Option<&str>| {
        claiming(Claim {
            token: token_of.map(token),
            address: address.map(Into::into),
            ..claim("ann")
        })
    };
    refusals(
        &gateway,
        [
            (ann(None, None), Refusal::NotSignedIn),
            (ann(Some("bob's"), None), Refusal::NotSignedIn),
            (ann(Some("unknown"), None), Refusal::NotSignedIn),
            (ann(None, Some("10.0.0.2")), Refusal::NotSignedIn),
            (ann(Some("bob's"), Some("10.0.0.2")), Refusal::NotSignedIn),
        ],
    );
    gateway.does(0, ann(Some("ann's"), None));
    gateway.does(0, ann(None, Some("10.0.0.1")));
    gateway.does(0, ann(Some("bob's"), Some("10.0.0.1")));
    // Each proof ends at its time.
    gateway.now = 6_000;
    refusals(&gateway, [(ann(Some("ann's"), None), Refusal::NotSignedIn)]);
    gateway.does(0, ann(None, Some("10.0.0.1")));
    gateway.now = 10_000;
    refusals(&gateway, [(ann(None, Some("10.0.0.1")), Refusal::NotSignedIn)]);
}

#[test]
fn an_address_proves_only_users_that_signed_in_from_it() {
    let mut gateway = with_tea(&["ann", "bob", "cyd"]);
    let from = |who: &str, ttl_ms: u64| {
        let mut command = vouch(user(who));
        let Command::SignIn { address, .. } = &mut command else { unreachable!() };
        *address = Some(AddressGrant { address: "10.0.0.1".into(), ttl_ms });
        command
    };
    let at_home = |name: &str| claiming(Claim { address: Some("10.0.0.1".into()), ..claim(name) });
    gateway.does(0, from("ann", 1_000));
    gateway.does(0, from("bob", 1_000));
    gateway.does(0, at_home("ann"));
    gateway.does(0, at_home("bob"));
    assert_eq!(gateway.refuses(0, at_home("cyd")), Refusal::NotSignedIn);
    // Signing in again from there counts from then.
    gateway.now += 500;
    gateway.does(0, from("ann", 1_000));
    gateway.now += 500;
    gateway.does(0, Command::Expire);
    gateway.does(0, at_home("ann"));
    assert_eq!(gateway.refuses(0, at_home("bob")), Refusal::NotSignedIn);
    let dump = gateway.engine().dump().unwrap();
    let rows = |table: &str| dump.iter().find(|(name, _)| *name == table).unwrap().1.len();
    assert_eq!((rows("addresses"), rows("addresses_by_user")), (1, 1));
}

#[test]
fn a_fresh_sign_in_by_address_is_good_for_one_entrance() {
    let mut gateway = with_tea(&["ann"]);
    let mut sign_in = vouch(user("ann"));
    let Command::SignIn { address, .. } = &mut sign_in else { unreachable!() };
    *address = Some(AddressGrant { address: "10.0.0.1".into(), ttl_ms: 1_000 });
    let at_home = |left_min| {
        let address = Some("10.0.0.1".into());
        UserRef::Claim(Claim { address, address_left_min_ms: left_min, ..claim("ann") })
    };
    gateway.does(0, sign_in.clone());
    gateway.does(1, enter(room("tea"), at_home(940)));
    assert_eq!(gateway.refuses(2, enter(room("tea"), at_home(940))), Refusal::NotSignedIn);
    // What asks for less is unaffected.
    gateway.does(2, enter(room("tea"), at_home(0)));
    gateway.does(0, sign_in.clone());
    gateway.now += 59;
    gateway.does(3, enter(room("tea"), at_home(940)));
    gateway.does(0, sign_in);
    gateway.now += 60;
    assert_eq!(gateway.refuses(4, enter(room("tea"), at_home(940))), Refusal::NotSignedIn);
}

#[test]
fn a_proof_survives_a_restart() {
    let mut gateway = with_tea(&["ann"]);
    let mut command = vouch(user("ann"));
    let Command::SignIn { address, token: slot, .. } = &mut command else { unreachable!() };
    *address = Some(AddressGrant { address: "10.0.0.1".into(), ttl_ms: 9_000 });
    *slot = Some(grant("ann's", 9_000));
    gateway.does(0, command);
    gateway.reopen();
    gateway.does(0, start());
    gateway.does(0, claiming(Claim { address: Some("10.0.0.1".into()), ..claim("ann") }));
    gateway.does(0, claiming(Claim { token: Some(token("ann's")), ..claim("ann") }));
    gateway.does(0, join(room("tea"), by_token("ann's")));
}

#[test]
fn a_name_without_an_account_is_a_guest_where_guests_are_allowed() {
    let gateway = with_tea(&["ann"]);
    assert_eq!(
        gateway.tells(1, enter(room("tea"), guest("gus"))),
        ["guest:gus enters tea by 1", "tea holds 2"]
    );
    let unproven = || UserRef::Claim(Claim { guests: false, ..claim("zoe") });
    refusals(
        &gateway,
        [
            (enter(room("tea"), unproven()), Refusal::NotSignedIn),
            (lease(room("tea"), unproven()), Refusal::NotSignedIn),
            (enter(room("tea"), guest("")), Refusal::InvalidHandle { why: String::new() }),
            (enter(room("tea"), guest("@gus")), Refusal::InvalidHandle { why: String::new() }),
            (enter(room("tea"), guest("guest:a")), Refusal::InvalidHandle { why: String::new() }),
        ],
    );
}

#[test]
fn an_unknown_room_is_refused_before_an_unproven_name() {
    let gateway = with_tea(&["ann"]);
    gateway.does(0, create(seating("full", 0), None));
    let ann = || guest("ann");
    refusals(
        &gateway,
        [
            (enter(room("none"), ann()), Refusal::UnknownRoom),
            (enter(room("full"), ann()), Refusal::RoomFull),
            (enter(room("tea"), ann()), Refusal::NotSignedIn),
            (lease(room("none"), ann()), Refusal::UnknownRoom),
            (lease(room("full"), ann()), Refusal::NotSignedIn),
            (lease(room("tea"), ann()), Refusal::NotSignedIn),
            (end_lease(room("none"), ann()), Refusal::UnknownRoom),
            (end_lease(room("tea"), ann()), Refusal::NotSignedIn),
        ],
    );
}

#[test]
fn a_token_granted_again_survives_a_new_password_of_its_former_user() {
    let gateway = with_tea(&["ann", "bob"]);
    for who in ["ann", "bob"] {
        gateway.does(0, issue(user(who), grant("the same", 9_000)));
    }
    let password = Secret::Hashed("$argon2id$new".into());
    gateway.does(0, Command::SetPassword { user: user("ann"), password: password.clone() });
    gateway.does(0, join(room("tea"), by_token("the same")));
    gateway.does(0, Command::SetPassword { user: user("bob"), password });
    let refusal = gateway.refuses(0, join(room("tea"), by_token("the same")));
    assert_eq!(refusal, Refusal::TokenInvalid);
}

#[test]
fn a_new_password_revokes_only_its_users_sign_ins() {
    let gateway = with_tea(&["ann", "bob"]);
    let sign_in = |who: &str| {
        let mut command = vouch(user(who));
        let Command::SignIn { address, token: slot, .. } = &mut command else { unreachable!() };
        *address = Some(AddressGrant { address: "10.0.0.1".into(), ttl_ms: 9_000 });
        *slot = Some(grant(&format!("{who}'s"), 9_000));
        gateway.does(0, command);
    };
    ["ann", "bob"].into_iter().for_each(sign_in);
    let set = |who: &str, password: Secret| Command::SetPassword { user: user(who), password };
    let hashed = Secret::Hashed("$argon2id$new".into());
    gateway.does(0, set("ann", hashed.clone()));
    let password = |who: &str| gateway.engine().credential(Timestamp(0), &user(who)).unwrap();
    assert_eq!(password("ann").map(|(_, phc)| phc).as_deref(), Some("$argon2id$new"));
    assert_eq!(password("bob").map(|(_, phc)| phc).as_deref(), Some(""));
    let at_home = |name: &str| claiming(Claim { address: Some("10.0.0.1".into()), ..claim(name) });
    assert_eq!(gateway.refuses(0, at_home("ann")), Refusal::NotSignedIn);
    assert_eq!(gateway.refuses(0, join(room("tea"), by_token("ann's"))), Refusal::TokenInvalid);
    gateway.does(0, at_home("bob"));
    gateway.does(0, join(room("tea"), by_token("bob's")));
    for (table, rows) in gateway.engine().dump().unwrap() {
        if ["tokens", "tokens_by_user", "addresses", "addresses_by_user"].contains(&table) {
            assert_eq!(rows.len(), 1, "{table}");
        }
    }
    assert_eq!(gateway.refuses(0, set("cyd", hashed)), Refusal::UnknownUser);
    let plain = set("ann", Secret::Plain("secret".into()));
    assert!(matches!(gateway.refuses(0, plain), Refusal::Internal { .. }));
}

/// A token that was used after two seconds, one that was issued after one, and an address.
fn expected() -> [SignIn; 3] {
    let at = |ms: u64| Timestamp(1_000 + ms);
    let test = || Some("test".to_owned());
    let home = SignIn {
        key: SignInKey::Token(token("at home")),
        created: Some(at(0)),
        used: Some(at(2_000)),
        expires: at(2_000 + 8_000),
        frontend: test(),
        device: Some("phone".into()),
    };
    let elsewhere = SignIn {
        key: SignInKey::Token(token("elsewhere")),
        created: Some(at(1_000)),
        used: None,
        expires: at(1_000 + 4_000),
        frontend: test(),
        device: None,
    };
    let address = SignIn {
        key: SignInKey::Address("10.0.0.1".into()),
        created: None,
        used: None,
        expires: at(9_000),
        frontend: None,
        device: None,
    };
    [home, elsewhere, address]
}

#[test]
fn a_sign_in_is_listed_with_its_origin_and_revoked_alone() {
    let mut gateway = with_tea(&["ann", "bob"]);
    let mut from_home = vouch(user("ann"));
    let Command::SignIn { address, token: slot, delivery, session, .. } = &mut from_home else {
        unreachable!()
    };
    *address = Some(AddressGrant { address: "10.0.0.1".into(), ttl_ms: 9_000 });
    *slot = Some(Grant { sliding: true, ..grant("at home", 8_000) });
    let device = "phone".into();
    (*delivery, *session) = (Some(Delivery { backlog_max: 1, device, direct_only: false }), true);
    gateway.does(1, from_home);
    gateway.now += 1_000;
    gateway.does(0, issue(user("ann"), grant("elsewhere", 4_000)));
    gateway.does(0, issue(user("bob"), grant("bob's", 4_000)));
    gateway.now += 1_000;
    gateway.does(0, join(room("tea"), by_token("at home")));
    let sign_ins = |gateway: &Gateway, name: &str| {
        gateway.engine().sign_ins(Timestamp(gateway.now), &user(name)).unwrap()
    };
    let [home, elsewhere, address] = expected();
    assert_eq!(sign_ins(&gateway, "ann"), [elsewhere.clone(), home.clone(), address.clone()]);
    let revoke = |sign_in: &SignIn, of: &str| {
        let (user, sign_in) = (user(of), sign_in.key.clone());
        Command::Admin(Box::new(AdminCommand::RevokeSignIn { user, sign_in }))
    };
    assert_eq!(gateway.refuses(0, revoke(&home, "bob")), Refusal::TokenInvalid);
    assert_eq!(gateway.refuses(1, revoke(&home, "ann")), Refusal::NotAllowed);
    gateway.does(0, revoke(&home, "ann"));
    assert_eq!(sign_ins(&gateway, "ann"), [elsewhere.clone(), address.clone()]);
    assert_eq!(gateway.refuses(0, join(room("tea"), by_token("at home"))), Refusal::TokenInvalid);
    gateway.does(0, revoke(&address, "ann"));
    assert_eq!(gateway.refuses(0, revoke(&address, "ann")), Refusal::TokenInvalid);
    assert_eq!(sign_ins(&gateway, "ann"), [elsewhere]);
    gateway.does(0, join(room("tea"), by_token("elsewhere")));
    gateway.now += 4_000;
    assert_eq!(sign_ins(&gateway, "ann"), [], "it has expired");
    assert_eq!(sign_ins(&gateway, "bob"), []);
}
