use std::fmt::Write as _;

use core_model::{Outcome, Recorded, Timestamp};
use frontend_api::http::{Request, Response};
use frontend_api::{
    Broadcast, Configure, Ending, Frame, Frontend, Input, Outbox, Output, Peer, Session, Subscribe,
};
use serde_json::Value;

/// Plays `script` against a session of a peer on loopback and returns the transcript. Each HTTP
/// request has its own session.
///
/// | line | input |
/// |---|---|
/// | `# …` | kept as a comment |
/// | `~ {…}` | opens a new session: for a peer with these fields of `Peer` as JSON, the others unchanged |
/// | `> GET /path?query` | begins an HTTP request; lines `>> name: value` add headers, `>>> …` the body, and the next line of another kind sends it |
/// | `< text` | a WebSocket text message, or a line |
/// | `<hex 00 01…` | bytes of a TCP stream |
/// | `<binary 00 01…` | a WebSocket binary message |
/// | `= {…}` | the engine's answer, an `Outcome` as JSON |
/// | `* {…}` | an event, `Recorded` as JSON: the result of `broadcast`, and of the session if `broadcast` defers to it |
/// | `@ 5000` | advances the time to this many milliseconds; the alarm rings if it is due |
/// | `! draining` | the host is about to close the connection: an `Ending` |
/// | `! closed` | the peer is gone |
pub fn play(frontend: &dyn Frontend, script: &str) -> String {
    let peer = Peer { address: "127.0.0.1".into(), private_listener: true, ..Peer::default() };
    play_as(frontend, &peer, script)
}

/// The front end for a script, with the options in the script's first line `# options {…}`, or
/// with the given ones if that line is missing.
pub fn frontend_for<F: Configure>(script: &str, otherwise: F::Options) -> F {
    let first = script.lines().next().unwrap_or_default();
    let options = match first.strip_prefix("# options ") {
        Some(options) => serde_json::from_str(options).expect("options after `# options `"),
        None => otherwise,
    };
    F::configure(options).unwrap_or_else(|fault| panic!("{}: {}", fault.key, fault.why))
}

/// Like [`play`], with a given peer.
pub fn play_as(frontend: &dyn Frontend, peer: &Peer, script: &str) -> String {
    perform(frontend, peer, script).text
}

/// What passes between a session and its surroundings.
pub enum Passed<'a> {
    Opened(&'a Peer),
    Input(&'a Input<'a>),
    Output(&'a Output),
    Event(&'a Recorded),
    /// What is sent to several sessions.
    Broadcast(&'a Frame),
}

/// Like [`play_as`], and gives all that passes to `watch`.
pub fn play_watched(
    frontend: &dyn Frontend,
    peer: &Peer,
    script: &str,
    watch: &mut dyn FnMut(Passed<'_>),
) -> String {
    perform_watched(frontend, peer, script, watch).text
}

/// A script that was played.
pub(crate) struct Performance {
    pub(crate) text: String,
    pub(crate) seen: Vec<Seen>,
}

/// The messages of both sides in order, each with its peer.
pub(crate) enum Seen {
    Request(Peer, Request),
    Response(Request, Response),
    Heard(Peer, String),
    Said(String),
}

pub(crate) fn perform(frontend: &dyn Frontend, peer: &Peer, script: &str) -> Performance {
    perform_watched(frontend, peer, script, &mut |_| ())
}

fn perform_watched(
    frontend: &dyn Frontend,
    peer: &Peer,
    script: &str,
    watch: &mut dyn FnMut(Passed<'_>),
) -> Performance {
    let mut stage = Stage {
        frontend,
        peer: peer.clone(),
        session: frontend.open(peer),
        now: Timestamp(0),
        alarm: None,
        request: None,
        asked: Request::default(),
        text: String::new(),
        seen: Vec::new(),
        watch,
    };
    (stage.watch)(Passed::Opened(peer));
    stage.feed(Input::Opened);
    for line in script.lines() {
        stage.act(line);
    }
    stage.send_request();
    Performance { text: stage.text, seen: stage.seen }
}

struct Stage<'a> {
    frontend: &'a dyn Frontend,
    peer: Peer,
    session: Box<dyn Session>,
    now: Timestamp,
    alarm: Option<Timestamp>,
    /// A request that is being written.
    request: Option<Request>,
    /// The request that was sent last.
    asked: Request,
    text: String,
    seen: Vec<Seen>,
    watch: &'a mut dyn FnMut(Passed<'_>),
}

impl Stage<'_> {
    fn act(&mut self, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (kind, self.request.as_mut()) {
            (">>", Some(request)) => {
                let (name, value) = rest.split_once(": ").expect("`name: value` after >>");
                request.headers.push((name.into(), value.into()));
            }
            (">>>", Some(request)) => request.body.extend_from_slice(rest.as_bytes()),
            _ => self.send_request(),
        }
        writeln!(self.text, "{line}").unwrap();
        match kind {
            "" | "#" | ">>" | ">>>" => (),
            "~" => self.open_as(rest),
            ">" => self.request = Some(request_line(rest)),
            "<" => {
                self.seen.push(Seen::Heard(self.peer.clone(), rest.to_owned()));
                self.feed(Input::Text(rest));
            }
            "<hex" => self.feed(Input::Bytes(&unhex(rest))),
            "<binary" => self.feed(Input::Binary(&unhex(rest))),
            "=" => {
                let outcome: Outcome = serde_json::from_str(rest)
                    .unwrap_or_else(|error| panic!("not an outcome: {error}: {rest}"));
                self.feed(Input::Answer(&outcome));
            }
            "*" => {
                let event: Recorded = serde_json::from_str(rest)
                    .unwrap_or_else(|error| panic!("not an event: {error}: {rest}"));
                self.broadcast(&event);
            }
            "@" => self.move_on(rest.parse().expect("milliseconds after @")),
            "!" if rest == "closed" => self.feed(Input::Closed),
            "!" => self.feed(Input::Ending(ending(rest))),
            _ => panic!("a script line does not begin with {kind:?}: {line:?}"),
        }
    }

    fn send_request(&mut self) {
        if let Some(request) = self.request.take() {
            self.open();
            self.seen.push(Seen::Request(self.peer.clone(), request.clone()));
            self.asked = request.clone();
            self.feed(Input::Request(&request));
        }
    }

    fn open_as(&mut self, fields: &str) {
        let fields: Value = serde_json::from_str(fields)
            .unwrap_or_else(|error| panic!("not a peer: {error}: {fields}"));
        if fields.get("upgrade").is_some() && self.peer.upgrade.is_none() {
            self.peer.upgrade = Some(Request::default());
        }
        let mut peer = serde_json::to_value(&self.peer).unwrap();
        overlay(&mut peer, fields);
        self.peer = serde_json::from_value(peer).expect("fields of a peer after ~");
        self.open();
    }

    fn open(&mut self) {
        (self.watch)(Passed::Opened(&self.peer));
        self.session = self.frontend.open(&self.peer);
        self.alarm = None;
        self.feed(Input::Opened);
    }

    fn move_on(&mut self, now: u64) {
        self.now = Timestamp(now);
        if self.alarm.is_some_and(|alarm| alarm <= self.now) {
            self.alarm = None;
            self.feed(Input::Woken);
        }
    }

    fn broadcast(&mut self, event: &Recorded) {
        (self.watch)(Passed::Event(event));
        match self.frontend.broadcast(event) {
            Broadcast::Nothing => writeln!(self.text, "    broadcast nothing").unwrap(),
            Broadcast::Everyone(frame) => {
                self.said(&frame);
                writeln!(self.text, "    broadcast {}", show_frame(&frame)).unwrap();
            }
            Broadcast::Others(frame) => {
                self.said(&frame);
                writeln!(self.text, "    broadcast to others {}", show_frame(&frame)).unwrap();
            }
            Broadcast::PerSession => self.feed(Input::Event(event)),
        }
    }

    fn said(&mut self, frame: &Frame) {
        (self.watch)(Passed::Broadcast(frame));
        if let Frame::Text(text) = frame {
            self.seen.push(Seen::Said(text.clone()));
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        (self.watch)(Passed::Input(&input));
        let mut out = Outbox::default();
        self.session.handle(self.now, input, &mut out);
        for output in out.drain() {
            (self.watch)(Passed::Output(&output));
            match &output {
                Output::WakeAt(at) => self.alarm = Some(*at),
                Output::SendText(text) => self.seen.push(Seen::Said(text.clone())),
                Output::Respond(response) => {
                    self.seen.push(Seen::Response(self.asked.clone(), response.clone()));
                }
                _ => (),
            }
            for line in show(&output).lines() {
                writeln!(self.text, "    {line}").unwrap();
            }
        }
    }
}

/// `POST /path?query`
fn request_line(line: &str) -> Request {
    let (method, target) = line.split_once(' ').expect("`METHOD /path` after >");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request { method: method.into(), path: path.into(), query: query.into(), ..Request::default() }
}

/// Puts `fields` over those of `value`, and fields of fields likewise.
fn overlay(value: &mut Value, fields: Value) {
    match (value, fields) {
        (Value::Object(value), Value::Object(fields)) => {
            for (name, field) in fields {
                overlay(value.entry(name).or_insert(Value::Null), field);
            }
        }
        (value, fields) => *value = fields,
    }
}

fn ending(word: &str) -> Ending {
    serde_json::from_value(word.into()).unwrap_or_else(|_| panic!("no such ending: {word:?}"))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hexadecimal digits")
    };
    digits.chunks(2).map(byte).collect()
}

fn show(output: &Output) -> String {
    match output {
        Output::Submit { command, subscribe, key, ack_only } => {
            let command = serde_json::to_string(command).unwrap();
            let follow = match subscribe {
                Subscribe::Nothing => "",
                Subscribe::Seat => " and follow the seat",
                Subscribe::User => " and follow the user",
            };
            let key = key.as_ref().map_or(String::new(), |key| format!(" with key {key:?}"));
            let briefly = if *ack_only { " briefly" } else { "" };
            format!("call{briefly}{follow}{key} {command}")
        }
        Output::Query { query } => format!("ask {}", serde_json::to_string(query).unwrap()),
        Output::Authorize(ask) => format!("authorize {}", serde_json::to_string(ask).unwrap()),
        Output::Fetch(fetch) => format!("fetch {}", serde_json::to_string(fetch).unwrap()),
        Output::Close => "close".into(),
        Output::Respond(response) => {
            let mut text = format!("respond {}", response.status);
            for (name, value) in &response.headers {
                write!(text, "\n  {name}: {value}").unwrap();
            }
            write!(text, "\n  {}", String::from_utf8_lossy(&response.body)).unwrap();
            text
        }
        Output::SendBytes(bytes) => format!("send {}", hex(bytes)),
        Output::SendText(text) => format!("send {text}"),
        Output::SetEventFilter(interest) => {
            format!("interest {}", serde_json::to_string(interest).unwrap())
        }
        Output::WakeAt(at) => format!("wake at {}", at.0),
        Output::Mark { message } => format!("mark {}", message.0),
        Output::Acknowledge { message } => format!("acknowledge {}", message.0),
        Output::Wake(connection) => format!("wake connection {}", connection.0),
    }
}

fn show_frame(frame: &Frame) -> String {
    match frame {
        Frame::Bytes(bytes) => hex(bytes),
        Frame::Text(text) => text.clone(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}
