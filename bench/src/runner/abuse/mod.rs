//! Latency of others, memory and disconnects while one client attacks a gateway at its defaults.
//!
//! Each attack is bounded in time and in connections. The others are four members of the attacked
//! room, one more that reads no more than 1 MB/s, four HTTP clients, one that signs in, and a
//! newcomer afterwards; they connect from another loopback address than the attacker.

mod attacks;
mod client;
mod reader;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::attacks::{ATTACKS, Attack, Target};
use self::reader::{Reader, Reading};
use super::Run;
use super::load::TEXT_BYTES;
use super::server::{CHANNEL, CHATROOM, CHATROOM_WEBSOCKET, Server};
use super::table::{Bound, FigureRow, Goal};
use crate::command::teller;
use crate::load::{HttpCall, Load, Pace, Report, Seat, Talk, prepare};

/// Rooms of the gateway; the attacked one is the first.
const ROOMS: u32 = 1000;

const MEMBERS: u32 = 4;

/// Posts and HTTP requests per second of the others.
const OTHERS_PER_S: f64 = 50.0;

/// An attack lasts as many times as long as a turn of the other jobs.
const SPANS: u32 = 4;

const SAMPLE: Duration = Duration::from_millis(20);

const P99_MS_MAX: f64 = 20.0;
const MEMORY_MIB_MAX: f64 = 256.0;

/// The result of one attack.
struct Impact {
    posts: Report,
    http: Report,
    grown_mib: f64,
    /// The slowest sign-in of another client in ms, and how many were refused.
    sign_in_ms: f64,
    sign_ins_refused: u32,
    /// Whether the member that reads no more than 1 MB/s was cut off, and how much it read.
    reader: Reading,
    /// Whether a newcomer from another address gets a seat afterwards.
    newcomer: bool,
    /// Bytes that the store grew by.
    stored: u64,
    attempts: u64,
}

impl Run {
    /// Runs the attacks whose names begin with one of these; all if there is none.
    pub(super) fn abuse(&self, names: &[&str]) -> io::Result<Vec<FigureRow>> {
        let mut rows = Vec::new();
        let is_wanted = |attack: &&Attack| {
            names.is_empty() || names.iter().any(|name| attack.name.starts_with(name))
        };
        for attack in ATTACKS.iter().filter(is_wanted) {
            self.say(&format!("abuse: {}", attack.name));
            rows.extend(figures(attack, &self.attack(attack)?));
        }
        Ok(rows)
    }

    fn attack(&self, attack: &Attack) -> io::Result<Impact> {
        let server = self.stage.start_at_defaults(ROOMS)?;
        let account =
            r#"{"name":"other","password":"tea for two","password_repete":"tea for two"}"#;
        server.ask(CHANNEL, "/register", Some(account))?;
        let mut posts = Load::join(&members(&server), TEXT_BYTES, &mut teller())?;
        let mut http = Load::join(&readers(&server), TEXT_BYTES, &mut teller())?;
        let reader = Reader::join(server.at(CHATROOM_WEBSOCKET), server.clients[1])?;
        let before = (server.resident_bytes(), self.stage.store_bytes());
        let span = self.span * SPANS;
        let client = self.stage.identity.client(false);
        let target = Target::new(&server, client, Instant::now() + span);
        let is_over = AtomicBool::new(false);
        let peak = AtomicU64::new(0);
        thread::scope(|threads| {
            let attacking = threads.spawn(|| attack.run(&target));
            let posting =
                threads.spawn(move || posts.drive(Pace::Rate(OTHERS_PER_S), span, &mut |_| ()));
            let requesting =
                threads.spawn(move || http.drive(Pace::Rate(OTHERS_PER_S), span, &mut |_| ()));
            let signing_in = threads.spawn(|| sign_ins(&server, target.until));
            let reading = threads.spawn(|| reader.read(target.until));
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    peak.fetch_max(server.resident_bytes(), Ordering::Relaxed);
                    thread::sleep(SAMPLE);
                }
            });
            let posts = posting.join().expect("the load does not panic");
            let http = requesting.join().expect("the load does not panic");
            let attempts = attacking.join().expect("the attack does not panic");
            let (sign_in_ms, sign_ins_refused) = signing_in.join().expect("no panic");
            is_over.store(true, Ordering::Relaxed);
            let reader = reading.join().expect("reading does not panic");
            let grown_mib = mib(peak.load(Ordering::Relaxed).saturating_sub(before.0));
            Ok(Impact {
                posts: posts?,
                http: http?,
                grown_mib,
                sign_in_ms,
                sign_ins_refused,
                reader,
                newcomer: reader::gets_a_seat(server.at(CHATROOM_WEBSOCKET), server.clients[2]),
                stored: self.stage.store_bytes().saturating_sub(before.1),
                attempts,
            })
        })
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The members of the attacked room.
fn members(server: &Server) -> Vec<Seat> {
    let member = |nth| {
        let talk = Talk::Chatroom { room: "bench-0".into(), user: format!("other-{nth}") };
        Seat::new(server.at(CHATROOM_WEBSOCKET), 0, talk)
    };
    (0..MEMBERS).map(member).collect()
}

fn readers(server: &Server) -> Vec<Seat> {
    let reader = |nth| {
        let target = "/auth/user_data?user_name=other";
        let requests = vec![HttpCall::request(target, "", None)];
        let talk = Talk::Http(HttpCall { requests, expect: "\"".into() });
        Seat::new(server.at(CHATROOM), nth, talk)
    };
    (0..MEMBERS).map(reader).collect()
}

/// Signs another client in, one time after the other.
fn sign_ins(server: &Server, until: Instant) -> (f64, u32) {
    let mut slowest = Duration::ZERO;
    let mut refused = 0;
    while Instant::now() < until {
        let start = Instant::now();
        if prepare::sign_in(server.at(CHANNEL), "other", "tea for two").is_err() {
            refused += 1;
        }
        slowest = slowest.max(start.elapsed());
        thread::sleep(Duration::from_millis(200));
    }
    (slowest.as_secs_f64() * 1e3, refused)
}

fn figures(attack: &Attack, impact: &Impact) -> Vec<FigureRow> {
    let row = |what: &str, is: f64, unit, bound: Option<Bound>| FigureRow {
        what: format!("abuse, {}: {what}", attack.name),
        is,
        unit,
        goal: bound.map(|bound| Goal::new(what, is, bound)),
    };
    let at_most = |most| Some(Bound::AtMost(most));
    let ended = impact.posts.ended + impact.http.ended;
    let cut_off = (ended + usize::from(impact.reader.is_cut_off)) as f64;
    let turned_away = f64::from(u8::from(!impact.newcomer));
    vec![
        row("attempts", impact.attempts as f64, "", None),
        row("p99 of others' posts", impact.posts.latency.p99_ms, "ms", at_most(P99_MS_MAX)),
        row("p99 of others' requests", impact.http.latency.p99_ms, "ms", at_most(P99_MS_MAX)),
        row("slowest sign-in of others", impact.sign_in_ms, "ms", None),
        row("sign-ins of others refused", impact.sign_ins_refused.into(), "", at_most(0.0)),
        row("others cut off", cut_off, "", at_most(0.0)),
        row("read at 1 MB/s", impact.reader.bytes as f64 / 1e6, "MB", None),
        row("newcomers turned away", turned_away, "", at_most(0.0)),
        row("store more than before", mib(impact.stored), "MiB", None),
        row("memory more than before", impact.grown_mib, "MiB", at_most(MEMORY_MIB_MAX)),
    ]
}
