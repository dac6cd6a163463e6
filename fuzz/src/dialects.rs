//! One target for each dialect: the bytes of a test case become inputs of a session.

use std::sync::{Arc, LazyLock};

use core_model::{Command, Outcome, Query, Timestamp};
use frontend_api::http::Request;
use frontend_api::{Frontend, Input, Outbox, Output, Peer, Session};
use serde_json::{Map, Value, json};

/// More outputs than a session may have for one input of this many bytes: a loop without end.
const OUTPUTS_MAX: usize = 100_000;

fn frontend(dialect: &str) -> Arc<dyn Frontend> {
    let row = frontend_all::find(dialect).expect("a dialect");
    row.configure(Map::new()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn peer() -> Peer {
    Peer { address: "127.0.0.1".into(), private_listener: true, ..Peer::default() }
}

/// Binary frames over TCP. Also checks that the stream may be cut anywhere.
pub fn token(data: &[u8]) {
    static FRONTEND: LazyLock<Arc<dyn Frontend>> = LazyLock::new(|| frontend("token"));
    converse(&**FRONTEND, &peer(), &[Input::Bytes(data)]);
    let whole = outputs_of(&**FRONTEND, std::iter::once(data));
    let middle = data.len() / 2;
    assert_eq!(whole, outputs_of(&**FRONTEND, [&data[..middle], &data[middle..]].into_iter()));
    if data.len() <= 256 {
        assert_eq!(whole, outputs_of(&**FRONTEND, data.chunks(1)));
    }
}

/// Lines.
pub fn irc(data: &[u8]) {
    static FRONTEND: LazyLock<Arc<dyn Frontend>> = LazyLock::new(|| frontend("irc"));
    converse(&**FRONTEND, &peer(), &lines(data));
}

/// Lines, and the same as WebSocket messages.
pub fn ourchat(data: &[u8]) {
    static FRONTEND: LazyLock<Arc<dyn Frontend>> = LazyLock::new(|| frontend("ourchat"));
    converse(&**FRONTEND, &peer(), &lines(data));
    converse(&**FRONTEND, &web_socket(), &lines(data));
}

/// An HTTP request, and the body's lines as WebSocket messages.
pub fn chatroom(data: &[u8]) {
    static FRONTEND: LazyLock<Arc<dyn Frontend>> = LazyLock::new(|| frontend("chatroom"));
    exchange(&**FRONTEND, data);
    converse(&**FRONTEND, &web_socket(), &lines(data));
}

pub fn channel(data: &[u8]) {
    static FRONTEND: LazyLock<Arc<dyn Frontend>> = LazyLock::new(|| frontend("channel"));
    exchange(&**FRONTEND, data);
}

pub fn usr_room(data: &[u8]) {
    static FRONTENDS: LazyLock<[Arc<dyn Frontend>; 2]> = LazyLock::new(|| {
        let row = frontend_all::find("usr_room").expect("a dialect");
        let variant = row.variant.expect("the miniprogram").options();
        [frontend("usr_room"), row.configure(variant).unwrap_or_else(|why| panic!("{why:?}"))]
    });
    FRONTENDS.iter().for_each(|frontend| exchange(&**frontend, data));
}

fn web_socket() -> Peer {
    Peer { upgrade: Some(Request::default()), ..peer() }
}

/// One input a line, as a listener for lines gives them.
fn lines(data: &[u8]) -> Vec<Input<'_>> {
    let lines = data.split(|byte| *byte == b'\n');
    lines.map(|line| std::str::from_utf8(line).map_or(Input::Binary(line), Input::Text)).collect()
}

/// `POST /path?query`, lines of headers, an empty line, the body: as HTTP, but with `\n`.
pub(crate) fn request(data: &[u8]) -> Option<Request> {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = match end {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[][..]),
    };
    let mut lines = std::str::from_utf8(head).ok()?.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    };
    Some(Request {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: lines.filter_map(header).collect(),
        body: body.to_vec(),
    })
}

/// An HTTP exchange, which must respond or wait for an answer.
fn exchange(frontend: &dyn Frontend, data: &[u8]) {
    let Some(request) = request(data) else { return };
    let outputs = converse(frontend, &peer(), &[Input::Request(&request)]);
    let responses = outputs.iter().filter(|output| matches!(output, Output::Respond(_))).count();
    let closes = outputs.iter().any(|output| matches!(output, Output::Close));
    let waits = outputs.iter().any(|output| matches!(output, Output::WakeAt(_)));
    assert!(responses <= 1, "{responses} responses");
    assert!(responses == 1 || closes || waits, "no response: {outputs:?}");
}

/// Gives the inputs to a session, with an answer to each command and query, in both of the kinds
/// of answers; returns the outputs of the second.
fn converse(frontend: &dyn Frontend, peer: &Peer, inputs: &[Input<'_>]) -> Vec<Output> {
    let refuse = |output: &Output| match output {
        Output::Submit { .. } | Output::Query { .. } => refusal(),
        _ => None,
    };
    converse_with(frontend, peer, inputs, refuse);
    converse_with(frontend, peer, inputs, answer)
}

fn converse_with(
    frontend: &dyn Frontend,
    peer: &Peer,
    inputs: &[Input<'_>],
    answer: impl Fn(&Output) -> Option<Outcome>,
) -> Vec<Output> {
    let mut session = frontend.open(peer);
    let mut all = Vec::new();
    let mut step = |session: &mut dyn Session, input: Input<'_>| {
        let mut waiting = std::collections::VecDeque::new();
        let mut out = Outbox::default();
        session.handle(Timestamp(NOW), input, &mut out);
        loop {
            for output in out.drain() {
                waiting.extend(answer(&output));
                all.push(output);
            }
            assert!(all.len() < OUTPUTS_MAX, "outputs without end");
            let Some(outcome) = waiting.pop_front() else { break };
            session.handle(Timestamp(NOW), Input::Answer(&outcome), &mut out);
        }
    };
    step(&mut *session, Input::Opened);
    for input in inputs {
        step(&mut *session, *input);
    }
    step(&mut *session, Input::Woken);
    step(&mut *session, Input::Closed);
    all
}

const NOW: u64 = 1_700_000_000_000;

/// The outputs for a stream in pieces, without answers. Alarms depend on the cut.
fn outputs_of<'a>(frontend: &dyn Frontend, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Output> {
    let mut session = frontend.open(&peer());
    let mut out = Outbox::default();
    pieces.for_each(|piece| session.handle(Timestamp(NOW), Input::Bytes(piece), &mut out));
    out.drain().filter(|output| !matches!(output, Output::WakeAt(_))).collect()
}

fn refusal() -> Option<Outcome> {
    serde_json::from_value(json!({ "Err": { "refused": "unknown_user" } })).ok()
}

/// A successful answer of the kind that the engine gives.
fn answer(output: &Output) -> Option<Outcome> {
    static ANSWERS: LazyLock<Answers> = LazyLock::new(Answers::new);
    let answers = &*ANSWERS;
    Some(match output {
        Output::Submit { command, ack_only: false, .. } => match **command {
            Command::Register { .. } => answers.registered.clone(),
            Command::SignIn { .. } => answers.signed_in.clone(),
            Command::IssueToken { .. } => answers.token_issued.clone(),
            Command::CreateRoom { .. } | Command::DeclareRoom { .. } => {
                answers.room_created.clone()
            }
            Command::Join { .. } => answers.joined.clone(),
            Command::Enter { .. } => answers.entered.clone(),
            Command::Post { .. } | Command::PostDirect { .. } => answers.posted.clone(),
            Command::Receive { .. } => answers.received.clone(),
            Command::MarkRead { .. } => answers.read_marker.clone(),
            _ => answers.done.clone(),
        },
        Output::Submit { ack_only: true, .. } => answers.done.clone(),
        Output::Query { query } => match &**query {
            Query::History { .. } | Query::Excerpt { .. } => answers.messages.clone(),
            Query::Missed { .. } => answers.missed.clone(),
            Query::Conversations { .. } => answers.conversations.clone(),
            Query::ReadMarker { .. } => answers.read_marker.clone(),
            Query::LastChange => answers.last_change.clone(),
            Query::Members { .. } | Query::Occupants { .. } => answers.members.clone(),
            Query::Room { .. } => answers.room.clone(),
            Query::RoomIds { .. } => answers.room_ids.clone(),
            Query::Rooms { .. } | Query::SearchRooms { .. } => answers.rooms.clone(),
            Query::User { .. } => answers.user.clone(),
        },
        _ => return None,
    })
}

struct Answers {
    done: Outcome,
    registered: Outcome,
    signed_in: Outcome,
    token_issued: Outcome,
    room_created: Outcome,
    joined: Outcome,
    entered: Outcome,
    posted: Outcome,
    received: Outcome,
    messages: Outcome,
    missed: Outcome,
    conversations: Outcome,
    read_marker: Outcome,
    last_change: Outcome,
    members: Outcome,
    room: Outcome,
    room_ids: Outcome,
    rooms: Outcome,
    user: Outcome,
}

impl Answers {
    fn new() -> Self {
        let person = json!({ "uid": 10_001, "handle": "ann", "name": "Ann" });
        let user = json!({ "person": person, "created": 1, "online": true });
        let tag = json!({ "id": 7, "name": "tea" });
        let room = json!({
            "id": 7, "name": "tea", "title": "Tea", "created": 1, "population": 1,
            "capacity": 500, "active": true, "closed": false,
        });
        let message = json!({
            "id": 1, "at": 1_000, "author": person, "to": { "room": tag }, "text": "hello",
        });
        let ok = |reply: Value| -> Outcome {
            Ok(serde_json::from_value(reply.clone()).unwrap_or_else(|why| panic!("{why}: {reply}")))
        };
        Self {
            done: ok(json!({ "did": "done" })),
            registered: ok(json!({ "did": "registered", "user": user })),
            signed_in: ok(json!({
                "did": "signed_in", "user": user, "token": "12345", "rooms": [tag],
                "backlog": [message],
            })),
            token_issued: ok(json!({ "did": "token_issued", "token": "12345" })),
            room_created: ok(json!({ "did": "room_created", "room": room })),
            joined: ok(json!({ "did": "joined", "room": tag })),
            entered: ok(json!({ "did": "entered", "room": room, "user": person, "again": false })),
            posted: ok(json!({ "did": "posted", "message": message })),
            received: ok(json!({ "did": "received", "messages": [message], "cursor": 1 })),
            messages: ok(json!({ "did": "messages", "messages": [message] })),
            missed: ok(json!({
                "did": "missed", "messages": [message], "more": true, "cursor": 1,
                "gap": { "after": 0, "before": 1, "count": 7 },
            })),
            conversations: ok(json!({
                "did": "conversations",
                "conversations": [{ "with": { "room": tag }, "newest": 1, "at": 1_000 }],
            })),
            read_marker: ok(json!({ "did": "read_marker", "at": 1_000 })),
            last_change: ok(json!({ "did": "last_change", "at": 1 })),
            members: ok(json!({ "did": "members", "members": [person] })),
            room: ok(json!({ "did": "room", "room": room })),
            room_ids: ok(json!({ "did": "room_ids", "rooms": [7] })),
            rooms: ok(json!({ "did": "rooms", "rooms": [room] })),
            user: ok(json!({ "did": "user", "user": user })),
        }
    }
}
