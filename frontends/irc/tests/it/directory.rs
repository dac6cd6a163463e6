//! What the sessions of one front end know of each other.

use std::collections::VecDeque;

use core_model::{Person, Query, Refusal, Reply, Timestamp, Uid, UserView};
use frontend_api::{Frontend, Input, Outbox, Output, Peer, Session};
use frontend_irc::IrcFrontend;

/// A client of a front end. Each test plays the engine, but for the turns that the session waits
/// for: these come as soon as everything before them is answered.
struct Client {
    session: Box<dyn Session>,
    /// Whether each unanswered request only waits for its turn, the oldest first.
    waits: VecDeque<bool>,
}

impl Client {
    fn open(frontend: &IrcFrontend) -> Self {
        let mut client = Self { session: frontend.open(&Peer::default()), waits: VecDeque::new() };
        client.feed(Input::Opened);
        client
    }

    fn guest(frontend: &IrcFrontend, nick: &str) -> (Self, Vec<String>) {
        let mut client = Self::open(frontend);
        client.send(&format!("NICK {nick}"));
        client.send(&format!("USER {nick} 0 * :Real {nick}"));
        let lines = client.feed(Input::Answer(&Err(Refusal::UnknownUser)));
        (client, lines)
    }

    fn account(frontend: &IrcFrontend, nick: &str, uid: u64) -> Self {
        let mut client = Self::open(frontend);
        client.send("PASS tea");
        client.send(&format!("NICK {nick}"));
        client.send(&format!("USER {nick} 0 * :Real {nick}"));
        client.feed(Input::Answer(&Ok(Reply::SignedIn {
            user: user(nick, uid),
            token: None,
            rooms: Vec::new(),
            backlog: Vec::new(),
            cursor: None,
            skipped: Vec::new(),
        })));
        client
    }

    fn feed(&mut self, input: Input<'_>) -> Vec<String> {
        if matches!(input, Input::Answer(_)) {
            assert_eq!(self.waits.pop_front(), Some(false), "an answer to nothing");
        }
        let mut lines = self.handle(input);
        while self.waits.front() == Some(&true) {
            self.waits.pop_front();
            lines.extend(self.handle(Input::Answer(&Ok(Reply::Done))));
        }
        lines
    }

    fn handle(&mut self, input: Input<'_>) -> Vec<String> {
        let mut out = Outbox::default();
        self.session.handle(Timestamp(1_700_000_000_000), input, &mut out);
        let mut lines = Vec::new();
        for output in out.drain() {
            match output {
                Output::SendText(line) => lines.push(line.trim_end().to_owned()),
                Output::Submit { .. } => self.waits.push_back(false),
                Output::Query { query } => self.waits.push_back(*query == Query::LastChange),
                _ => (),
            }
        }
        lines
    }

    fn send(&mut self, line: &str) -> Vec<String> {
        self.feed(Input::Text(line))
    }
}

fn user(nick: &str, uid: u64) -> UserView {
    let person =
        Person { uid: Some(Uid(uid)), handle: nick.into(), name: nick.into(), ..Person::default() };
    UserView { person: person.into(), online: true, ..UserView::default() }
}

#[test]
fn a_nick_that_another_guest_has_is_in_use_in_either_case() {
    let frontend = IrcFrontend::default();
    let (mut zed, _) = Client::guest(&frontend, "zed");
    let (mut other, lines) = Client::guest(&frontend, "Zed");
    assert_eq!(lines, [":irc.localhost 433 * Zed :Nickname is already in use"]);
    // The client tries another nick, then takes the one that has become free.
    other.send("NICK Zed_");
    let lines = other.feed(Input::Answer(&Err(Refusal::UnknownUser)));
    assert!(lines[0].contains(" 001 Zed_ "), "{lines:?}");
    zed.feed(Input::Closed);
    other.send("NICK Zed");
    let lines = other.feed(Input::Answer(&Err(Refusal::UnknownUser)));
    assert_eq!(lines, [":Zed_!guest@irc.localhost NICK Zed"]);
}

#[test]
fn a_nick_that_resembles_an_account_is_in_use() {
    let frontend = IrcFrontend::default();
    let mut client = Client::open(&frontend);
    client.send("NICK B\u{43e}b");
    client.send("USER x 0 * :x");
    let lines = client.feed(Input::Answer(&Err(Refusal::NotSignedIn)));
    assert!(lines[0].contains(" 433 * "), "{lines:?}");
}

#[test]
fn away_is_shown_to_those_who_ask_and_to_those_who_write() {
    let frontend = IrcFrontend::default();
    let mut ann = Client::account(&frontend, "ann", 10_001);
    let mut bob = Client::account(&frontend, "bob", 10_002);
    bob.send("AWAY :at lunch");
    let known = Ok(Reply::User { user: user("bob", 10_002) });
    ann.send("WHO BOB");
    assert_eq!(
        ann.feed(Input::Answer(&known))[0],
        ":irc.localhost 352 ann * 10002 irc.localhost irc.localhost bob G :0 Real bob"
    );
    ann.send("WHOIS bob");
    let lines = ann.feed(Input::Answer(&known));
    assert!(lines.contains(&":irc.localhost 301 ann bob :at lunch".into()), "{lines:?}");
    assert_eq!(ann.send("USERHOST bob"), [":irc.localhost 302 ann :bob=-10002@irc.localhost"]);
    let message = core_model::Message {
        id: core_model::MessageId(1),
        at: Timestamp(0),
        author: user("ann", 10_001).person,
        to: core_model::Recipient::User(user("bob", 10_002).person),
        text: "hi".into(),
        notice: false,
    };
    let posted = Ok(Reply::Posted { message });
    ann.send("PRIVMSG bob :hi");
    assert_eq!(ann.feed(Input::Answer(&posted)), [":irc.localhost 301 ann bob :at lunch"]);
    // A notice is not answered.
    ann.send("NOTICE bob :hi");
    assert_eq!(ann.feed(Input::Answer(&posted)), [""; 0]);
    bob.send("AWAY");
    ann.send("PRIVMSG bob :hi");
    assert_eq!(ann.feed(Input::Answer(&posted)), [""; 0]);
}

#[test]
fn guests_are_found_with_their_real_names_and_remembered_after_they_leave() {
    let frontend = IrcFrontend::default();
    let (mut zed, _) = Client::guest(&frontend, "zed");
    let (mut yan, _) = Client::guest(&frontend, "yan");
    let lines = zed.send("WHOIS yan");
    assert_eq!(lines[0], ":irc.localhost 311 zed yan guest irc.localhost * :Real yan");
    assert_eq!(zed.send("ISON YAN"), [":irc.localhost 303 zed :yan"]);
    assert!(
        zed.send("LUSERS")[0].ends_with(" 251 zed :There are 0 users and 2 invisible on 1 servers")
    );
    yan.send("QUIT");
    zed.send("ISON yan");
    let lines = zed.feed(Input::Answer(&Err(Refusal::UnknownUser)));
    assert_eq!(lines, [":irc.localhost 303 zed :"]);
    let lines = zed.send("WHOWAS yan");
    assert_eq!(lines[0], ":irc.localhost 314 zed yan guest irc.localhost * :Real yan");
}
