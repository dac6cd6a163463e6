//! Idempotency keys: the same command twice is carried out once.

use core_engine::Envelope;
use core_model::{AddressGrant, Claim, Command, Outcome, Refusal, Reply, UserRef};

use super::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn keyed(gateway: &Gateway, connection: u64, key: &str, command: Command) -> (Outcome, usize) {
    let envelope = gateway.envelope(connection, command);
    let (outcome, events) = gateway.call_as_is(Envelope { key: Some(key.into()), ..envelope });
    (outcome, events.len())
}

#[test]
fn a_repeated_key_gives_the_first_outcome_and_publishes_once() {
    let mut gateway = with_tea(&["ann"]);
    let posting = || post(room("tea"), user("ann"), "hi");
    let (first, told) = keyed(&gateway, 1, "k", posting());
    assert_eq!(told, 1);
    gateway.now += 5_000;
    assert_eq!(keyed(&gateway, 2, "k", posting()), (first.clone(), 0));
    gateway.reopen();
    gateway.does(0, start());
    assert_eq!(keyed(&gateway, 3, "k", posting()), (first, 0));
    assert_eq!(talk(&gateway, "tea"), ["ann to tea: hi"]);
}

#[test]
fn a_key_within_one_commit_counts_too() {
    let gateway = with_tea(&["ann"]);
    let envelope = || Envelope {
        key: Some("k".into()),
        ..gateway.envelope(1, post(room("tea"), user("ann"), "hi"))
    };
    let answers = gateway.batch(vec![envelope(), envelope()]);
    assert_eq!(answers[0].0, answers[1].0);
    assert_eq!((answers[0].1.len(), answers[1].1.len()), (1, 0));
}

#[test]
fn keys_also_cover_creating_joining_and_direct_messages() {
    let gateway = with_tea(&["ann", "bob"]);
    for (key, command, told) in [
        ("room", create(titled("hall"), Some(user("ann"))), 2),
        ("join", join(room("tea"), user("bob")), 2),
        ("direct", direct(user("ann"), user("bob"), "hi"), 1),
    ] {
        let first = keyed(&gateway, 1, key, command.clone());
        assert_eq!(first.1, told, "{key}");
        assert_eq!(keyed(&gateway, 1, key, command), (first.0, 0), "{key}");
    }
    // Joined, kicked, and joined by the old key: the first outcome, not a second membership.
    gateway.does(0, kick(room("tea"), user("bob")));
    assert!(keyed(&gateway, 1, "join", join(room("tea"), user("bob"))).0.is_ok());
    assert_eq!(members_of(&gateway, "tea"), ["ann"]);
}

#[test]
fn a_key_with_another_command_is_refused() {
    let gateway = with_tea(&["ann"]);
    keyed(&gateway, 1, "k", post(room("tea"), user("ann"), "hi")).0.unwrap();
    let other = keyed(&gateway, 1, "k", post(room("tea"), user("ann"), "ho"));
    assert_eq!(other, (Err(Refusal::KeyReused), 0));
    assert_eq!(talk(&gateway, "tea"), ["ann to tea: hi"]);
    keyed(&gateway, 1, "another", post(room("tea"), user("ann"), "ho")).0.unwrap();
}

#[test]
fn the_same_command_by_another_user_is_another_command() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(1, sign_in(user("ann")));
    gateway.does(2, sign_in(user("bob")));
    let posting = || post(room("tea"), UserRef::Session, "hi");
    keyed(&gateway, 1, "k", posting()).0.unwrap();
    assert_eq!(keyed(&gateway, 2, "k", posting()).0, Err(Refusal::KeyReused));
    assert_eq!(talk(&gateway, "tea"), ["ann to tea: hi"]);
    // The same user on a new connection is the same user.
    gateway.does(3, sign_in(user("ann")));
    let Ok(Reply::Posted { message }) = keyed(&gateway, 3, "k", posting()).0 else { panic!() };
    assert_eq!(message.id.0, 1);
}

#[test]
fn a_key_that_the_front_end_could_only_scope_to_an_address_is_its_users_own() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    let sign_in = |connection: u64, name: &str| gateway.envelope(connection, sign_in(user(name)));
    let posting = |connection: u64| {
        let post = post(room("tea"), UserRef::Session, "hi");
        Envelope { key: Some("t/a10.0.0.1/k".into()), ..gateway.envelope(connection, post) }
    };
    // Sent right behind the login, and again once it was answered.
    let answers = gateway.batch(vec![sign_in(1, "ann"), posting(1), sign_in(2, "bob"), posting(2)]);
    assert!(answers.iter().all(|(outcome, _)| outcome.is_ok()), "{answers:?}");
    assert_eq!(gateway.call_as_is(posting(1)).0, answers[1].0);
    let elsewhere = Envelope { key: Some("t/a10.0.0.2/k".into()), ..posting(2) };
    assert_eq!(gateway.call_as_is(elsewhere).0, answers[3].0);
    assert_eq!(talk(&gateway, "tea"), ["ann to tea: hi", "bob to tea: hi"]);
    // A key of a guest stays one of its address.
    gateway.does(3, enter(room("tea"), guest("gus")));
    let as_guest = |key: &str| keyed(&gateway, 3, key, say(room("tea"), guest("gus"), "hi")).1;
    assert_eq!(["t/a10.0.0.1/k", "t/a10.0.0.1/k", "t/a10.0.0.2/k"].map(as_guest), [1, 0, 1]);
}

#[test]
fn a_command_that_makes_its_user_has_one_key_before_and_after() {
    let gateway = with_tea(&["ann"]);
    for (number, subject) in ["new", "newer"].into_iter().enumerate() {
        let owner = UserRef::IdentityOrNew(format!("openid:wechat/{subject}"));
        let creating = || create(titled("hall"), Some(owner.clone()));
        let first = keyed(&gateway, 1, "t/a10.0.0.1/k", creating()).0;
        assert!(first.is_ok(), "{first:?}");
        assert_eq!(keyed(&gateway, 2, "t/a10.0.0.2/k", creating()), (first, 0), "{number}");
    }
}

#[test]
fn a_new_proof_of_the_same_user_is_the_same_command() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    for (of, name) in [("ann", "first"), ("ann", "second"), ("bob", "bob's")] {
        gateway.does(0, issue(user(of), grant(name, 5_000)));
    }
    let mut from_home = vouch(user("ann"));
    let Command::SignIn { address, .. } = &mut from_home else { unreachable!() };
    *address = Some(AddressGrant { address: "10.0.0.1".into(), ttl_ms: 9_000 });
    gateway.does(0, from_home);
    let claimed =
        |name: &str, of: &str| UserRef::Claim(Claim { token: Some(token(of)), ..claim(name) });
    let at_home = Claim { address: Some("10.0.0.1".into()), guests: false, ..claim("ann") };
    let posting = |author: UserRef| post(room("tea"), author, "hi");
    let first = keyed(&gateway, 1, "k", posting(claimed("ann", "first"))).0;
    assert!(first.is_ok());
    for again in [claimed("ann", "second"), UserRef::Claim(at_home), by_token("first"), uid(10_000)]
    {
        assert_eq!(
            keyed(&gateway, 2, "k", posting(again.clone())),
            (first.clone(), 0),
            "{again:?}"
        );
    }
    for (other, refusal) in [
        (claimed("bob", "bob's"), Refusal::KeyReused),
        (by_token("bob's"), Refusal::KeyReused),
        (claimed("ann", "bob's"), Refusal::KeyReused),
        (by_token("unknown"), Refusal::KeyReused),
    ] {
        assert_eq!(keyed(&gateway, 2, "k", posting(other.clone())).0, Err(refusal), "{other:?}");
    }
    let other_text = post(room("tea"), claimed("ann", "second"), "ho");
    assert_eq!(keyed(&gateway, 2, "k", other_text).0, Err(Refusal::KeyReused));
    assert_eq!(talk(&gateway, "tea"), ["ann to tea: hi"]);
}

#[test]
fn a_guest_is_the_same_guest_from_another_address() {
    let gateway = with_tea(&["ann"]);
    gateway.does(1, enter(room("tea"), guest("gus")));
    gateway.does(1, enter(room("tea"), guest("hal")));
    let posting = |name: &str, address: &str| {
        let claim = Claim { address: Some(address.into()), ..claim(name) };
        say(room("tea"), UserRef::Claim(claim), "hi")
    };
    let first = keyed(&gateway, 1, "k", posting("gus", "10.0.0.1"));
    assert_eq!(first.1, 1);
    assert_eq!(keyed(&gateway, 1, "k", posting("gus", "10.0.0.2")), (first.0, 0));
    let other = keyed(&gateway, 1, "k", posting("hal", "10.0.0.1"));
    assert_eq!(other.0, Err(Refusal::KeyReused));
}

#[test]
fn messages_whose_reply_was_lost_are_received_again_under_the_key() {
    let mut gateway = with_tea(&["ann", "bob"]);
    for text in ["one", "two", "three", "four"] {
        gateway.does(0, post(room("tea"), user("ann"), text));
    }
    let texts = |gateway: &Gateway, key: &str| match keyed(gateway, 2, key, receiving()).0 {
        Ok(Reply::Received { messages, .. }) => {
            messages.iter().map(|message| message.text.clone()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    // The first time, the newest; later ones in order.
    assert_eq!(texts(&gateway, "a"), ["three", "four"]);
    assert_eq!(texts(&gateway, "a"), ["three", "four"]);
    gateway.reopen();
    gateway.does(0, start());
    assert_eq!(texts(&gateway, "a"), ["three", "four"]);
    assert_eq!(texts(&gateway, "b"), Vec::<String>::new());
    gateway.does(0, post(room("tea"), user("ann"), "five"));
    assert_eq!(texts(&gateway, "c"), ["five"]);
    assert_eq!(texts(&gateway, "c"), ["five"]);
    assert_eq!(texts(&gateway, "b"), ["five"], "there was nothing before");
    assert_eq!(texts(&gateway, "d"), Vec::<String>::new());
}

/// By bob, in the room tea.
fn receiving() -> Command {
    Command::Receive {
        user: user("bob"),
        expect: None,
        room: Some(room("tea")),
        after: None,
        limit: 10,
        first_limit: 2,
        newest: false,
    }
}

#[test]
fn a_leased_seat_that_the_gateway_has_ended_is_taken_again_under_its_key() {
    let mut gateway = with_tea(&["ann"]);
    let taking = |gateway: &Gateway| keyed(gateway, 1, "k", lease(room("tea"), guest("gus")));
    let first = taking(&gateway);
    assert!(first.0.is_ok(), "{first:?}");
    let taken = population(&gateway);
    let again = |gateway: &Gateway, events: usize| {
        let (outcome, published) = taking(gateway);
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!((published, population(gateway)), (events, taken));
    };
    again(&gateway, 0);
    // With the run.
    gateway.reopen();
    gateway.does(0, start());
    assert_eq!(population(&gateway), taken - 1);
    again(&gateway, 1);
    again(&gateway, 0);
    // Because no connection used it.
    gateway.now += TTL_MS;
    again(&gateway, 0);
    gateway.does(0, Command::Expire);
    assert_eq!(population(&gateway), taken - 1);
    again(&gateway, 1);
    again(&gateway, 0);
    // A seat that the user has given back stays so: a repetition may be late.
    gateway.does(1, end_lease(room("tea"), guest("gus")));
    assert_eq!(taking(&gateway).1, 0);
    assert_eq!(population(&gateway), taken - 1);
    // With its key, what was noted of the seat goes.
    gateway.now += DAY_MS;
    gateway.does(0, Command::Expire);
    let dump = gateway.engine().dump().unwrap();
    let left = dump.iter().filter(|(name, _)| ["keys", "leased_keys", "expiries"].contains(name));
    assert_eq!(left.map(|(_, rows)| rows.len()).sum::<usize>(), 0);
}

#[test]
fn a_refused_command_does_not_use_its_key() {
    let gateway = with_tea(&["ann", "bob"]);
    let posting = || post(room("tea"), user("bob"), "hi");
    assert_eq!(keyed(&gateway, 1, "k", posting()).0, Err(Refusal::NotInRoom));
    gateway.does(0, join(room("tea"), user("bob")));
    keyed(&gateway, 1, "k", posting()).0.unwrap();
}

#[test]
fn a_key_is_free_again_after_its_window() {
    let mut gateway = with_tea(&["ann"]);
    let posting = || post(room("tea"), user("ann"), "hi");
    keyed(&gateway, 1, "k", posting()).0.unwrap();
    gateway.now += DAY_MS - 1;
    gateway.does(0, Command::Expire);
    assert_eq!(keyed(&gateway, 1, "k", posting()).1, 0);
    gateway.now += 1;
    gateway.does(0, Command::Expire);
    assert_eq!(gateway.engine().next_expiry(), None);
    assert_eq!(keyed(&gateway, 1, "k", posting()).1, 1);
    assert_eq!(talk(&gateway, "tea").len(), 2);
}

#[test]
fn signing_in_is_never_answered_from_a_key() {
    let gateway = with(&["ann"]);
    keyed(&gateway, 1, "k", sign_in(user("ann"))).0.unwrap();
    gateway.does(1, disconnect());
    keyed(&gateway, 1, "k", sign_in(user("ann"))).0.unwrap();
    assert!(online(&gateway, "ann"));
}
