//! One connection: lines in, lines out in the order in which they were asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use core_model::{
    Claim, ConnectionId, GUEST_PREFIX, MessageId, Outcome, Person, Query, Refusal, Reply, RoomId,
    Timestamp, Uid, UserRef,
};
use frontend_api::{Ending, EventFilter, Input, Outbox, Session};

use crate::Options;
use crate::caps::Caps;
use crate::encode::{Reader, Tags};
use crate::numeric::*;
use crate::parse::{self, Line, Message};
use crate::refusal::{self, Errand, Names};
use crate::sign_on::SignOn;

pub(crate) struct IrcSession {
    pub(crate) options: Arc<Options>,
    pub(crate) now: Timestamp,
    pub(crate) caps: Caps,
    /// What is known of the peer before it is somebody; none from then on.
    pub(crate) sign_on: Option<Box<SignOn>>,
    /// Who the peer is, once it is somebody.
    pub(crate) me: Arc<Person>,
    /// What the peer is called: `*` before it is somebody.
    pub(crate) nick: String,
    /// The channels that the client is in.
    pub(crate) rooms: BTreeMap<RoomId, Channel>,
    /// This connection, as the client's first entrance has told.
    pub(crate) connection: Option<ConnectionId>,
    /// The newest message that this connection has posted.
    pub(crate) own: Option<MessageId>,
    /// One for each answer that the host owes, in order. The host stops reading when it owes many,
    /// so this is bounded.
    owed: VecDeque<Owed>,
    /// Whether it is being decided who the peer is: what comes meanwhile waits, since it may rest
    /// on it.
    pub(crate) deciding: bool,
    /// Whether the join that was answered last led somewhere.
    pub(crate) joined: bool,
    /// How many batches have begun.
    pub(crate) batches: u64,
    /// When something last came from the peer.
    heard_at: Timestamp,
    /// Whether the peer has taken leave.
    leaving: bool,
    over: bool,
}

/// A channel that the client is in.
pub(crate) struct Channel {
    /// The room name.
    pub(crate) name: String,
    pub(crate) owner: Option<Uid>,
}

/// What is to be done when the next answer is there.
pub(crate) enum Owed {
    /// A line is heard that came while it was being decided who the peer is.
    Line(String),
    /// What was known before, but had to wait for its turn, is said.
    Say(Vec<String>),
    /// The connection ends.
    End(String),
    /// Nothing: if it matters how it went, what follows tells.
    Silence,

    // Who the peer is.
    Proof,
    SignOn,
    /// Whether a nick is free for a guest.
    Nick(String),

    // Channels.
    Join(String),
    Part(String),
    /// Who is in a room; whether it is told because of a join, which may have failed.
    Names {
        room: String,
        joining: bool,
    },
    Topic(String),
    TopicChange(String),
    Mode(String),
    List,
    ListOne,

    // People.
    WhoRoom(String),
    Who(String),
    Whois(String),

    // Messages.
    /// To a target; whether complaints about it are kept from the client.
    Post {
        verb: &'static str,
        target: String,
        errand: Errand,
        quiet: bool,
    },
    /// What was said in a room before the client joined it.
    Playback(String),
    History {
        target: String,
        slice: parse::Slice,
    },
}

/// A command of the protocol.
pub struct Verb {
    pub name: &'static str,
    /// How many parameters it has at least.
    params_min: usize,
    /// Whether it means anything before the peer is somebody.
    early: bool,
    act: fn(&mut IrcSession, &Message<'_>, &mut Outbox),
}

const fn early(
    name: &'static str,
    params_min: usize,
    act: fn(&mut IrcSession, &Message<'_>, &mut Outbox),
) -> Verb {
    Verb { name, params_min, early: true, act }
}

const fn verb(
    name: &'static str,
    params_min: usize,
    act: fn(&mut IrcSession, &Message<'_>, &mut Outbox),
) -> Verb {
    Verb { name, params_min, early: false, act }
}

/// All commands.
pub const VERBS: &[Verb] = &[
    // Who the peer is: sign_on.rs.
    early("AUTHENTICATE", 1, IrcSession::authenticate),
    early("CAP", 1, IrcSession::cap),
    early("NICK", 0, IrcSession::change_nick),
    early("PASS", 1, IrcSession::pass),
    early("USER", 4, IrcSession::user),
    // The connection and the server: server.rs.
    verb("LUSERS", 0, IrcSession::lusers),
    verb("MOTD", 0, IrcSession::motd),
    early("PING", 1, IrcSession::ping),
    early("PONG", 0, IrcSession::pong),
    early("QUIT", 0, IrcSession::quit),
    verb("TIME", 0, IrcSession::time),
    verb("VERSION", 0, IrcSession::version),
    // Channels: rooms.rs.
    verb("JOIN", 1, IrcSession::join),
    verb("LIST", 0, IrcSession::list),
    verb("MODE", 1, IrcSession::mode),
    verb("NAMES", 0, IrcSession::names),
    verb("PART", 1, IrcSession::part),
    verb("TOPIC", 1, IrcSession::topic),
    // People: people.rs.
    verb("AWAY", 0, IrcSession::away),
    verb("USERHOST", 1, IrcSession::userhost),
    verb("WHO", 0, IrcSession::who),
    verb("WHOIS", 0, IrcSession::whois),
    verb("WHOWAS", 0, IrcSession::whowas),
    // Messages: talk.rs and history.rs.
    verb("CHATHISTORY", 0, IrcSession::chathistory),
    verb("NOTICE", 0, IrcSession::notice),
    verb("PRIVMSG", 0, IrcSession::privmsg),
    verb("TAGMSG", 0, IrcSession::tagmsg),
];

impl Session for IrcSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        self.now = now;
        if self.over {
            return;
        }
        match input {
            Input::Opened => self.open(out),
            Input::Text(text) => {
                self.heard_at = now;
                self.hear(text, out);
            }
            Input::Binary(_) => {
                self.heard_at = now;
                self.reject_bytes(out);
            }
            Input::Answer(outcome) => self.answer(outcome, out),
            Input::Event(recorded) => self.event(recorded, out),
            Input::Woken => self.wake(out),
            Input::Ending(ending) => send(farewell(last_words(ending)), out),
            Input::Closed => self.over = true,
            Input::Request(_) | Input::Bytes(_) => (),
        }
    }
}

impl IrcSession {
    pub(crate) fn new(options: Arc<Options>) -> Self {
        Self {
            options,
            now: Timestamp::default(),
            caps: Caps::default(),
            sign_on: Some(Box::default()),
            me: Arc::default(),
            nick: "*".into(),
            rooms: BTreeMap::new(),
            connection: None,
            own: None,
            owed: VecDeque::new(),
            deciding: false,
            joined: false,
            batches: 0,
            heard_at: Timestamp::default(),
            leaving: false,
            over: false,
        }
    }

    fn open(&mut self, out: &mut Outbox) {
        out.set_event_filter(EventFilter { population: false, ..EventFilter::default() });
        if self.options.sign_on_timeout.0 > 0 {
            out.wake_at(self.now.plus_ms(self.options.sign_on_timeout.0));
        }
    }

    /// Takes in a line. One that comes while it is decided who the peer is waits as the answer to
    /// a question, so that the host's bound on unanswered ones covers it.
    fn hear(&mut self, text: &str, out: &mut Outbox) {
        match parse::line(text) {
            _ if self.leaving => (),
            Line::Empty => (),
            Line::TooLong => {
                let line = self.numeric(ERR_INPUTTOOLONG, &[], "The line is too long");
                self.say(vec![line], out);
            }
            Line::Message(_) if self.deciding => self.ask_later(Owed::Line(text.into()), out),
            Line::Message(message) => self.act(&message, out),
        }
    }

    fn act(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let signed_on = self.sign_on.is_none();
        let name = message.verb.as_str();
        let complaint = match VERBS.iter().find(|verb| verb.name == name) {
            None if signed_on => self.numeric(ERR_UNKNOWNCOMMAND, &[name], "Unknown command"),
            Some(verb) if verb.early || signed_on => {
                if message.given() >= verb.params_min {
                    return (verb.act)(self, message, out);
                }
                self.numeric(ERR_NEEDMOREPARAMS, &[name], "Not enough parameters")
            }
            _ => self.numeric(ERR_NOTREGISTERED, &[], "You have not registered"),
        };
        self.say(vec![complaint], out);
    }

    fn reject_bytes(&mut self, out: &mut Outbox) {
        let line = self.fail("*", "INVALID_UTF8", &[], "A line is UTF-8, and this one was not");
        self.say(vec![line], out);
    }

    /// Says what needs no answer, when its turn has come.
    pub(crate) fn say(&mut self, lines: Vec<String>, out: &mut Outbox) {
        if self.owed.is_empty() {
            lines.into_iter().for_each(|line| send(line, out));
        } else if !lines.is_empty() {
            self.ask_later(Owed::Say(lines), out);
        }
    }

    /// Says goodbye when its turn has come; nothing more is heard.
    pub(crate) fn end(&mut self, why: &str, out: &mut Outbox) {
        self.leaving = true;
        if self.owed.is_empty() {
            self.end_now(why, out);
        } else {
            self.ask_later(Owed::End(why.into()), out);
        }
    }

    fn end_now(&mut self, why: &str, out: &mut Outbox) {
        send(farewell(why), out);
        out.close();
        self.over = true;
    }

    /// What is owed needs no answer, only its turn.
    fn ask_later(&mut self, owed: Owed, out: &mut Outbox) {
        self.ask(Query::LastChange, owed, out);
    }

    pub(crate) fn ask(&mut self, query: Query, owed: Owed, out: &mut Outbox) {
        out.query(query);
        self.owed.push_back(owed);
    }

    pub(crate) fn owe(&mut self, owed: Owed) {
        self.owed.push_back(owed);
    }

    /// How many joins are not answered yet.
    pub(crate) fn joins_owed(&self) -> usize {
        self.owed.iter().filter(|owed| matches!(owed, Owed::Join(_))).count()
    }

    fn answer(&mut self, outcome: &Outcome, out: &mut Outbox) {
        let Some(owed) = self.owed.pop_front() else { return };
        match owed {
            Owed::Line(text) => self.hear(&text, out),
            Owed::Say(lines) => lines.into_iter().for_each(|line| send(line, out)),
            Owed::End(why) => self.end_now(&why, out),
            Owed::Silence => (),
            Owed::Proof => self.proved(outcome, out),
            Owed::SignOn => self.signed_on(outcome, out),
            Owed::Nick(name) => self.nick_looked_up(name, outcome, out),
            Owed::Join(room) => self.entered(&room, outcome, out),
            Owed::Part(room) => self.parted(&room, outcome, out),
            Owed::Names { room, joining } => self.named(&room, joining, outcome, out),
            Owed::Topic(room) => self.topic_told(&room, outcome, out),
            Owed::TopicChange(room) => self.topic_changed(&room, outcome, out),
            Owed::Mode(room) => self.mode_told(&room, outcome, out),
            Owed::List => self.listed(outcome, out),
            Owed::ListOne => self.listed_one(outcome, out),
            Owed::WhoRoom(room) => self.who_room_told(&room, outcome, out),
            Owed::Who(mask) => self.who_told(&mask, outcome, out),
            Owed::Whois(nick) => self.whois_told(&nick, outcome, out),
            Owed::Post { verb, target, errand, quiet } => {
                self.posted(verb, &target, errand, quiet, outcome, out);
            }
            Owed::Playback(room) => self.played_back(&room, outcome, out),
            Owed::History { target, slice } => self.history_told(&target, slice, outcome, out),
        }
    }

    // The alarm.

    fn wake(&mut self, out: &mut Outbox) {
        if self.sign_on.is_some() {
            return self.end_now("it took too long to sign on", out);
        }
        let patience = self.options.keepalive.0;
        let silent = self.now.0.saturating_sub(self.heard_at.0);
        if patience == 0 {
        } else if silent >= patience.saturating_mul(2) {
            self.end_now("ping timeout", out);
        } else if silent >= patience {
            send(format!("PING {}", self.options.server_name), out);
            out.wake_at(self.heard_at.plus_ms(patience.saturating_mul(2)));
        } else {
            out.wake_at(self.heard_at.plus_ms(patience));
        }
    }

    /// Begins to listen for whether the peer is still there.
    pub(crate) fn watch_over(&self, out: &mut Outbox) {
        if self.options.keepalive.0 > 0 {
            out.wake_at(self.now.plus_ms(self.options.keepalive.0));
        }
    }

    // Who the peer is.

    /// The peer as the one who acts.
    pub(crate) fn actor(&self) -> UserRef {
        match self.me.guest_name() {
            None => UserRef::Session,
            Some(name) => UserRef::Claim(Claim {
                name: name.into(),
                token: None,
                address: None,
                guests: true,
            }),
        }
    }

    /// The peer as the one who asks: a guest is nobody in particular.
    pub(crate) fn asker(&self) -> Option<UserRef> {
        self.me.uid.map(|_| UserRef::Session)
    }

    pub(crate) fn is_me(&self, person: &Person) -> bool {
        person.handle == self.me.handle
    }

    pub(crate) fn channel(&self, room: &str) -> Option<(RoomId, &Channel)> {
        let mut rooms = self.rooms.iter();
        rooms.find(|(_, channel)| channel.name == room).map(|(id, channel)| (*id, channel))
    }

    // Lines.

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { server: &self.options.server_name, caps: self.caps }
    }

    pub(crate) fn numeric(&self, numeric: Numeric, params: &[&str], text: &str) -> String {
        self.reader().numeric(numeric, &self.nick, params, Some(text))
    }

    /// A numeric of which nothing is said last.
    pub(crate) fn bare(&self, numeric: Numeric, params: &[&str]) -> String {
        self.reader().numeric(numeric, &self.nick, params, None)
    }

    /// A line from the peer itself.
    pub(crate) fn my_line(&self, rest: &str) -> String {
        self.line_by(&self.me, rest)
    }

    /// A line from somebody, now.
    pub(crate) fn line_by(&self, by: &Person, rest: &str) -> String {
        self.reader().line_by(Tags { at: self.now, by, id: None, batch: None }, rest)
    }

    /// A standard reply: IRCv3 standard replies.
    pub(crate) fn fail(&self, verb: &str, code: &str, about: &[&str], text: &str) -> String {
        let mut head = format!(":{} FAIL {verb} {code}", self.options.server_name);
        for about in about.iter().filter(|about| !about.is_empty() && !about.contains(' ')) {
            head.push(' ');
            head.push_str(about.trim_start_matches(':'));
        }
        crate::encode::trailing(head, text)
    }

    pub(crate) fn complaint(
        &self,
        errand: Errand,
        verb: &str,
        target: &str,
        refusal: &Refusal,
    ) -> String {
        let complaint = refusal::complaint(errand, refusal);
        let about: &[&str] = match complaint.names {
            Names::Nothing => &[],
            Names::Verb => &[verb],
            Names::Target => &[target],
        };
        self.numeric(complaint.numeric, about, &complaint.text)
    }

    /// The same of an outcome that is no refusal, and no answer to what was asked either.
    pub(crate) fn complain(
        &self,
        errand: Errand,
        verb: &str,
        target: &str,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let astray = Refusal::Internal { why: String::new() };
        let refusal = outcome.as_ref().err().unwrap_or(&astray);
        send(self.complaint(errand, verb, target, refusal), out);
    }
}

/// A guest of this name, as the engine has it.
pub(crate) fn guest(name: &str) -> Person {
    Person { handle: format!("{GUEST_PREFIX}{name}"), name: name.into(), ..Person::default() }
}

/// The people of an answer.
pub(crate) fn members(outcome: &Outcome) -> Option<&[Arc<Person>]> {
    match outcome {
        Ok(Reply::Members { members }) => Some(members),
        _ => None,
    }
}

/// The host adds the line feed.
pub(crate) fn send(mut line: String, out: &mut Outbox) {
    line.push('\r');
    out.send_text(line);
}

fn farewell(why: &str) -> String {
    format!("ERROR :Closing link: {why}")
}

fn last_words(ending: Ending) -> &'static str {
    match ending {
        Ending::Draining => "the gateway is shutting down",
        Ending::Idle => "nothing was heard for too long",
        Ending::Overlong => "the line is too long",
        Ending::Slow => "what was sent is not being read",
    }
}
