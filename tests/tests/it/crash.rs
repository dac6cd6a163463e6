//! Killed in the middle of its work, again and again: what was acknowledged is there, exactly
//! once and in order; what was refused is not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::scope;
use std::time::Instant;

use gateway_tests::token::{POST_MESSAGE, Token, post_body};
use gateway_tests::{Channel, Chatroom, Gateway, PATIENCE, Talk, UsrRoom};
use serde_json::json;

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    capacity = 1000

    [frontends.token]
    requests_per_s = 0
    messages_per_s = 0
    bytes_per_s = 0
    mailbox_max = 1000000
    mailbox_bytes_max = 1000000000

    [frontends.chatroom]
    requests_per_s = 0
    messages_per_s = 0
    bytes_per_s = 0
    mailbox_max = 1000000
    mailbox_bytes_max = 1000000000

    [frontends.channel]
    requests_per_s = 0
    messages_per_s = 0
    bytes_per_s = 0
    text_chars_max = 100

    [frontends.usr_room]
    requests_per_s = 0
";

/// Messages of a sender that may be unacknowledged at once, where the dialect lets it go on.
const WINDOW: usize = 8;

/// Every so many messages there is one that must be refused.
const REFUSED_EVERY: usize = 7;

/// How many acknowledgements a round waits for before it ends, and how it ends.
const ROUNDS: [(usize, Stop); 6] = [
    (100, Stop::Kill),
    (2_000, Stop::Kill),
    (600, Stop::Kill),
    (1_000, Stop::Terminate),
    (3_000, Stop::Kill),
    (100, Stop::Kill),
];

/// The acknowledgements of each sender that a round waits for at least.
const OWN_AT_LEAST: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    Kill,
    Terminate,
}

#[derive(Clone, Copy, Debug)]
enum Dialect {
    Channel,
    Chatroom,
    Token,
}

const SENDERS: [(&str, Dialect); 6] = [
    ("channel-0", Dialect::Channel),
    ("channel-1", Dialect::Channel),
    ("guest:chat-0", Dialect::Chatroom),
    ("guest:chat-1", Dialect::Chatroom),
    ("token-0", Dialect::Token),
    ("token-1", Dialect::Token),
];

/// What one sender knows.
#[derive(Debug, Default)]
struct Ledger {
    /// Its login, in the dialect that has such a thing.
    token: Option<String>,
    /// In the order of sending; a message that was sent again is in it once.
    sent: Vec<String>,
    /// Sent, by a request that can be repeated, and not answered.
    unanswered: Option<String>,
    acknowledged: BTreeSet<String>,
    refused: BTreeSet<String>,
}

/// A running sender: its ledger, and the channel for its acknowledgements.
struct Work<'a> {
    name: &'static str,
    ledger: &'a mut Ledger,
    acknowledged: Sender<&'static str>,
}

impl Work<'_> {
    /// The next message; and one that must be refused in its place now and then.
    fn next(&mut self) -> Message {
        let n = self.ledger.sent.len() + self.ledger.refused.len();
        let text = format!("{} {n}", self.name);
        if n % REFUSED_EVERY == REFUSED_EVERY - 1 {
            let text = format!("refused {text}");
            self.ledger.refused.insert(text.clone());
            return Message::ToBeRefused(text);
        }
        self.ledger.sent.push(text.clone());
        Message::Good(text)
    }

    fn acknowledge(&mut self, text: String) {
        assert!(self.ledger.acknowledged.insert(text), "{} had it acknowledged twice", self.name);
        // The receiver is gone when the round is over.
        let _ = self.acknowledged.send(self.name);
    }
}

#[derive(Debug)]
enum Message {
    Good(String),
    ToBeRefused(String),
}

#[test]
fn exactly_the_acknowledged_messages_survive_a_kill() {
    let mut gateway = Gateway::start(TOML);
    let mut checker = Channel::enroll(gateway.address("channel", "listen"), "checker");
    let mut ledgers = ledgers(&gateway);
    let room_id = room_id(&gateway);

    for (wanted, stop) in ROUNDS {
        post_until(&mut gateway, &mut ledgers, room_id, wanted, stop);
        // Killed while it starts, too: at once, and as soon as it has the store open.
        gateway.launch().clone().spawn().kill();
        let mut again = gateway.launch().clone().spawn();
        again.wait_for_listener("token", "listen");
        again.kill();
        gateway.restart();
        checker = checker.reconnect(gateway.address("channel", "listen"));
        check(&checker.history("TEST"), &ledgers);
    }

    assert!(ledgers.values().all(|ledger| !ledger.refused.is_empty()), "{ledgers:?}");

    let mut usr = UsrRoom::connect(gateway.address("usr_room", "listen"));
    let in_app = usr.history(room_id.into());
    let texts = |message: &serde_json::Value| message["message"].as_str().map(String::from);
    let in_app: Vec<_> = in_app.iter().filter_map(texts).collect();
    let in_channel: Vec<_> = checker.history("TEST").into_iter().map(|(_, text)| text).collect();
    assert_eq!(in_app, in_channel);
    let mut http = Chatroom::connect(gateway.address("chatroom", "listen"));
    let rooms = http.get("/chatroom/list", &[]);
    let members = json!([{"name": "TEST", "population": 3}]);
    assert_eq!(rooms["rooms"], members, "two senders and the checker are members; no ghosts");
}

fn ledgers(gateway: &Gateway) -> BTreeMap<&'static str, Ledger> {
    let ledger = |(name, dialect)| match dialect {
        Dialect::Channel => {
            let token = Channel::enroll(gateway.address("channel", "listen"), name).token;
            (name, Ledger { token, ..Ledger::default() })
        }
        Dialect::Chatroom | Dialect::Token => (name, Ledger::default()),
    };
    SENDERS.into_iter().map(ledger).collect()
}

fn room_id(gateway: &Gateway) -> u32 {
    let mut usr = UsrRoom::connect(gateway.address("usr_room", "listen"));
    let found = usr.done("/search", &json!({"key": "TEST"}));
    let id = found["rooms"][0]["room_id"].as_u64().expect("TEST is declared");
    id.try_into().expect("an id of a room")
}

/// Has all senders post until so much is acknowledged, and stops the gateway meanwhile.
fn post_until(
    gateway: &mut Gateway,
    ledgers: &mut BTreeMap<&'static str, Ledger>,
    room_id: u32,
    wanted: usize,
    stop: Stop,
) {
    let (sender, acknowledged) = channel();
    let mut dialects: BTreeMap<_, _> = SENDERS.into_iter().collect();
    let enough = scope(|threads| {
        for (name, ledger) in ledgers.iter_mut() {
            let dialect = dialects.remove(name).expect("each sender has one");
            let work = Work { name, ledger, acknowledged: sender.clone() };
            let gateway = &*gateway;
            threads.spawn(move || post(gateway, room_id, dialect, work));
        }
        let enough = wait_until_enough(&acknowledged, wanted);
        // Also when there was not enough: else the senders would go on.
        match stop {
            Stop::Kill => gateway.signal_kill(),
            Stop::Terminate => gateway.signal_term(),
        }
        enough
    });
    let code = gateway.wait_for_exit();
    assert!(enough, "not enough is acknowledged");
    assert_eq!(code, if stop == Stop::Terminate { 0 } else { -1 });
}

fn wait_until_enough(acknowledged: &Receiver<&'static str>, wanted: usize) -> bool {
    let until = Instant::now() + PATIENCE;
    let mut counts = BTreeMap::new();
    let enough = |counts: &BTreeMap<_, usize>| {
        counts.values().sum::<usize>() >= wanted
            && counts.len() == SENDERS.len()
            && counts.values().all(|count| *count >= OWN_AT_LEAST)
    };
    while !enough(&counts) {
        let left = until.saturating_duration_since(Instant::now());
        match acknowledged.recv_timeout(left) {
            Ok(name) => *counts.entry(name).or_default() += 1,
            Err(_) => return false,
        }
    }
    true
}

/// Posts until the connection is over.
fn post(gateway: &Gateway, room_id: u32, dialect: Dialect, work: Work<'_>) {
    let Err(_over) = match dialect {
        Dialect::Channel => post_by_channel(gateway, work),
        Dialect::Chatroom => post_by_chatroom(gateway, work),
        Dialect::Token => post_by_token(gateway, room_id, work),
    };
}

/// One request at a time, each with a key, so that one that was not answered can be repeated.
fn post_by_channel(gateway: &Gateway, mut work: Work<'_>) -> io::Result<Infallible> {
    let mut channel = Channel::connect(gateway.address("channel", "listen"));
    channel.token = work.ledger.token.clone();
    let mut send = |text: &str| {
        let body = json!({"name": "TEST", "message": text});
        channel.try_call("/channel/send", &body, &[("Idempotency-Key", text)])
    };
    loop {
        let message = work.ledger.unanswered.take().map(Message::Good);
        match message.unwrap_or_else(|| work.next()) {
            Message::Good(text) => {
                work.ledger.unanswered = Some(text.clone());
                let response = send(&text)?;
                work.ledger.unanswered = None;
                match response.status {
                    200 if response.json()["code"] == 0 => work.acknowledge(text),
                    503 => drop(work.ledger.refused.insert(text)),
                    _ => panic!("{response}"),
                }
            }
            Message::ToBeRefused(text) => {
                let response = send(&format!("{text:200}"))?;
                assert_ne!(response.json()["code"], 0, "{response}");
            }
        }
    }
}

fn post_by_chatroom(gateway: &Gateway, mut work: Work<'_>) -> io::Result<Infallible> {
    let name = work.name.strip_prefix("guest:").expect("a guest");
    let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    talk.join("TEST", name);
    let mut waiting = VecDeque::new();
    loop {
        while waiting.len() < WINDOW {
            let message = work.next();
            let (author, text) = match &message {
                Message::Good(text) => (name, text),
                Message::ToBeRefused(text) => ("stranger", text),
            };
            talk.try_send("msg", "TEST", author, text).map_err(io::Error::other)?;
            waiting.push_back(message);
        }
        let packet = talk.try_receive().map_err(io::Error::other)?;
        let own = packet["type"] == "msg" && packet["data"]["user"]["user_name"] == name;
        if own || packet["type"] == "error" {
            match waiting.pop_front() {
                Some(Message::Good(text)) if own && packet["data"]["msg"] == text => {
                    work.acknowledge(text);
                }
                Some(Message::ToBeRefused(_)) if !own => (),
                other => panic!("{packet} answers {other:?}"),
            }
        }
    }
}

fn post_by_token(gateway: &Gateway, room_id: u32, mut work: Work<'_>) -> io::Result<Infallible> {
    let mut token = Token::connect(gateway.address("token", "listen"));
    token.login(work.name);
    token.enter(room_id);
    let mut waiting = VecDeque::new();
    loop {
        while waiting.len() < WINDOW {
            let message = work.next();
            let body = match &message {
                Message::Good(text) => post_body(room_id, text),
                Message::ToBeRefused(text) => post_body(room_id + 1, text),
            };
            token.send(POST_MESSAGE, &body)?;
            waiting.push_back(message);
        }
        let frame = token.try_receive()?;
        let Some(result) = frame.result else { continue };
        match waiting.pop_front() {
            Some(Message::Good(text)) if result == 0 => work.acknowledge(text),
            Some(Message::ToBeRefused(_)) if result != 0 => (),
            other => panic!("{frame:?} answers {other:?}"),
        }
    }
}

/// Compares what is in the room with what the senders know.
fn check(history: &[(String, String)], ledgers: &BTreeMap<&'static str, Ledger>) {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (sender, text) in history {
        found.entry(sender).or_default().push(text);
    }
    let senders: Vec<_> = found.keys().copied().collect();
    assert_eq!(senders, ledgers.keys().copied().collect::<Vec<_>>());
    for (sender, ledger) in ledgers {
        let found = &found[sender];
        // Each is one that was sent, behind the one before: in order, and none twice.
        let mut sent = ledger.sent.iter();
        for text in found {
            assert!(sent.any(|sent| sent == text), "{text:?} is out of order: {found:?}");
        }
        let found: BTreeSet<_> = found.iter().map(|text| (*text).to_owned()).collect();
        let lost: Vec<_> = ledger.acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "{sender} had these acknowledged, and they are lost: {lost:?}");
        let wrong: Vec<_> = ledger.refused.intersection(&found).collect();
        assert!(wrong.is_empty(), "{sender} had these refused, and they are there: {wrong:?}");
    }
}
