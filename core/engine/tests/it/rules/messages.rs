//! Posting, and reading messages.

use core_model::{Command, MessageId, Query, Refusal, Reply, Timestamp, UserRef};

use super::*;

#[test]
fn a_message_is_published_answered_and_stored_byte_for_byte() {
    let mut gateway = with_tea(&["ann"]);
    let text = "  h\u{e9}llo e\u{301}\r\n\0\t茶 ";
    gateway.now = 7_000;
    let (outcome, events) = gateway.call(3, post(room("tea"), user("ann"), text));
    let Ok(Reply::Posted { message }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((message.id, message.at, &*message.text), (MessageId(1), Timestamp(7_000), text));
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].at, events[0].cause.0), (Timestamp(7_000), 3));
    assert_eq!(events[0].event, core_model::Event::Posted { message: message.clone() });
    let Ok(Reply::Messages { messages }) = gateway.ask(&history(room("tea"), 1)) else { panic!() };
    assert_eq!(messages, [message.into()]);
}

#[test]
fn message_ids_increase_over_rooms_and_direct_messages() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(titled("hall"), Some(user("ann"))));
    let mut ids = Vec::new();
    for command in [
        post(room("tea"), user("ann"), "a"),
        direct(user("ann"), user("bob"), "b"),
        post(room("hall"), user("ann"), "c"),
    ] {
        let Reply::Posted { message } = gateway.does(0, command) else { panic!() };
        ids.push(message.id.0);
    }
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn posting_needs_the_right_that_the_dialect_asks_for() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(9, enter(room("tea"), user("cyd")));
    let tea = || room("tea");
    refusals(
        &gateway,
        [
            (say(tea(), user("bob"), "a member has no seat"), Refusal::NotInRoom),
            (post(tea(), user("cyd"), "a seat is no membership"), Refusal::NotInRoom),
            (say(tea(), guest("gus"), "hi"), Refusal::NotInRoom),
            (say(room("none"), guest("gus"), "hi"), Refusal::UnknownRoom),
            (post(room("none"), user("ann"), "hi"), Refusal::UnknownRoom),
            (say(room("none"), user("cyd"), "hi"), Refusal::UnknownRoom),
            (post(tea(), user("zed"), "hi"), Refusal::UnknownUser),
            (say(tea(), user("zed"), "hi"), Refusal::UnknownUser),
            (post(tea(), UserRef::Session, "hi"), Refusal::NotSignedIn),
            (say(tea(), UserRef::Session, "hi"), Refusal::NotSignedIn),
            (post(tea(), user("bob"), ""), Refusal::EmptyText),
            (say(tea(), user("cyd"), ""), Refusal::EmptyText),
            (post_joining(tea(), user("cyd"), "", false), Refusal::EmptyText),
        ],
    );
    assert_eq!(gateway.refuses(8, say(tea(), user("cyd"), "hi")), Refusal::NotInRoom);
    gateway.does(9, say(tea(), user("cyd"), "one"));
    gateway.does(0, post(tea(), user("bob"), "two"));
    assert_eq!(
        gateway.tells(0, post_joining(tea(), user("cyd"), "three", false)),
        ["cyd joins tea", "tea holds 4", "cyd to tea: three"]
    );
    gateway.does(0, post_joining(tea(), user("cyd"), "four", false));
    assert_eq!(
        talk(&gateway, "tea"),
        ["cyd to tea: one", "bob to tea: two", "cyd to tea: three", "cyd to tea: four"]
    );
}

#[test]
fn a_direct_message_goes_to_another_account() {
    let gateway = with(&["ann", "bob"]);
    let ann = || user("ann");
    refusals(
        &gateway,
        [
            (direct(ann(), user("zed"), "hi"), Refusal::UnknownUser),
            (direct(ann(), user("guest:gus"), "hi"), Refusal::UnknownUser),
            (direct(ann(), ann(), "hi"), Refusal::SelfAddressed),
            (direct(ann(), user("bob"), ""), Refusal::EmptyText),
            (direct(user("zed"), user("bob"), "hi"), Refusal::UnknownUser),
            (direct(UserRef::Session, user("bob"), "hi"), Refusal::NotSignedIn),
        ],
    );
    assert_eq!(gateway.tells(0, direct(ann(), user("bob"), "hi")), ["ann to bob: hi"]);
}

#[test]
fn a_note_to_oneself_is_kept_and_received_once() {
    let gateway = with(&["ann"]);
    let text = "tea at five".to_owned();
    let author = user("ann");
    let to = user("ann");
    let note = Command::PostDirect { author, to, text, notice: false, allow_self: true };
    assert_eq!(gateway.tells(0, note), ["ann to ann: tea at five"]);
    let receive = Command::Receive {
        user: user("ann"),
        expect: None,
        room: None,
        after: None,
        limit: u32::MAX,
        first_limit: u32::MAX,
        newest: false,
    };
    assert_eq!(received(&gateway, receive).0, ["ann to ann: tea at five"]);
}

/// Messages to tea with others in between, in commits of different sizes, and the ids of tea's.
fn many_messages() -> (Gateway, Vec<u64>) {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(titled("hall"), Some(user("ann"))));
    // Messages of another room and direct ones in between, in commits of different sizes.
    let mut ids = Vec::new();
    let mut commands = Vec::new();
    for number in 0..700 {
        let text = number.to_string();
        commands.push(match number % 5 {
            0 => post(room("hall"), user("ann"), &text),
            1 => direct(user("ann"), user("bob"), &text),
            _ => post(room("tea"), user("ann"), &text),
        });
    }
    let mut rest = commands.into_iter();
    for size in [1, 2, 3, 130, 1, 300, 263] {
        let batch = rest.by_ref().take(size).map(|command| gateway.envelope(0, command));
        for (outcome, _) in gateway.batch(batch.collect()) {
            let Ok(Reply::Posted { message }) = outcome else { panic!("{outcome:?}") };
            if matches!(message.to, core_model::Recipient::Room(room) if &*room.name == "tea") {
                ids.push(message.id.0);
            }
        }
    }
    assert!(rest.next().is_none());
    assert!(ids.len() > 3 * 32);
    let dump = gateway.engine().dump().unwrap();
    let rows = |table: &str| dump.iter().find(|(name, _)| *name == table).unwrap().1.len();
    // Each of four streams in runs of 32: those of tea, hall, and both ends of direct messages.
    assert_eq!((rows("chunks"), rows("tails")), (420 / 32 + 3 * (140 / 32), 4));
    (gateway, ids)
}

#[test]
fn history_is_paged_both_ways_over_any_number_of_messages() {
    let (gateway, ids) = many_messages();
    let page = |before: Option<u64>, after: Option<u64>, limit: u32| -> Vec<u64> {
        let before = before.map(MessageId);
        let after = after.map(MessageId);
        let query = Query::History { room: room("tea"), caller: None, before, after, limit };
        let Ok(Reply::Messages { messages }) = gateway.ask(&query) else { panic!() };
        for message in &messages {
            assert_eq!(message.text, (message.id.0 - 1).to_string(), "each has its own text");
        }
        messages.into_iter().map(|message| message.id.0).collect()
    };
    assert_eq!(page(None, None, u32::MAX), ids);
    // From and to every message, and the ids between those of the room.
    for at in (0..705).chain([u64::MAX - 1, u64::MAX]) {
        let older: Vec<u64> = ids.iter().copied().filter(|id| *id < at).collect();
        let newer: Vec<u64> = ids.iter().copied().filter(|id| *id > at).collect();
        for limit in [0, 1, 7, 128, 200] {
            let count = limit as usize;
            assert_eq!(
                page(Some(at), None, limit),
                older[older.len().saturating_sub(count)..],
                "before {at}, {limit}"
            );
            assert_eq!(
                page(None, Some(at), limit),
                newer[..count.min(newer.len())],
                "after {at}, {limit}"
            );
        }
    }
    assert_eq!(page(None, None, 200), ids[ids.len() - 200..]);
    assert_eq!(page(Some(5), Some(100), 3), page(None, Some(100), 3), "`after` comes first");
    // Page by page, both ways, nothing is left out.
    let mut forth = Vec::new();
    while let Some(found) = Some(page(None, Some(forth.last().copied().unwrap_or(0)), 50))
        .filter(|found| !found.is_empty())
    {
        forth.extend(found);
    }
    let mut back = Vec::new();
    let mut before = None;
    loop {
        let found = page(before, None, 50);
        let Some(first) = found.first().copied() else { break };
        back.splice(0..0, found);
        before = Some(first);
    }
    assert_eq!((&forth, &back), (&ids, &ids));
}

#[test]
fn history_is_refused_with_the_reason() {
    let gateway = with_tea(&["ann"]);
    assert_eq!(talk(&gateway, "tea"), [""; 0]);
    assert_eq!(gateway.ask(&history(room("none"), 9)), Err(Refusal::UnknownRoom));
    let by = |caller| Query::History {
        room: room("tea"),
        caller: Some(caller),
        before: None,
        after: None,
        limit: 9,
    };
    assert_eq!(gateway.ask(&by(user("zed"))), Err(Refusal::UnknownUser));
    assert_eq!(gateway.ask(&by(UserRef::Session)), Err(Refusal::NotSignedIn));
    assert!(gateway.ask(&by(user("ann"))).is_ok());
}

#[test]
fn a_room_shows_its_newest_messages_on_request() {
    let gateway = with_tea(&["ann"]);
    for text in ["one", "two", "three"] {
        gateway.does(0, post(room("tea"), user("ann"), text));
    }
    let detail = core_model::Detail { messages: 2, ..core_model::Detail::default() };
    let query = Query::Room { room: room("tea"), caller: None, detail };
    let Ok(Reply::Room { room: seen }) = gateway.ask(&query) else { panic!() };
    assert_eq!(say::messages(&seen.messages), ["ann to tea: two", "ann to tea: three"]);
    assert!(seen.members.is_empty() && tea(&gateway).messages.is_empty());
}

#[test]
fn a_short_step_back_of_the_clock_is_waited_out_and_a_long_one_followed() {
    let mut gateway = with_tea(&["ann"]);
    let mut newest = 0;
    for (now, at) in [(90_000, 90_000), (85_000, 90_000), (84_999, 84_999), (85_001, 85_001)] {
        gateway.now = now;
        let (outcome, events) = gateway.call(0, post(room("tea"), user("ann"), "hi"));
        let Ok(Reply::Posted { message }) = outcome else { panic!() };
        assert_eq!((message.at, events[0].at), (Timestamp(at), Timestamp(at)), "at {now}");
        assert!(message.id.0 > newest, "ids keep the order");
        newest = message.id.0;
    }
}
