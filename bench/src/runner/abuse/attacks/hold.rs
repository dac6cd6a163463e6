//! Attacks that hold something of the gateway: memory, descriptors, places in a queue.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::Target;
use crate::load::{HttpCall, prepare};
use crate::runner::abuse::client::{ask, read_some, read_soon};
use crate::runner::server::{CHANNEL, CHATROOM, IRC, OURCHAT_TCP, TOKEN};

/// Opens so many connections and sends these bytes on each.
fn open(target: &Target, port: u16, connections: u32, bytes: &[u8]) -> Vec<TcpStream> {
    let open = |_| {
        let mut stream = target.connect(port)?;
        stream.write_all(bytes).ok()?;
        Some(stream)
    };
    (0..connections).take_while(|_| !target.is_over()).filter_map(open).collect()
}

/// 900 requests announce 1 MiB each and send nothing of it.
pub(super) fn absent_bodies(target: &Target, _: u32) -> u64 {
    let head = b"POST /auth/login HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
                 Content-Length: 1048576\r\n\r\n";
    let streams = open(target, CHATROOM, 900, head);
    target.wait();
    streams.len() as u64
}

/// 200 fragments of a WebSocket message, and as many lines of ourchat and irc, of 1 MB, without
/// an end.
pub(super) fn endless_messages(target: &Target, _: u32) -> u64 {
    let long = vec![b'a'; 1_000_000];
    let mut fragment = vec![0x01, 0x80 | 127];
    fragment.extend((long.len() as u64).to_be_bytes());
    fragment.extend([0; 4]);
    fragment.extend(&long);
    let mut streams = Vec::new();
    for _ in 0..200 {
        let lines = [OURCHAT_TCP, IRC].map(|port| (target.connect(port), &long));
        for (stream, bytes) in lines.into_iter().chain([(target.websocket(), &fragment)]) {
            let Some(mut stream) = stream.filter(|_| !target.is_over()) else { continue };
            // The gateway may close it at its bound.
            if stream.write_all(bytes).is_ok() {
                streams.push(stream);
            }
        }
    }
    target.wait();
    streams.len() as u64
}

/// As many connections as one address may have, silent.
pub(super) fn silent_connections(target: &Target, _: u32) -> u64 {
    let silent: usize =
        [TOKEN, OURCHAT_TCP].map(|port| open(target, port, 1100, b"")).iter().map(Vec::len).sum();
    target.wait();
    silent as u64
}

/// 20 clients request the list of rooms 20 times each and do not read it.
pub(super) fn unread_replies(target: &Target, _: u32) -> u64 {
    let request = HttpCall::request("/chatroom/list", "", None).repeat(20);
    let streams = open(target, CHATROOM, 20, &request);
    target.wait();
    streams.len() as u64
}

/// 400 clients of one address request 4 MiB of messages each and read none of it; each asks again as
/// often as a client may.
pub(super) fn long_unread_replies(target: &Target, _: u32) -> u64 {
    let Some(token) = fill_channel(target) else { return 0 };
    let token = format!("token: {token}\r\n");
    let body = r#"{"name":"bench-1","after":0}"#;
    let request = HttpCall::request("/channel/receive", &token, Some(body));
    let mut streams = open(target, CHANNEL, 400, b"");
    for stream in &streams {
        // Small, so that what is not read waits in the gateway, not in the kernel.
        drop(socket2::SockRef::from(stream).set_recv_buffer_size(4096));
    }
    let mut sent = 0;
    while !target.is_over() {
        for stream in &mut streams {
            sent += u64::from(stream.write_all(&request).is_ok());
            thread::sleep(Duration::from_millis(5));
        }
    }
    sent
}

/// Has an account post as many messages as a reply holds, each from an address of its own, as an
/// address may post no more than 1 MiB a second. The account's token.
fn fill_channel(target: &Target) -> Option<String> {
    let account = r#"{"name":"eve","password":"tea for two","password_repete":"tea for two"}"#;
    let mut stream = target.connect(CHANNEL)?;
    ask(&mut stream, "/register", Some(account));
    let token = prepare::sign_in(target.channel(), "eve", "tea for two").ok()?;
    let text = "\u{1f600}".repeat(16_384);
    let body = serde_json::json!({ "name": "bench-1", "message": text }).to_string();
    let header = format!("token: {token}\r\n");
    let post = HttpCall::request("/channel/send", &header, Some(&body));
    for nth in 0..68 {
        let mut stream = target.connect_from_own(nth, CHANNEL)?;
        stream.write_all(&post).ok()?;
        read_some(&mut stream);
    }
    Some(token)
}

/// Connections that the gateway ends at their first line go on sending.
pub(super) fn bytes_after_the_end(target: &Target, _: u32) -> u64 {
    let chunk = [b'a'; 65_536];
    let mut sent = 0;
    while !target.is_over() {
        for mut stream in open(target, OURCHAT_TCP, 1, b"GET / HTTP/1.1\r\n") {
            while !target.is_over() && stream.write_all(&chunk).is_ok() {
                sent += chunk.len() as u64;
            }
        }
    }
    sent
}

/// 900 connections with a sign-in under way on each, and others in place of those that are not
/// answered soon.
pub(super) fn sign_ins(target: &Target, _: u32) -> u64 {
    let mut tried = 0;
    while !target.is_over() {
        let login = |account: u64| {
            let body = format!(r#"{{"name":"eve-{account}","password":"wrong"}}"#);
            HttpCall::request("/login", "", Some(&body))
        };
        let open = |account| {
            let mut stream = target.connect(CHANNEL).filter(|_| !target.is_over())?;
            stream.write_all(&login(tried + account)).ok()?;
            Some(stream)
        };
        let streams: Vec<TcpStream> = (0..900).filter_map(open).collect();
        tried += streams.len() as u64;
        for mut stream in streams {
            if !target.is_over() {
                read_soon(&mut stream);
            }
        }
    }
    tried
}
