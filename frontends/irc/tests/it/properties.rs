//! What holds of every conversation in this dialect, whatever is said.

use core_model::{
    ConnectionId, Event, Message, MessageId, Outcome, Person, Recipient, Recorded, Refusal, Reply,
    RoomId, RoomTag, RoomView, Seq, Timestamp, Uid, UserView,
};
use frontend_api::{Frontend, Input, Outbox, Output, Peer, Session};
use frontend_irc::{IrcFrontend, VERBS};
use frontend_testkit::assert_noise_is_harmless;

/// A conversation with one session, in which the engine answers when it is told to.
struct Talk {
    session: Box<dyn Session>,
    /// What the session asked for and has not been answered.
    asked: usize,
    said: Vec<String>,
    over: bool,
}

impl Talk {
    fn begin() -> Self {
        let session = IrcFrontend::default().open(&Peer::default());
        let mut talk = Self { session, asked: 0, said: Vec::new(), over: false };
        talk.feed(Input::Opened);
        talk
    }

    /// With a guest, in #tea.
    fn of_guest() -> Self {
        let mut talk = Self::begin();
        talk.hear("NICK zed");
        talk.hear("USER zed 0 * :Zed");
        talk.answer(&Err(Refusal::UnknownUser));
        talk.join();
        talk
    }

    /// With an account, in #tea.
    fn of_account() -> Self {
        let mut talk = Self::begin();
        talk.hear("CAP REQ :echo-message server-time message-tags account-tag extended-join");
        talk.hear("PASS tea");
        talk.hear("NICK ann");
        talk.hear("USER ann 0 * :Ann");
        talk.hear("CAP END");
        talk.answer(&signed_in());
        talk.join();
        talk
    }

    fn join(&mut self) {
        self.hear("JOIN #tea");
        self.answer(&Err(Refusal::RoomNameTaken));
        self.answer(&entered());
        self.answer_all(&Err(Refusal::Overloaded));
        self.said.clear();
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Outbox::default();
        self.session.handle(Timestamp(1_700_000_000_000), input, &mut out);
        for output in out.drain() {
            assert!(!self.over, "after the end came {output:?}");
            match output {
                Output::Submit { .. } | Output::Query { .. } => self.asked += 1,
                Output::SendText(line) => {
                    let text = line.strip_suffix('\r').expect("a line ends with a return");
                    assert!(!text.contains(['\r', '\n', '\0']), "{text:?} is several lines");
                    self.said.push(text.into());
                }
                Output::Close => self.over = true,
                Output::SetEventFilter(_) | Output::WakeAt(_) => (),
                Output::Respond(_) | Output::SendBytes(_) => panic!("not in lines: {output:?}"),
            }
        }
    }

    fn hear(&mut self, line: &str) {
        self.feed(Input::Text(line));
    }

    fn answer(&mut self, outcome: &Outcome) {
        self.asked -= 1;
        self.feed(Input::Answer(outcome));
    }

    fn answer_all(&mut self, outcome: &Outcome) {
        while self.asked > 0 && !self.over {
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
    Ok(Reply::SignedIn { user, token, rooms, backlog, skipped })
}

fn room() -> RoomView {
    let description = format!("hot\r\nwater {}", "茶".repeat(300));
    RoomView { id: RoomId(7), name: "tea".into(), description, ..RoomView::default() }
}

fn entered() -> Outcome {
    Ok(Reply::Entered { room: room(), user: ann().into(), again: false })
}

fn posted(text: &str) -> Message {
    Message {
        id: MessageId(50),
        at: Timestamp(1_700_000_000_000),
        author: Person { handle: "guest:yan".into(), name: "yan".into(), ..Person::default() }
            .into(),
        to: Recipient::Room(room().tag()),
        text: text.into(),
    }
}

fn recorded(event: Event) -> Recorded {
    Recorded { seq: Seq(1), at: Timestamp(0), cause: ConnectionId(9), event }
}

/// A line with each verb, with parameters that make sense.
fn lines() -> Vec<String> {
    let params = |name: &str| match name {
        "AUTHENTICATE" => "PLAIN",
        "CAP" => "LS 302",
        "USER" => "zed 0 * :Zed",
        "PRIVMSG" | "NOTICE" => "#tea,bob :hello",
        "CHATHISTORY" => "LATEST #tea * 10",
        "WHO" | "WHOIS" => "bob",
        "NICK" => "yan",
        "MODE" | "TOPIC" | "NAMES" | "PART" | "LIST" | "JOIN" => "#tea",
        _ => "x",
    };
    let verbs = VERBS.iter().filter(|verb| verb.name != "QUIT");
    verbs.map(|verb| format!("{} {}", verb.name, params(verb.name))).collect()
}

/// Answers that make sense to something.
fn outcomes() -> Vec<Outcome> {
    let user = UserView { person: ann().into(), ..UserView::default() };
    let mut outcomes = vec![
        Ok(Reply::Done),
        entered(),
        signed_in(),
        Ok(Reply::Members { members: vec![ann().into(); 300] }),
        Ok(Reply::Messages { messages: vec![posted("one\ntwo").into(); 3] }),
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
        EmptyText,
        HandleTaken,
        IdentityTaken,
        Internal { why: "disk full".into() },
        InvalidHandle { why: why() },
        InvalidIdentity { why: why() },
        InvalidRoomName { why: why() },
        KeyReused,
        NotAllowed,
        NotInRoom,
        NotSignedIn,
        Overloaded,
        OwnerStays,
        RoomFull,
        RoomNameTaken,
        SelfAddressed,
        SlowDown { retry_after_ms: 100 },
        TextTooLong { chars_max: 10 },
        TokenInvalid,
        TooFewMembers,
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
fn no_answer_to_any_command_is_too_much_and_nobody_is_told_of_the_inside() {
    for begin in [Talk::begin, Talk::of_guest, Talk::of_account] {
        for line in lines() {
            for outcome in outcomes() {
                let mut talk = begin();
                talk.hear(&line);
                talk.answer_all(&outcome);
                assert!(!talk.said.concat().contains("disk full"), "{line}");
                // The session goes on.
                if !talk.over {
                    talk.said.clear();
                    talk.hear("PING :still there?");
                    assert_eq!(talk.said, [":irc.localhost PONG irc.localhost :still there?"]);
                }
            }
        }
    }
}

#[test]
fn every_refusal_is_one_complaint_about_every_errand() {
    let mut table = String::new();
    for refusal in refusals() {
        table.push_str(&format!("{refusal:?}\n"));
        let errands = ["PART #tea", "PRIVMSG #tea :hi", "PRIVMSG bob :hi", "TOPIC #tea :hot"];
        for errand in errands {
            let mut talk = Talk::of_guest();
            talk.hear(errand);
            talk.answer(&Err(refusal.clone()));
            assert_eq!(talk.said.len(), 1, "{errand}: {:?}", talk.said);
            table.push_str(&format!("    {errand} → {}\n", talk.said[0]));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_notice_is_never_answered() {
    for refusal in refusals() {
        let mut talk = Talk::of_guest();
        for line in ["NOTICE #tea :x", "NOTICE bob :x", "NOTICE a@b :x", "NOTICE", "NOTICE #tea"] {
            talk.hear(line);
        }
        talk.answer_all(&Err(refusal));
        assert_eq!(talk.said, [""; 0]);
    }
}

#[test]
fn pipelining_changes_no_reply() {
    let said = |pipelined: bool| {
        let mut talk = Talk::of_guest();
        for line in lines().iter().filter(|line| !line.starts_with("NICK")) {
            talk.hear(line);
            if !pipelined {
                talk.answer_all(&Err(Refusal::NotInRoom));
            }
        }
        talk.answer_all(&Err(Refusal::NotInRoom));
        talk.said
    };
    assert!(said(false).len() > VERBS.len());
    assert_eq!(said(true), said(false));
}

#[test]
fn commands_wait_while_it_is_decided_who_they_come_from_and_keep_their_order() {
    let mut talk = Talk::begin();
    talk.hear("NICK ann");
    talk.hear("USER ann 0 * :Ann");
    for line in ["NICK yan", "PING 1", "NICK zed", "PING 2", "WHOWAS bob", "PING 3"] {
        talk.hear(line);
    }
    // ann is an account; so is yan; zed is not.
    let taken = Ok(Reply::User { user: UserView { person: ann().into(), ..UserView::default() } });
    talk.answer(&taken);
    while talk.asked > 0 {
        let outcome = match talk.said.iter().filter(|line| line.contains(" 433 ")).count() {
            1 => taken.clone(),
            _ => Err(Refusal::UnknownUser),
        };
        talk.answer(&outcome);
    }
    let numbers = [" 433 * ann", " 433 * yan", "PONG irc.localhost :1", " 001 zed", " :2", " 406 "];
    let told: Vec<usize> = numbers
        .map(|part| talk.said.iter().position(|line| line.contains(part)).expect(part))
        .to_vec();
    assert!(told.is_sorted(), "{told:?} of {:#?}", talk.said);
    assert!(talk.said.last().unwrap().ends_with(" :3"));
}

#[test]
fn whatever_waits_is_something_that_the_host_counts() {
    // While it is decided who the peer is, and while anything is unanswered.
    let deciding = || {
        let mut talk = Talk::begin();
        talk.hear("NICK zed");
        talk.hear("USER zed 0 * :Zed");
        talk
    };
    let asking = || {
        let mut talk = Talk::of_guest();
        talk.hear("TOPIC #tea");
        talk
    };
    for begin in [&deciding as &dyn Fn() -> Talk, &asking] {
        for line in ["PING 1", "NONSENSE", "MOTD", "JOIN tea", "QUIT"] {
            let mut talk = begin();
            for asked in 2..100 {
                talk.hear(line);
                assert_eq!(talk.said, [""; 0]);
                if line != "QUIT" || asked == 2 {
                    assert!(talk.asked >= asked, "{line} waits uncounted");
                }
            }
        }
    }
}

#[test]
fn a_line_longer_than_the_protocol_allows_is_complained_of_and_not_carried_out() {
    let mut talk = Talk::of_guest();
    talk.hear(&format!("PRIVMSG #tea :{}", "x".repeat(496)));
    assert_eq!((talk.asked, talk.said.len()), (1, 0));
    talk.answer(&Ok(Reply::Posted { message: posted("x") }));
    for long in [
        format!("PRIVMSG #tea :{}", "x".repeat(497)),
        format!("@{} PING 1", "x".repeat(4095)),
        "x".repeat(1 << 20),
    ] {
        talk.hear(&long);
        assert_eq!(talk.said.pop().unwrap(), ":irc.localhost 417 zed :The line is too long");
    }
    assert_eq!(talk.asked, 0);
}

#[test]
fn a_response_is_put_together_from_lines_and_bounded() {
    let whole = "x".repeat(400);
    let mut talk = Talk::begin();
    talk.hear("AUTHENTICATE PLAIN");
    for _ in 0..20 {
        talk.hear(&format!("AUTHENTICATE {whole}"));
    }
    assert_eq!(talk.said.len(), 1);
    talk.hear(&format!("AUTHENTICATE {whole}"));
    assert!(talk.said[1].contains(" 905 * "), "{:?}", talk.said);
    // It has begun anew: one that ends with a whole line, and one that does not.
    let base64 = |bytes: usize| {
        let response = format!("\0ann\0{}", "x".repeat(bytes - 5));
        data_encoding::BASE64.encode(response.as_bytes())
    };
    for (bytes, last) in [(300, "+"), (600, "+"), (301, "eA=="), (302, "eHg=")] {
        talk.hear("AUTHENTICATE PLAIN");
        for line in base64(bytes).as_bytes().chunks(400).filter(|line| line.len() == 400) {
            talk.hear(&format!("AUTHENTICATE {}", std::str::from_utf8(line).unwrap()));
        }
        assert_eq!(talk.asked, 0);
        talk.hear(&format!("AUTHENTICATE {last}"));
        assert_eq!(talk.asked, 1, "{bytes}");
        talk.answer(&Err(Refusal::Overloaded));
    }
}

#[test]
fn no_line_is_longer_than_the_protocol_allows_and_no_text_becomes_a_command() {
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
    for mut talk in [Talk::of_guest(), Talk::of_account()] {
        for text in &texts {
            talk.feed(Input::Event(&recorded(Event::Posted { message: posted(text) })));
            assert!(!talk.said.is_empty(), "{text:?} is not told of");
            for line in talk.said.drain(..) {
                let (tags, line) = match line.strip_prefix('@') {
                    Some(line) => line.split_once(' ').unwrap(),
                    None => ("", line.as_str()),
                };
                assert!(tags.len() < 4_096 && line.len() <= 510, "{} bytes", line.len());
                let head = ":yan!guest@irc.localhost PRIVMSG #tea :";
                let said = line.strip_prefix(head).unwrap_or_else(|| panic!("{line}"));
                assert!(!said.starts_with('\x01') || said.starts_with("\x01ACTION "), "{said:?}");
            }
        }
    }
}

#[test]
fn nothing_of_a_text_is_lost() {
    for text in ["x".repeat(5_000), "茶".repeat(5_000), format!("a{}", "茶".repeat(5_000))] {
        let mut talk = Talk::of_guest();
        talk.feed(Input::Event(&recorded(Event::Posted { message: posted(&text) })));
        let pieces = talk.said.iter().map(|line| line.split_once(" :").unwrap().1);
        assert_eq!(pieces.collect::<String>(), text);
    }
}

#[test]
fn the_longest_names_leave_room_for_a_text() {
    let long = "𠮷".repeat(64);
    let name = format!("guest:{long}");
    let room = RoomTag { id: RoomId(7), name: long.as_str().into() };
    let mut talk = Talk::of_guest();
    let author = Person { handle: name, name: long, ..Person::default() }.into();
    let message = Message { author, to: Recipient::Room(room), ..posted(&"x".repeat(640)) };
    talk.feed(Input::Event(&recorded(Event::Posted { message })));
    assert_eq!(talk.said.len(), 10);
}

#[test]
fn a_client_is_in_a_bounded_number_of_channels() {
    let mut talk = Talk::of_guest();
    for nth in 0..200 {
        talk.hear(&format!("JOIN #room-{nth}"));
    }
    // One is taken, and each join is four things to ask for without a history.
    let refused = talk.asked - 99 * 3;
    assert_eq!(refused, 101);
    talk.answer_all(&Err(Refusal::UnknownRoom));
    assert_eq!(talk.said.iter().filter(|line| line.contains(" 405 ")).count(), 101);
}
