//! The irc dialect. A message arrives as one line for each line of its text, and more where a line
//! is too long for the protocol; the client here puts it together again.

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
        text.len() <= TEXT_BYTES_MAX && !text.contains(['\0', '\r', '\n']) && !text.is_empty()
    },
    shows: |text| {
        let text = text.replace(['\0', '\x01'], "");
        let lines = text.split(['\r', '\n']).filter(|line| !line.is_empty());
        let lines: Vec<&str> = lines.collect();
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

/// The longest text that certainly fits in a line to the gateway.
const TEXT_BYTES_MAX: usize = 300;

/// A line with at least this many bytes may have a continuation: the gateway cuts between
/// characters of up to four bytes, at 510.
const FULL_LINE_BYTES: usize = 507;

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
    /// The number of PINGs sent.
    pings: u32,
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
    /// The length without tags.
    bytes: usize,
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
            id: tag("msgid").map(|id| id.parse().expect("a number")),
            source: source.into(),
            verb,
            params: words.collect(),
            bytes: rest.len(),
        }
    }

    fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// Whether it begins a message to a channel, or to a user.
    fn begins_message(&self, to_channel: bool) -> bool {
        let is_message = ["PRIVMSG", "NOTICE"].contains(&self.verb.as_str()) && self.id.is_some();
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
        irc.send("CAP REQ :echo-message message-tags server-time");
        irc.receive_until(" ACK ");
        Self {
            irc,
            nick,
            channel: String::new(),
            waiting: VecDeque::new(),
            pings: 0,
            form: Form::default(),
        }
    }

    fn read(&mut self) -> Line {
        Line::parse(&self.irc.receive())
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

    /// Reads until a PING is answered; everything before it waits.
    fn synchronize(&mut self) {
        self.pings += 1;
        let number = self.pings.to_string();
        self.irc.send(&format!("PING {number}"));
        loop {
            let line = self.read();
            if line.verb == "PONG" && line.param(1) == number {
                return;
            }
            self.waiting.push_back(line);
        }
    }

    /// The next message to a channel or user, with the lines that continue it.
    fn next_message(&mut self, to_channel: bool) -> Seen {
        let first = self.take(|line| line.begins_message(to_channel));
        // All lines of a message are sent together, so the rest is there before the PONG.
        self.synchronize();
        let action = first.action().map(|action| format!("{ME}{action}"));
        self.form = Form { is_remade: action.is_some(), is_notice: first.verb == "NOTICE" };
        let mut text = action.unwrap_or_else(|| first.param(1).to_owned());
        let mut bytes = first.bytes;
        let continues = |line: &Line| {
            line.verb == first.verb
                && line.id.is_none()
                && line.source == first.source
                && line.param(0) == first.param(0)
        };
        let ends = |line: &Line| line.begins_message(true) || line.begins_message(false);
        while let Some(at) = self.waiting.iter().position(|line| continues(line) || ends(line)) {
            if ends(&self.waiting[at]) {
                break;
            }
            let line = self.waiting.remove(at).expect("it was found");
            if bytes < FULL_LINE_BYTES {
                text.push('\n');
            }
            text.push_str(line.action().unwrap_or_else(|| line.param(1)));
            bytes = line.bytes;
            self.form.is_remade = true;
        }
        Seen {
            room: first.param(0).into(),
            sender: first.source.into(),
            text,
            time: first.time.into(),
            id: first.id,
        }
    }

    /// Posts, and waits for the echo, which is kept; false for an error with this numeric.
    fn say(&mut self, verb: &str, target: &str, text: &str, error: &str) -> bool {
        let action = text.strip_prefix(ME).map(|action| format!("\x01ACTION {action}\x01"));
        let text = action.as_deref().unwrap_or(text);
        self.irc.send(&format!("{verb} {target} :{text}"));
        let own = format!("{}!", self.nick);
        // A mark within a text is removed.
        let shown = match text.strip_prefix("\x01ACTION ") {
            Some(action) => format!("\x01ACTION {}\x01", action.replace('\x01', "")),
            None => text.replace('\x01', ""),
        };
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
