//! WebSockets: the handshake, sizes, pings, closing.

use futures_util::SinkExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::client::{Reply, Socket, http, soon};
use super::stage::Stagecraft;

const UPGRADE: [&str; 5] = [
    "GET /any HTTP/1.1",
    "host: test",
    "connection: keep-alive, Upgrade",
    "upgrade: WebSocket",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// A socket after the handshake that does not answer pings.
async fn raw(stage: &Stagecraft, behind: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(stage.address("ws")).await.unwrap();
    let head = format!("{}\r\nsec-websocket-version: 13\r\n\r\n", UPGRADE.join("\r\n"));
    let mut request = head.into_bytes();
    request.extend_from_slice(behind);
    stream.write_all(&request).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    let reply = Reply::parse(&String::from_utf8(head).unwrap());
    assert_eq!(reply.status, 101);
    // The example of RFC 6455, section 1.3.
    assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_binary_go_both_ways_in_any_size() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut socket = Socket::connect(stage.address("ws")).await;
    for len in [0, 125, 126, 65_535, 65_536, 1_000_000] {
        let text = "x".repeat(len);
        assert!(socket.ask(&format!("say {text}")).await == text, "{len}");
    }
    socket.0.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(socket.text().await.unwrap(), "binary [1, 2]");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_right_after_the_handshake_are_not_lost() {
    let stage = Stagecraft::start(|_| ()).await;
    // "say hi", masked with zeros.
    let mut stream = raw(&stage, b"\x81\x86\0\0\0\0say hi").await;
    let mut frame = [0; 4];
    soon(stream.read_exact(&mut frame)).await.unwrap();
    assert_eq!(&frame, b"\x81\x02hi");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_gets_its_upgrade_request() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut socket = Socket::connect(stage.address("ws")).await;
    let peer: serde_json::Value = serde_json::from_str(&socket.ask("peer").await).unwrap();
    assert_eq!((&peer["address"], &peer["listener"]), (&"127.0.0.1".into(), &"ws".into()));
    assert_eq!(peer["upgrade"]["path"], "/any/path");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_upgrade_is_refused() {
    let stage = Stagecraft::start(|_| ()).await;
    let reply = http(stage.address("ws"), &["GET /plain HTTP/1.1"], "").await;
    assert_eq!(reply.status, 426);
    assert_eq!(reply.header("upgrade"), Some("websocket"));
    assert!(reply.body.starts_with("stage: "), "in the dialect's words: {}", reply.body);
}

/// A refused handshake.
async fn refused(stage: &Stagecraft, head: &[&str]) -> Reply {
    let request = format!("{}\r\n\r\n", head.join("\r\n"));
    let mut stream = TcpStream::connect(stage.address("ws")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    soon(stream.read_to_string(&mut text)).await.unwrap();
    Reply::parse(&text)
}

/// As nginx asks without `proxy_http_version 1.1`.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_of_http_1_0_is_refused_in_words() {
    let stage = Stagecraft::start(|_| ()).await;
    let head: Vec<String> =
        UPGRADE.iter().map(|line| line.replace("HTTP/1.1", "HTTP/1.0")).collect();
    let mut head: Vec<&str> = head.iter().map(String::as_str).collect();
    head.push("sec-websocket-version: 13");
    let reply = refused(&stage, &head).await;
    assert_eq!((reply.status, reply.header("upgrade")), (426, Some("websocket")));
    assert!(reply.body.contains("proxy_http_version 1.1"), "{}", reply.body);
}

/// A browser fails a handshake in which the server takes none of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_subprotocol_that_is_offered_is_taken() {
    let stage = Stagecraft::start(|_| ()).await;
    for (offered, taken) in
        [("chat, superchat", Some("chat")), (" ,chat", Some("chat")), (",", None)]
    {
        let mut head = UPGRADE.to_vec();
        let offer = format!("sec-websocket-protocol: {offered}");
        head.extend(["sec-websocket-version: 13", &offer]);
        let request = format!("{}\r\n\r\n", head.join("\r\n"));
        let mut stream = TcpStream::connect(stage.address("ws")).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(soon(stream.read_u8()).await.unwrap());
        }
        let reply = Reply::parse(std::str::from_utf8(&answer).unwrap());
        assert_eq!(
            (reply.status, reply.header("sec-websocket-protocol")),
            (101, taken),
            "{offered}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_of_another_version_gets_the_supported_one() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut head = UPGRADE.to_vec();
    head.push("sec-websocket-version: 8");
    let reply = refused(&stage, &head).await;
    assert_eq!((reply.status, reply.header("sec-websocket-version")), (426, Some("13")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_closes_with_1009_after_last_words() {
    let stage = Stagecraft::start(|frontend| frontend.limits.message_bytes_max = 100).await;
    let mut socket = Socket::connect(stage.address("ws")).await;
    socket.send(&format!("say {}", "x".repeat(96))).await;
    assert_eq!(socket.text().await.unwrap().len(), 96);
    socket.send(&format!("say {}", "x".repeat(97))).await;
    assert_eq!(socket.text().await.unwrap(), "bye \"overlong\"");
    let close = socket.text().await.unwrap_err().expect("a close frame");
    assert_eq!(close.code, CloseCode::Size);
}

#[tokio::test(flavor = "multi_thread")]
async fn fragments_are_one_message_and_count_as_one() {
    let stage = Stagecraft::start(|frontend| frontend.limits.message_bytes_max = 10).await;
    let mut stream = raw(&stage, b"").await;
    stream.write_all(b"\x01\x85\0\0\0\0say a\x80\x81\0\0\0\0b").await.unwrap();
    let mut frame = [0; 4];
    soon(stream.read_exact(&mut frame)).await.unwrap();
    assert_eq!(&frame, b"\x81\x02ab");
    stream.write_all(b"\x01\x86\0\0\0\0say ab\x80\x85\0\0\0\0cdefg").await.unwrap();
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.ends_with(&[0x88, 2, 0x03, 0xF1]), "closed with 1009: {rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn protocol_errors_close_with_1002_and_bad_text_with_1007() {
    let stage = Stagecraft::start(|_| ()).await;
    for (bytes, code) in [
        // Not masked.
        (&b"\x81\x02hi"[..], 1002_u16),
        // A reserved opcode.
        (b"\x83\x80\0\0\0\0", 1002),
        // Not UTF-8.
        (b"\x81\x81\0\0\0\0\xff", 1007),
    ] {
        let mut stream = raw(&stage, bytes).await;
        let mut rest = Vec::new();
        soon(stream.read_to_end(&mut rest)).await.unwrap();
        let [high, low] = code.to_be_bytes();
        assert_eq!(rest, [0x88, 2, high, low]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_and_a_close_too() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut stream = raw(&stage, b"\x89\x82\0\0\0\0hi").await;
    let mut pong = [0; 4];
    soon(stream.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\x8a\x02hi");
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"\x88\x02\x03\xe8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_closes_says_1000() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut socket = Socket::connect(stage.address("ws")).await;
    assert_eq!(socket.ask("close").await, "closing");
    let close = socket.text().await.unwrap_err().expect("a close frame");
    assert_eq!(close.code, CloseCode::Normal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_takes_the_place_of_its_own_handshake() {
    let stage = Stagecraft::start(|frontend| frontend.limits.connections_max = 1).await;
    let mut only = Socket::connect(stage.address("ws")).await;
    let turned_away = http(stage.address("http"), &["POST /peer HTTP/1.1"], "").await;
    assert_eq!(turned_away.status, 503);
    assert_eq!(only.ask("say hi").await, "hi");
    let counts = counts(&stage).await;
    assert_eq!(counts, [1, 1], "open, and opened");
}

/// The connections that are open, and those that were accepted.
async fn counts(stage: &Stagecraft) -> [u64; 2] {
    let admin = stage.gateway.admin_address().unwrap();
    let metrics = http(admin, &["GET /metrics HTTP/1.1"], "").await.body;
    ["dragoman_connections", "dragoman_connections_total"].map(|name| {
        let sample = format!("{name}{{frontend=\"stage\"}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&sample));
        value.expect("it is measured").parse().expect("a number")
    })
}

/// Sends the head of a handshake; the status of the answer, and the connection.
async fn handshake(stage: &Stagecraft, header: &[u8]) -> (u16, TcpStream) {
    let mut stream = TcpStream::connect(stage.address("ws")).await.unwrap();
    let head = format!("{}\r\nsec-websocket-version: 13\r\n", UPGRADE.join("\r\n"));
    let request = [head.as_bytes(), header, b"\r\n\r\n"].concat();
    stream.write_all(&request).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    (Reply::parse(&String::from_utf8(head).unwrap()).status, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_handshake_is_refused_stays_counted() {
    let stage = Stagecraft::start(|frontend| frontend.limits.connections_max = 1).await;
    let (status, _open) = handshake(&stage, b"token: \xff").await;
    assert_eq!(status, 400);
    let turned_away = http(stage.address("http"), &["POST /peer HTTP/1.1"], "").await;
    assert_eq!(turned_away.status, 503);
    assert_eq!(counts(&stage).await, [1, 1], "open, and opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_an_address_with_too_many_stays_counted() {
    let stage = Stagecraft::start_all(|config| {
        config.server.trusted_proxies.networks = vec!["127.0.0.1/32".parse().unwrap()];
        config.frontends[0].limits.connections_per_address_max = 1;
    })
    .await;
    let client = b"x-forwarded-for: 203.0.113.7";
    let (status, _first) = handshake(&stage, client).await;
    assert_eq!(status, 101);
    let (status, _second) = handshake(&stage, client).await;
    assert_eq!(status, 503);
    assert_eq!(counts(&stage).await, [2, 2], "open, and opened");
}
