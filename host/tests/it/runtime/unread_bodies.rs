//! Requests that are answered without a look at their body: the connection either takes another
//! request afterwards, or the response says that it does not.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::client::{Reply, exchange, soon};
use super::stage::{Stagecraft, api_key};

/// More than one read of the gateway takes.
const BODY_BYTES: usize = 300_000;

/// A connection for several requests.
struct Kept(BufReader<TcpStream>);

impl Kept {
    async fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// Sends a request whose body comes in two parts.
    async fn post(&mut self, head: &[&str]) {
        let head =
            format!("{}\r\nhost: test\r\ncontent-length: {BODY_BYTES}\r\n\r\n", head.join("\r\n"));
        self.send(head.as_bytes()).await;
        self.send(&[b'x'; BODY_BYTES / 2]).await;
        self.send(&[b'x'; BODY_BYTES - BODY_BYTES / 2]).await;
    }

    async fn response(&mut self) -> Reply {
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            let read = soon(self.0.read_line(&mut text)).await.expect("the connection lasts");
            assert!(read > 0, "the connection ends after {text:?}");
        }
        let length = Reply::parse(&text).header("content-length").map(|length| length.to_owned());
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        soon(self.0.read_exact(&mut body)).await.expect("the body comes");
        Reply::parse(&(text + std::str::from_utf8(&body).unwrap()))
    }

    async fn has_ended(&mut self) -> bool {
        soon(self.0.read(&mut [0; 1])).await.expect("no reset") == 0
    }
}

const ORIGIN: &str = "origin: https://evil.example";
const DOCUMENT: &str = "POST /.well-known/dragoman/stage/schema.json HTTP/1.1";
const NO_DOCUMENT: &str = "GET /.well-known/dragoman/stage/nothing.json HTTP/1.1";
const PREFLIGHT: [&str; 3] = [
    "OPTIONS /call HTTP/1.1",
    "origin: https://app.example",
    "access-control-request-method: POST",
];
const UPGRADE: [&str; 5] = [
    "GET / HTTP/1.1",
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_after_a_request_whose_body_was_not_wanted() {
    let stage = Stagecraft::start(|frontend| {
        frontend.limits.body_bytes_max = 10;
        frontend.cors_origins = vec!["https://app.example".into()];
    })
    .await;
    let closed = Stagecraft::start(|frontend| {
        frontend.guard.api_keys = vec![api_key("secret")];
    })
    .await;
    let elsewhere = Stagecraft::start(|frontend| {
        frontend.guard.allow = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let slowed = Stagecraft::start(|frontend| {
        frontend.limits.requests_per_s = 1;
        frontend.limits.requests_burst = 1;
    })
    .await;
    super::client::http(slowed.address("http"), &["POST /peer HTTP/1.1"], "").await;
    let post = "POST /peer HTTP/1.1";
    for (stage, listener, head, status) in [
        (&closed, "http", &[post][..], 401),
        (&elsewhere, "http", &[post], 403),
        (&stage, "http", &[post, ORIGIN], 403),
        (&stage, "http", &["OPTIONS /call HTTP/1.1", ORIGIN], 403),
        (&stage, "http", &[NO_DOCUMENT], 404),
        (&stage, "http", &[DOCUMENT], 405),
        (&stage, "http", &PREFLIGHT, 204),
        (&stage, "http", &[post], 413),
        (&stage, "ws", &[post], 426),
        (&stage, "ws", &UPGRADE, 400),
        (&slowed, "http", &[post], 429),
    ] {
        let mut kept = Kept::connect(stage.address(listener)).await;
        for _ in 0..2 {
            kept.post(head).await;
            let response = kept.response().await;
            assert_eq!(response.status, status, "{head:?}");
            assert_ne!(response.header("connection"), Some("close"), "{head:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_is_read_to_its_last_chunk() {
    let stage = Stagecraft::start(|frontend| frontend.limits.body_bytes_max = 10).await;
    let mut kept = Kept::connect(stage.address("http")).await;
    for _ in 0..2 {
        kept.send(b"POST /x HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        kept.send(chunk.repeat(4).as_bytes()).await;
        kept.send(b"1\r\nx\r\n0\r\n\r\n").await;
        let response = kept.response().await;
        assert_eq!((response.status, response.header("connection")), (413, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_waits_to_be_asked_for_is_not_asked_for_by_a_refusal() {
    let stage = Stagecraft::start(|frontend| {
        frontend.guard.api_keys = vec![api_key("secret")];
    })
    .await;
    let mut kept = Kept::connect(stage.address("http")).await;
    kept.send(
        b"POST /peer HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
    )
    .await;
    // Not 100.
    let response = kept.response().await;
    assert_eq!((response.status, response.header("connection")), (401, Some("close")));
    assert!(kept.has_ended().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_says_that_it_is_the_last_if_the_body_does_not_end() {
    let stage = Stagecraft::start(|frontend| {
        frontend.guard.api_keys = vec![api_key("secret")];
    })
    .await;
    let head = |length: usize| {
        format!("POST /peer HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n")
    };
    // It breaks off.
    let mut kept = Kept::connect(stage.address("http")).await;
    kept.send(format!("{}xx", head(5)).as_bytes()).await;
    kept.0.get_mut().shutdown().await.unwrap();
    let response = kept.response().await;
    assert_eq!((response.status, response.header("connection")), (401, Some("close")));
    assert!(kept.has_ended().await);
    // It would be too long.
    let mut kept = Kept::connect(stage.address("http")).await;
    kept.send(head(64 << 20).as_bytes()).await;
    let response = kept.response().await;
    assert_eq!((response.status, response.header("connection")), (401, Some("close")));
    // It does not come; what comes after the response does not cost the client the response.
    let mut kept = Kept::connect(stage.address("http")).await;
    kept.send(head(5).as_bytes()).await;
    soon(kept.0.fill_buf()).await.unwrap();
    kept.send(b"hello").await;
    let response = kept.response().await;
    assert_eq!((response.status, response.header("connection")), (401, Some("close")));
    assert!(kept.has_ended().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_beside_a_broken_request_does_not_cost_its_response() {
    let stage = Stagecraft::start(|_| ()).await;
    let request = format!("GET / HTTP/9.9\r\n\r\n{}", "x".repeat(60_000));
    let response = exchange(stage.address("http"), request.as_bytes()).await;
    assert!(response.starts_with("HTTP/1.1 400"), "{response:?}");
}
