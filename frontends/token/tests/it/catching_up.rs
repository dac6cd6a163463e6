//! What is posted while a client catches up comes after what it missed, and nothing comes again.

use core_model::{Outcome, Recorded, Refusal, Timestamp};
use frontend_api::{EventFilter, Frontend, Input, Outbox, Output, Peer, Session};
use frontend_token::TokenFrontend;
use serde_json::{Value, json};

const CATCH_UP: u16 = 11;
const LEAVE_ROOM: u16 = 6;
const POST_MESSAGE: u16 = 10;

/// A client, and what it was sent: messages by their ids, replies by the command.
struct Client {
    session: Box<dyn Session>,
    sent: Vec<Sent>,
    filter: EventFilter,
    is_closed: bool,
}

#[derive(Debug, PartialEq)]
enum Sent {
    Message(u64),
    Reply(u16),
}

use Sent::{Message, Reply};

impl Client {
    fn open() -> Self {
        let session = TokenFrontend::default().open(&Peer::default());
        let (sent, filter, is_closed) = (Vec::new(), EventFilter::default(), false);
        let mut client = Self { session, sent, filter, is_closed };
        client.feed(Input::Opened);
        client
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Outbox::default();
        self.session.handle(Timestamp(0), input, &mut out);
        for output in out.drain() {
            match output {
                Output::SendBytes(frame) => {
                    let command = u16::from_be_bytes([frame[4], frame[5]]);
                    let id = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight"));
                    self.sent.push(match command {
                        0x4003 => Message(id(&frame[22..30])),
                        reply => Reply(reply & 0x7fff),
                    });
                }
                Output::SetEventFilter(filter) => self.filter = filter,
                Output::Close => self.is_closed = true,
                _ => (),
            }
        }
    }

    fn ask(&mut self, command: u16, room: u32, rest: &[u8]) {
        let length = (10 + rest.len() as u32).to_be_bytes();
        let [command, room] = [command.to_be_bytes().to_vec(), room.to_be_bytes().to_vec()];
        self.feed(Input::Bytes(&[&length, &command[..], &[0, 0, 0, 7], &room, rest].concat()));
    }

    fn catch_up(&mut self, room: u32) {
        self.ask(CATCH_UP, room, &[0, 0, 0, 0, 0, 0, 0, 42, 0, 0]);
    }

    fn answer(&mut self, reply: Value) {
        let outcome: Outcome = serde_json::from_value(json!({ "Ok": reply })).expect("a reply");
        self.feed(Input::Answer(&outcome));
    }

    fn missed(&mut self, ids: &[u64], cursor: u64, more: bool) {
        let messages: Vec<_> = ids.iter().map(|id| message(*id, 1, "hi")).collect();
        let reply =
            json!({ "did": "missed", "messages": messages, "cursor": cursor, "more": more });
        self.answer(reply);
    }

    /// A message is posted: it comes by the session if that encodes events itself.
    fn posted(&mut self, id: u64, room: u32, text: &str) {
        let event = json!({ "event": "posted", "message": message(id, room, text) });
        let recorded = json!({ "seq": id, "at": 0, "cause": 9, "event": event });
        let recorded: Recorded = serde_json::from_value(recorded).expect("an event");
        if self.filter.per_session {
            self.feed(Input::Event(&recorded));
        } else if self.filter.messages {
            self.sent.push(Message(id));
        }
    }
}

fn message(id: u64, room: u32, text: &str) -> Value {
    let author = json!({ "handle": "guest:ann", "name": "ann" });
    let to = json!({ "room": { "id": room, "name": "tea" } });
    json!({ "id": id, "at": 0, "author": author, "to": to, "text": text })
}

#[test]
fn what_is_posted_during_the_query_waits_for_the_missed_messages() {
    let mut client = Client::open();
    client.catch_up(1);
    client.posted(50, 1, "in the reply, too");
    client.posted(51, 2, "of another room");
    client.posted(52, 1, "later");
    client.missed(&[43, 50], 50, false);
    client.posted(53, 1, "live");
    let [missed, live] = [[43, 50], [52, 53]].map(|ids| ids.map(Message));
    let mut expected = vec![Message(51), Reply(CATCH_UP)];
    expected.extend(missed.into_iter().chain(live));
    assert_eq!(client.sent, expected);
}

#[test]
fn what_was_among_the_missed_messages_does_not_come_again() {
    let mut client = Client::open();
    client.catch_up(1);
    client.missed(&[43, 50], 51, false);
    for id in 50..53 {
        client.posted(id, 1, "on its way when the query was answered");
    }
    assert_eq!(client.sent, [Reply(CATCH_UP), Message(43), Message(50), Message(52)]);
}

#[test]
fn while_there_is_more_to_ask_for_nothing_comes_before_that() {
    let mut client = Client::open();
    client.catch_up(1);
    client.posted(60, 1, "among those to ask for");
    client.missed(&[43, 44], 44, true);
    client.posted(61, 1, "likewise");
    client.catch_up(1);
    client.posted(62, 1, "later");
    client.missed(&[60, 61], 61, false);
    let messages = [60, 61, 62].map(Message);
    assert_eq!(client.sent[..4], [Reply(CATCH_UP), Message(43), Message(44), Reply(CATCH_UP)]);
    assert_eq!(client.sent[4..], messages);
}

#[test]
fn a_client_that_stops_asking_and_leaves_begins_anew() {
    let mut client = Client::open();
    client.catch_up(1);
    client.missed(&[43], 43, true);
    client.ask(LEAVE_ROOM, 1, &[]);
    client.answer(json!({ "did": "done" }));
    client.posted(60, 1, "after entering again");
    assert_eq!(client.sent.last(), Some(&Message(60)));
}

#[test]
fn after_a_refusal_messages_come_as_before() {
    let mut client = Client::open();
    client.catch_up(1);
    client.posted(50, 1, "waits");
    client.feed(Input::Answer(&Err(Refusal::Overloaded)));
    client.posted(51, 1, "live");
    assert_eq!(client.sent, [Reply(CATCH_UP), Message(50), Message(51)]);
}

#[test]
fn the_events_of_an_earlier_request_come_before_the_missed_messages() {
    let mut client = Client::open();
    client.ask(POST_MESSAGE, 1, &[0, 0, 0, 2, b'h', b'i']);
    client.catch_up(1);
    client.answer(json!({ "did": "posted", "message": message(50, 1, "hi") }));
    client.posted(50, 1, "hi");
    // The turn of the query.
    client.answer(json!({ "did": "last_change", "at": 0 }));
    client.posted(51, 1, "meanwhile");
    client.missed(&[43, 50], 50, false);
    let after = [Reply(CATCH_UP), Message(43), Message(50), Message(51)];
    assert_eq!(client.sent[..2], [Reply(POST_MESSAGE), Message(50)]);
    assert_eq!(client.sent[2..], after);
}

#[test]
fn a_client_for_which_too_much_waits_is_closed() {
    let mut client = Client::open();
    client.catch_up(1);
    let text = "x".repeat(1 << 18);
    (50..53).for_each(|id| client.posted(id, 1, &text));
    assert!(!client.is_closed && client.sent.is_empty());
    client.posted(53, 1, &text);
    assert!(client.is_closed);
    assert_eq!(client.sent, [Reply(0)]);
}
