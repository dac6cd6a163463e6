//! Tokens: whose, how long, and how a use extends them.

use core_model::{
    Command, ConnectionId, ConversationRef, Grant, Query, Refusal, Reply, Timestamp, TokenHash,
};

use super::*;

const TTL: u64 = 16_000;

fn valid(gateway: &Gateway, text: &str) -> bool {
    match gateway.ask(&about_user(by_token(text))) {
        Ok(_) => true,
        Err(Refusal::TokenInvalid) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn several_tokens_of_a_user_are_valid_side_by_side_each_for_its_time() {
    let mut gateway = with(&["ann"]);
    gateway.does(0, issue(user("ann"), grant("first", 1_000)));
    gateway.now += 500;
    gateway.does(0, issue(user("ann"), grant("second", 1_000)));
    for (now, first, second) in
        [(1_999, true, true), (2_000, false, true), (2_499, false, true), (2_500, false, false)]
    {
        gateway.now = now;
        assert_eq!((valid(&gateway, "first"), valid(&gateway, "second")), (first, second), "{now}");
    }
    assert!(!valid(&gateway, "third"));
}

#[test]
fn a_token_is_not_valid_for_another_purpose() {
    let gateway = with(&["ann"]);
    gateway.does(0, issue(user("ann"), grant("text", TTL)));
    assert!(valid(&gateway, "text"));
    let elsewhere = core_model::UserRef::Token(TokenHash::of("another", "text"));
    assert_eq!(gateway.ask(&about_user(elsewhere)), Err(Refusal::TokenInvalid));
}

#[test]
fn a_token_without_its_hash_is_refused_and_changes_nothing() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(1, enter(room("tea"), user("ann")));
    let undrawn = || Grant { hash: None, ..grant("", TTL) };
    let mut command = sign_in(identity("openid:qq/1"));
    let Command::SignIn { token, create, .. } = &mut command else { unreachable!() };
    (*token, *create) = (Some(undrawn()), Some(identified("openid:qq/1")));
    gateway.frontend.auto_join = vec!["tea".into()];
    let internal = Refusal::Internal { why: String::new() };
    for refused in [command, issue(user("ann"), undrawn())] {
        // In one commit with something that is carried out.
        let batch = [refused, join(room("tea"), user("bob"))];
        let batch = batch.into_iter().map(|command| gateway.envelope(1, command));
        let answers = gateway.batch(batch.collect());
        assert_eq!(answers[0].0.as_ref().map_err(say::refusal), Err(internal.clone()));
        assert_eq!(answers[0].1, []);
    }
    assert_eq!(population(&gateway), 3, "the seat is still taken, and no other user came");
    assert_eq!(gateway.ask(&about_user(identity("openid:qq/1"))), Err(Refusal::UnknownUser));
}

#[test]
fn an_unknown_token_is_refused_wherever_it_names_the_caller() {
    let gateway = with_tea(&["ann"]);
    let none = || by_token("none");
    refusals(
        &gateway,
        [
            (join(room("tea"), none()), Refusal::TokenInvalid),
            (create(titled("x"), Some(none())), Refusal::TokenInvalid),
            (post(room("tea"), none(), "hi"), Refusal::TokenInvalid),
            (direct(none(), user("ann"), "hi"), Refusal::TokenInvalid),
            (receive(none(), None), Refusal::TokenInvalid),
            (issue(none(), grant("new", TTL)), Refusal::TokenInvalid),
            (sign_in(none()), Refusal::TokenInvalid),
            (delete(room("tea"), Some(none())), Refusal::TokenInvalid),
        ],
    );
    let members = Query::Members { room: room("tea"), caller: Some(none()) };
    assert_eq!(gateway.ask(&members), Err(Refusal::TokenInvalid));
}

#[test]
fn each_use_of_a_sliding_token_extends_it() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(0, issue(user("ann"), sliding("slides", TTL)));
    gateway.does(0, issue(user("ann"), grant("stays", TTL)));
    for _ in 0..5 {
        gateway.now += TTL - 1;
        gateway.does(0, join(room("tea"), by_token("slides")));
        gateway.does(0, Command::Expire);
    }
    assert!(valid(&gateway, "slides") && !valid(&gateway, "stays"));
    gateway.now += TTL;
    assert!(!valid(&gateway, "slides"));
}

#[test]
fn a_sliding_token_that_names_a_conversation_is_extended_too() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, issue(user("bob"), sliding("slides", TTL)));
    gateway.now += TTL - 1;
    let conversation = ConversationRef::User(by_token("slides"));
    gateway.does(0, Command::MarkRead { user: user("ann"), conversation, at: Timestamp(0) });
    gateway.now += TTL - 1;
    assert!(valid(&gateway, "slides"));
}

#[test]
fn a_query_by_a_sliding_token_reports_when_it_is_due() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(0, issue(user("ann"), sliding("slides", TTL)));
    gateway.does(0, issue(user("ann"), grant("stays", TTL)));
    let refresh = |gateway: &Gateway, query: &Query| {
        gateway.engine().query(Timestamp(gateway.now), ConnectionId(0), query).refresh
    };
    let asked_by = |text: &str| Query::Members { room: room("tea"), caller: Some(by_token(text)) };
    gateway.now += TTL / 16;
    assert_eq!(refresh(&gateway, &asked_by("slides")), None, "it has only just been extended");
    gateway.now += 1;
    assert_eq!(refresh(&gateway, &asked_by("slides")), Some(token("slides")));
    assert_eq!(refresh(&gateway, &asked_by("stays")), None);
    assert_eq!(refresh(&gateway, &asked_by("none")), None);
    assert_eq!(refresh(&gateway, &members(room("tea"))), None);
    assert_eq!(refresh(&gateway, &about_user(by_token("slides"))), Some(token("slides")));
    let of_slides = listed(core_model::RoomFilter::MemberOf(by_token("slides")));
    assert_eq!(refresh(&gateway, &of_slides), Some(token("slides")));
    gateway.does(0, Command::RefreshToken { token: token("slides") });
    gateway.does(0, Command::RefreshToken { token: token("stays") });
    assert_eq!(refresh(&gateway, &asked_by("slides")), None);
    gateway.now += TTL - 1;
    assert!(valid(&gateway, "slides") && !valid(&gateway, "stays"));
    gateway.now += 1;
    assert_eq!(refresh(&gateway, &asked_by("slides")), None, "it has run out");
    gateway.does(0, Command::RefreshToken { token: token("slides") });
    assert!(!valid(&gateway, "slides"), "and does not come back");
}

#[test]
fn a_refused_use_extends_a_token_as_well() {
    for beside_others in [false, true] {
        let mut gateway = with_tea(&["ann"]);
        gateway.does(0, issue(user("ann"), sliding("slides", TTL)));
        gateway.now += TTL - 1;
        let mut batch = vec![gateway.envelope(1, join(room("none"), by_token("slides")))];
        if beside_others {
            batch.push(gateway.envelope(1, register("bob")));
        }
        assert_eq!(gateway.batch(batch)[0].0, Err(Refusal::UnknownRoom));
        gateway.now += TTL - 1;
        assert!(valid(&gateway, "slides"), "{beside_others}");
    }
}

#[test]
fn tokens_survive_a_restart_and_expired_ones_are_removed() {
    let mut gateway = with(&["ann"]);
    gateway.does(0, issue(user("ann"), grant("short", 1_000)));
    gateway.does(0, issue(user("ann"), grant("long", 9_000)));
    gateway.reopen();
    gateway.does(0, start());
    assert!(valid(&gateway, "short") && valid(&gateway, "long"));
    assert_eq!(gateway.engine().next_expiry(), Some(Timestamp(2_000)));
    gateway.now = 2_000;
    gateway.does(0, Command::Expire);
    assert_eq!(gateway.engine().next_expiry(), Some(Timestamp(10_000)));
    let dump = gateway.engine().dump().unwrap();
    let rows = |table: &str| dump.iter().find(|(name, _)| *name == table).unwrap().1.len();
    assert_eq!((rows("tokens"), rows("tokens_by_user"), rows("expiries")), (1, 1, 1));
}

#[test]
fn a_command_by_token_is_carried_out_as_its_user() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, issue(user("bob"), grant("bob's", TTL)));
    assert_eq!(
        gateway.tells(0, join(room("tea"), by_token("bob's"))),
        ["bob joins tea", "tea holds 2"]
    );
    let Reply::Posted { message } = gateway.does(0, post(room("tea"), by_token("bob's"), "hi"))
    else {
        panic!()
    };
    assert_eq!(message.author.handle, "bob");
}
