//! Traces arrive at a collector (feature `otel`).

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::program::{Running, folder};

const TOML: &str = "[[rooms]]\nname = \"TEST\"\n[frontends.irc]\nlisten = \"127.0.0.1:0\"\n";

/// How long the collector's thread may take to read what it was sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector: takes what is sent to it, and passes it on.
fn collector() -> (SocketAddr, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            while let Some(request) = take(&mut stream) {
                if sender.send(request).is_err() {
                    return;
                }
            }
        }
    });
    (address, received)
}

/// The first line of a request and its body, which is answered. `None`: there is no other.
fn take(stream: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_ascii_lowercase()),
        }
    }
    let len = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; len.expect("it has a length")];
    stream.read_exact(&mut body).expect("the body comes");
    let answer =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    stream.get_mut().write_all(answer).expect("it is taken");
    Some((head[0].clone(), serde_json::from_slice(&body).expect("it is JSON")))
}

/// Posts so many messages, and waits until they are answered.
fn post(address: SocketAddr, count: usize) {
    let mut irc = BufReader::new(TcpStream::connect(address).expect("it listens"));
    let mut lines = "NICK bob\r\nUSER bob 0 * :bob\r\nJOIN #TEST\r\n".to_owned();
    (0..count).for_each(|n| lines += &format!("PRIVMSG #TEST :tea {n}\r\n"));
    lines += "PING :done\r\n";
    irc.get_mut().write_all(lines.as_bytes()).expect("it is taken");
    let mut line = String::new();
    while !(line.contains(" PONG ") && line.contains(":done")) {
        line.clear();
        assert!(irc.read_line(&mut line).expect("it answers") > 0, "it has closed");
    }
}

#[test]
fn each_message_is_a_trace_of_its_stages() {
    let (address, received) = collector();
    let folder = folder(TOML);
    let endpoint = format!("http://{address}");
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let mut gateway = Running::start_with(folder.path(), &[], &environment);
    let listening = loop {
        let line = gateway.line();
        assert!(!line.is_empty(), "the gateway has ended");
        if let Some((_, rest)) = line.split_once("listening frontend=\"irc\"") {
            let address = rest.split("address=").nth(1).expect("an address");
            break address.split(' ').next().expect("it is a word").to_owned();
        }
    };
    post(listening.trim().parse().expect("an address"), 3);
    assert_eq!(gateway.end().code(), Some(0));

    // Whatever was to be sent was sent before the end; the collector may still be reading it.
    let mut spans = Vec::new();
    while spans.len() < 3 * 4 {
        let Ok((line, body)) = received.recv_timeout(PATIENCE) else { break };
        assert_eq!(line, "post /v1/traces http/1.1");
        let resource = body["resourceSpans"][0]["resource"].to_string();
        assert!(resource.contains("dragoman"), "{resource}");
        let scopes = body["resourceSpans"][0]["scopeSpans"].as_array().expect("scopes").clone();
        spans.extend(scopes.iter().flat_map(|scope| scope["spans"].as_array().unwrap().clone()));
    }
    let text = |span: &Value, key: &str| span[key].as_str().unwrap_or_default().to_owned();
    let time = |span: &Value, key: &str| text(span, key).parse::<u64>().expect("nanoseconds");
    let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for span in spans {
        traces.entry(text(&span, "traceId")).or_default().push(span);
    }
    assert_eq!(traces.len(), 3, "{traces:?}");
    for spans in traces.values() {
        let named = |name: &str| {
            let found = spans.iter().find(|span| span["name"] == name);
            found.unwrap_or_else(|| panic!("no {name} in {spans:?}"))
        };
        let post = named("post");
        assert_eq!((spans.len(), text(post, "parentSpanId")), (4, String::new()));
        assert!(post.to_string().contains("messaging.message.id"), "{post}");
        let mut at = time(post, "startTimeUnixNano");
        for name in ["queue", "commit", "fan-out"] {
            let stage = named(name);
            assert_eq!(text(stage, "parentSpanId"), text(post, "spanId"));
            assert_eq!(time(stage, "startTimeUnixNano"), at, "{name} follows");
            let end = time(stage, "endTimeUnixNano");
            assert!(end >= at, "{name}");
            at = end;
        }
        assert_eq!(time(post, "endTimeUnixNano"), at);
    }
}

#[test]
fn without_a_collector_there_are_no_traces() {
    let folder = folder(TOML);
    let mut gateway = Running::start(folder.path(), &[]);
    while !gateway.line().contains("ready") {}
    assert_eq!(gateway.end().code(), Some(0));
}
