//! WebSocket frames (RFC 6455, section 5.2) as bytes, also such as are not allowed.

use std::net::SocketAddr;

use gateway_tests::Raw;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The first bit of a frame that ends its message.
pub(super) const FIN: u8 = 0x80;

const MASKED: u8 = 0x80;

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The answer to that key, from the RFC.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A connection after the handshake.
#[track_caller]
pub(super) fn handshake(address: SocketAddr) -> Raw {
    handshake_with(address, b"")
}

/// The same, with the first frames in the segment of the handshake.
#[track_caller]
pub(super) fn handshake_with(address: SocketAddr, behind: &[u8]) -> Raw {
    let mut raw = Raw::connect(address);
    raw.send(&[HANDSHAKE.as_bytes(), behind].concat());
    let head = raw.receive_until(b"\r\n\r\n");
    let head = String::from_utf8(head).expect("a head is ASCII");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains(ACCEPT), "{head}");
    raw
}

/// A frame as a client sends it: masked. `first` is the opcode and the bits before it.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let masked = payload.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask);
    let mut frame = head(first, payload.len() as u64, MASKED);
    frame.extend(mask);
    frame.extend(masked);
    frame
}

/// A frame as only a server may send it.
pub(super) fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64, 0);
    frame.extend(payload);
    frame
}

/// The head of a frame, for a payload that may never come.
pub(super) fn masked_head(first: u8, len: u64) -> Vec<u8> {
    let mut head = head(first, len, MASKED);
    head.extend([0; 4]);
    head
}

fn head(first: u8, len: u64, masked: u8) -> Vec<u8> {
    let mut head = vec![first];
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ 0..=125), _) => head.push(masked | len),
        (_, Ok(len)) => {
            head.push(masked | 126);
            head.extend(len.to_be_bytes());
        }
        _ => {
            head.push(masked | 127);
            head.extend(len.to_be_bytes());
        }
    }
    head
}

/// The next frame from the gateway: its opcode and payload.
#[track_caller]
pub(super) fn receive(raw: &mut Raw) -> (u8, Vec<u8>) {
    let head = raw.receive(2);
    assert_eq!(head[0] & FIN, FIN, "the gateway does not fragment");
    let len = match head[1] {
        126 => {
            let len = raw.receive(2);
            usize::from(u16::from_be_bytes([len[0], len[1]]))
        }
        len @ 0..=125 => usize::from(len),
        _ => panic!("a test's message is short, and unmasked: {head:?}"),
    };
    (head[0] & !FIN, raw.receive(len))
}

/// The next message, which is text.
#[track_caller]
pub(super) fn receive_text(raw: &mut Raw) -> String {
    let (opcode, payload) = receive(raw);
    assert_eq!(opcode, TEXT, "{payload:?}");
    String::from_utf8(payload).expect("it is UTF-8")
}

/// The close of the gateway and, behind it, the end: its code.
#[track_caller]
pub(super) fn receive_close(raw: &mut Raw) -> u16 {
    let (opcode, payload) = receive(raw);
    assert_eq!(opcode, CLOSE, "{payload:?}");
    let end = raw.receive_end();
    assert_eq!(end.bytes, b"", "a close is the last frame");
    assert!(!end.reset, "a close is not lost to a reset");
    let code = payload.first_chunk().expect("a close has a code");
    u16::from_be_bytes(*code)
}
