//! From [`Input`] to what crosses the border.

use std::cell::Cell;

use core_model::{Event, Message, Outcome, Person, Recipient, Recorded, Reply, RoomTag};
use frontend_api::{Ending, Input, json};
use plugin_abi::lay::Lay;
use plugin_abi::{
    GW_IN_ANSWER, GW_IN_BINARY, GW_IN_BYTES, GW_IN_CLOSED, GW_IN_ENDING, GW_IN_EVENT, GW_IN_OPENED,
    GW_IN_REQUEST, GW_IN_TEXT, GW_IN_WOKEN,
};
use serde::Serialize;

/// What a thread keeps of its buffer from one call to the next, in bytes.
const BUFFER_BYTES_KEPT: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// `Request`, without its body.
#[derive(Serialize)]
struct Head<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a [(String, String)],
}

/// Gives kind, payload and body of an input to `work`.
pub(crate) fn with_input<R>(input: Input<'_>, work: impl FnOnce(u32, &[u8], &[u8]) -> R) -> R {
    match input {
        Input::Opened => work(GW_IN_OPENED, &[], &[]),
        Input::Request(request) => {
            let (method, path, query) = (&*request.method, &*request.path, &*request.query);
            let head = Head { method, path, query, headers: &request.headers };
            with_json(&head, |json| work(GW_IN_REQUEST, json, &request.body))
        }
        Input::Bytes(bytes) => work(GW_IN_BYTES, bytes, &[]),
        Input::Text(text) => work(GW_IN_TEXT, text.as_bytes(), &[]),
        Input::Binary(bytes) => work(GW_IN_BINARY, bytes, &[]),
        Input::Answer(outcome) => with_answer(outcome, |json| work(GW_IN_ANSWER, json, &[])),
        Input::Event(recorded) => with_event(recorded, |json| work(GW_IN_EVENT, json, &[])),
        Input::Woken => work(GW_IN_WOKEN, &[], &[]),
        Input::Ending(ending) => work(GW_IN_ENDING, word(ending).as_bytes(), &[]),
        Input::Closed => work(GW_IN_CLOSED, &[], &[]),
    }
}

/// The answer to what was called briefly, and to whatever there is nothing to say of.
const DONE: &[u8] = br#"{"Ok":{"did":"done"}}"#;

/// Gives the answer as JSON to `work`, in a buffer that the thread keeps.
fn with_answer<R>(outcome: &Outcome, work: impl FnOnce(&[u8]) -> R) -> R {
    match outcome {
        Ok(Reply::Posted { message }) => with_buffer(
            |json| {
                let mut lay = Lay(json);
                lay.put(r#"{"Ok":{"did":"posted","message":"#);
                lay_message(&mut lay, message);
                lay.put("}}");
            },
            work,
        ),
        Ok(Reply::Done) => work(DONE),
        other => with_json(other, work),
    }
}

/// The same with an event.
pub(crate) fn with_event<R>(recorded: &Recorded, work: impl FnOnce(&[u8]) -> R) -> R {
    let Recorded { seq, at, cause, event: Event::Posted { message } } = recorded else {
        return with_json(recorded, work);
    };
    with_buffer(
        |json| {
            let mut lay = Lay(json);
            lay.put(r#"{"seq":"#);
            lay.number(seq.0);
            lay.put(r#","at":"#);
            lay.number(at.0);
            lay.put(r#","cause":"#);
            lay.number(cause.0);
            lay.put(r#","event":{"event":"posted","message":"#);
            lay_message(&mut lay, message);
            lay.put("}}");
        },
        work,
    )
}

/// As serde does it: almost everything that crosses has a message in it, and this is faster.
fn lay_message(lay: &mut Lay<'_>, message: &Message) {
    let Message { id, at, author, to, text } = message;
    lay.put(r#"{"id":"#);
    lay.number(id.0);
    lay.put(r#","at":"#);
    lay.number(at.0);
    lay.put(r#","author":"#);
    lay_person(lay, author);
    match to {
        Recipient::Room(RoomTag { id, name }) => {
            lay.put(r#","to":{"room":{"id":"#);
            lay.number(id.0.into());
            lay.put(r#","name":"#);
            lay.string(name);
            lay.put("}");
        }
        Recipient::User(user) => {
            lay.put(r#","to":{"user":"#);
            lay_person(lay, user);
        }
    }
    lay.put(r#"},"text":"#);
    lay.string(text);
    lay.put("}");
}

fn lay_person(lay: &mut Lay<'_>, person: &Person) {
    let Person { uid, handle, name, avatar, identities } = person;
    lay.put("{");
    if let Some(uid) = uid {
        lay.put(r#""uid":"#);
        lay.number(uid.0);
        lay.put(",");
    }
    lay.put(r#""handle":"#);
    lay.string(handle);
    lay.put(r#","name":"#);
    lay.string(name);
    if !avatar.is_empty() {
        lay.put(r#","avatar":"#);
        lay.string(avatar);
    }
    if !identities.is_empty() {
        lay.put(r#","identities":"#);
        lay.strings(identities);
    }
    lay.put("}");
}

/// Gives the value as JSON to `work`, in a buffer that the thread keeps.
pub(crate) fn with_json<R>(value: &impl Serialize, work: impl FnOnce(&[u8]) -> R) -> R {
    with_buffer(|out| json::append(value, out).expect("the model is plain data"), work)
}

fn with_buffer<R>(write: impl FnOnce(&mut Vec<u8>), work: impl FnOnce(&[u8]) -> R) -> R {
    let mut buffer = BUFFER.take();
    buffer.clear();
    write(&mut buffer);
    let result = work(&buffer);
    if buffer.capacity() <= BUFFER_BYTES_KEPT {
        BUFFER.set(buffer);
    }
    result
}

fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::Draining => "draining",
        Ending::Idle => "idle",
        Ending::Overlong => "overlong",
        Ending::Slow => "slow",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The contract says so: readers written by hand are short because of it.
    #[test]
    fn json_has_no_white_space_and_escapes_nothing_but_what_it_must() {
        let text = " \"\\/\u{0}\u{8}\t\n\u{1f}\u{7f}\u{e9}\u{2028}\u{1f375}";
        let headers = [(text.to_owned(), String::new())];
        let head = Head { method: "GET", path: "/", query: "", headers: &headers };
        let json = with_json(&head, |json| String::from_utf8(json.to_vec()).unwrap());
        let escaped = " \\\"\\\\/\\u0000\\b\\t\\n\\u001f\u{7f}\u{e9}\u{2028}\u{1f375}";
        let expected =
            format!(r#"{{"method":"GET","path":"/","query":"","headers":[["{escaped}",""]]}}"#);
        assert_eq!(json, expected);
    }

    #[test]
    fn what_is_done_is_laid_out_as_serde_does_it() {
        let done: Outcome = Ok(Reply::Done);
        assert_eq!(DONE, serde_json::to_string(&done).unwrap().as_bytes());
        with_answer(&done, |json| assert_eq!(json, DONE));
    }

    #[test]
    fn a_posted_message_is_laid_out_as_serde_does_it() {
        let guest = json!({ "handle": "guest:\u{8336}", "name": "\u{8336}" });
        let ann = json!({
            "uid": 10_001, "handle": "ann", "name": "Ann \"\\", "avatar": "https://example.org/a",
            "identities": ["tel/1", "email/a@b"],
        });
        let room = json!({ "room": { "id": u32::MAX, "name": "tea" } });
        for author in [&guest, &ann] {
            for to in [&room, &json!({ "user": guest }), &json!({ "user": ann })] {
                let text = "\u{0}\u{1f} \u{7f}\u{1f375}/\n and so on";
                let message =
                    json!({ "id": 0, "at": u64::MAX, "author": author, "to": to, "text": text });
                let answer = json!({ "Ok": { "did": "posted", "message": message } });
                let answer: Outcome = serde_json::from_value(answer).unwrap();
                let event = json!({ "event": "posted", "message": message });
                let event = json!({ "seq": 1, "at": 2, "cause": 3, "event": event });
                let event: Recorded = serde_json::from_value(event).unwrap();
                let text = |json: &[u8]| String::from_utf8(json.to_vec()).unwrap();
                assert_eq!(with_answer(&answer, text), serde_json::to_string(&answer).unwrap());
                assert_eq!(with_event(&event, text), serde_json::to_string(&event).unwrap());
            }
        }
    }
}
