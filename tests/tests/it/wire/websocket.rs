//! What the WebSocket protocol does not allow, or allows and few clients do.

use gateway_tests::chatroom::packet;
use gateway_tests::{Gateway, Http, Raw, WebSocket};
use serde_json::json;

use super::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame, handshake, handshake_with,
    masked_head, receive, receive_close, receive_text, unmasked,
};
use super::{ALL, Bystanders, WEBSOCKET};

/// The bit of the first byte that no extension was agreed for.
const RESERVED: u8 = 0x40;

#[test]
fn a_web_page_of_another_host_is_refused_unless_it_is_named() {
    let gateway = Gateway::start(
        "[frontends.chatroom]\n[frontends.ourchat]\ncors_origins = [\"https://app.example\"]",
    );
    for (frontend, key) in [("chatroom", "websocket_listen"), ("ourchat", "listen")] {
        let address = gateway.address(frontend, key);
        let connect = |origin: &str| WebSocket::try_connect(address, "/", &[("origin", origin)]);
        connect("http://127.0.0.1:8080").expect("a page of the same host");
        WebSocket::connect(address);
        let named = connect("https://app.example");
        assert_eq!(named.is_ok(), frontend == "ourchat", "{named:?}");
        let refused = Http::connect(address).request(
            "GET",
            "/",
            &[
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Origin", "https://evil.example"),
            ],
            b"",
        );
        let why = "web pages of https://evil.example are not among those allowed here";
        assert_eq!(refused.status, 403);
        let body = match frontend {
            "chatroom" => json!({ "res": why }).to_string(),
            _ => why.to_owned(),
        };
        assert_eq!(refused.text(), body, "{frontend}");
    }
}

#[test]
fn a_violation_of_the_protocol_ends_with_a_close_that_names_it() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    let long = [b'a'; 2000];
    let half = frame(TEXT, &[b'a'; 600]);
    let overlong_parts = [half, frame(FIN | CONTINUATION, &[b'a'; 600])].concat();
    let started_twice = [frame(TEXT, b"a"), frame(FIN | TEXT, b"b")].concat();
    let violations: [(u16, &str, Vec<u8>); 12] = [
        (1002, "not masked", unmasked(FIN | TEXT, b"hello")),
        (1002, "a reserved bit", frame(FIN | RESERVED | TEXT, b"hello")),
        (1002, "a reserved opcode", frame(FIN | 3, b"hello")),
        (1002, "a reserved opcode of a control frame", frame(FIN | 11, b"")),
        (1002, "nothing to continue", frame(FIN | CONTINUATION, b"hello")),
        (1002, "a message within a message", started_twice),
        (1002, "a control frame in parts", frame(PING, b"")),
        (1002, "a control frame of 126 bytes", frame(FIN | PING, &[0; 126])),
        (1007, "no UTF-8", frame(FIN | TEXT, b"\xff\xfe")),
        (1009, "a message over the limit", frame(FIN | TEXT, &long)),
        (1009, "a message over the limit in parts", overlong_parts),
        (1009, "a length beyond any memory", masked_head(FIN | BINARY, u64::MAX >> 1)),
    ];
    for (frontend, key) in WEBSOCKET {
        for (code, what, bytes) in &violations {
            let mut raw = handshake(gateway.address(frontend, key));
            let closed = receive_close(raw.send(bytes));
            assert_eq!(closed, *code, "{frontend}: {what}");
        }
        bystanders.check();
    }
}

#[test]
fn binary_messages_and_invalid_json_get_an_error_of_the_dialect() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    for (frontend, key) in WEBSOCKET {
        let mut raw = handshake(gateway.address(frontend, key));
        for bytes in [
            frame(FIN | BINARY, b"{}"),
            frame(FIN | BINARY, b"\xff\xfe"),
            frame(FIN | TEXT, b""),
            frame(FIN | TEXT, b"hello"),
            frame(FIN | TEXT, b"[]"),
            frame(FIN | TEXT, b"{\"code\":"),
            frame(FIN | TEXT, &[b'['; 1000]),
            frame(FIN | TEXT, br#"{"code":-1,"type":5,"data":null}"#),
        ] {
            let answer = receive_text(raw.send(&bytes));
            let complaint = match frontend {
                "chatroom" => r#"{"type":"error","#,
                _ => r#"{"code":18,"#,
            };
            assert!(answer.starts_with(complaint), "{frontend}: {answer}");
        }
        // It is still there.
        let answer = receive(raw.send(&frame(FIN | PING, b"are you there?")));
        assert_eq!(answer, (PONG, b"are you there?".to_vec()), "{frontend}");
        bystanders.check();
    }
}

#[test]
fn a_message_may_come_in_parts_with_pings_between_and_behind_the_handshake() {
    let gateway = Gateway::start(ALL);
    let address = gateway.address("chatroom", "websocket_listen");
    let join = packet("join", "TEST", "ann", "");
    let (first, second) = join.as_bytes().split_at(20);
    let bytes = [
        frame(TEXT, first),
        frame(FIN | PING, b"1"),
        frame(CONTINUATION, &second[..5]),
        frame(FIN | PING, b"2"),
        frame(FIN | CONTINUATION, &second[5..]),
    ]
    .concat();

    let mut at_once = handshake_with(address, &bytes);
    let mut byte_by_byte = handshake(address);
    for byte in &bytes {
        byte_by_byte.send(&[*byte]);
    }
    for raw in [&mut at_once, &mut byte_by_byte] {
        assert_eq!(receive(raw), (PONG, b"1".to_vec()));
        assert_eq!(receive(raw), (PONG, b"2".to_vec()));
        let answer = receive_text(raw);
        assert!(answer.contains(r#""user_name":"ann""#), "{answer}");
    }
}

#[test]
fn a_close_is_answered_with_a_close() {
    let gateway = Gateway::start(ALL);
    for (frontend, key) in WEBSOCKET {
        let closes: [(&[u8], &str); 2] =
            [(b"\x03\xe8", "going well"), (b"\x03\xe9bye", "going away")];
        for (payload, what) in closes {
            let mut raw = handshake(gateway.address(frontend, key));
            let (opcode, answer) = receive(raw.send(&frame(FIN | CLOSE, payload)));
            assert_eq!(opcode, CLOSE, "{what}");
            assert_eq!(answer[..2], payload[..2], "{what}");
            let end = raw.receive_end();
            assert_eq!((&end.bytes[..], end.reset), (&b""[..], false), "{what}");
        }
    }
}

#[test]
fn a_connection_that_is_half_closed_or_dropped_is_ended() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    for (frontend, key) in WEBSOCKET {
        let address = gateway.address(frontend, key);
        for bytes in [&b""[..], &frame(FIN | TEXT, b"hello")[..4], &masked_head(FIN | TEXT, 500)] {
            let end = handshake(address).send(bytes).end().receive_end();
            assert!(!end.reset, "{frontend}");
            handshake(address).send(bytes);
        }
        bystanders.check();
    }
}

#[test]
fn an_invalid_handshake_gets_an_http_status() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let version = ("Sec-WebSocket-Version", "13");
    let upgrade = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")];
    let requests = [
        (426, "GET", Vec::new()),
        (426, "POST", vec![upgrade[0], upgrade[1], version, key]),
        (426, "GET", vec![upgrade[0], upgrade[1], ("Sec-WebSocket-Version", "8"), key]),
        (400, "GET", vec![upgrade[0], upgrade[1], version]),
        (400, "GET", vec![upgrade[0], upgrade[1], version, ("Sec-WebSocket-Key", "short")]),
    ];
    for (frontend, listener) in WEBSOCKET {
        let mut http = Http::connect(gateway.address(frontend, listener));
        for (status, method, headers) in &requests {
            let response = http.request(method, "/", headers, b"");
            assert_eq!(response.status, *status, "{frontend}: {method} {headers:?}: {response}");
            assert!(!response.body.is_empty(), "it says why");
        }
        bystanders.check();
    }
    // And the other way round: the HTTP listener is no WebSocket.
    let mut raw = Raw::connect(gateway.address("chatroom", "listen"));
    raw.send(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    let head = raw.receive_until(b"\r\n");
    assert_eq!(String::from_utf8_lossy(&head), "HTTP/1.1 404 Not Found\r\n");
}
