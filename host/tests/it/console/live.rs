//! The live stream.

use std::io::{BufRead as _, BufReader};

use serde_json::json;
use tokio_tungstenite::tungstenite::{self, Message};

use super::*;

/// An open stream of events.
struct Stream {
    lines: BufReader<TcpStream>,
}

impl Stream {
    /// Fails with the status and body of a refusal.
    fn open(gateway: &Gateway, headers: &[&str]) -> Result<Self, (u16, String)> {
        let admin = gateway.admin();
        let mut stream = TcpStream::connect(admin).expect("it listens");
        let host = format!("host: {admin}");
        let head = [&["GET /api/v1/live HTTP/1.1", &host], headers].concat().join("\r\n");
        write!(stream, "{head}\r\n\r\n").expect("it reads");
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).expect("it answers") > 0, "cut off: {head}");
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        if status == Some(200) {
            assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
            return Ok(Self { lines });
        }
        let mut body = String::new();
        lines.read_to_string(&mut body).expect("it ends");
        Err((status.expect("a status"), body))
    }

    /// Name and data of the next event; `None`: the stream has ended.
    fn event(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        let mut data = String::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            // Lines of chunked coding are neither; a piece may end within a line of data.
            let line = line.trim_end();
            if let Some(rest) = line.strip_prefix("event: ") {
                name = rest.to_owned();
            } else if let Some(rest) = line.strip_prefix("data: ") {
                data = rest.to_owned();
            } else if !data.is_empty() {
                if let Ok(value) = serde_json::from_str(&data) {
                    return Some((name, value));
                }
                let is_size = !line.is_empty() && line.bytes().all(|it| it.is_ascii_hexdigit());
                data += if is_size { "" } else { line };
            }
        }
    }

    /// The next sample for which this is true: one of the next hundred.
    fn sample(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..100 {
            let (name, value) = self.event().expect("it goes on");
            if name == "sample" && wanted(&value) {
                return value;
            }
        }
        panic!("no such sample");
    }
}

fn cell(sample: &Value, from: &str, to: &str) -> f64 {
    let cells = sample["flow"].as_array().into_iter().flatten();
    let mut cells = cells.filter(|cell| cell["from"] == from && cell["to"] == to);
    cells.next().map_or(0.0, |cell| cell["per_s"].as_f64().expect("a number"))
}

#[test]
fn it_begins_with_the_history_and_has_a_sample_each_second() {
    let gateway = Gateway::start(TOML);
    let mut stream = Stream::open(&gateway, &[HEADER]).expect("it is open");
    let (name, history) = stream.event().expect("it begins");
    assert_eq!(name, "history");
    assert!(history["fine"].is_array() && history["coarse"] == json!([]), "{history}");
    let first = stream.sample(|_| true);
    let second = stream.sample(|_| true);
    assert!(second["at_ms"].as_u64() > first["at_ms"].as_u64(), "{first} {second}");
    assert_eq!((&second["engine"], &second["store"]), (&json!("ok"), &json!("ok")));
    for key in ["resident_bytes", "disk_free_bytes", "store_bytes"] {
        assert!(second[key].as_u64().is_some_and(|bytes| bytes > 0), "{key}: {second}");
    }
    let names: Vec<_> = second["frontends"].as_array().expect("front ends").iter().collect();
    let names: Vec<_> = names.iter().map(|one| (one["name"].as_str(), &one["state"])).collect();
    let serving = json!("serving");
    let expected = ["chatroom", "channel", "irc"].map(|name| (Some(name), &serving));
    assert_eq!(names, expected);
    // A later stream has what this one saw.
    let mut later = Stream::open(&gateway, &[HEADER]).expect("it is open");
    let (_, history) = later.event().expect("it begins");
    assert!(history["fine"].as_array().expect("samples").contains(&first), "{history}");
    gateway.end();
    // The gateway did not wait for them.
    assert!(later.event().is_none_or(|(name, _)| name == "sample"));
}

#[test]
fn the_flow_counts_a_message_from_chatroom_to_irc() {
    let gateway = Gateway::start(TOML);
    let mut stream = Stream::open(&gateway, &[HEADER]).expect("it is open");
    gateway.api("POST /api/v1/rooms", r#"{"name":"tea"}"#);
    let mut irc = TcpStream::connect(gateway.address("irc", "listen")).expect("it listens");
    irc.write_all(b"NICK zed\r\nUSER z 0 * :z\r\nJOIN #tea\r\n").expect("it reads");
    let mut lines = BufReader::new(irc).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains(" 366 "))), "it joins");
    let address = gateway.address("chatroom", "websocket_listen");
    let tcp = TcpStream::connect(address).expect("it listens");
    let (mut chat, _) = tungstenite::client(format!("ws://{address}/"), tcp).expect("a handshake");
    for (kind, text) in [("join", ""), ("msg", "hello")] {
        let user = json!({ "user_name": "ann", "user_avatar": "" });
        let data = json!({ "user": user, "room_name": "tea", "msg": text });
        let packet = json!({ "type": kind, "data": data });
        chat.send(Message::text(packet.to_string())).expect("it reads");
    }
    let is_posted = |line: &str| line.contains("PRIVMSG #tea");
    assert!(lines.any(|line| line.is_ok_and(|line| is_posted(&line))), "it is delivered");
    let sample = stream.sample(|sample| cell(sample, "chatroom", "irc") > 0.0);
    let posted = sample["messages_per_s"].as_f64().expect("a number");
    assert!(posted > 0.0 && sample["commits_per_s"].as_f64() > Some(0.0), "{sample}");
    assert!(sample["commit_p50_ms"].as_f64() <= sample["commit_p99_ms"].as_f64(), "{sample}");
    assert!((cell(&sample, "irc", "chatroom")).abs() < 1e-9, "{sample}");
    assert_eq!(sample["rooms_in_use"], 1, "{sample}");
    gateway.end();
}

#[test]
fn streams_are_bounded_and_end_with_their_token_and_with_the_console() {
    let gateway = Gateway::start(TOML);
    let token = gateway.token("monitor");
    let bearer = format!("authorization: Bearer {token}");
    let open = || Stream::open(&gateway, &[HEADER]);
    let mut mine = Stream::open(&gateway, &[&bearer]).expect("it is open");
    let mut others: Vec<_> = (1..16).map(|_| open().expect("it is open")).collect();
    let (status, body) = open().err().expect("it is one too many");
    assert_eq!(status, 503);
    assert!(body.contains("too many consoles"), "{body}");
    let tokens = gateway.api("GET /api/v1/tokens", "");
    let id = tokens["items"][0]["id"].as_str().expect("an id").to_owned();
    gateway.api(&format!("DELETE /api/v1/tokens/{id}"), "");
    while mine.event().is_some() {}
    let off = TOML.replace("[admin]\n", "[admin]\nconsole = false\n");
    std::fs::write(gateway.folder.path().join("gateway.toml"), off).expect("it is writable");
    gateway.api("POST /api/v1/config/apply", "{}");
    for stream in &mut others {
        while stream.event().is_some() {}
    }
    let (status, _) = open().err().expect("it is off");
    assert_eq!(status, 404);
    gateway.end();
}
