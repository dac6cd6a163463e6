//! The attacks, each bounded in connections and in time. They count their attempts: messages,
//! requests, connections or bytes.

mod chat;
mod handshakes;
mod hold;
mod requests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use super::client::{connect, websocket};
use crate::load::Encryption;
use crate::runner::server::{CHANNEL, CHATROOM_WEBSOCKET, Server};

/// The gateway, and the attacker's address.
pub(super) struct Target {
    gateway: IpAddr,
    from: IpAddr,
    /// How TLS is spoken to it.
    encryption: Encryption,
    pub(super) until: Instant,
}

impl Target {
    pub(super) fn new(server: &Server, encryption: Encryption, until: Instant) -> Self {
        Self { gateway: server.at(0).ip(), from: server.clients[0], encryption, until }
    }

    fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.gateway, port)
    }

    fn connect(&self, port: u16) -> Option<TcpStream> {
        connect(self.at(port), self.from).ok()
    }

    /// From another address for each of the threads: one may have no more than a thousand.
    fn connect_from_own(&self, nth: u32, port: u16) -> Option<TcpStream> {
        let IpAddr::V4(from) = self.from else { return None };
        let [first, _, third, fourth] = from.octets();
        let second = 200 + (nth % 50) as u8;
        connect(self.at(port), Ipv4Addr::new(first, second, third, fourth).into()).ok()
    }

    /// The front end for applications.
    fn channel(&self) -> SocketAddr {
        self.at(CHANNEL)
    }

    fn websocket(&self) -> Option<TcpStream> {
        websocket(self.at(CHATROOM_WEBSOCKET), self.from).ok()
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Waits until the time is over.
    fn wait(&self) {
        thread::sleep(self.until.saturating_duration_since(Instant::now()));
    }
}

/// The least share of a processor.
const ATTACKER_NICENESS: i32 = 19;

pub(super) struct Attack {
    /// What it does; the beginning of it selects it on the command line.
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
                .map(|nth| {
                    threads.spawn(move || {
                        // An attacker has a machine of its own; here it would take the time of the
                        // gateway and of those who measure. Niceness is per thread on Linux.
                        let _ = rustix::process::nice(ATTACKER_NICENESS);
                        (self.attack)(target, nth)
                    })
                })
                .collect();
            attackers
                .into_iter()
                .map(|thread| thread.join().expect("an attack does not panic"))
                .sum()
        })
    }
}

const fn attack(name: &'static str, threads: u32, attack: fn(&Target, u32) -> u64) -> Attack {
    Attack { name, threads, attack }
}

pub(super) const ATTACKS: &[Attack] = &[
    attack("none", 1, nothing),
    attack("long messages in a batch", 1, chat::long_messages),
    attack("long messages of eight guests", 8, chat::long_messages),
    attack("comings and goings with avatars", 4, chat::avatars),
    attack("long room descriptions", 3, requests::long_descriptions),
    attack("long room descriptions over token", 3, chat::long_token_descriptions),
    attack("seats under many names", 2, requests::many_seats),
    attack("bodies that do not come", 1, hold::absent_bodies),
    attack("messages that do not end", 1, hold::endless_messages),
    attack("posts as fast as they go", 4, chat::posts),
    attack("silent connections", 1, hold::silent_connections),
    attack("long search keys", 2, requests::long_keys),
    attack("blank lines", 8, chat::blank_lines),
    attack("rooms without end", 2, requests::many_rooms),
    attack("replies that are not read", 1, hold::unread_replies),
    attack("long replies that are not read", 1, hold::long_unread_replies),
    attack("schemas", 1, requests::schemas),
    attack("bytes after the end", 4, hold::bytes_after_the_end),
    attack("pings", 4, chat::pings),
    attack("half of a TLS handshake", 10, handshakes::halves),
    attack("slow ClientHellos", 10, handshakes::slow_hellos),
    attack("TLS handshakes and nothing more", 10, handshakes::whole),
    attack("sign-ins on many connections", 1, hold::sign_ins),
    attack("guesses of one password", 20, requests::guesses),
];

fn nothing(target: &Target, _: u32) -> u64 {
    target.wait();
    0
}
