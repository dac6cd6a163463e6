//! Encodes [`Input`] for the border.

use std::cell::Cell;

use core_model::Recorded;
use frontend_api::{Ending, Input};
use plugin_abi::{
    GW_IN_ANSWER, GW_IN_BINARY, GW_IN_BYTES, GW_IN_CLOSED, GW_IN_ENDING, GW_IN_EVENT, GW_IN_OPENED,
    GW_IN_REQUEST, GW_IN_TEXT, GW_IN_WOKEN,
};
use serde::Serialize;

/// The largest buffer that a thread keeps between calls, in bytes.
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

/// Calls `work` with kind, payload and body of an input.
pub(crate) fn with_input<R>(input: Input<'_>, work: impl FnOnce(u32, &[u8], &[u8]) -> R) -> R {
    match input {
        Input::Opened => work(GW_IN_OPENED, &[], &[]),
        Input::Request(request) => {
            let method = &*request.method;
            let path = &*request.path;
            let query = &*request.query;
            let head = Head { method, path, query, headers: &request.headers };
            with_json(&head, |json| work(GW_IN_REQUEST, json, &request.body))
        }
        Input::Bytes(bytes) => work(GW_IN_BYTES, bytes, &[]),
        Input::Text(text) => work(GW_IN_TEXT, text.as_bytes(), &[]),
        Input::Binary(bytes) => work(GW_IN_BINARY, bytes, &[]),
        Input::Answer(outcome) => with_buffer(
            |out| fast_json::append_outcome(outcome, out),
            |json| work(GW_IN_ANSWER, json, &[]),
        ),
        Input::Event(recorded) => with_event(recorded, |json| work(GW_IN_EVENT, json, &[])),
        Input::Woken => work(GW_IN_WOKEN, &[], &[]),
        Input::Ending(ending) => work(GW_IN_ENDING, word(ending).as_bytes(), &[]),
        Input::Closed => work(GW_IN_CLOSED, &[], &[]),
    }
}

/// Calls `work` with the event as JSON, in a buffer that the thread keeps.
pub(crate) fn with_event<R>(recorded: &Recorded, work: impl FnOnce(&[u8]) -> R) -> R {
    with_buffer(|out| fast_json::append_event(recorded, out), work)
}

/// Calls `work` with the value as JSON, in a buffer that the thread keeps.
pub(crate) fn with_json<R>(value: &impl Serialize, work: impl FnOnce(&[u8]) -> R) -> R {
    with_buffer(|out| fast_json::append(value, out).expect("the model is plain data"), work)
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
        // Plugins of the first releases know no other word for it.
        Ending::Draining | Ending::Removed => "draining",
        Ending::Idle => "idle",
        Ending::Overlong => "overlong",
        Ending::Slow => "slow",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract promises it, so that hand-written readers can be short.
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
}
