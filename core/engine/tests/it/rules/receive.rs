//! Receiving new messages, and the cursor.

use core_engine::Deferred;
use core_model::{
    Command, ConnectionId, MessageId, ProfileChanges, Query, Refusal, Reply, Timestamp,
};

use super::*;

/// A user receives from a room, or its direct messages, at most `limit`.
fn read(who: &str, name: Option<&str>, limit: u32, first_limit: u32) -> Command {
    Command::Receive {
        user: user(who),
        expect: None,
        room: name.map(room),
        after: None,
        limit,
        first_limit,
        newest: false,
    }
}

fn read_after(who: &str, name: Option<&str>, after: u64) -> Command {
    Command::Receive {
        user: user(who),
        expect: None,
        room: name.map(room),
        after: Some(MessageId(after)),
        limit: u32::MAX,
        first_limit: u32::MAX,
        newest: false,
    }
}

fn read_newest(who: &str, name: Option<&str>, first_limit: u32) -> Command {
    Command::Receive {
        user: user(who),
        expect: None,
        room: name.map(room),
        after: None,
        limit: u32::MAX,
        first_limit,
        newest: true,
    }
}

/// `tea` of ann, with these messages of hers in it.
fn with_talk(texts: &[&str]) -> Gateway {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    for text in texts {
        gateway.does(0, post(room("tea"), user("ann"), text));
    }
    gateway
}

fn texts((messages, cursor): (Vec<String>, u64)) -> (Vec<String>, u64) {
    let text = |said: String| said.split_once(": ").expect("a message").1.to_owned();
    (messages.into_iter().map(text).collect(), cursor)
}

fn is(texts: &[&str], cursor: u64) -> (Vec<String>, u64) {
    (texts.iter().map(|text| (*text).to_owned()).collect(), cursor)
}

#[test]
fn each_message_is_received_once() {
    let gateway = with_talk(&["one", "two"]);
    let read_tea = || texts(received(&gateway, read("ann", Some("tea"), 9, 9)));
    assert_eq!(read_tea(), is(&["one", "two"], 2));
    assert_eq!(read_tea(), is(&[], 2));
    gateway.does(0, post(room("tea"), user("ann"), "three"));
    assert_eq!(read_tea(), is(&["three"], 3), "also the caller's own");
    assert_eq!(read_tea(), is(&[], 3));
}

#[test]
fn the_first_receive_gives_the_newest_and_older_ones_count_as_received() {
    let gateway = with_talk(&["one", "two", "three"]);
    assert_eq!(texts(received(&gateway, read("ann", Some("tea"), 9, 2))), is(&["two", "three"], 3));
    assert_eq!(texts(received(&gateway, read("bob", Some("tea"), 1, 2))), is(&["two"], 2));
    assert_eq!(texts(received(&gateway, read("bob", Some("tea"), 9, 2))), is(&["three"], 3));
    assert_eq!(texts(received(&gateway, read("cyd", Some("tea"), 9, 0))), is(&[], 3));
    gateway.does(0, post(room("tea"), user("ann"), "four"));
    assert_eq!(texts(received(&gateway, read("cyd", Some("tea"), 9, 0))), is(&["four"], 4));
}

#[test]
fn a_first_receive_without_messages_makes_all_later_ones_new() {
    let gateway = with_talk(&[]);
    assert_eq!(texts(received(&gateway, read("ann", Some("tea"), 9, 1))), is(&[], 0));
    for text in ["one", "two"] {
        gateway.does(0, post(room("tea"), user("ann"), text));
    }
    assert_eq!(texts(received(&gateway, read("ann", Some("tea"), 9, 1))), is(&["one", "two"], 2));
}

#[test]
fn a_limit_gives_the_oldest_and_leaves_the_rest() {
    let gateway = with_talk(&["one", "two", "three"]);
    for (expected, cursor) in [("one", 1), ("two", 2), ("three", 3)] {
        let read_one = read("ann", Some("tea"), 1, u32::MAX);
        assert_eq!(texts(received(&gateway, read_one)), is(&[expected], cursor));
    }
}

#[test]
fn receiving_after_a_message_repeats_and_moves_the_cursor() {
    let gateway = with_talk(&["one", "two", "three"]);
    received(&gateway, read("ann", Some("tea"), 9, 9));
    let after = |after| texts(received(&gateway, read_after("ann", Some("tea"), after)));
    assert_eq!(after(1), is(&["two", "three"], 3));
    assert_eq!(after(0), is(&["one", "two", "three"], 3));
    assert_eq!(after(3), is(&[], 3));
    let one_after_none = Command::Receive {
        user: user("ann"),
        expect: None,
        room: Some(room("tea")),
        after: Some(MessageId(0)),
        limit: 1,
        first_limit: 9,
        newest: false,
    };
    assert_eq!(texts(received(&gateway, one_after_none)), is(&["one"], 1));
    assert_eq!(texts(received(&gateway, read("ann", Some("tea"), 9, 9))), is(&["two", "three"], 3));
}

#[test]
fn a_cursor_ahead_of_the_newest_message_is_refused_and_loses_none() {
    let gateway = with_talk(&["one"]);
    let ahead = |user: &str| read_after(user, Some("tea"), 1 << 50);
    assert_eq!(gateway.refuses(0, ahead("ann")), Refusal::UnknownMessage);
    assert_eq!(texts(received(&gateway, read("ann", Some("tea"), 9, 9))), is(&["one"], 1));
    assert_eq!(gateway.refuses(0, ahead("ann")), Refusal::UnknownMessage);
    gateway.does(0, post(room("tea"), user("ann"), "two"));
    assert_eq!(texts(received(&gateway, read("ann", Some("tea"), 9, 9))), is(&["two"], 2));
}

#[test]
fn receiving_the_newest_ignores_and_keeps_the_cursor() {
    let gateway = with_talk(&["one", "two", "three"]);
    let newest = || texts(received(&gateway, read_newest("ann", Some("tea"), 2))).0;
    assert_eq!(newest(), ["two", "three"]);
    assert_eq!(newest(), ["two", "three"]);
    assert_eq!(
        texts(received(&gateway, read("ann", Some("tea"), 9, 9))).0,
        ["one", "two", "three"]
    );
    assert_eq!(newest(), ["two", "three"]);
}

#[test]
fn reading_a_room_joins_it() {
    let gateway = with_talk(&["one"]);
    assert_eq!(gateway.tells(0, read("bob", Some("tea"), 9, 9)), ["bob joins tea", "tea holds 2"]);
    assert_eq!(gateway.tells(0, read("bob", Some("tea"), 9, 9)), [""; 0]);
    assert_eq!(gateway.tells(0, read_newest("cyd", Some("tea"), 9)).len(), 2);
}

#[test]
fn direct_messages_are_received_by_their_recipient() {
    let gateway = with(&["ann", "bob", "cyd"]);
    for (from, to, text) in [
        ("ann", "bob", "one"),
        ("bob", "ann", "two"),
        ("cyd", "bob", "three"),
        ("ann", "cyd", "four"),
        ("bob", "cyd", "five"),
        ("bob", "ann", "six"),
    ] {
        gateway.does(0, direct(user(from), user(to), text));
    }
    let read_own = |who: &str| received(&gateway, read(who, None, 9, u32::MAX));
    assert_eq!(read_own("bob").0, ["ann to bob: one", "cyd to bob: three"]);
    assert_eq!(read_own("cyd").0, ["ann to cyd: four", "bob to cyd: five"]);
    assert_eq!(read_own("ann").0, ["bob to ann: two", "bob to ann: six"]);
    assert_eq!(read_own("bob").0, [""; 0]);
    let from_first = || received(&gateway, read_after("bob", None, 1));
    assert_eq!(from_first(), (vec!["cyd to bob: three".into()], 3));
}

#[test]
fn sent_messages_do_not_count_against_the_limits_of_receiving() {
    let gateway = with(&["ann", "bob"]);
    for text in ["one", "two", "three"] {
        gateway.does(0, direct(user("ann"), user("bob"), text));
        gateway.does(0, direct(user("bob"), user("ann"), "thanks"));
        gateway.does(0, direct(user("bob"), user("ann"), "really"));
    }
    let two = ["ann to bob: two", "ann to bob: three"];
    assert_eq!(received(&gateway, read_newest("bob", None, 2)).0, two);
    assert_eq!(received(&gateway, read("bob", None, 9, 2)).0, two);
    let from_start = Command::Receive {
        user: user("bob"),
        expect: None,
        room: None,
        after: Some(MessageId(0)),
        limit: 2,
        first_limit: 9,
        newest: false,
    };
    assert_eq!(received(&gateway, from_start).0, ["ann to bob: one", "ann to bob: two"]);
    assert_eq!(received(&gateway, read("bob", None, 9, 9)).0, ["ann to bob: three"]);
}

#[test]
fn each_conversation_of_each_user_has_its_own_cursor() {
    let gateway = with_talk(&["one"]);
    gateway.does(0, create(titled("hall"), Some(user("ann"))));
    gateway.does(0, post(room("hall"), user("ann"), "two"));
    gateway.does(0, direct(user("bob"), user("ann"), "three"));
    for name in [Some("tea"), Some("hall"), None] {
        for who in ["ann", "bob"] {
            let count = received(&gateway, read(who, name, 9, 9)).0.len();
            assert_eq!(count, usize::from(name.is_some() || who == "ann"), "{who} {name:?}");
            assert_eq!(received(&gateway, read(who, name, 9, 9)).0.len(), 0, "{who} {name:?}");
        }
    }
}

#[test]
fn a_cursor_survives_a_restart_and_a_clearing() {
    let mut gateway = with_talk(&["one", "two"]);
    received(&gateway, read("ann", Some("tea"), 9, 9));
    gateway.reopen();
    gateway.does(0, start());
    assert_eq!(texts(received(&gateway, read("ann", Some("tea"), 9, 9))), is(&[], 2));
    gateway.does(0, clear(room("tea"), None));
    gateway.does(0, post(room("tea"), user("ann"), "three"));
    assert_eq!(texts(received(&gateway, read("ann", Some("tea"), 9, 9))), is(&["three"], 3));
}

#[test]
fn receiving_is_refused_in_the_order_of_the_contract() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(seating("full", 0), None));
    let expecting = |who: core_model::UserRef, handle: &str, name: Option<&str>| Command::Receive {
        user: who,
        expect: Some(handle.into()),
        room: name.map(room),
        after: None,
        limit: 9,
        first_limit: 9,
        newest: false,
    };
    refusals(
        &gateway,
        [
            (expecting(by_token("none"), "bob", Some("none")), Refusal::TokenInvalid),
            (expecting(user("ann"), "bob", Some("none")), Refusal::UnknownRoom),
            (expecting(user("ann"), "bob", Some("full")), Refusal::NotAllowed),
            (expecting(user("ann"), "ann", Some("full")), Refusal::RoomFull),
            (expecting(user("ann"), "bob", None), Refusal::NotAllowed),
            (expecting(user("ann"), "zed", None), Refusal::NotAllowed),
        ],
    );
    gateway.does(0, expecting(user("ann"), "ann", Some("tea")));
    gateway.does(0, expecting(user("ann"), "ann", None));
}

#[test]
fn finding_nothing_new_needs_no_writer() {
    let gateway = with_talk(&["one"]);
    let try_read_only = |command: &Command| {
        let (engine, at) = (gateway.engine(), Timestamp(gateway.now));
        let answered = engine.try_read_only(at, ConnectionId(0), command, 1).ok()?;
        Some(texts(received_in(answered.outcome.expect("it is no refusal"))))
    };
    let everything = |who: &str| read(who, Some("tea"), u32::MAX, u32::MAX);
    assert_eq!(try_read_only(&everything("ann")), None, "there is a message");
    assert_eq!(try_read_only(&everything("bob")), None, "he is no member yet");
    gateway.does(0, everything("ann"));
    assert_eq!(try_read_only(&everything("ann")), Some(is(&[], 1)));
    assert_eq!(try_read_only(&read_newest("ann", Some("tea"), 5)), Some(is(&["one"], 1)));
    assert_eq!(try_read_only(&read_after("ann", Some("tea"), 0)), Some(is(&["one"], 1)));
    gateway.does(0, post(room("tea"), user("ann"), "two"));
    assert_eq!(try_read_only(&everything("ann")), None, "there is another");
    let at = Timestamp(gateway.now);
    let waiting = |command: &Command| {
        let answered = gateway.engine().try_read_only(at, ConnectionId(0), command, 1);
        answered.expect_err("there are messages")
    };
    let must_submit = |messages| Deferred::MustSubmit { messages };
    assert_eq!(waiting(&everything("ann")), must_submit(1));
    assert_eq!(waiting(&everything("bob")), must_submit(2));
    let long = read_newest("ann", Some("tea"), 5);
    assert_eq!(waiting(&long), Deferred::Long { messages: 2 });
    let direct = read("ann", None, u32::MAX, u32::MAX);
    assert_eq!(try_read_only(&direct), None, "the cursor is to be set");
    gateway.does(0, direct.clone());
    assert_eq!(try_read_only(&direct), Some(is(&[], 0)));
    assert_eq!(try_read_only(&read("zoe", None, 1, 1)), None, "a refusal is the writer's");
    assert_eq!(try_read_only(&post(room("tea"), user("ann"), "three")), None);
}

#[test]
fn a_token_that_found_nothing_new_is_refreshed_when_it_is_due() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(0, issue(user("ann"), sliding("slides", 16_000)));
    let mut direct = read("ann", None, 1, 1);
    gateway.does(0, direct.clone());
    if let Command::Receive { user, .. } = &mut direct {
        *user = by_token("slides");
    }
    let refresh = |gateway: &Gateway| {
        let at = Timestamp(gateway.now);
        gateway
            .engine()
            .try_read_only(at, ConnectionId(0), &direct, 9)
            .expect("nothing is new")
            .refresh
    };
    assert_eq!(refresh(&gateway), None);
    gateway.now += 1_001;
    assert_eq!(refresh(&gateway), Some(token("slides")));
}

#[test]
fn a_message_read_again_shows_current_names() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    let read = || {
        let command = read_newest("bob", None, 5);
        let answered =
            gateway.engine().try_read_only(Timestamp(gateway.now), ConnectionId(0), &command, 9);
        match answered.expect("it changes nothing").outcome {
            Ok(Reply::Received { messages, .. }) => match &messages[..] {
                [message] => match &message.to {
                    core_model::Recipient::User(to) => {
                        (message.author.name.clone(), to.name.clone())
                    }
                    core_model::Recipient::Room(_) => panic!("to a room: {message:?}"),
                },
                _ => panic!("not one: {messages:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let call = |who: &str, name: &str| {
        let changes = ProfileChanges { name: Some(name.into()), ..ProfileChanges::default() };
        gateway.does(0, Command::UpdateUser { user: user(who), create: false, changes });
    };
    assert_eq!(read(), ("ann".into(), "bob".into()));
    call("bob", "Robert");
    assert_eq!(read(), ("ann".into(), "Robert".into()));
    call("ann", "Anna");
    assert_eq!(read(), ("Anna".into(), "Robert".into()));
    assert_eq!(read(), ("Anna".into(), "Robert".into()));
}

/// Each of 90 messages has 100 kB: a reply holds at most 4 MiB of them.
#[test]
fn a_reply_holds_so_many_bytes_and_the_next_goes_on_from_there() {
    const COUNT: usize = 90;
    const BYTES: usize = 100_000;
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, Command::Join { room: room("tea"), user: user("bob") });
    for _ in 0..COUNT {
        gateway.does(0, post(room("tea"), user("ann"), &"x".repeat(BYTES)));
    }
    let fits = (4 << 20) / BYTES;
    let page = |before, after| {
        let query =
            Query::History { room: room("tea"), caller: None, before, after, limit: u32::MAX };
        let Ok(Reply::Messages { messages }) = gateway.ask(&query) else { panic!("no messages") };
        messages.iter().map(|message| message.id).collect::<Vec<_>>()
    };
    let newest = page(None, None);
    assert_eq!(newest.len(), fits);
    assert_eq!(newest.last(), page(None, None).last());
    let older = page(newest.first().copied(), None);
    assert_eq!(older.len(), fits);
    assert!(older.last() < newest.first());
    assert_eq!(page(None, Some(MessageId(0))).len(), fits);
    // What a receive leaves out comes with the next.
    let mut seen = Vec::new();
    loop {
        let Reply::Received { messages, .. } =
            gateway.does(0, read("bob", Some("tea"), u32::MAX, u32::MAX))
        else {
            panic!("nothing was received")
        };
        assert!(messages.len() <= fits);
        if messages.is_empty() {
            break;
        }
        seen.extend(messages.iter().map(|message| message.id));
    }
    assert_eq!(seen.len(), COUNT);
    assert!(seen.is_sorted());
}
