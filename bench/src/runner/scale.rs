//! The cost of a large store: the same chores on a small store and on a large one.

use std::io;

use super::Run;
use super::load::TEXT_BYTES;
use super::server::{CHATROOM, CHATROOM_WEBSOCKET, FLOOR, Server, Side, USR_ROOM};
use super::stored::Size;
use super::table::{Bound, FigureRow, Goal, median};
use crate::load::{HttpCall, Pace, Seat, Talk};

impl Run {
    /// The same load on a small and a large store in turn: its cost as a ratio to a floor of the
    /// same size, and by itself.
    pub(super) fn scale(&self, large: Size) -> io::Result<Vec<FigureRow>> {
        let small = Size { messages: large.messages.min(10_000), users: 1000, rooms: 100 };
        let sizes = [small, large];
        let mut costs: [Costs; 2] = Default::default();
        for size in sizes {
            self.seeded(size)?;
            self.filled(size)?;
        }
        for nth in 1..=self.turns {
            for (size, costs) in sizes.into_iter().zip(&mut costs) {
                self.say(&format!("with {} messages, {} rooms: {nth}", size.messages, size.rooms));
                let server = self.stage.start_on(Side::Gateway, 1, &self.seeded(size)?)?;
                for (chore, cost) in chores(&server, size)?.iter().zip(&mut costs.gateway) {
                    cost.push(self.cost(&server, chore)?);
                }
                drop(server);
                let server = self.stage.start_on(Side::FloorDurable, 1, &self.filled(size)?)?;
                for (chore, cost) in floor_chores(&server, size).iter().zip(&mut costs.floor) {
                    cost.push(self.cost(&server, chore)?);
                }
            }
        }
        Ok(compare(sizes, &costs))
    }

    fn cost(&self, server: &Server, chore: &Chore) -> io::Result<Cost> {
        let turn = self.turn(server, &chore.seats, chore.pace)?;
        let cpu_us = turn.cpu_s * 1e6 / turn.report.delivered.max(1) as f64;
        Ok(Cost { cpu_us, p50_ms: turn.report.latency.p50_ms })
    }
}

/// A task in rooms spread over a store.
struct Chore {
    seats: Vec<Seat>,
    pace: Pace,
}

/// The names of the [`chores`] and their targets. The first [`CHATS`] also run on a floor. For a
/// lone sender the latency counts.
const CHORES: [(&str, Figure); 6] = [
    ("100 rooms of 4 flat out", Figure::Cpu),
    ("a room of 100 at 200/s", Figure::Cpu),
    ("ingest from 1", Figure::P50),
    ("posting over HTTP", Figure::Cpu),
    ("the newest 20 of a room", Figure::Cpu),
    ("a user by name", Figure::Cpu),
];
const CHATS: usize = 3;

#[derive(Clone, Copy, PartialEq)]
enum Figure {
    Cpu,
    P50,
}

struct Cost {
    cpu_us: f64,
    p50_ms: f64,
}

/// The results of each chore on stores of one size, turn by turn.
#[derive(Default)]
struct Costs {
    gateway: [Vec<Cost>; CHORES.len()],
    floor: [Vec<Cost>; CHATS],
}

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::P50 => "p50",
        }
    }

    fn median(self, costs: &[Cost]) -> f64 {
        median(costs.iter().map(|cost| match self {
            Self::Cpu => cost.cpu_us,
            Self::P50 => cost.p50_ms,
        }))
    }
}

/// The large store's figure as a ratio to the small one's.
fn compare(sizes: [Size; 2], costs: &[Costs; 2]) -> Vec<FigureRow> {
    let [small, large] = sizes;
    let row = |what: String, is: f64, goal: Option<Figure>| FigureRow {
        what: format!(
            "{what} with {} messages in {} rooms, of that with {} in {}",
            large.messages, large.rooms, small.messages, small.rooms
        ),
        is,
        unit: "x",
        goal: goal.map(|figure| Goal::new(figure.name(), is, Bound::AtMost(1.3))),
    };
    let mut rows = Vec::new();
    for (nth, (what, asked)) in CHORES.into_iter().enumerate() {
        let name = asked.name();
        let grown = |figure: Figure| {
            let [small, large] = costs.each_ref().map(|costs| figure.median(&costs.gateway[nth]));
            large / small
        };
        if nth >= CHATS {
            rows.push(row(format!("{what}: {name}"), grown(asked), Some(asked)));
            continue;
        }
        let [small, large] = costs.each_ref().map(|costs| asked.median(&costs.floor[nth]));
        let beside = grown(asked) / (large / small);
        rows.push(row(format!("{what}: {name} beside floor-durable"), beside, Some(asked)));
        if asked != Figure::Cpu {
            rows.push(row(format!("{what}: {name}"), grown(asked), None));
        }
        rows.push(row(format!("{what}: CPU"), grown(Figure::Cpu), None));
    }
    rows
}

/// Rooms per chore, and members per room.
const ROOMS: u64 = 100;
const MEMBERS: u64 = 4;

/// Spreads the rooms over the store.
fn room_of(nth: u64, size: Size) -> u64 {
    nth % ROOMS * (size.rooms / ROOMS).max(1) % size.rooms
}

/// The chores that are chats; `seat` creates a seat in a room.
fn chats(seat: impl Fn(u64, u64) -> Seat) -> [Chore; CHATS] {
    let seats = |count: u64, rooms: u64| (0..count).map(|nth| seat(nth, nth % rooms)).collect();
    [
        Chore { seats: seats(ROOMS * MEMBERS, ROOMS), pace: Pace::UnderWay(64) },
        Chore { seats: seats(100, 1), pace: Pace::Rate(200.0) },
        Chore { seats: seats(1, 1), pace: Pace::OneEach },
    ]
}

fn floor_chores(server: &Server, size: Size) -> [Chore; CHATS] {
    chats(|_, room| {
        let talk = Talk::Floor { room: room_of(room, size) as u32 };
        Seat::new(server.at(FLOOR), room as u32, talk)
    })
}

fn chores(server: &Server, size: Size) -> io::Result<[Chore; CHORES.len()]> {
    let room = |nth| room_of(nth, size);
    let chats = chats(|nth, place| {
        let room = format!("room number {}", room(place));
        let user = format!("guest-{nth}");
        let talk = Talk::Chatroom { room, user };
        Seat::new(server.at(CHATROOM_WEBSOCKET), place as u32, talk)
    });
    let user = r#"{"openid":"o-bench","sex":"1"}"#;
    server.ask(USR_ROOM, "/usr/complete", Some(user))?;
    for nth in 0..ROOMS {
        let body = format!(r#"{{"room_id":{},"openid":"o-bench"}}"#, room(nth) + 1);
        // Refused if an earlier turn has joined already.
        drop(server.ask(USR_ROOM, "/usr/join", Some(&body)));
    }
    let read_by_64 = |port, call: HttpCall| {
        let seat = |nth| Seat::new(server.at(port), nth, Talk::Http(call.clone()));
        (0..64).map(seat).collect::<Vec<Seat>>()
    };
    let call = |path: &'static str, body: &dyn Fn(u64) -> String| {
        let request = |nth| HttpCall::request(path, "", Some(&body(nth)));
        let requests = (0..ROOMS).map(request).collect();
        read_by_64(USR_ROOM, HttpCall { requests, expect: "\"response_code\":1".into() })
    };
    let read = |nth| format!(r#"{{"room_id":{},"limit":20}}"#, room(nth) + 1);
    let text = HttpCall::text(TEXT_BYTES);
    let post = |nth| {
        let room = room(nth) + 1;
        format!(r#"{{"room_id":{room},"openid":"o-bench","message":"{text}"}}"#)
    };
    let user = |nth: u64| format!("/auth/user_data?user_name=user{}", nth * 7_919 % size.users);
    let requests = (0..ROOMS).map(|nth| HttpCall::request(&user(nth), "", None)).collect();
    let users = read_by_64(CHATROOM, HttpCall { requests, expect: "\"res\"".into() });
    let [all_rooms, one_room, lone_sender] = chats;
    Ok([
        all_rooms,
        one_room,
        lone_sender,
        Chore { seats: call("/room/send_message", &post), pace: Pace::OneEach },
        Chore { seats: call("/room/get_message", &read), pace: Pace::OneEach },
        Chore { seats: users, pace: Pace::OneEach },
    ])
}
