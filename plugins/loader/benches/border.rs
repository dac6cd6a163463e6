//! The cost of a front end in a shared library: the same messages through the same dialect, linked
//! and loaded, in one run.
//!
//! A message has three steps, as in the gateway: text from a peer becomes a command, its answer
//! comes, and its event becomes a frame. Run `cargo bench -p plugin-loader`; the argument is the
//! number of messages, by default 200,000.

use std::hint::black_box;
use std::time::Instant;

use core_model::{Outcome, Recorded, Reply, Timestamp};
use frontend_api::http::Request;
use frontend_api::{Broadcast, Configure, Frontend, Input, Outbox, Output, Peer, Session};
use frontend_chatroom::ChatroomFrontend;
use frontend_ourchat::OurchatFrontend;
use frontend_token::TokenFrontend;
use plugin_loader::LoadedFrontend;
use serde_json::{Map, json};

/// How many messages a round has: so few that many rounds are not interrupted, even on a busy
/// machine. Linked and loaded take turns, and the best round of each counts.
const MESSAGES_A_ROUND: u32 = 100;

/// How one dialect posts a message to a room.
struct Talk {
    name: &'static str,
    frontend: fn() -> Box<dyn Frontend>,
    peer: Peer,
    /// The requests that make the session ready to post, with their answers.
    begin: Vec<(Words, Outcome)>,
    post: Words,
}

enum Words {
    Text(String),
    Bytes(Vec<u8>),
}

impl Words {
    fn input(&self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Bytes(bytes) => Input::Bytes(bytes),
        }
    }
}

fn boxed<F: Configure + Default>() -> Box<dyn Frontend> {
    Box::new(F::default())
}

fn message() -> serde_json::Value {
    json!({
        "id": 123_456, "at": 1_700_000_000_000_u64,
        "author": { "uid": 10_001, "handle": "ann", "name": "Ann", "identities": ["tel/5551234"] },
        "to": { "room": { "id": 7, "name": "tea" } },
        "text": "hello, is the kettle on? I have brought the good cups and some biscuits",
    })
}

fn outcome(reply: serde_json::Value) -> Outcome {
    Ok(serde_json::from_value(reply).expect("a reply"))
}

fn signed_in() -> Outcome {
    let person = json!({ "uid": 10_001, "handle": "ann", "name": "Ann" });
    let user = json!({ "person": person, "created": 1, "online": true });
    outcome(json!({ "did": "signed_in", "user": user }))
}

fn talks() -> [Talk; 3] {
    let text = message()["text"].as_str().expect("a text").to_owned();
    let user = json!({ "user_name": "ann", "user_avatar": "" });
    let data = json!({ "user": user, "room_name": "tea", "msg": text });
    let chatroom = Talk {
        name: "chatroom",
        frontend: boxed::<ChatroomFrontend>,
        peer: Peer { upgrade: Some(Request::default()), ..Peer::default() },
        begin: Vec::new(),
        post: Words::Text(json!({ "type": "msg", "data": data }).to_string()),
    };
    let login = r#"{"code":6,"login_type":1,"account":"10001","password":"secret"}"#;
    let sender = json!({ "ocid": 10_001, "group_id": 7 });
    let ourchat = Talk {
        name: "ourchat",
        frontend: boxed::<OurchatFrontend>,
        peer: Peer::default(),
        begin: vec![(Words::Text(login.into()), signed_in())],
        post: Words::Text(json!({ "code": 0, "sender": sender, "msg": text }).to_string()),
    };
    let login = b"\0\0\0\x18\0\x02\0\0\0\x01\0\x02o1\0\x06wechat\0\0\0\x01\0\0\0\0";
    let login = [&(login.len() as u32 - 4).to_be_bytes()[..], &login[4..]].concat();
    let mut post = (14 + text.len() as u32).to_be_bytes().to_vec();
    post.extend(b"\0\x0a\0\0\0\x02\0\0\0\x07");
    post.extend((text.len() as u32).to_be_bytes());
    post.extend(text.as_bytes());
    let token = Talk {
        name: "token",
        frontend: boxed::<TokenFrontend>,
        peer: Peer::default(),
        begin: vec![(Words::Bytes(login), signed_in())],
        post: Words::Bytes(post),
    };
    [chatroom, ourchat, token]
}

/// A session that is ready to post.
fn begun(talk: &Talk, frontend: &dyn Frontend) -> Box<dyn Session> {
    let mut session = frontend.open(&talk.peer);
    let mut out = Outbox::default();
    session.handle(Timestamp(0), Input::Opened, &mut out);
    for (words, outcome) in &talk.begin {
        session.handle(Timestamp(0), words.input(), &mut out);
        session.handle(Timestamp(0), Input::Answer(outcome), &mut out);
    }
    session
}

/// Returns nanoseconds per message.
fn measure(talk: &Talk, frontend: &dyn Frontend) -> f64 {
    let mut answer = outcome(json!({ "did": "posted", "message": message() }));
    let event = json!({ "event": "posted", "message": message() });
    let event = json!({ "seq": 99, "at": 1_700_000_000_000_u64, "cause": 42, "event": event });
    let event: Recorded = serde_json::from_value(event).expect("an event");
    let mut session = begun(talk, frontend);
    for _ in 0..2 {
        let mut out = Outbox::default();
        session.handle(Timestamp(0), talk.post.input(), &mut out);
        let ack_only = |output| match output {
            Output::Submit { ack_only, .. } => Some(ack_only),
            _ => None,
        };
        let calls: Vec<bool> = out.drain().filter_map(ack_only).collect();
        assert_eq!(calls.len(), 1, "{} does not take the message for one command", talk.name);
        // The gateway answers so if only an acknowledgement is wanted.
        if calls[0] {
            answer = Ok(Reply::Done);
        }
        session.handle(Timestamp(0), Input::Answer(&answer), &mut out);
    }
    assert_ne!(frontend.broadcast(&event), Broadcast::Nothing);
    let begin = Instant::now();
    for nth in 0..MESSAGES_A_ROUND {
        let now = Timestamp(u64::from(nth));
        let mut out = Outbox::default();
        session.handle(now, talk.post.input(), &mut out);
        session.handle(now, Input::Answer(&answer), &mut out);
        black_box(&out);
        black_box(frontend.broadcast(&event));
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(MESSAGES_A_ROUND)
}

fn main() {
    let number = |word: String| word.parse().ok();
    let messages = std::env::args().skip(1).find_map(number).unwrap_or(200_000);
    println!("{:12}{:>12}{:>12}{:>14}", "", "linked", "loaded", "difference");
    let talks = talks();
    let plugins = plugin_testkit::plugins(talks.each_ref().map(|talk| talk.name));
    for (talk, plugin) in talks.iter().zip(plugins) {
        let linked = (talk.frontend)();
        let loaded = LoadedFrontend::open(&plugin, &Map::new());
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        let mut best = [f64::MAX; 2];
        for _ in 0..messages / MESSAGES_A_ROUND {
            let frontends: [&dyn Frontend; 2] = [linked.as_ref(), &loaded];
            for (best, frontend) in best.iter_mut().zip(frontends) {
                *best = best.min(measure(talk, frontend));
            }
        }
        let [linked, loaded] = best;
        let difference = loaded - linked;
        println!("{:12}{linked:>9.0} ns{loaded:>9.0} ns{difference:>11.0} ns", talk.name);
    }
}
