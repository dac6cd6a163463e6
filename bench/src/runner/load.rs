//! Jobs under load: the sides run in turn, and the median of each counts.

use std::io;
use std::time::Duration;

use super::Run;
use super::server::{CHATROOM_WEBSOCKET, FLOOR, OURCHAT, Server, Side, TOKEN};
use super::table::{Bound, Goal, LoadRow, median};
use crate::command::teller;
use crate::load::{Load, Pace, Quantiles, Report, Seat, Talk, prepare};

/// Bytes of a message's text.
pub(super) const TEXT_BYTES: usize = 120;

/// A warm-up before the measurement.
pub(super) const WARM_UP: Duration = Duration::from_millis(700);

/// A load on rooms.
pub(super) struct Chat {
    pub(super) name: &'static str,
    pub(super) rooms: u32,
    pub(super) members: u32,
    pub(super) pace: Pace,
    pub(super) mix: Mix,
    pub(super) sides: &'static [Side],
    pub(super) reach: Reach,
}

/// The dialects of the members of a room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mix {
    Chatroom,
    /// chatroom, ourchat and token in turn.
    Spread,
}

/// The target relative to floor-durable.
pub(super) enum Reach {
    Cpu(f64),
    /// Minimum rate, maximum 99th percentile.
    Rate(f64, f64),
    /// Maximum median latency.
    Median(f64),
    Nothing,
}

const ALL: &[Side] = &[Side::Gateway, Side::FloorDurable, Side::FloorWs];
const DURABLE: &[Side] = &[Side::Gateway, Side::FloorDurable];

const fn room(name: &'static str, members: u32, pace: Pace, mix: Mix) -> Chat {
    let reach = match mix {
        Mix::Chatroom => Reach::Cpu(1.2),
        Mix::Spread => Reach::Nothing,
    };
    Chat { name, rooms: 1, members, pace, mix, sides: ALL, reach }
}

/// The floors' rates: 20,000 and 50,000 deliveries a second.
pub(super) const CHATS: &[Chat] = &[
    room("room of 100 at 200/s", 100, Pace::Rate(200.0), Mix::Chatroom),
    room("room of 100 flat out", 100, Pace::UnderWay(64), Mix::Chatroom),
    room("room of 1000 at 50/s", 1000, Pace::Rate(50.0), Mix::Chatroom),
    room("room of 1000 flat out", 1000, Pace::UnderWay(64), Mix::Chatroom),
    room("spread room of 100 at 200/s", 100, Pace::Rate(200.0), Mix::Spread),
    room("spread room of 100 flat out", 100, Pace::UnderWay(64), Mix::Spread),
    room("spread room of 1000 at 50/s", 1000, Pace::Rate(50.0), Mix::Spread),
    room("spread room of 1000 flat out", 1000, Pace::UnderWay(64), Mix::Spread),
    Chat {
        name: "500 rooms at 2000/s",
        rooms: 500,
        members: 4,
        pace: Pace::Rate(2000.0),
        mix: Mix::Chatroom,
        sides: ALL,
        reach: Reach::Cpu(0.8),
    },
    Chat {
        name: "500 rooms flat out",
        rooms: 500,
        members: 4,
        pace: Pace::UnderWay(64),
        mix: Mix::Chatroom,
        sides: ALL,
        reach: Reach::Cpu(1.5),
    },
    ingest("ingest from 1", 1, Reach::Median(1.2)),
    ingest("ingest from 64", 64, Reach::Rate(1.0, 2.0)),
    ingest("ingest from 1024", 1024, Reach::Nothing),
];

/// The same load on the same dialect, linked and loaded. Flat out, so that the batches are similar.
const PLUGIN: Chat = Chat {
    name: "plugin, 500 rooms flat out",
    rooms: 500,
    members: 4,
    pace: Pace::UnderWay(64),
    mix: Mix::Chatroom,
    sides: &[Side::Gateway, Side::GatewayPlugin],
    reach: Reach::Nothing,
};

/// The same rooms as above, plain and encrypted.
pub(super) const TLS_CHATS: &[Chat] = &[
    tls_room("tls room of 100 at 200/s", Pace::Rate(200.0)),
    tls_room("tls room of 100 flat out", Pace::UnderWay(64)),
];

const fn tls_room(name: &'static str, pace: Pace) -> Chat {
    let sides = &[Side::GatewayTls, Side::Gateway, Side::FloorWsTls, Side::FloorWs];
    let (mix, reach) = (Mix::Chatroom, Reach::Nothing);
    Chat { name, rooms: 1, members: 100, pace, mix, sides, reach }
}

/// Senders alone in their rooms, each waiting for its own message.
const fn ingest(name: &'static str, senders: u32, reach: Reach) -> Chat {
    let pace = Pace::OneEach;
    let mix = Mix::Chatroom;
    Chat { name, rooms: senders, members: 1, pace, mix, sides: DURABLE, reach }
}

/// One turn of one side.
pub(super) struct Turn {
    pub(super) report: Report,
    pub(super) cpu_s: f64,
}

impl Run {
    /// Runs the sides in turn, and adds their rows.
    pub(super) fn chat(&self, chat: &Chat) -> io::Result<Vec<LoadRow>> {
        let mut sides: Vec<(Side, Vec<Turn>)> =
            self.sides(chat.sides).map(|side| (side, Vec::new())).collect();
        for nth in 1..=self.turns {
            for (side, turns) in &mut sides {
                self.say(&format!("{}: {} {nth}", chat.name, side.name()));
                let server = self.stage.start(*side, chat.rooms)?;
                turns.push(self.turn(&server, &chat.seats(&server, *side)?, chat.pace)?);
            }
        }
        let mut rows: Vec<LoadRow> =
            sides.iter().map(|(side, turns)| row(chat.name, *side, turns)).collect();
        let goals = chat.goals(&rows);
        rows[0].goals = goals;
        Ok(rows)
    }

    /// The additional cost of a message if chatroom is a plugin.
    pub(super) fn plugin(&self) -> io::Result<Vec<LoadRow>> {
        let mut rows = self.chat(&PLUGIN)?;
        let of = |side| rows.iter().find(|row| row.side == side).map_or(0.0, |row| row.cpu_us);
        let more = of(Side::GatewayPlugin) - of(Side::Gateway);
        let goal = Goal::new("µs a message", more * f64::from(PLUGIN.members), Bound::AtMost(2.0));
        for row in rows.iter_mut().filter(|row| row.side == Side::GatewayPlugin) {
            row.goals.push(goal.clone());
        }
        Ok(rows)
    }

    /// The sides, with the other build if there is one.
    pub(super) fn sides(&self, sides: &'static [Side]) -> impl Iterator<Item = Side> {
        let before = self.stage.before.as_ref().map(|_| Side::GatewayBefore);
        sides[..1].iter().copied().chain(before).chain(sides[1..].iter().copied())
    }

    /// A load on a running server.
    pub(super) fn turn(&self, server: &Server, seats: &[Seat], pace: Pace) -> io::Result<Turn> {
        let mut tell = teller();
        let mut load = Load::join(seats, TEXT_BYTES, &mut tell)?;
        load.drive(pace, WARM_UP, &mut |_| ())?;
        let before = server.cpu();
        let report = load.drive(pace, self.span, &mut tell)?;
        let cpu_s = server.cpu().seconds_since(&before);
        Ok(Turn { report, cpu_s })
    }
}

impl Chat {
    /// Prepares the server and returns the seats.
    fn seats(&self, server: &Server, side: Side) -> io::Result<Vec<Seat>> {
        let email = "bench@example.org";
        let password = "bench";
        if side.is_gateway() && self.mix == Mix::Spread {
            prepare::register(server.at(OURCHAT), email, "bench", password)?;
        }
        let of_room = |room: u32| (0..self.members).map(move |member| (room, member));
        let seat = |(room, member): (u32, u32)| {
            let nth = room * self.members + member;
            let (port, talk) = match (side.is_gateway(), self.mix, member % 3) {
                (true, Mix::Spread, 1) => {
                    let account = email.into();
                    let password = password.into();
                    (OURCHAT, Talk::OurChat { account, password, group: room + 1 })
                }
                (true, Mix::Spread, 2) => {
                    (TOKEN, Talk::Token { openid: format!("bench-{nth}"), room: room + 1 })
                }
                (true, ..) => {
                    let room = format!("bench-{room}");
                    let user = format!("guest-{nth}");
                    (CHATROOM_WEBSOCKET, Talk::Chatroom { room, user })
                }
                (false, ..) => (FLOOR, Talk::Floor { room }),
            };
            server.seat(port, room, talk)
        };
        Ok((0..self.rooms).flat_map(of_room).map(seat).collect())
    }

    fn goals(&self, rows: &[LoadRow]) -> Vec<Goal> {
        let gateway = &rows[0];
        let Some(floor) = rows.iter().find(|row| row.side == Side::FloorDurable) else {
            return Vec::new();
        };
        let cpu = gateway.cpu_us / floor.cpu_us;
        let rate = gateway.per_s / floor.per_s;
        let p50 = gateway.latency.p50_ms / floor.latency.p50_ms;
        let p99 = gateway.latency.p99_ms / floor.latency.p99_ms;
        match self.reach {
            Reach::Cpu(most) => vec![Goal::new("CPU", cpu, Bound::AtMost(most))],
            Reach::Rate(least, most) => vec![
                Goal::new("rate", rate, Bound::AtLeast(least)),
                Goal::new("p99", p99, Bound::AtMost(most)),
            ],
            Reach::Median(most) => vec![Goal::new("p50", p50, Bound::AtMost(most))],
            Reach::Nothing => Vec::new(),
        }
    }
}

/// The median of several turns; faults add up.
pub(super) fn row(job: &str, side: Side, turns: &[Turn]) -> LoadRow {
    let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    let latency = Quantiles {
        p50_ms: of(|turn| turn.report.latency.p50_ms),
        p99_ms: of(|turn| turn.report.latency.p99_ms),
        p999_ms: of(|turn| turn.report.latency.p999_ms),
        max_ms: of(|turn| turn.report.latency.max_ms),
    };
    let faults = turns.iter().map(|Turn { report, .. }| {
        report.lost + report.doubled + report.reordered + report.misled + report.ended as u64
    });
    LoadRow {
        job: job.into(),
        side,
        per_s: of(|turn| turn.report.messages_per_s()),
        cpu_us: of(|turn| turn.cpu_s * 1e6 / turn.report.delivered.max(1) as f64),
        client_cpu_us: of(|turn| {
            turn.report.client_cpu_s * 1e6 / turn.report.delivered.max(1) as f64
        }),
        latency,
        faults: faults.sum(),
        goals: Vec::new(),
    }
}
