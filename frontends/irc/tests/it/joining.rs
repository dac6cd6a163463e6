//! What is posted in a channel while a client joins it.

use core_model::{
    ConnectionId, Event, Gap, Message, MessageId, Outcome, Person, Recipient, Recorded, Refusal,
    Reply, RoomId, RoomView, Seq, Timestamp, Uid,
};
use frontend_api::Input;
use frontend_irc::IrcFrontend;

use crate::client::{Client, user};

fn tea() -> RoomView {
    RoomView { id: RoomId(1), name: "tea".into(), ..RoomView::default() }
}

fn message(id: u64) -> Message {
    let bob = Person { uid: Some(Uid(10_002)), handle: "bob".into(), ..Person::default() };
    Message {
        id: MessageId(id),
        at: Timestamp(1_700_000_000_000),
        author: bob.into(),
        to: Recipient::Room(tea().tag()),
        text: format!("number {id}"),
        notice: false,
    }
}

fn posted(id: u64) -> Recorded {
    let event = Event::Posted { message: message(id) };
    Recorded { seq: Seq(id), at: Timestamp(0), cause: ConnectionId(9), event }
}

/// Ann, whose client begins to join `tea` by this line and has an answer to that; she had the
/// messages up to 40.
fn joining(caps: &str, line: &str) -> Client {
    let frontend = IrcFrontend::default();
    let mut ann = Client::open(&frontend);
    ann.send(&format!("CAP REQ :server-time batch message-tags {caps}"));
    ann.send("CAP END");
    ann.send("PASS tea");
    ann.send("NICK ann");
    ann.send("USER ann 0 * :Ann");
    ann.feed(Input::Answer(&Ok(Reply::SignedIn {
        user: user("ann", 10_001),
        token: None,
        rooms: Vec::new(),
        backlog: Vec::new(),
        cursor: Some(MessageId(40)),
        gap: None,
        skipped: Vec::new(),
    })));
    ann.send(line);
    ann.feed(Input::Answer(&entered()));
    ann
}

fn entered() -> Outcome {
    Ok(Reply::Entered {
        room: tea(),
        user: user("ann", 10_001).person,
        again: false,
        cursor: MessageId(0),
    })
}

/// Answers what the join asks for: the occupants, what was missed and the newest messages, which are
/// those from 41 up to this one.
fn catch_up(ann: &mut Client, newest: u64) -> Vec<String> {
    let messages: Vec<_> = (41..=newest).map(|id| message(id).into()).collect();
    let occupants = Reply::Members { members: Vec::new(), roles: Default::default() };
    let cursor = MessageId(newest);
    let missed = Reply::Missed { messages: messages.clone(), gap: None, more: false, cursor };
    ann.feed(Input::Answer(&Ok(occupants)));
    let mut lines = ann.feed(Input::Answer(&Ok(missed)));
    lines.extend(ann.feed(Input::Answer(&Ok(Reply::Messages { messages }))));
    lines
}

/// The numbers of the messages in lines, and where batches begin and end.
fn order(lines: &[String]) -> Vec<String> {
    let part = |line: &String| {
        let number = line.split_once(":number ").map(|(_, number)| number.to_owned());
        let batch = line.split_once(" BATCH ").map(|(_, batch)| batch[..1].to_owned());
        number.or(batch)
    };
    lines.iter().filter_map(part).collect()
}

#[test]
fn what_is_posted_during_a_join_comes_after_what_was_missed_and_once() {
    let mut ann = joining("", "JOIN #tea");
    // The answers to the queries have 43, too, and the events of 44 and 45 come after them.
    for id in [42, 43, 46] {
        assert_eq!(ann.feed(Input::Event(&posted(id))), [""; 0], "{id} waits");
    }
    assert_eq!(order(&catch_up(&mut ann, 45)), ["+", "41", "42", "43", "44", "45", "-", "46"]);
    for id in [44, 45] {
        assert_eq!(ann.feed(Input::Event(&posted(id))), [""; 0], "the client has {id}");
    }
    assert_eq!(order(&ann.feed(Input::Event(&posted(47)))), ["47"]);
    assert_eq!(order(&ann.feed(Input::Event(&posted(48)))), ["48"]);
}

#[test]
fn what_waits_is_no_part_of_the_response_to_a_join_with_a_label() {
    let mut ann = joining("labeled-response", "@label=j JOIN #tea");
    assert_eq!(ann.feed(Input::Event(&posted(42))), [""; 0]);
    let lines = catch_up(&mut ann, 41);
    assert_eq!(order(&lines), ["+", "+", "41", "-", "-", "42"], "{lines:#?}");
}

#[test]
fn a_client_is_disconnected_if_too_much_waits() {
    let mut ann = joining("", "JOIN #tea");
    let large = |id| {
        let message = Message { text: "x".repeat(100_000), ..message(id) };
        Recorded { event: Event::Posted { message }, ..posted(id) }
    };
    for id in 42..52 {
        assert_eq!(ann.feed(Input::Event(&large(id))), [""; 0]);
    }
    let lines = ann.feed(Input::Event(&large(52)));
    assert!(lines[0].starts_with("ERROR :Closing link: too many messages"), "{lines:#?}");
}

#[test]
fn a_gap_without_messages_is_announced_and_acknowledged() {
    let mut ann = joining("", "JOIN #tea");
    let occupants = Reply::Members { members: Vec::new(), roles: Default::default() };
    let (after, before) = (MessageId(40), MessageId(131));
    let missed = Reply::Missed {
        messages: Vec::new(),
        gap: Some(Gap { after, before, count: Some(90) }),
        more: false,
        cursor: MessageId(130),
    };
    ann.feed(Input::Answer(&Ok(occupants)));
    ann.feed(Input::Answer(&Ok(missed)));
    let lines = ann.feed(Input::Answer(&Ok(Reply::Messages { messages: Vec::new() })));
    let why = "90 messages that you missed are not shown: after msgid 40, before msgid 131";
    assert!(lines.iter().any(|line| line.contains(why)), "{lines:#?}");
    assert!(lines.contains(&"PING :m130".to_owned()), "{lines:#?}");
}

#[test]
fn what_was_missed_and_cannot_be_read_now_is_announced() {
    let mut ann = joining("", "JOIN #tea");
    let occupants = Reply::Members { members: Vec::new(), roles: Default::default() };
    ann.feed(Input::Answer(&Ok(occupants)));
    ann.feed(Input::Answer(&Err(Refusal::Overloaded)));
    let messages = vec![message(60).into(), message(61).into()];
    let lines = ann.feed(Input::Answer(&Ok(Reply::Messages { messages })));
    let why = "after msgid 40, before msgid 60";
    assert!(lines.iter().any(|line| line.contains(why)), "{lines:#?}");
}

#[test]
fn a_line_that_is_refused_keeps_its_label() {
    let frontend = IrcFrontend::default();
    let mut ann = Client::open(&frontend);
    ann.send("CAP REQ :labeled-response batch");
    ann.send("CAP END");
    ann.send("PASS tea");
    ann.send("NICK ann");
    ann.send("USER ann 0 * :Ann");
    ann.feed(Input::Answer(&Ok(Reply::SignedIn {
        user: user("ann", 10_001),
        token: None,
        rooms: Vec::new(),
        backlog: Vec::new(),
        cursor: None,
        gap: None,
        skipped: Vec::new(),
    })));
    let long = format!("@label=a PRIVMSG #tea :{}", "x".repeat(600));
    let too_long = "@label=a :irc.localhost 417 ann :The line is too long";
    assert_eq!(ann.send(&long), [too_long]);
    let broken = "@label=b :irc.localhost 400 ann * :A line has no NUL and no CR in it";
    assert_eq!(ann.send("@label=b PRIVMSG #tea :a\rQUIT"), [broken]);
    let plain = broken.trim_start_matches("@label=b ");
    assert_eq!(ann.send("@label=b\rc PRIVMSG #tea :a"), [plain], "no part of a label");
}
