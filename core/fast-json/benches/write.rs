//! `fast-json` beside `serde_json`: a page of history, and a post and its event as they cross
//! the plugin border. `cargo bench -p fast-json`.
//!
//! Both take turns in one run; the figure is the best of many rounds, in nanoseconds.

use std::hint::black_box;
use std::time::Instant;

use core_model::{Command, Message, Outcome, Recorded};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

const ROUNDS: usize = 2_000;
const CALLS_A_ROUND: usize = 100;

fn model<T: DeserializeOwned>(json: serde_json::Value) -> T {
    serde_json::from_value(json).expect("JSON of the model")
}

fn message(id: usize) -> serde_json::Value {
    json!({
        "id": 123_456 + id, "at": 1_700_000_000_000_u64 + id as u64,
        "author": { "uid": 10_001, "handle": "ann", "name": "Ann", "identities": ["tel/5551234"] },
        "to": { "room": { "id": 7, "name": "tea" } },
        "text": "hello, is the kettle on? I have brought the good cups and some biscuits",
    })
}

/// A page of messages as a dialect over HTTP writes it.
#[derive(Serialize)]
struct Page {
    code: u32,
    messages: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    message_id: u64,
    time_ms: u64,
    user_name: String,
    room_name: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Call<'a> {
    command: &'a Command,
}

fn page() -> Page {
    let row = |id| {
        let Message { id, at, author, text, .. } = model(message(id));
        let user_name = author.name.clone();
        Row { message_id: id.0, time_ms: at.0, user_name, room_name: "tea", text }
    };
    Page { code: 0, messages: (0..20).map(row).collect() }
}

/// Prints the best time of each, and their ratio.
fn compare(name: &str, mut ours: impl FnMut(), mut theirs: impl FnMut()) {
    let mut best = [f64::MAX; 2];
    for _ in 0..ROUNDS {
        let works: [&mut dyn FnMut(); 2] = [&mut ours, &mut theirs];
        for (best, work) in best.iter_mut().zip(works) {
            let begin = Instant::now();
            for _ in 0..CALLS_A_ROUND {
                work();
            }
            *best = best.min(begin.elapsed().as_secs_f64() * 1e9 / CALLS_A_ROUND as f64);
        }
    }
    let [ours, theirs] = best;
    println!("{name:28}{ours:>9.0} ns{theirs:>9.0} ns{:>8.2}", ours / theirs);
}

fn compare_writing<T: ?Sized>(
    name: &str,
    value: &T,
    ours: impl Fn(&T, &mut Vec<u8>),
    theirs: impl Fn(&T, &mut Vec<u8>),
) {
    let mut buffers = [Vec::new(), Vec::new()];
    let [first, second] = &mut buffers;
    compare(
        name,
        || {
            first.clear();
            ours(black_box(value), first);
        },
        || {
            second.clear();
            theirs(black_box(value), second);
        },
    );
    assert_eq!(buffers[0], buffers[1], "{name}");
}

fn compare_reading<T: DeserializeOwned>(name: &str, json: &[u8], read: impl Fn(&str) -> Option<T>) {
    let json = std::str::from_utf8(json).expect("JSON");
    assert!(read(json).is_some(), "{name}");
    compare(
        name,
        || drop(black_box(read(black_box(json)))),
        || drop(black_box(serde_json::from_str::<T>(black_box(json)))),
    );
}

fn by_serde<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("JSON of the model");
}

fn main() {
    let event = json!({ "event": "posted", "message": message(0) });
    let event: Recorded =
        model(json!({ "seq": 99, "at": 1_700_000_000_000_u64, "cause": 42, "event": event }));
    let answer: Outcome = model(json!({ "Ok": { "did": "posted", "message": message(0) } }));
    let post: Command = model(json!({
        "do": "post", "room": { "name": "tea" }, "author": "session",
        "text": message(0)["text"], "standing": "seated",
    }));
    println!("{:28}{:>12}{:>12}{:>8}", "", "fast-json", "serde_json", "ratio");
    compare_writing(
        "write 20 messages",
        &page(),
        |page, out| fast_json::append(page, out).expect("JSON of the model"),
        by_serde,
    );
    compare_writing("write an event", &event, fast_json::append_event, by_serde);
    compare_writing("write an answer", &answer, fast_json::append_outcome, by_serde);
    compare_writing(
        "write a post",
        &post,
        |post, out| fast_json::append_call(post, false, out),
        |command, out| by_serde(&Call { command }, out),
    );
    let mut bytes = Vec::new();
    fast_json::append_event(&event, &mut bytes);
    compare_reading("read an event", &bytes, fast_json::read_event);
    bytes.clear();
    fast_json::append_outcome(&answer, &mut bytes);
    compare_reading("read an answer", &bytes, fast_json::read_outcome);
}
