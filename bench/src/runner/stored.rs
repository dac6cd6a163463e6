//! Jobs on a large store, and its creation: starting and searching.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;

use core_engine::{Done, Engine, Envelope, FrontendSettings, Options};
use core_model::{
    Command, ConnectionId, NewRoom, NewUser, PostRight, RoomId, RoomRef, Timestamp, Uid, UserRef,
};

use super::Run;
use super::load::TEXT_BYTES;
use super::server::{CHATROOM_WEBSOCKET, Server, Side, USR_ROOM};
use super::table::{Bound, FigureRow, Goal, median};
use crate::command::teller;
use crate::floor;
use crate::load::{HttpCall, Load, Pace, Seat, Talk};

/// Commands in flight in the engine.
const AT_ONCE: usize = 4096;

/// Searches per second.
const SEARCHES_PER_S: f64 = 50.0;

/// The size of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) messages: u64,
    pub(super) users: u64,
    pub(super) rooms: u64,
}

impl Run {
    /// Starting on a large store, and its size on disk.
    pub(super) fn start(&self, size: Size) -> io::Result<Vec<FigureRow>> {
        let store = self.seeded(size)?;
        let what =
            format!("{} messages, {} users, {} rooms", size.messages, size.users, size.rooms);
        let own_bytes = size.messages * TEXT_BYTES as u64;
        let ratio = fs::metadata(&store)?.len() as f64 / own_bytes as f64;
        let mut rows = vec![FigureRow {
            what: format!("disk of {what}, times the texts' bytes"),
            is: ratio,
            unit: "x",
            goal: Some(Goal::new("disk", ratio, Bound::AtMost(2.5))),
        }];
        let mut clean = Vec::new();
        let mut killed = Vec::new();
        // The first start declares the room.
        self.stage.start_on(Side::Gateway, 1, &store)?.stop()?;
        for nth in 1..=self.turns {
            self.say(&format!("start with {what}: {nth}"));
            let begin = Instant::now();
            let server = self.stage.start_on(Side::Gateway, 1, &store)?;
            clean.push(begin.elapsed().as_secs_f64());
            self.load_and_kill(server)?;
            let begin = Instant::now();
            let server = self.stage.start_on(Side::Gateway, 1, &store)?;
            killed.push(begin.elapsed().as_secs_f64());
            server.stop()?;
        }
        for (how, seconds) in [("a clean stop", median(clean)), ("kill -9", median(killed))] {
            rows.push(FigureRow {
                what: format!("start after {how}, {what}"),
                is: seconds,
                unit: "s",
                goal: Some(Goal::new("start", seconds, Bound::AtMost(1.0))),
            });
        }
        Ok(rows)
    }

    /// Kills the server during a load.
    fn load_and_kill(&self, server: Server) -> io::Result<()> {
        let seat = |nth: u32| {
            let room = "bench-0".into();
            let user = format!("guest-{nth}");
            let address = server.at(CHATROOM_WEBSOCKET);
            let talk = Talk::Chatroom { room, user };
            Seat::new(address, 0, talk)
        };
        let seats: Vec<Seat> = (0..20).map(seat).collect();
        let mut load = Load::join(&seats, TEXT_BYTES, &mut teller())?;
        load.drive(Pace::UnderWay(64), self.span / 2, &mut |_| ())?;
        // The last messages are in flight when the server is killed.
        load.begin(Pace::UnderWay(64))?;
        drop(server);
        Ok(())
    }

    /// Searching among many rooms, over HTTP.
    pub(super) fn search(&self, size: Size) -> io::Result<Vec<FigureRow>> {
        let store = self.seeded(size)?;
        let server = self.stage.start_on(Side::Gateway, 1, &store)?;
        let key = |nth: u64| nth * 7_919 % size.rooms;
        let kinds: [(&str, &dyn Fn(u64) -> String); 3] = [
            ("a whole name", &|nth| format!("room number {}", key(nth))),
            ("a part of many names", &|nth| format!("number {}", key(nth) % 100)),
            ("a typo", &|nth| format!("rom nunber {}", key(nth))),
        ];
        let mut rows = Vec::new();
        for (kind, text) in kinds {
            let request = |nth| {
                let body = format!(r#"{{"key":"{}"}}"#, text(nth));
                HttpCall::request("/search", "", Some(&body))
            };
            let call = HttpCall {
                requests: (0..100).map(request).collect(),
                expect: "\"response_code\":1".into(),
            };
            let seat = |room| {
                let talk = Talk::Http(call.clone());
                Seat::new(server.at(USR_ROOM), room, talk)
            };
            let seats: Vec<Seat> = (0..8).map(seat).collect();
            let mut p99_ms = Vec::new();
            for nth in 1..=self.turns {
                self.say(&format!("search among {} rooms: {kind} {nth}", size.rooms));
                let turn = self.turn(&server, &seats, Pace::Rate(SEARCHES_PER_S))?;
                p99_ms.push(turn.report.latency.p99_ms);
            }
            let p99_ms = median(p99_ms);
            rows.push(FigureRow {
                what: format!("search for {kind} among {} rooms, p99", size.rooms),
                is: p99_ms,
                unit: "ms",
                goal: Some(Goal::new("p99", p99_ms, Bound::AtMost(20.0))),
            });
        }
        Ok(rows)
    }

    /// A store of this size, created once.
    pub(super) fn seeded(&self, size: Size) -> io::Result<PathBuf> {
        let Size { messages, users, rooms } = size;
        let path = self.stage.folder.path().join(format!("{messages}-{users}-{rooms}.redb"));
        if !path.exists() {
            self.say(&format!("making {messages} messages, {users} users, {rooms} rooms"));
            seed(&path, size)?;
        }
        Ok(path)
    }

    /// A store of floor-durable with as many messages, created once.
    pub(super) fn filled(&self, size: Size) -> io::Result<PathBuf> {
        let Size { messages, rooms, .. } = size;
        let path = self.stage.folder.path().join(format!("floor-{messages}-{rooms}.redb"));
        if !path.exists() {
            self.say(&format!("making {messages} messages of the floor, {rooms} rooms"));
            floor::fill(&path, messages, rooms, TEXT_BYTES)?;
        }
        Ok(path)
    }
}

/// Fills a store through the engine: users, who own rooms, and messages spread over the rooms.
fn seed(path: &Path, size: Size) -> io::Result<()> {
    let (sender, answers) = channel();
    let publish = move |batch: Vec<Done<()>>| {
        let refused = batch.iter().find_map(|done| done.outcome.as_ref().err().cloned());
        // The receiver is gone only if the seeding has failed.
        drop(sender.send((batch.len(), refused)));
    };
    let engine = Engine::open(path, Options::default(), publish).map_err(io::Error::other)?;
    let frontend =
        Arc::new(FrontendSettings { room_capacity: 1000, ..FrontendSettings::default() });
    let mut waiting = 0;
    let settle = |waiting: &mut usize, at_most: usize| {
        while *waiting > at_most {
            let (count, refused) = answers.recv().map_err(io::Error::other)?;
            *waiting -= count;
            if let Some(refusal) = refused {
                return Err(io::Error::other(format!("seeding is refused: {refusal:?}")));
            }
        }
        Ok(())
    };
    for command in commands(size) {
        let envelope = Envelope {
            at: Timestamp(1_700_000_000_000),
            steady_ms: 0,
            connection: ConnectionId(0),
            address: None,
            frontend: frontend.clone(),
            key: None,
            command,
        };
        engine
            .submit_always(envelope, ())
            .map_err(|(_, why)| io::Error::other(format!("{why:?}")))?;
        waiting += 1;
        settle(&mut waiting, AT_ONCE)?;
    }
    settle(&mut waiting, 0)
}

fn commands(size: Size) -> impl Iterator<Item = Command> {
    let Size { messages, users, rooms } = size;
    let owner = move |room: u64| UserRef::Id(Uid(10_000 + room % users));
    let register = |nth: u64| {
        let handle = Some(format!("user{nth}"));
        let identities = vec![format!("tel/{nth}")];
        Command::Register { user: NewUser { handle, identities, ..NewUser::default() } }
    };
    let create = move |nth: u64| Command::CreateRoom {
        room: NewRoom { name: Some(format!("room number {nth}")), ..NewRoom::default() },
        owner: Some(owner(nth)),
        members: None,
    };
    let post = move |nth: u64| {
        // Not in order, so that neighbours on disk were not posted together.
        let room = nth.wrapping_mul(2_654_435_761) % rooms;
        Command::Post {
            room: RoomRef::Id(RoomId(room as u32 + 1)),
            author: owner(room),
            text: "x".repeat(TEXT_BYTES),
            standing: PostRight::Member,
            notice: false,
        }
    };
    (0..users).map(register).chain((0..rooms).map(create)).chain((0..messages).map(post))
}
