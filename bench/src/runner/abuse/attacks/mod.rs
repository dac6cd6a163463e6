//! The attacks, each bounded in connections and in time. They count their attempts: messages,
//! requests or connections.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{ask, connect, drain, read_some, say, websocket};
use crate::runner::server::{CHANNEL, CHATROOM, CHATROOM_WEBSOCKET, OURCHAT_TCP, Server, USR_ROOM};

/// The gateway, and the attacker's address.
pub(super) struct Target {
    gateway: IpAddr,
    from: IpAddr,
    pub(super) until: Instant,
}

impl Target {
    pub(super) fn new(server: &Server, until: Instant) -> Self {
        Self { gateway: server.at(0).ip(), from: server.clients[0], until }
    }

    fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.gateway, port)
    }

    fn connect(&self, port: u16) -> Option<TcpStream> {
        connect(self.at(port), self.from).ok()
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

pub(super) struct Attack {
    pub(super) name: &'static str,
    /// Threads that attack at once.
    threads: u32,
    attack: fn(&Target, u32) -> u64,
}

impl Attack {
    /// Attacks until the time is over. The number of attempts.
    pub(super) fn run(&self, target: &Target) -> u64 {
        thread::scope(|threads| {
            let attackers: Vec<_> = (0..self.threads)
                .map(|nth| threads.spawn(move || (self.attack)(target, nth)))
                .collect();
            attackers
                .into_iter()
                .map(|thread| thread.join().expect("an attack does not panic"))
                .sum()
        })
    }
}

pub(super) const ATTACKS: &[Attack] = &[
    Attack { name: "none", threads: 1, attack: nothing },
    Attack { name: "E1 long messages in a batch", threads: 1, attack: long_messages },
    Attack { name: "E2 long room descriptions", threads: 3, attack: long_descriptions },
    Attack { name: "E4 bodies that do not come", threads: 1, attack: absent_bodies },
    Attack { name: "E7 long search keys", threads: 2, attack: long_keys },
    Attack { name: "E8 blank lines", threads: 8, attack: blank_lines },
    Attack { name: "E9 rooms without end", threads: 2, attack: many_rooms },
    Attack { name: "E10 replies that are not read", threads: 1, attack: unread_replies },
    Attack { name: "P1 sign-ins without end", threads: 100, attack: sign_ins },
];

fn nothing(target: &Target, _: u32) -> u64 {
    thread::sleep(target.until.saturating_duration_since(Instant::now()));
    0
}

/// A guest posts 150 messages of 64 KiB at once, again and again.
fn long_messages(target: &Target, _: u32) -> u64 {
    let Ok(mut stream) = websocket(target.at(CHATROOM_WEBSOCKET), target.from) else { return 0 };
    let packet = |kind: &str, text: &str| {
        let data = serde_json::json!({
            "room_name": "bench-0", "user": { "user_name": "eve", "user_avatar": "" }, "msg": text,
        });
        serde_json::json!({ "type": kind, "data": data }).to_string()
    };
    say(&mut stream, &packet("join", ""));
    read_some(&mut stream);
    let long = packet("msg", &"\u{1f600}".repeat(16_384));
    let mut sent = 0;
    while !target.is_over() {
        for _ in 0..150 {
            sent += u64::from(say(&mut stream, &long));
        }
        drain(&mut stream, target.until);
    }
    sent
}

/// Rooms with descriptions of 21,000 different characters, which are all indexed.
fn long_descriptions(target: &Target, nth: u32) -> u64 {
    let Some(mut stream) = target.connect(USR_ROOM) else { return 0 };
    let owner = format!("o-eve-{nth}");
    let user = serde_json::json!({ "openid": owner, "name": owner }).to_string();
    ask(&mut stream, "/usr/complete", Some(&user));
    let character = |at: u32| char::from_u32(0x4e00 + at * 7919 % 20_000).unwrap_or('x');
    let mut made = 0;
    while !target.is_over() {
        let description: String = (0..21_000).map(|at| character(at + made as u32)).collect();
        let room = serde_json::json!({
            "room_owner_id": owner, "name": format!("{owner}-{made}"), "description": description,
        });
        if !ask(&mut stream, "/room/add", Some(&room.to_string())) {
            let Some(again) = target.connect(USR_ROOM) else { return made };
            stream = again;
        }
        made += 1;
    }
    made
}

/// 900 requests announce 1 MiB each and send nothing of it.
fn absent_bodies(target: &Target, _: u32) -> u64 {
    let head = b"POST /auth/login HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
                 Content-Length: 1048576\r\n\r\n";
    let open = |_| {
        let mut stream = target.connect(CHATROOM)?;
        stream.write_all(head).ok()?;
        Some(stream)
    };
    let streams: Vec<TcpStream> = (0..900).filter(|_| !target.is_over()).filter_map(open).collect();
    nothing(target, 0);
    streams.len() as u64
}

/// Searches for 100 kB.
fn long_keys(target: &Target, nth: u32) -> u64 {
    let key = "bench room number ".repeat(100_000 / 18);
    let body = serde_json::json!({ "key": format!("{nth}{key}") }).to_string();
    requests(target, USR_ROOM, "/search", Some(&body))
}

/// Sends a request again and again, at most 200 per second.
fn requests(target: &Target, port: u16, path: &str, body: Option<&str>) -> u64 {
    let mut sent = 0;
    while let Some(mut stream) = target.connect(port).filter(|_| !target.is_over()) {
        while !target.is_over() {
            sent += 1;
            if !ask(&mut stream, path, body) {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
    sent
}

/// Lines with nothing in them.
fn blank_lines(target: &Target, _: u32) -> u64 {
    let Some(mut stream) = target.connect(OURCHAT_TCP) else { return 0 };
    let chunk = [b'\n'; 8192];
    let mut sent = 0;
    while !target.is_over() && stream.write_all(&chunk).is_ok() {
        sent += chunk.len() as u64;
        thread::sleep(Duration::from_millis(20));
    }
    sent
}

/// One thread makes rooms, the other lists them all.
fn many_rooms(target: &Target, nth: u32) -> u64 {
    if nth > 0 {
        return requests(target, CHATROOM, "/chatroom/list", None);
    }
    let Some(mut stream) = target.connect(CHATROOM) else { return 0 };
    let mut made = 0;
    while !target.is_over() && made < 10_000 {
        let path = format!("/chatroom/create?room_name=eve-{made}");
        if !ask(&mut stream, &path, None) {
            return made;
        }
        made += 1;
    }
    made
}

/// 20 clients request the list of rooms 20 times each and do not read it.
fn unread_replies(target: &Target, _: u32) -> u64 {
    let request = crate::load::HttpCall::request("/chatroom/list", "", None).repeat(20);
    let open = |_| {
        let mut stream = target.connect(CHATROOM)?;
        stream.write_all(&request).ok()?;
        Some(stream)
    };
    let streams: Vec<TcpStream> = (0..20).filter_map(open).collect();
    nothing(target, 0);
    streams.len() as u64
}

/// Wrong passwords, one after the other on each connection.
fn sign_ins(target: &Target, nth: u32) -> u64 {
    let body = format!(r#"{{"name":"eve-{nth}","password":"wrong"}}"#);
    requests(target, CHANNEL, "/login", Some(&body))
}
