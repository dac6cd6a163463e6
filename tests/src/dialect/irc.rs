//! The irc dialect, by a client with the capabilities that show all of a message.

use std::collections::VecDeque;

use super::{Client, Dialect, Direct, Form, News, Presence, Room, Row, Seen, User};
use crate::{Channel, Gateway, Irc};
use jiff::Timestamp;
use serde_json::Value;

static IRC: Dialect = Dialect {
    name: "irc",
    user: |user| mask(user).into(),
    room: |room| channel(&room.name).into(),
    time: Value::from,
    durable: false,
    can_send: |text| {
        let is_blank = text.chars().all(|char| char == '\n');
        let fits = text.len() <= TEXT_BYTES_MAX && text.split('\n').count() <= LINES_MAX;
        fits && !is_blank && !text.contains(['\0', '\r'])
    },
    shows: |text| {
        let text = text.replace(['\0', '\x01'], "").replace("\r\n", "\n").replace('\r', "\n");
        if text.chars().all(|char| char == '\n') {
            return " ".into();
        }
        let lines: Vec<&str> = text.split('\n').collect();
        let (lines, joined) = lines.split_at(lines.len().min(LINES_MAX - 1));
        let lines = lines.iter().map(|line| (*line).to_owned());
        let joined = (!joined.is_empty()).then(|| joined.join(" "));
        lines.chain(joined).collect::<Vec<_>>().join("\n")
    },
};

/// The most lines of one message; those after it come in one, with spaces between.
const LINES_MAX: usize = 50;

/// What an ACTION is in the other dialects.
const ME: &str = "/me ";

/// The longest text of one message, in a batch of lines.
const TEXT_BYTES_MAX: usize = 16_384;

/// The longest text that certainly fits in a line to the gateway.
const LINE_TEXT_BYTES_MAX: usize = 300;

/// The type of a batch whose lines are one message.
const MULTILINE: &str = "draft/multiline";

/// Accounts are made in another dialect, with this password.
const PASSWORD: &str = "tea for two";

pub(super) const ROW: Row = Row {
    title: "irc",
    dialect: &IRC,
    enroll: |gateway, name| {
        Channel::connect(gateway.address("channel", "listen")).register(name, PASSWORD);
        Box::new(Account(IrcClient::sign_on(gateway, name, Some(PASSWORD))))
    },
    user: |name, uid| User { uid, handle: name.into(), openid: None },
};

pub(super) const GUEST_ROW: Row = Row {
    title: "irc, as a guest",
    dialect: &IRC,
    enroll: |gateway, name| Box::new(IrcClient::sign_on(gateway, name, None)),
    user: |name, _| User { uid: 0, handle: format!("guest:{name}"), openid: None },
};

fn mask(user: &User) -> String {
    let name = user.handle.strip_prefix("guest:").unwrap_or(&user.handle);
    let nick = escape(name, " ,*?!@.\\");
    let ident = if user.uid == 0 { "guest".into() } else { user.uid.to_string() };
    format!("{nick}!{ident}@irc.localhost")
}

fn channel(room: &str) -> String {
    format!("#{}", escape(room, " ,\\"))
}

fn escape(name: &str, special: &str) -> String {
    let mut escaped = String::new();
    for char in name.chars() {
        if special.contains(char) || char.is_ascii_control() {
            escaped.push_str(&format!("\\{:02x}", u32::from(char)));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// A client with the capabilities that show all of a message.
struct IrcClient {
    irc: Irc,
    nick: String,
    /// The channel entered last.
    channel: String,
    /// Lines that arrived while the client waited for another one.
    waiting: VecDeque<Line>,
    /// Of the message received last.
    form: Form,
}

/// A client that is signed in to an account, and so has direct messages.
struct Account(IrcClient);

/// A line in its parts.
#[derive(Clone, Debug)]
struct Line {
    /// The time tag, in ms since 1970.
    time: Option<u64>,
    id: Option<u64>,
    source: String,
    verb: String,
    params: Vec<String>,
    batch: Option<String>,
    /// Whether it continues the line before it in its batch.
    continues: bool,
}

impl Line {
    fn parse(line: &str) -> Self {
        let (tags, rest) = match line.strip_prefix('@') {
            Some(line) => line.split_once(' ').expect("tags end with a space"),
            None => ("", line),
        };
        let tag = |key: &str| {
            let mut tags = tags.split(';').filter_map(|tag| tag.split_once('='));
            tags.find(|(found, _)| *found == key).map(|(_, value)| value.to_owned())
        };
        let (source, words) = match rest.strip_prefix(':') {
            Some(words) => words.split_once(' ').expect("a verb"),
            None => ("", rest),
        };
        let (middle, trailing) = match words.split_once(" :") {
            Some((middle, trailing)) => (middle, Some(trailing)),
            None => (words, None),
        };
        let mut words = middle.split(' ').chain(trailing).map(str::to_owned);
        let verb = words.next().expect("a verb");
        Self {
            time: tag("time").map(|time| {
                let time: Timestamp = time.parse().expect("a time in the format of server-time");
                time.as_millisecond().unsigned_abs()
            }),
            // Messages that no store has, those of guests to guests, have ids of another form.
            id: tag("msgid").and_then(|id| id.parse().ok()),
            source: source.into(),
            verb,
            params: words.collect(),
            batch: tag("batch"),
            continues: tags.split(';').any(|tag| tag == "draft/multiline-concat"),
        }
    }

    fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// Whether it is a message to a channel, or to a user.
    fn is_message(&self, to_channel: bool) -> bool {
        let is_message = ["PRIVMSG", "NOTICE"].contains(&self.verb.as_str());
        is_message && self.param(0).starts_with('#') == to_channel
    }

    /// What is done, in an ACTION.
    fn action(&self) -> Option<&str> {
        self.param(1).strip_prefix("\x01ACTION ")?.strip_suffix('\x01')
    }
}

impl IrcClient {
    fn sign_on(gateway: &Gateway, name: &str, password: Option<&str>) -> Self {
        let nick = escape(name, " ,*?!@.\\");
        let mut irc = Irc::sign_on(gateway.address("irc", "listen"), &nick, password);
        irc.send("CAP REQ :batch draft/multiline echo-message message-tags server-time");
        irc.receive_until(" ACK ");
        Self { irc, nick, channel: String::new(), waiting: VecDeque::new(), form: Form::default() }
    }

    /// The next line; a batch of lines that are one message counts as one.
    fn read(&mut self) -> Line {
        let first = Line::parse(&self.irc.receive());
        let Some(batch) = first.param(0).strip_prefix('+').map(str::to_owned) else { return first };
        if first.verb != "BATCH" || first.param(1) != MULTILINE {
            return first;
        }
        let mut whole: Option<Line> = None;
        loop {
            let line = Line::parse(&self.irc.receive());
            if line.verb == "BATCH" && line.param(0) == format!("-{batch}") {
                return whole.expect("a batch has a line");
            }
            assert_eq!(line.batch.as_deref(), Some(batch.as_str()), "{line:?}");
            match &mut whole {
                None => whole = Some(Line { time: first.time, id: first.id, ..line }),
                Some(whole) => {
                    let text = &mut whole.params[1];
                    text.push_str(if line.continues { "" } else { "\n" });
                    text.push_str(line.param(1));
                }
            }
        }
    }

    /// Takes the first line that fits, from those that wait or from the connection.
    fn take(&mut self, fits: impl Fn(&Line) -> bool) -> Line {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at).expect("it was found");
        }
        loop {
            let line = self.read();
            if fits(&line) {
                return line;
            }
            self.waiting.push_back(line);
        }
    }

    /// The next message to a channel or user.
    fn next_message(&mut self, to_channel: bool) -> Seen {
        let line = self.take(|line| line.is_message(to_channel));
        let action = line.action().map(|action| format!("{ME}{action}"));
        self.form = Form { is_remade: action.is_some(), is_notice: line.verb == "NOTICE" };
        Seen {
            room: line.param(0).into(),
            text: action.unwrap_or_else(|| line.param(1).to_owned()),
            sender: line.source.into(),
            time: line.time.into(),
            id: line.id,
        }
    }

    /// Sends a text in a line, or in a batch of lines where it needs several; returns how the echo
    /// looks.
    fn send_text(&mut self, verb: &str, target: &str, text: &str) -> String {
        // A mark within a text is removed.
        let shown = text.replace('\x01', "");
        if text.len() <= LINE_TEXT_BYTES_MAX && !text.contains('\n') {
            return match text.strip_prefix(ME) {
                Some(action) => {
                    self.irc.send(&format!("{verb} {target} :\x01ACTION {action}\x01"));
                    format!("\x01ACTION {}\x01", &shown[ME.len()..])
                }
                None => {
                    self.irc.send(&format!("{verb} {target} :{text}"));
                    shown
                }
            };
        }
        self.irc.send(&format!("BATCH +1 {MULTILINE} {target}"));
        for line in text.split('\n') {
            let mut concat = "";
            let mut rest = line;
            loop {
                let mut fits = rest.len().min(LINE_TEXT_BYTES_MAX);
                while !rest.is_char_boundary(fits) {
                    fits -= 1;
                }
                let (piece, more) = rest.split_at(fits);
                self.irc.send(&format!("@batch=1{concat} {verb} {target} :{piece}"));
                (concat, rest) = (";draft/multiline-concat", more);
                if rest.is_empty() {
                    break;
                }
            }
        }
        self.irc.send("BATCH -1");
        shown
    }

    /// Posts, and waits for the echo, which is kept; false for an error with this numeric.
    fn say(&mut self, verb: &str, target: &str, text: &str, error: &str) -> bool {
        let shown = self.send_text(verb, target, text);
        let own = format!("{}!", self.nick);
        loop {
            let line = self.read();
            let done = line.verb == verb
                && line.source.starts_with(&own)
                && line.param(0) == target
                && line.param(1) == shown;
            if line.verb == error {
                return false;
            }
            assert!(!line.verb.starts_with('4'), "{line:?}");
            self.waiting.push_back(line);
            if done {
                return true;
            }
        }
    }
}

impl Client for IrcClient {
    fn try_enter(&mut self, room: &Room) -> bool {
        let channel = channel(&room.name);
        self.irc.send(&format!("JOIN {channel}"));
        self.channel.clone_from(&channel);
        loop {
            let line = self.read();
            match line.verb.as_str() {
                "366" if line.param(1) == channel => return true,
                "471" => return false,
                verb => assert!(!verb.starts_with('4'), "{line:?}"),
            }
            self.waiting.push_back(line);
        }
    }

    fn post(&mut self, room: &Room, text: &str) {
        assert!(self.say("PRIVMSG", &channel(&room.name), text, "no numeric"));
    }

    fn post_notice(&mut self, room: &Room, text: &str) -> bool {
        self.say("NOTICE", &channel(&room.name), text, "no numeric")
    }

    fn form(&self) -> Form {
        self.form
    }

    fn receive(&mut self, _: &Room) -> Seen {
        self.next_message(true)
    }

    fn presence(&mut self) -> Option<&mut dyn Presence> {
        Some(self)
    }
}

impl Presence for IrcClient {
    fn next(&mut self) -> News {
        let line = self.take(|line| ["JOIN", "PART", "QUIT", "KICK"].contains(&line.verb.as_str()));
        let user = line.source.as_str().into();
        let room = line.param(0).into();
        match line.verb.as_str() {
            "JOIN" => News::Came { user, room },
            "PART" => News::Went { user, room },
            // A user that quits leaves all its channels.
            "QUIT" => News::Went { user, room: self.channel.as_str().into() },
            // The client's own removal has the server as its source.
            _ => News::Went { user: format!("{}!", line.param(1)).into(), room },
        }
    }

    fn counts(&self) -> bool {
        false
    }
}

impl Client for Account {
    fn try_enter(&mut self, room: &Room) -> bool {
        self.0.try_enter(room)
    }

    fn post(&mut self, room: &Room, text: &str) {
        self.0.post(room, text);
    }

    fn receive(&mut self, room: &Room) -> Seen {
        Client::receive(&mut self.0, room)
    }

    fn post_notice(&mut self, room: &Room, text: &str) -> bool {
        self.0.post_notice(room, text)
    }

    fn form(&self) -> Form {
        self.0.form
    }

    fn direct(&mut self) -> Option<&mut dyn Direct> {
        Some(&mut self.0)
    }

    fn presence(&mut self) -> Option<&mut dyn Presence> {
        self.0.presence()
    }
}

impl Direct for IrcClient {
    fn send(&mut self, to: &User, text: &str) -> bool {
        let name = to.handle.strip_prefix("guest:").unwrap_or(&to.handle);
        let sent = self.say("PRIVMSG", &escape(name, " ,*?!@.\\"), text, "401");
        if sent {
            // The echo is no message for this client.
            self.waiting.pop_back();
        }
        sent
    }

    fn receive(&mut self) -> Seen {
        self.next_message(false)
    }

    fn expected(&self, from: &User, to: &User, text: &str, at: u64) -> Seen {
        Seen {
            sender: (IRC.user)(from),
            room: escape(&to.handle, " ,*?!@.\\").into(),
            text: (IRC.shows)(text),
            time: (IRC.time)(at),
            id: None,
        }
    }
}
