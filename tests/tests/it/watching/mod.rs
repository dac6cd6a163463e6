//! What operators see of frames: taps, traces, views, and the playground.

mod playground;
mod tap;
mod trace;
mod views;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use gateway_tests::http::Response;
use gateway_tests::{Gateway, Http, PATIENCE, connect};
use serde_json::Value;

/// Every dialect, on each of its transports.
const ALL: &str = "
    [[rooms]]
    name = \"TEST\"
    [[rooms]]
    name = \"tea\"
    [[rooms]]
    name = \"coffee\"
    [frontends.token]
    messages = true
    [frontends.usr_room]
    [frontends.chatroom]
    [frontends.ourchat]
    tcp_listen = \"127.0.0.1:0\"
    [frontends.channel]
    [frontends.irc]
";

/// A stream of server-sent events of the admin API.
struct Events(BufReader<TcpStream>);

impl Events {
    #[track_caller]
    fn open(gateway: &Gateway, target: &str) -> Self {
        let address = gateway.address("admin", "listen");
        let mut stream = connect(address);
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nX-Dragoman-Admin: 1\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the gateway takes it");
        let mut events = Self(BufReader::new(stream));
        let status = events.line();
        assert!(status.starts_with("HTTP/1.1 200"), "{target}: {status}");
        events
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line);
        assert!(read.is_ok_and(|bytes| bytes > 0), "the stream ends after {line:?}");
        line.trim_end().to_owned()
    }

    /// The next event: its name and its data.
    #[track_caller]
    fn next(&mut self) -> (String, Value) {
        loop {
            let line = self.line();
            let Some(name) = line.strip_prefix("event: ") else { continue };
            let data = self.line();
            let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("no data: {data}"));
            return (name.to_owned(), serde_json::from_str(data).expect("it is JSON"));
        }
    }

    /// The frames up to one that is wanted.
    #[track_caller]
    fn until(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let (name, frame) = self.next();
            if name != "frame" {
                continue;
            }
            let is_last = wanted(&frame);
            frames.push(frame);
            if is_last {
                return frames;
            }
        }
    }
}

/// A request to the admin API.
#[track_caller]
fn admin(gateway: &Gateway, method: &str, target: &str, body: &Value) -> Response {
    let mut http = Http::connect(gateway.address("admin", "listen"));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    http.request(method, target, &[("X-Dragoman-Admin", "1")], body.as_bytes())
}

/// The reply to a `GET`.
#[track_caller]
fn read(gateway: &Gateway, target: &str) -> Value {
    let response = admin(gateway, "GET", target, &Value::Null);
    assert_eq!(response.status, 200, "{target}: {response}");
    response.json()
}

/// The reply to a `GET` once it is as wanted: what happens after a client has its answer may take a
/// moment more.
#[track_caller]
fn read_until(gateway: &Gateway, target: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let found = read(gateway, target);
        if wanted(&found) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{target}: {found}");
    }
}

/// The text of a frame, of its HTTP message too.
fn text(frame: &Value) -> String {
    let http = &frame["http"];
    let parts = [&frame["text"], &http["method"], &http["target"], &http["body"]];
    parts.iter().filter_map(|part| part.as_str()).collect::<Vec<_>>().join(" ")
}
