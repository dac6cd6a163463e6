//! Parts of conversations, their list, and marks of what was read.

use core_model::{
    Command, ConversationRef, MessageId, Part, Position, Query, Recipient, RoomId, Timestamp,
};

use super::*;

const PEOPLE: [&str; 3] = ["ann", "bob", "cyd"];

/// Many direct messages of all kinds, one a millisecond, among messages in a room. With each its id,
/// author and recipient, by their places in `PEOPLE`.
fn busy() -> (Gateway, Vec<(u64, usize, usize)>) {
    let mut gateway = with_tea(&PEOPLE);
    let mut sent = Vec::new();
    for n in 0..600usize {
        gateway.now += 1;
        let (from, to) = (n % 3, n / 3 % 3);
        if n % 5 == 0 {
            gateway.does(0, post(room("tea"), user("ann"), "hi"));
            continue;
        }
        let mut message = direct(user(PEOPLE[from]), user(PEOPLE[to]), "hi");
        let Command::PostDirect { allow_self, .. } = &mut message else { unreachable!() };
        *allow_self = true;
        let Reply::Posted { message } = gateway.does(0, message) else { panic!() };
        sent.push((message.id.0, from, to));
    }
    (gateway, sent)
}

fn between(sent: &[(u64, usize, usize)], one: usize, other: usize) -> Vec<u64> {
    let is_of = |from, to| (from, to) == (one, other) || (from, to) == (other, one);
    sent.iter().filter(|(_, from, to)| is_of(*from, *to)).map(|(id, ..)| *id).collect()
}

#[track_caller]
fn excerpt(gateway: &Gateway, conversation: ConversationRef, part: Part, limit: u32) -> Vec<u64> {
    let query = Query::Excerpt { conversation, caller: Some(user("ann")), part, limit };
    match gateway.ask(&query) {
        Ok(Reply::Messages { messages }) => messages.iter().map(|message| message.id.0).collect(),
        other => panic!("{other:?}"),
    }
}

fn with_user(name: &str) -> ConversationRef {
    ConversationRef::User(user(name))
}

fn id(id: u64) -> Position {
    Position::Message(MessageId(id))
}

fn at(ms: u64) -> Position {
    Position::Time(Timestamp(ms))
}

#[test]
fn the_pages_of_a_long_conversation_have_all_of_it_and_nothing_else() {
    let (gateway, sent) = busy();
    for (other, name) in PEOPLE.iter().enumerate() {
        let all = between(&sent, 0, other);
        assert!(all.len() > 40, "several runs");
        let mut back = Vec::new();
        let mut part = Part::Newest { after: None };
        loop {
            let page = excerpt(&gateway, with_user(name), part, 7);
            let Some(first) = page.first() else { break };
            part = Part::Before(id(*first));
            back.splice(0..0, page);
        }
        assert_eq!(back, all, "backwards, with {name}");
        let mut forth = Vec::new();
        loop {
            let last = forth.last().copied().unwrap_or(0);
            let page = excerpt(&gateway, with_user(name), Part::After(id(last)), 7);
            if page.is_empty() {
                break;
            }
            forth.extend(page);
        }
        assert_eq!(forth, all, "forwards, with {name}");
    }
}

#[test]
fn a_conversation_goes_on_where_retention_has_stopped() {
    let (gateway, sent) = busy();
    let removed = sent[250].0;
    let before = Some(Timestamp(gateway.now - (sent.last().unwrap().0 - removed)));
    let (keep_per_room, from, limit) = (None, RoomId(0), u32::MAX);
    gateway.does(0, Command::Prune { before, keep_per_room, from, limit });
    let rest: Vec<u64> = between(&sent, 0, 1).into_iter().filter(|id| *id >= removed).collect();
    assert_eq!(excerpt(&gateway, with_user("bob"), Part::After(id(0)), 999), rest);
    assert_eq!(excerpt(&gateway, with_user("bob"), Part::Newest { after: None }, 999), rest);
    assert_eq!(excerpt(&gateway, with_user("bob"), Part::Before(id(removed)), 9), [0; 0]);
    assert_eq!(excerpt(&gateway, with_user("bob"), Part::After(at(0)), 2), rest[..2]);
    assert_eq!(excerpt(&gateway, with_user("bob"), Part::Around(id(3)), 3), rest[..3]);
}

#[test]
fn a_place_may_be_a_time_or_that_of_a_message_elsewhere() {
    let mut gateway = with_tea(&PEOPLE);
    let mut times = Vec::new();
    // Two messages each have the same time.
    for n in 1..=6 {
        gateway.now += n % 2;
        gateway.does(0, direct(user("ann"), user("bob"), "hi"));
        times.push(gateway.now);
    }
    gateway.does(0, direct(user("cyd"), user("bob"), "not ann's"));
    let part = |part| excerpt(&gateway, with_user("bob"), part, 9);
    assert_eq!(part(Part::After(at(times[1]))), [3, 4, 5, 6]);
    assert_eq!(part(Part::Before(at(times[2]))), [1, 2]);
    assert_eq!(part(Part::Newest { after: Some(at(times[3])) }), [5, 6]);
    assert_eq!(part(Part::Between { from: at(times[0]), to: at(times[4]) }), [3, 4]);
    assert_eq!(part(Part::Between { from: id(6), to: at(times[0]) }), [3, 4, 5]);
    assert_eq!(part(Part::Between { from: at(times[0]), to: id(6) }), [3, 4, 5]);
    assert_eq!(part(Part::Between { from: id(2), to: id(2) }), [0; 0]);
    assert_eq!(part(Part::Before(id(7))), [1, 2, 3, 4, 5, 6], "a message of others");
    assert_eq!(part(Part::Before(at(u64::MAX))).len(), 6);
    assert_eq!(part(Part::After(at(u64::MAX))).len(), 0);
    assert_eq!(part(Part::After(id(u64::MAX))).len(), 0);
    let around =
        |position, limit| excerpt(&gateway, with_user("bob"), Part::Around(position), limit);
    assert_eq!(around(id(4), 1), [4]);
    assert_eq!(around(id(4), 3), [3, 4, 5]);
    assert_eq!(around(id(6), 3), [4, 5, 6]);
    assert_eq!(around(id(1), 4), [1, 2, 3, 4]);
    assert_eq!(around(at(u64::MAX), 2), [5, 6]);
    assert_eq!(around(id(4), 0), [0; 0]);
}

#[test]
fn no_page_is_lost_though_the_clock_was_ahead() {
    let mut gateway = with_tea(&PEOPLE);
    let right = gateway.now;
    for now in [right + 1, right + 1_000_000, right + 2] {
        gateway.now = now;
        gateway.does(0, post(room("tea"), user("ann"), "hi"));
    }
    let tea = || ConversationRef::Room(room("tea"));
    assert_eq!(excerpt(&gateway, tea(), Part::After(id(1)), 9), [2, 3]);
    assert_eq!(excerpt(&gateway, tea(), Part::Before(id(3)), 9), [1, 2]);
    assert_eq!(excerpt(&gateway, tea(), Part::After(at(right)), 9), [1, 2, 3]);
}

#[test]
fn only_the_caller_sees_its_conversations() {
    let gateway = with(&PEOPLE);
    gateway.does(0, direct(user("ann"), user("bob"), "psst"));
    gateway.does(0, create_for(closed("secret"), user("ann"), &["bob"]));
    let secret = ConversationRef::Room(room("secret#1"));
    let ask = |conversation: &ConversationRef, caller: Option<&str>| {
        let (part, limit) = (Part::Newest { after: None }, 9);
        let (conversation, caller) = (conversation.clone(), caller.map(user));
        match gateway.ask(&Query::Excerpt { conversation, caller, part, limit })? {
            Reply::Messages { messages } => Ok(messages.len()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(&with_user("bob"), Some("ann")), Ok(1));
    assert_eq!(ask(&with_user("ann"), Some("bob")), Ok(1));
    assert_eq!(ask(&with_user("ann"), Some("cyd")), Ok(0));
    assert_eq!(ask(&with_user("ann"), None), Err(Refusal::NotSignedIn));
    assert_eq!(ask(&with_user("dan"), Some("ann")), Err(Refusal::UnknownUser));
    assert_eq!(ask(&secret, Some("bob")), Ok(0));
    assert_eq!(ask(&secret, Some("cyd")), Err(Refusal::UnknownRoom));
    assert_eq!(ask(&secret, None), Err(Refusal::UnknownRoom));
    let mark = |who: &str| mark_read((user(who), secret.clone(), 1));
    assert_eq!(gateway.refuses(0, mark("cyd")), Refusal::UnknownRoom);
    assert_eq!(gateway.does(0, mark("bob")), Reply::ReadMarker { at: Some(Timestamp(1)) });
}

/// The conversations of ann and the ids of their newest messages.
#[track_caller]
fn conversations(gateway: &Gateway, from: u64, to: u64, limit: u32) -> Vec<(String, u64)> {
    let (caller, rooms) = (Some(user("ann")), vec![RoomId(1), RoomId(2), RoomId(9)]);
    let (from, to) = (Timestamp(from), Timestamp(to));
    match gateway.ask(&Query::Conversations { caller, rooms, from, to, limit }) {
        Ok(Reply::Conversations { conversations }) => {
            let named = |with: &Recipient| match with {
                Recipient::Room(room) => format!("#{}", room.name),
                Recipient::User(person) => person.handle.clone(),
            };
            conversations.iter().map(|it| (named(&it.with), it.newest.0)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn conversations_are_listed_by_their_newest_message() {
    let mut gateway = with_tea(&PEOPLE);
    gateway.does(0, create_for(closed("secret"), user("bob"), &["cyd"]));
    let start = gateway.now;
    let messages = [
        direct(user("bob"), user("ann"), "hi"),
        post(room("tea"), user("ann"), "hi"),
        direct(user("ann"), user("cyd"), "hi"),
        post(room("secret#2"), user("bob"), "not ann's"),
        direct(user("ann"), user("bob"), "hi"),
        direct(user("bob"), user("cyd"), "not ann's"),
    ];
    for message in messages {
        gateway.now += 10;
        gateway.does(0, message);
    }
    let all = [("#tea", 2), ("cyd", 3), ("bob", 5)].map(|(name, id)| (name.to_owned(), id));
    assert_eq!(conversations(&gateway, 0, u64::MAX, 9), all);
    assert_eq!(conversations(&gateway, u64::MAX, 0, 9), all);
    assert_eq!(conversations(&gateway, 0, u64::MAX, 2), all[..2]);
    assert_eq!(conversations(&gateway, u64::MAX, 0, 2), all[1..]);
    // Both ends are excluded; a conversation whose newest message is outside is not listed.
    assert_eq!(conversations(&gateway, start + 20, start + 50, 9), all[1..2]);
    assert_eq!(conversations(&gateway, 0, start + 50, 9), all[..2]);
    assert_eq!(conversations(&gateway, 0, 0, 9), []);
}

#[test]
fn a_mark_moves_forward_only_and_not_into_the_future() {
    let mut gateway = with_tea(&PEOPLE);
    gateway.now = 5_000;
    let mark = |at| match gateway.does(0, mark_read((user("ann"), with_user("bob"), at))) {
        Reply::ReadMarker { at } => at.map(|at| at.0),
        other => panic!("{other:?}"),
    };
    assert_eq!(mark(0), None);
    assert_eq!(mark(3_000), Some(3_000));
    assert_eq!(mark(2_000), Some(3_000));
    assert_eq!(mark(u64::MAX), Some(5_000));
    let tea = ConversationRef::Room(room("tea"));
    let asked = |who: &str, conversation: &ConversationRef| {
        let (user, conversation) = (user(who), conversation.clone());
        gateway.ask(&Query::ReadMarker { user, conversation })
    };
    let found = |at: Option<u64>| Ok(Reply::ReadMarker { at: at.map(Timestamp) });
    assert_eq!(asked("ann", &with_user("bob")), found(Some(5_000)));
    assert_eq!(asked("bob", &with_user("ann")), found(None), "a mark is its user's");
    assert_eq!(asked("ann", &tea), found(None));
    gateway.does(0, mark_read((user("ann"), tea.clone(), 4_000)));
    gateway.does(0, delete(room("tea"), None));
    gateway.does(0, create(titled("tea"), None));
    assert_eq!(asked("ann", &tea), found(None), "another room of the same name");
    gateway.reopen_checked();
}

#[test]
fn of_too_many_marks_the_earliest_is_forgotten() {
    let mut gateway = with(&["ann"]);
    gateway.now = 5_000;
    for n in 0..=1_000u64 {
        gateway.does(0, register(&format!("u{n}")));
        gateway.does(0, mark_read((user("ann"), with_user(&format!("u{n}")), 2_000 + n)));
    }
    let found = |n: u64| {
        let conversation = with_user(&format!("u{n}"));
        gateway.ask(&Query::ReadMarker { user: user("ann"), conversation })
    };
    assert_eq!(found(0), Ok(Reply::ReadMarker { at: None }));
    assert_eq!(found(1), Ok(Reply::ReadMarker { at: Some(Timestamp(2_001)) }));
    assert_eq!(found(1_000), Ok(Reply::ReadMarker { at: Some(Timestamp(3_000)) }));
}
