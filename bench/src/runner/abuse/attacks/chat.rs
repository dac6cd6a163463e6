//! Attacks over streams: chatroom over WebSocket, token, ourchat and irc over TCP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::Target;
use crate::load::frames;
use crate::runner::abuse::client::{drain, read_some, say};
use crate::runner::server::{IRC, OURCHAT_TCP, TOKEN};

fn packet(kind: &str, user: &str, avatar: &str, text: &str) -> String {
    let data = serde_json::json!({
        "room_name": "bench-0",
        "user": { "user_name": user, "user_avatar": avatar },
        "msg": text,
    });
    serde_json::json!({ "type": kind, "data": data }).to_string()
}

/// A guest in the room of the others.
fn guest(target: &Target, name: &str) -> Option<TcpStream> {
    let mut stream = target.websocket()?;
    say(&mut stream, &packet("join", name, "", ""));
    read_some(&mut stream);
    Some(stream)
}

/// A guest posts 150 messages of 64 KiB at once, again and again.
pub(super) fn long_messages(target: &Target, nth: u32) -> u64 {
    let name = format!("eve-{nth}");
    let Some(mut stream) = guest(target, &name) else { return 0 };
    let long = packet("msg", &name, "", &"\u{1f600}".repeat(16_384));
    let mut sent = 0;
    while !target.is_over() {
        for _ in 0..150 {
            sent += u64::from(say(&mut stream, &long));
        }
        drain(&mut stream, target.until);
    }
    sent
}

/// A guest joins and leaves with a long avatar, and with one that is too long.
pub(super) fn avatars(target: &Target, nth: u32) -> u64 {
    let name = format!("eve-{nth}");
    let Some(mut stream) = guest(target, &name) else { return 0 };
    let mut sent = 0;
    while !target.is_over() {
        for bytes in [2048, 65_536] {
            for _ in 0..20 {
                sent += u64::from(say(&mut stream, &packet("leave", &name, "", "")));
                let avatar = "a".repeat(bytes);
                sent += u64::from(say(&mut stream, &packet("join", &name, &avatar, "")));
            }
        }
        drain(&mut stream, target.until);
    }
    sent
}

/// A guest posts messages of 4 kB as fast as the gateway reads them.
pub(super) fn posts(target: &Target, nth: u32) -> u64 {
    let name = format!("eve-{nth}");
    let Some(mut stream) = guest(target, &name) else { return 0 };
    let text = packet("msg", &name, "", &"\u{1}".repeat(4096));
    let mut sent = 0;
    while !target.is_over() {
        for _ in 0..50 {
            sent += u64::from(say(&mut stream, &text));
        }
        drain(&mut stream, target.until);
    }
    sent
}

/// Rooms of the token dialect with descriptions of 21,000 different characters.
pub(super) fn long_token_descriptions(target: &Target, nth: u32) -> u64 {
    const CREATE_ROOM: u16 = 3;
    let mut made = 0;
    while let Some((mut stream, token)) = token_owner(target, nth).filter(|_| !target.is_over()) {
        while !target.is_over() {
            let description: String = (0..21_000).map(|at| character(at + made as u32)).collect();
            let name = format!("eve-{nth}-{made}");
            let info = serde_json::json!({ "name": name, "description": description }).to_string();
            let mut body = 7u16.to_be_bytes().to_vec();
            body.extend(&token);
            body.extend((info.len() as u32).to_be_bytes());
            body.extend(info.as_bytes());
            made += 1;
            let sent = stream.write_all(&frames::token_request(CREATE_ROOM, &body));
            if sent.is_err() || read_some(&mut stream) == 0 {
                break;
            }
        }
    }
    made
}

/// A connection of the token dialect, and the token of its user.
fn token_owner(target: &Target, nth: u32) -> Option<(TcpStream, [u8; 8])> {
    const LOGIN: u16 = 2;
    const APPLY_FOR_TOKEN: u16 = 8;
    const HEAD_BYTES: usize = 12;
    let mut stream = target.connect(TOKEN)?;
    let mut login = string(&format!("o-eve-{nth}"));
    login.extend(string("bench"));
    login.extend(1i32.to_be_bytes());
    login.extend(0u32.to_be_bytes());
    stream.write_all(&frames::token_request(LOGIN, &login)).ok()?;
    read_some(&mut stream);
    stream.write_all(&frames::token_request(APPLY_FOR_TOKEN, &[])).ok()?;
    let mut reply = [0; HEAD_BYTES + 8];
    stream.read_exact(&mut reply).ok()?;
    Some((stream, reply[HEAD_BYTES..].try_into().expect("these are eight bytes")))
}

/// Characters that are different from their neighbours.
pub(super) fn character(at: u32) -> char {
    char::from_u32(0x4e00 + at * 7919 % 20_000).unwrap_or('x')
}

/// A `string` of the token dialect.
fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

/// Lines with nothing in them.
pub(super) fn blank_lines(target: &Target, nth: u32) -> u64 {
    let port = if nth.is_multiple_of(2) { OURCHAT_TCP } else { IRC };
    let chunk = [b'\n'; 8192];
    let mut sent = 0;
    while let Some(mut stream) = target.connect(port).filter(|_| !target.is_over()) {
        while !target.is_over() && stream.write_all(&chunk).is_ok() {
            sent += chunk.len() as u64;
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(20));
    }
    sent
}

/// Pings as fast as they are answered.
pub(super) fn pings(target: &Target, _: u32) -> u64 {
    const PING: u8 = 0x89;
    let Some(mut stream) = target.websocket() else { return 0 };
    let pings = frames::masked(PING, &[b'x'; 100]).repeat(500);
    let mut sent = 0;
    while !target.is_over() && stream.write_all(&pings).is_ok() {
        read_some(&mut stream);
        sent += 500;
    }
    sent
}
