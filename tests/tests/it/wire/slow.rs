//! Peers that take their time.

use gateway_tests::{Gateway, Raw, UsrRoom};
use serde_json::json;

const TOML: &str = "
    [frontends.usr_room]
    handshake_timeout = \"300ms\"
    [frontends.chatroom]
    handshake_timeout = \"300ms\"
    ping_interval = \"100ms\"
    [frontends.ourchat]
    handshake_timeout = \"300ms\"
    tcp_listen = \"127.0.0.1:0\"
    idle_timeout = \"300ms\"
    [frontends.channel]
    handshake_timeout = \"300ms\"
    [frontends.token]
    idle_timeout = \"300ms\"
";

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let gateway = Gateway::start(TOML);
    for (frontend, key) in super::LISTENERS {
        if (frontend, key) == ("token", "listen") || key == "tcp_listen" {
            continue;
        }
        for part in ["", "GET / HTTP/1.1\r\nHost: te"] {
            let mut raw = Raw::connect(gateway.address(frontend, key));
            let end = raw.send(part.as_bytes()).receive_end();
            let answer = String::from_utf8_lossy(&end.bytes);
            let is_late = answer.is_empty() || answer.starts_with("HTTP/1.1 408 ");
            assert!(is_late && !end.reset, "{frontend}: {end:?}");
        }
    }
}

#[test]
fn a_silent_client_is_disconnected_with_a_reason() {
    let gateway = Gateway::start(TOML);
    let end = Raw::connect(gateway.address("token", "listen")).receive_end();
    let reply = gateway_tests::token::read(&mut &end.bytes[..]).expect("a reply before the end");
    assert_eq!((reply.command, reply.sequence, reply.result), (0x8000, 0, Some(11)));
    let end = Raw::connect(gateway.address("ourchat", "tcp_listen")).receive_end();
    let text = String::from_utf8(end.bytes).expect("it is UTF-8");
    assert!(text.starts_with("{\"code\":18,") && text.ends_with("}\n"), "{text}");
}

#[test]
fn a_websocket_that_answers_no_ping_is_cut_off() {
    let gateway = Gateway::start(TOML);
    let mut raw = super::frames::handshake(gateway.address("chatroom", "websocket_listen"));
    let end = raw.receive_end();
    let ping = [0x89, 0];
    assert_eq!(end.bytes, [ping, ping].concat(), "two pings, and nothing more");
}

/// Nearly the most that one reply may hold.
const LONG: usize = 4_000_000;

#[test]
fn a_slow_reader_gets_all_of_a_long_reply() {
    let gateway = Gateway::start(
        "[[rooms]]\nname = \"TEST\"\n[frontends.usr_room]\nhandshake_timeout = \"300ms\"\n\
         text_chars_max = 1000000\nbytes_per_s = 0\n",
    );
    let address = gateway.address("usr_room", "listen");
    let mut ann = UsrRoom::connect(address);
    ann.done("/usr/complete", &json!({"openid": "ann", "sex": "1"}));
    ann.done("/usr/join", &json!({"openid": "ann", "room_id": 1}));
    let text = "x".repeat(1_000_000);
    for _ in 0..LONG / text.len() {
        let message = json!({"openid": "ann", "room_id": 1, "message": text});
        ann.done("/room/send_message", &message);
    }
    let mut slow = Raw::connect(address);
    slow.send(
        b"POST /room/get_message HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\
          Content-Length: 13\r\nConnection: close\r\n\r\n{\"room_id\":1}",
    );
    slow.receive_until(b"\r\n\r\n");
    // Each time the head of another does not come, this one has not read on for as long.
    for _ in 0..3 {
        Raw::connect(address).send(b"GET / HT").receive_end();
    }
    let end = slow.receive_end();
    assert!(end.bytes.len() > LONG - text.len() && end.bytes.ends_with(b"]}"), "cut off");
}
