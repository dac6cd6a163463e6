//! Properties of every conversation in this dialect.

use std::collections::BTreeMap;

use core_model::{
    ConnectionId, ConversationView, Event, Gap, Message, MessageId, Outcome, Person, Recipient,
    Recorded, Refusal, Reply, RoomId, RoomTag, RoomView, Seq, Timestamp, Uid, UserView,
};
use frontend_api::{Frontend, Input, Outbox, Output, Peer, Session};
use frontend_irc::{IrcFrontend, VERBS};
use frontend_testkit::assert_noise_is_harmless;

/// A conversation with one session, in which the test decides when the engine answers.
struct Conversation {
    session: Box<dyn Session>,
    /// The number of requests to the engine without an answer.
    unanswered: usize,
    received: Vec<String>,
    over: bool,
}

impl Conversation {
    fn begin() -> Self {
        let session = IrcFrontend::default().open(&Peer::default());
        let mut conversation = Self { session, unanswered: 0, received: Vec::new(), over: false };
        conversation.feed(Input::Opened);
        conversation
    }

    /// A guest in #tea.
    fn of_guest() -> Self {
        let mut conversation = Self::begin();
        conversation.send("NICK zed");
        conversation.send("USER zed 0 * :Zed");
        conversation.answer(&Err(Refusal::UnknownUser));
        conversation.join();
        conversation
    }

    /// An account in #tea.
    fn of_account() -> Self {
        let mut conversation = Self::begin();
        let caps = "echo-message server-time message-tags account-tag extended-join batch";
        conversation.send(&format!("CAP REQ :{caps} draft/read-marker"));
        conversation.send("PASS tea");
        conversation.send("NICK ann");
        conversation.send("USER ann 0 * :Ann");
        conversation.send("CAP END");
        conversation.answer(&signed_in());
        conversation.join();
        conversation
    }

    fn join(&mut self) {
        self.send("JOIN #tea");
        self.answer(&entered());
        self.answer_all(&Err(Refusal::Overloaded));
        self.received.clear();
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Outbox::default();
        self.session.handle(Timestamp(1_700_000_000_000), input, &mut out);
        for output in out.drain() {
            assert!(!self.over, "{output:?} after the end");
            match output {
                Output::Submit { .. }
                | Output::Query { .. }
                | Output::Fetch(_)
                | Output::Authorize(_) => {
                    self.unanswered += 1;
                }
                Output::SendText(line) => {
                    let text = line.strip_suffix('\r').expect("a line ends with a return");
                    assert!(!text.contains(['\r', '\n', '\0']), "{text:?} has several lines");
                    self.received.push(text.into());
                }
                Output::Close => self.over = true,
                Output::SetEventFilter(_)
                | Output::Wake(_)
                | Output::WakeAt(_)
                | Output::Mark { .. }
                | Output::Acknowledge { .. } => (),
                Output::Respond(_) | Output::SendBytes(_) => {
                    panic!("not for a stream of lines: {output:?}")
                }
            }
        }
    }

    fn send(&mut self, line: &str) {
        self.feed(Input::Text(line));
    }

    fn answer(&mut self, outcome: &Outcome) {
        self.unanswered -= 1;
        self.feed(Input::Answer(outcome));
    }

    fn answer_all(&mut self, outcome: &Outcome) {
        while self.unanswered > 0 && !self.over {
            self.answer(outcome);
        }
    }
}

fn ann() -> Person {
    Person {
        uid: Some(Uid(10001)),
        handle: "ann".into(),
        name: "Ann\nLee".into(),
        ..Person::default()
    }
}

fn signed_in() -> Outcome {
    let (token, rooms, backlog, skipped) = (None, Vec::new(), Vec::new(), Vec::new());
    let user = UserView { person: ann().into(), ..UserView::default() };
    let cursor = Some(MessageId(9));
    Ok(Reply::SignedIn { user, token, rooms, backlog, cursor, gap: Some(gap()), skipped })
}

fn gap() -> Gap {
    Gap { after: MessageId(9), before: MessageId(50), count: Some(7) }
}

fn room() -> RoomView {
    let description = format!("hot\r\nwater {}", "茶".repeat(300));
    RoomView { id: RoomId(7), name: "tea".into(), description, ..RoomView::default() }
}

fn entered() -> Outcome {
    Ok(Reply::Entered { room: room(), user: ann().into(), again: false, cursor: MessageId(0) })
}

fn posted(text: &str) -> Message {
    Message {
        id: MessageId(50),
        at: Timestamp(1_700_000_000_000),
        author: Person { handle: "guest:yan".into(), name: "yan".into(), ..Person::default() }
            .into(),
        to: Recipient::Room(room().tag()),
        text: text.into(),
        notice: false,
    }
}

fn recorded(event: Event) -> Recorded {
    Recorded { seq: Seq(1), at: Timestamp(0), cause: ConnectionId(9), event }
}

/// A line with each verb and valid parameters.
fn lines() -> Vec<String> {
    let params = |name: &str| match name {
        "AUTHENTICATE" => "PLAIN",
        "CAP" => "LS 302",
        "USER" => "zed 0 * :Zed",
        "PRIVMSG" | "NOTICE" => "#tea,bob :hello",
        "MARKREAD" => "#tea timestamp=2023-11-14T22:13:20.000Z",
        "CHATHISTORY" => "LATEST #tea * 10",
        "WHO" | "WHOIS" => "bob",
        "NICK" => "yan",
        "MODE" => "#tea +ov-b zed zed",
        "TOPIC" | "NAMES" | "PART" | "LIST" | "JOIN" => "#tea",
        _ => "x",
    };
    let verbs = VERBS.iter().filter(|verb| verb.name != "QUIT");
    verbs.map(|verb| format!("{} {}", verb.name, params(verb.name))).collect()
}

/// An answer of each kind, and every refusal.
fn outcomes() -> Vec<Outcome> {
    let user = UserView { person: ann().into(), ..UserView::default() };
    let mut outcomes = vec![
        Ok(Reply::Done),
        entered(),
        signed_in(),
        Ok(Reply::Members { members: vec![ann().into(); 300], roles: BTreeMap::new() }),
        Ok(Reply::Messages { messages: vec![posted("one\ntwo").into(); 3] }),
        Ok(Reply::Missed {
            messages: vec![posted("one\ntwo").into(); 3],
            gap: Some(gap()),
            more: false,
            cursor: MessageId(50),
        }),
        Ok(Reply::Conversations {
            conversations: vec![ConversationView {
                with: posted("one").to,
                newest: MessageId(50),
                at: Timestamp(u64::MAX),
            }],
        }),
        Ok(Reply::ReadMarker { at: Some(Timestamp(u64::MAX)) }),
        Ok(Reply::ReadMarker { at: None }),
        Ok(Reply::Posted { message: posted("hello") }),
        Ok(Reply::Room { room: room().into() }),
        Ok(Reply::RoomCreated { room: room() }),
        Ok(Reply::Rooms { rooms: vec![room().into(); 3] }),
        Ok(Reply::User { user }),
    ];
    outcomes.extend(refusals().into_iter().map(Err));
    outcomes
}

fn refusals() -> Vec<Refusal> {
    use Refusal::*;
    let why = || "is odd".to_owned();
    vec![
        Banned { reason: why(), until: None },
        EmptyText,
        HandleTaken,
        IdentityTaken,
        Internal { why: "disk full".into() },
        InvalidHandle { why: why() },
        InvalidIdentity { why: why() },
        InvalidRoomName { why: why() },
        KeyReused,
        Muted { until: None },
        NotAllowed,
        NotInRoom,
        NotSignedIn,
        Overloaded,
        OwnerStays,
        QuotaExceeded { what: "rooms".into(), max: 10 },
        RoomFull,
        RoomNameTaken,
        RoomNotPublic { room: core_model::RoomId(7), why: why() },
        SelfAddressed,
        SlowDown { retry_after_ms: 100 },
        TextTooLong { chars_max: 10 },
        TokenInvalid,
        TooFewMembers,
        TooLong { what: "description".into(), limit: "500 characters".into() },
        UnknownRoom,
        UnknownUser,
        WrongPassword,
    ]
}

#[test]
fn noise_is_harmless() {
    assert_noise_is_harmless(&IrcFrontend::default(), 2_000);
}

#[test]
fn every_command_takes_every_answer_and_no_internal_reason_reaches_the_client() {
    for begin in [Conversation::begin, Conversation::of_guest, Conversation::of_account] {
        for line in lines() {
            for outcome in outcomes() {
                let mut conversation = begin();
                conversation.send(&line);
                conversation.answer_all(&outcome);
                assert!(!conversation.received.concat().contains("disk full"), "{line}");
                // The session goes on.
                if !conversation.over {
                    conversation.received.clear();
                    conversation.send("PING :still there?");
                    conversation.answer_all(&Ok(Reply::Done));
                    assert_eq!(
                        conversation.received,
                        [":irc.localhost PONG irc.localhost :still there?"]
                    );
                }
            }
        }
    }
}

#[test]
fn every_refusal_of_every_kind_of_request_is_one_numeric() {
    let mut table = String::new();
    for refusal in refusals() {
        table.push_str(&format!("{refusal:?}\n"));
        let requests = ["PART #tea", "PRIVMSG #tea :hi", "PRIVMSG bob :hi", "TOPIC #tea :hot"];
        for request in requests {
            // The engine has direct messages of accounts alone.
            let mut conversation = match request {
                "PRIVMSG bob :hi" => Conversation::of_account(),
                _ => Conversation::of_guest(),
            };
            conversation.send(request);
            conversation.answer(&Err(refusal.clone()));
            assert_eq!(conversation.received.len(), 1, "{request}: {:?}", conversation.received);
            table.push_str(&format!("    {request} → {}\n", conversation.received[0]));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_notice_is_never_answered() {
    for refusal in refusals() {
        let mut conversation = Conversation::of_guest();
        for line in ["NOTICE #tea :x", "NOTICE bob :x", "NOTICE a@b :x", "NOTICE", "NOTICE #tea"] {
            conversation.send(line);
        }
        conversation.answer_all(&Err(refusal));
        assert_eq!(conversation.received, [""; 0]);
    }
}

#[test]
fn pipelining_changes_no_reply() {
    let received = |pipelined: bool| {
        let mut conversation = Conversation::of_guest();
        for line in lines().iter().filter(|line| !line.starts_with("NICK")) {
            conversation.send(line);
            if !pipelined {
                conversation.answer_all(&Err(Refusal::NotInRoom));
            }
        }
        conversation.answer_all(&Err(Refusal::NotInRoom));
        conversation.received
    };
    assert!(received(false).len() > VERBS.len());
    assert_eq!(received(true), received(false));
}

#[test]
fn commands_during_a_sign_on_wait_and_keep_their_order() {
    let mut conversation = Conversation::begin();
    conversation.send("NICK ann");
    conversation.send("USER ann 0 * :Ann");
    for line in ["NICK yan", "PING 1", "NICK zed", "PING 2", "WHOWAS bob", "PING 3"] {
        conversation.send(line);
    }
    // ann and yan are accounts, zed is not.
    let taken = Ok(Reply::User { user: UserView { person: ann().into(), ..UserView::default() } });
    conversation.answer(&taken);
    while conversation.unanswered > 0 {
        let outcome =
            match conversation.received.iter().filter(|line| line.contains(" 433 ")).count() {
                1 => taken.clone(),
                _ => Err(Refusal::UnknownUser),
            };
        conversation.answer(&outcome);
    }
    let numbers = [" 433 * ann", " 433 * yan", "PONG irc.localhost :1", " 001 zed", " :2", " 406 "];
    let positions: Vec<usize> = numbers
        .map(|part| conversation.received.iter().position(|line| line.contains(part)).expect(part))
        .to_vec();
    assert!(positions.is_sorted(), "{positions:?} of {:#?}", conversation.received);
    assert!(conversation.received.last().unwrap().ends_with(" :3"));
}

#[test]
fn every_waiting_line_counts_as_an_unanswered_request() {
    // During a sign-on, and with an unanswered request.
    let deciding = || {
        let mut conversation = Conversation::begin();
        conversation.send("NICK zed");
        conversation.send("USER zed 0 * :Zed");
        conversation
    };
    let asking = || {
        let mut conversation = Conversation::of_guest();
        conversation.send("TOPIC #tea");
        conversation
    };
    for begin in [&deciding as &dyn Fn() -> Conversation, &asking] {
        for line in ["PING 1", "NONSENSE", "MOTD", "JOIN tea", "QUIT"] {
            let mut conversation = begin();
            for asked in 2..100 {
                conversation.send(line);
                assert_eq!(conversation.received, [""; 0]);
                if line != "QUIT" || asked == 2 {
                    assert!(conversation.unanswered >= asked, "{line} waits without being counted");
                }
            }
        }
    }
}

#[test]
fn a_line_over_the_limit_of_the_protocol_is_an_error_and_not_executed() {
    let mut conversation = Conversation::of_guest();
    conversation.send(&format!("PRIVMSG #tea :{}", "x".repeat(496)));
    assert_eq!((conversation.unanswered, conversation.received.len()), (1, 0));
    conversation.answer(&Ok(Reply::Posted { message: posted("x") }));
    for long in [
        format!("PRIVMSG #tea :{}", "x".repeat(497)),
        format!("@{} PING 1", "x".repeat(4095)),
        "x".repeat(1 << 20),
    ] {
        conversation.send(&long);
        conversation.answer_all(&Ok(Reply::Done));
        assert_eq!(
            conversation.received.pop().unwrap(),
            ":irc.localhost 417 zed :The line is too long"
        );
    }
    assert_eq!(conversation.unanswered, 0);
}

#[test]
fn a_sasl_response_is_joined_from_lines_and_bounded() {
    let whole = "x".repeat(400);
    let mut conversation = Conversation::begin();
    conversation.send("AUTHENTICATE PLAIN");
    for _ in 0..30 {
        conversation.send(&format!("AUTHENTICATE {whole}"));
    }
    assert_eq!(conversation.received.len(), 1);
    conversation.send(&format!("AUTHENTICATE {whole}"));
    assert!(conversation.received[1].contains(" 905 * "), "{:?}", conversation.received);
    // A new response: one that fills its last line, and ones that do not.
    let base64 = |bytes: usize| {
        let response = format!("\0ann\0{}", "x".repeat(bytes - 5));
        data_encoding::BASE64.encode(response.as_bytes())
    };
    for (bytes, last) in [(300, "+"), (600, "+"), (301, "eA=="), (302, "eHg=")] {
        conversation.send("AUTHENTICATE PLAIN");
        for line in base64(bytes).as_bytes().chunks(400).filter(|line| line.len() == 400) {
            conversation.send(&format!("AUTHENTICATE {}", std::str::from_utf8(line).unwrap()));
        }
        assert_eq!(conversation.unanswered, 0);
        conversation.send(&format!("AUTHENTICATE {last}"));
        assert_eq!(conversation.unanswered, 1, "{bytes}");
        conversation.answer(&Err(Refusal::Overloaded));
    }
}

#[test]
fn no_line_exceeds_the_limit_of_the_protocol_and_no_text_becomes_a_command() {
    let texts = [
        "x".repeat(5_000),
        "茶".repeat(5_000),
        "a\r\nQUIT\r\n".into(),
        "\0\0".into(),
        "\x01DCC SEND\x01".into(),
        "/me ".into(),
        format!("/me {}", "茶".repeat(500)),
        "\n".repeat(16_384),
        "a\n".repeat(8_192),
        " ".into(),
    ];
    for mut conversation in [Conversation::of_guest(), Conversation::of_account()] {
        for text in &texts {
            conversation.feed(Input::Event(&recorded(Event::Posted { message: posted(text) })));
            assert!(!conversation.received.is_empty(), "{text:?} was not sent");
            for line in conversation.received.drain(..) {
                let (tags, line) = match line.strip_prefix('@') {
                    Some(line) => line.split_once(' ').unwrap(),
                    None => ("", line.as_str()),
                };
                assert!(tags.len() < 4_096 && line.len() <= 510, "{} bytes", line.len());
                let head = ":yan!guest@irc.localhost PRIVMSG #tea :";
                let received = line.strip_prefix(head).unwrap_or_else(|| panic!("{line}"));
                assert!(
                    !received.starts_with('\x01') || received.starts_with("\x01ACTION "),
                    "{received:?}"
                );
            }
        }
    }
}

#[test]
fn no_part_of_a_text_is_lost() {
    for text in ["x".repeat(5_000), "茶".repeat(5_000), format!("a{}", "茶".repeat(5_000))] {
        let mut conversation = Conversation::of_guest();
        conversation.feed(Input::Event(&recorded(Event::Posted { message: posted(&text) })));
        let pieces = conversation.received.iter().map(|line| line.split_once(" :").unwrap().1);
        assert_eq!(pieces.collect::<String>(), text);
    }
}

#[test]
fn the_longest_names_leave_room_for_a_text() {
    let long = "𠮷".repeat(64);
    let name = format!("guest:{long}");
    let room = RoomTag { id: RoomId(7), name: long.as_str().into(), closed: false };
    let mut conversation = Conversation::of_guest();
    let author = Person { handle: name, name: long, ..Person::default() }.into();
    let message = Message { author, to: Recipient::Room(room), ..posted(&"x".repeat(640)) };
    conversation.feed(Input::Event(&recorded(Event::Posted { message })));
    assert_eq!(conversation.received.len(), 10);
}

#[test]
fn the_number_of_channels_of_a_client_is_bounded() {
    let mut conversation = Conversation::of_guest();
    let rooms: Vec<String> = (0..120).map(|nth| format!("#{nth}")).collect();
    conversation.send(&format!("JOIN {}", rooms.join(",")));
    // The client is in one channel already. Each join takes two requests.
    let refused = conversation.unanswered - 99 * 2;
    assert_eq!(refused, 21);
    conversation.answer_all(&Err(Refusal::UnknownRoom));
    assert_eq!(conversation.received.iter().filter(|line| line.contains(" 405 ")).count(), 21);
}
