//! Frames that are none, or not what they say.

use gateway_tests::token::{CATCH_UP, Fields, Frame, HEARTBEAT, LOGIN, POST_MESSAGE, POST_ONCE};
use gateway_tests::token::{json, read, request};
use gateway_tests::{Gateway, Raw, Token};

use super::{ALL, Bystanders};

const E_FRAME: u16 = 8;
const E_COMMAND: u16 = 10;
const REPLY: u16 = 0x8000;

/// The last reply and the end behind it.
#[track_caller]
fn last_reply(raw: &mut Raw) -> Frame {
    let end = raw.receive_end();
    assert!(!end.reset, "the last reply is not lost to a reset");
    let mut bytes = &end.bytes[..];
    let reply = read(&mut bytes).unwrap_or_else(|error| panic!("{error}: {end:?}"));
    assert_eq!(bytes, b"", "it is the last");
    reply
}

#[test]
fn a_length_that_cannot_be_ends_the_connection_with_a_last_reply() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    let too_long = 65_537_u32.to_be_bytes();
    let unheard = request(HEARTBEAT, 7, b"")[4..].to_vec();
    let cases: [(&str, Vec<u8>, (u16, u32)); 6] = [
        ("0", vec![0; 4], (0, 0)),
        ("5", vec![0, 0, 0, 5, 0, 9, 0, 0, 0], (0, 0)),
        ("over the limit", [&too_long[..], &unheard].concat(), (HEARTBEAT, 7)),
        ("all that can be", [&[0xff; 4][..], &unheard].concat(), (HEARTBEAT, 7)),
        // "GET " is a length, "/ " a command, "HTTP" a sequence.
        ("an HTTP request", b"GET / HTTP/1.1\r\n\r\n".to_vec(), (0x2f20, 0x4854_5450)),
        ("a text", b"{\"code\":12,\"time\":0}\n".to_vec(), (0x6465, 0x223a_3132)),
    ];
    for (what, bytes, (command, sequence)) in cases {
        let reply = last_reply(Raw::connect(gateway.address("token", "listen")).send(&bytes));
        // The bit of a reply is set even where the command had it.
        assert_eq!((reply.command, reply.sequence), (command | REPLY, sequence), "{what}");
        assert_eq!(reply.result, Some(E_FRAME), "{what}");
        let mut fields = Fields::of(&reply);
        assert_ne!(fields.string(), "", "it says why");
        fields.end();
        bystanders.check();
    }
}

#[test]
fn a_malformed_frame_gets_an_error_and_the_connection_stays_open() {
    let gateway = Gateway::start(ALL);
    let mut token = Token::connect(gateway.address("token", "listen"));
    let string_beyond_the_end = [0xff, 0xff, b'a'].to_vec();
    let json_beyond_the_end = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff].to_vec();
    let no_utf8 = [0, 1, 0xff, 0, 1, b'w', 0, 0, 0, 1, 0, 0, 0, 0].to_vec();
    let no_object = [&[0, 1, b'o', 0, 1, b'w', 0, 0, 0, 1][..], &json("[1]")].concat();
    let cases = [
        (E_FRAME, HEARTBEAT, vec![0]),
        (E_FRAME, HEARTBEAT, vec![0; 60_000]),
        (E_FRAME, LOGIN, vec![]),
        (E_FRAME, LOGIN, string_beyond_the_end),
        (E_FRAME, LOGIN, no_utf8),
        (E_FRAME, LOGIN, no_object),
        (E_FRAME, POST_MESSAGE, json_beyond_the_end),
        (E_COMMAND, 0, vec![]),
        (E_FRAME, 13, vec![1, 2, 3]),
        (E_COMMAND, 14, vec![1, 2, 3]),
        (E_FRAME, CATCH_UP, vec![1, 2, 3]),
        (E_FRAME, POST_ONCE, vec![1, 2, 3]),
        (E_COMMAND, 0x7fff, vec![]),
    ];
    for (result, command, body) in cases {
        let reply = token.call(command, &body);
        assert_eq!(reply.result, Some(result), "command {command}: {reply:?}");
    }
    token.done(HEARTBEAT, b"").end();
}

#[test]
fn frames_may_come_together_or_byte_by_byte_and_a_half_close_loses_no_reply() {
    let gateway = Gateway::start(ALL);
    let bytes: Vec<u8> = (1..=50).flat_map(|sequence| request(HEARTBEAT, sequence, b"")).collect();
    let mut together = Raw::connect(gateway.address("token", "listen"));
    together.send(&bytes).end();
    let mut apart = Raw::connect(gateway.address("token", "listen"));
    for byte in &bytes {
        apart.send(&[*byte]);
    }
    for raw in [&mut together, apart.end()] {
        let end = raw.receive_end();
        assert!(!end.reset);
        let mut bytes = &end.bytes[..];
        for sequence in 1..=50 {
            let reply = read(&mut bytes).expect("one each");
            assert_eq!((reply.sequence, reply.result), (sequence, Some(0)));
        }
        assert_eq!(bytes, b"");
    }
}

#[test]
fn a_frame_that_breaks_off_is_not_answered() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    let whole = request(LOGIN, 1, &[0; 20]);
    for len in [0, 3, 4, 9, 10, whole.len() - 1] {
        let mut raw = Raw::connect(gateway.address("token", "listen"));
        let end = raw.send(&whole[..len]).end().receive_end();
        assert_eq!((&end.bytes[..], end.reset), (&b""[..], false), "{len} bytes");
    }
    bystanders.check();
}
