//! What must hold whatever a client sends.

use std::collections::VecDeque;

use core_model::{Outcome, Refusal, Reply, Timestamp};
use frontend_api::http::Request;
use frontend_api::{Frontend, Input, Outbox, Output, Peer, Session};
use frontend_chatroom::ChatroomFrontend;

const POST: &str = r#"{"type":"msg","data":{"user":{"user_name":"test","user_avatar":""},"room_name":"TEST","msg":"hello"}}"#;

fn websocket() -> Peer {
    Peer { upgrade: Some(Request::default()), ..Peer::default() }
}

fn outputs(session: &mut dyn Session, input: Input<'_>) -> Vec<Output> {
    let mut out = Outbox::default();
    session.handle(Timestamp(0), input, &mut out);
    out.drain().collect()
}

/// The texts of the errors among them.
fn errors(outputs: &[Output]) -> Vec<String> {
    let text = |output: &Output| {
        let Output::SendText(text) = output else { return None };
        let packet: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(packet["type"], "error");
        Some(packet["data"]["msg"].as_str().unwrap().to_owned())
    };
    outputs.iter().filter_map(text).collect()
}

#[test]
fn noise_is_harmless() {
    let frontend = ChatroomFrontend::default();
    frontend_testkit::assert_noise_is_harmless(&frontend, 200);
    frontend_testkit::assert_noise_is_harmless_as(&frontend, &websocket(), 2_000);
}

#[test]
fn every_packet_gets_one_command_or_one_error() {
    let frontend = ChatroomFrontend::default();
    let cut = (0..=POST.len()).map(|at| POST[..at].to_owned());
    let garbled = (0..POST.len()).flat_map(|at| {
        ["", "\0", "\"", "{", "}", "[", ",", ":", "0", "null", "\\", "茶"]
            .map(|noise| format!("{}{noise}{}", &POST[..at], &POST[at + 1..]))
    });
    for text in cut.chain(garbled) {
        let mut session = frontend.open(&websocket());
        match outputs(&mut *session, Input::Text(&text)).as_slice() {
            [Output::Submit { .. }] => (),
            [output @ Output::SendText(_)] => {
                assert_eq!(errors(std::slice::from_ref(output)).len(), 1, "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// Every conversation of eight steps, a step being a message, nonsense or an answer of the
/// engine's. The engine refuses every message.
#[test]
fn pipelined_packets_are_answered_in_order() {
    let frontend = ChatroomFrontend::default();
    for steps in 0..3_u32.pow(8) {
        let mut talk = Talk::new(&frontend);
        for place in 0..8 {
            match steps / 3_u32.pow(place) % 3 {
                0 => talk.send(POST, "user not exist"),
                1 => talk.send("nonsense", "invalid message"),
                _ => talk.answer(),
            }
        }
        while !talk.asked.is_empty() {
            talk.answer();
        }
        assert_eq!(talk.told, talk.expected, "steps {steps} in base 3, last digit first");
    }
}

struct Talk {
    session: Box<dyn Session>,
    /// What is not answered yet: whether it was a command rather than a question.
    asked: VecDeque<bool>,
    told: Vec<String>,
    expected: Vec<&'static str>,
}

impl Talk {
    fn new(frontend: &ChatroomFrontend) -> Self {
        let session = frontend.open(&websocket());
        Self { session, asked: VecDeque::new(), told: Vec::new(), expected: Vec::new() }
    }

    fn send(&mut self, packet: &str, error: &'static str) {
        self.expected.push(error);
        self.take_in(Input::Text(packet));
    }

    fn answer(&mut self) {
        let outcome: Outcome = match self.asked.pop_front() {
            Some(true) => Err(Refusal::NotInRoom),
            Some(false) => Ok(Reply::LastChange { at: Timestamp(0) }),
            None => return,
        };
        self.take_in(Input::Answer(&outcome));
    }

    fn take_in(&mut self, input: Input<'_>) {
        let outputs = outputs(&mut *self.session, input);
        self.told.extend(errors(&outputs));
        self.asked.extend(outputs.iter().filter_map(|output| match output {
            Output::Submit { .. } => Some(true),
            Output::Query { .. } => Some(false),
            _ => None,
        }));
    }
}

#[test]
fn no_session_grows_without_bound() {
    for packet in [POST, "nonsense"] {
        let mut session = ChatroomFrontend::default().open(&websocket());
        outputs(&mut *session, Input::Text(POST));
        let flood: Vec<Output> =
            (0..100_000).flat_map(|_| outputs(&mut *session, Input::Text(packet))).collect();
        assert!(flood.len() < 1_000, "{} outputs are owed answers", flood.len());
        assert_eq!(flood.last(), Some(&Output::Close));
        assert_eq!(errors(&flood), ["slow down"]);
    }
}

#[test]
fn nonsense_on_an_idle_connection_is_never_too_much() {
    let mut session = ChatroomFrontend::default().open(&websocket());
    for _ in 0..10_000 {
        let said = outputs(&mut *session, Input::Text("nonsense"));
        assert_eq!(errors(&said), ["invalid message"]);
    }
}
