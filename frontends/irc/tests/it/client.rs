//! Clients of one front end, whose sessions share what they know of each other.

use std::collections::VecDeque;

use core_model::{ConnectionId, Person, Query, Refusal, Reply, Timestamp, Uid, UserView};
use frontend_api::{Frontend, Input, Outbox, Output, Peer, Session};
use frontend_irc::IrcFrontend;

/// A client of a front end. Each test plays the engine, but for the turns that the session waits
/// for: these come as soon as everything before them is answered.
pub(crate) struct Client {
    session: Box<dyn Session>,
    /// Whether each unanswered request only waits for its turn, the oldest first.
    waits: VecDeque<bool>,
    /// The connections that the session has had woken.
    pub(crate) wakes: Vec<u64>,
    pub(crate) now: Timestamp,
}

impl Client {
    pub(crate) fn open(frontend: &IrcFrontend) -> Self {
        Self::open_as(frontend, 0)
    }

    pub(crate) fn open_as(frontend: &IrcFrontend, connection: u64) -> Self {
        let connection = Some(ConnectionId(connection));
        Self::open_for(frontend, &Peer { connection, ..Peer::default() })
    }

    pub(crate) fn open_for(frontend: &IrcFrontend, peer: &Peer) -> Self {
        let session = frontend.open(peer);
        let mut client = Self {
            session,
            waits: VecDeque::new(),
            wakes: Vec::new(),
            now: Timestamp(1_700_000_000_000),
        };
        client.feed(Input::Opened);
        client
    }

    pub(crate) fn guest(frontend: &IrcFrontend, nick: &str) -> (Self, Vec<String>) {
        Self::guest_as(frontend, nick, 0)
    }

    pub(crate) fn guest_as(
        frontend: &IrcFrontend,
        nick: &str,
        connection: u64,
    ) -> (Self, Vec<String>) {
        let mut client = Self::open_as(frontend, connection);
        client.send(&format!("NICK {nick}"));
        client.send(&format!("USER {nick} 0 * :Real {nick}"));
        let lines = client.feed(Input::Answer(&Err(Refusal::UnknownUser)));
        (client, lines)
    }

    pub(crate) fn account(frontend: &IrcFrontend, nick: &str, uid: u64) -> Self {
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
            gap: None,
            skipped: Vec::new(),
        })));
        client
    }

    pub(crate) fn feed(&mut self, input: Input<'_>) -> Vec<String> {
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

    /// What the host does for a session that another has woken.
    pub(crate) fn woken(&mut self) -> Vec<String> {
        self.feed(Input::Woken)
    }

    /// Sends a line whose only request to the engine looks the client itself up.
    pub(crate) fn send_counted(&mut self, line: &str) -> Vec<String> {
        let mut lines = self.send(line);
        lines.extend(self.feed(Input::Answer(&Err(Refusal::UnknownUser))));
        lines
    }

    fn handle(&mut self, input: Input<'_>) -> Vec<String> {
        let mut out = Outbox::default();
        self.session.handle(self.now, input, &mut out);
        let mut lines = Vec::new();
        for output in out.drain() {
            match output {
                Output::SendText(line) => lines.push(line.trim_end().to_owned()),
                Output::Wake(connection) => self.wakes.push(connection.0),
                Output::Submit { .. } => self.waits.push_back(false),
                Output::Query { query } => self.waits.push_back(*query == Query::LastChange),
                _ => (),
            }
        }
        lines
    }

    pub(crate) fn send(&mut self, line: &str) -> Vec<String> {
        self.feed(Input::Text(line))
    }
}

pub(crate) fn user(nick: &str, uid: u64) -> UserView {
    let person =
        Person { uid: Some(Uid(uid)), handle: nick.into(), name: nick.into(), ..Person::default() };
    UserView { person: person.into(), online: true, ..UserView::default() }
}
