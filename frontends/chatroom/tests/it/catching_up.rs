//! What is posted while a client catches up comes after what it missed: it may keep the newest id.

use core_model::{Outcome, Recorded, Refusal, Timestamp};
use frontend_api::http::Request;
use frontend_api::{Frontend, Input, Outbox, Output, Peer, Session};
use frontend_chatroom::ChatroomFrontend;
use serde_json::{Value, json};

/// A guest on a WebSocket: what it was sent, each message as its id or as the packet's type.
struct Client {
    session: Box<dyn Session>,
    sent: Vec<Value>,
    is_closed: bool,
}

impl Client {
    fn open() -> Self {
        let peer = Peer { upgrade: Some(Request::default()), ..Peer::default() };
        let session = ChatroomFrontend::default().open(&peer);
        let mut client = Self { session, sent: Vec::new(), is_closed: false };
        client.feed(Input::Opened);
        client
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Outbox::default();
        self.session.handle(Timestamp(0), input, &mut out);
        for output in out.drain() {
            match output {
                Output::SendText(text) => {
                    let mut packet: Value = serde_json::from_str(&text).expect("it sends JSON");
                    let id = packet["data"]["id"].take();
                    self.sent.push(if packet["type"] == "msg" {
                        id
                    } else {
                        packet["type"].take()
                    });
                }
                Output::Close => self.is_closed = true,
                _ => (),
            }
        }
    }

    fn answer(&mut self, reply: Value) {
        let outcome: Outcome = serde_json::from_value(json!({ "Ok": reply })).expect("a reply");
        self.feed(Input::Answer(&outcome));
    }

    /// Sends so many joins, and gets their answers.
    fn join(&mut self, times: usize) {
        let user = json!({ "user_name": "bob" });
        let data = json!({ "user": user, "room_name": "TEST", "msg": "", "since": 42 });
        for _ in 0..times {
            self.feed(Input::Text(&json!({ "type": "join", "data": data }).to_string()));
        }
        let room = json!({ "id": "TEST".len(), "name": "TEST", "created": 0, "population": 1, "capacity": 500,
            "active": true, "closed": false });
        let user = json!({ "handle": "guest:bob", "name": "bob" });
        for _ in 0..times {
            self.answer(json!({ "did": "entered", "room": room, "user": user, "again": false }));
        }
    }

    fn missed(&mut self, ids: &[u64], cursor: u64) {
        let messages: Vec<_> = ids.iter().map(|id| message(*id, "TEST", "hi")).collect();
        self.answer(json!({ "did": "missed", "messages": messages, "cursor": cursor }));
    }

    fn posted(&mut self, id: u64, room: &str, text: &str) {
        let event = json!({ "event": "posted", "message": message(id, room, text) });
        let recorded = json!({ "seq": id, "at": 0, "cause": 9, "event": event });
        let recorded: Recorded = serde_json::from_value(recorded).expect("an event");
        self.feed(Input::Event(&recorded));
    }
}

fn message(id: u64, room: &str, text: &str) -> Value {
    let author = json!({ "handle": "guest:ann", "name": "ann" });
    let to = json!({ "room": { "id": room.len(), "name": room } });
    json!({ "id": id, "at": 0, "author": author, "to": to, "text": text })
}

#[test]
fn what_is_posted_during_the_query_waits_for_the_missed_messages() {
    let mut client = Client::open();
    client.join(1);
    client.posted(50, "TEST", "in the reply, too");
    client.posted(52, "TEST", "later");
    client.posted(51, "OTHER", "of another room");
    assert_eq!(client.sent, [51]);
    client.missed(&[43, 50], 50);
    client.posted(53, "TEST", "live");
    let after = [json!(43), json!(50), json!(52), json!("caught_up"), json!(53)];
    assert_eq!(client.sent[1..], after);
}

#[test]
fn what_was_among_the_missed_messages_does_not_come_again() {
    let mut client = Client::open();
    client.join(1);
    client.posted(49, "TEST", "in the reply, too");
    client.missed(&[43, 49, 50, 51], 52);
    for id in [50, 51, 52, 53] {
        client.posted(id, "TEST", "on its way when the query was answered");
        client.posted(id, "OTHER", "of another room");
    }
    let others = client.sent.split_off(5);
    assert_eq!(client.sent, [json!(43), json!(49), json!(50), json!(51), json!("caught_up")]);
    assert_eq!(others, [50, 51, 52, 53, 53], "53 of both rooms");
}

#[test]
fn each_join_waits_for_its_own_missed_messages() {
    let mut client = Client::open();
    client.join(2);
    client.posted(52, "TEST", "later");
    client.missed(&[43], 51);
    client.missed(&[43], 51);
    let sent = [json!(43), json!("caught_up"), json!(43), json!(52), json!("caught_up")];
    assert_eq!(client.sent, sent);
}

#[test]
fn a_client_for_which_too_much_waits_is_closed() {
    let mut client = Client::open();
    client.join(1);
    let text = "x".repeat(1 << 18);
    for id in 50..53 {
        client.posted(id, "TEST", &text);
    }
    assert!(!client.is_closed && client.sent.is_empty());
    client.posted(53, "TEST", &text);
    assert!(client.is_closed);
    assert_eq!(client.sent, ["error"]);
}

#[test]
fn a_client_that_cannot_catch_up_now_is_disconnected() {
    let mut client = Client::open();
    client.join(1);
    client.feed(Input::Answer(&Err(Refusal::Overloaded)));
    assert_eq!(client.sent.last(), Some(&json!("error")));
    assert!(client.is_closed);
}
