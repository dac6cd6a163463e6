//! The cost of idle connections.

use std::io;
use std::time::{Duration, Instant};

use super::Run;
use super::load::TEXT_BYTES;
use super::server::{CHATROOM_WEBSOCKET, FLOOR, Server, Side};
use super::table::{Bound, FigureRow, Goal, median};
use crate::command::teller;
use crate::load::{Load, Seat, Talk};

/// Members of a room, who receive each other's join events.
const MEMBERS: u32 = 50;

/// Time for short-lived memory to be returned.
const SETTLE: Duration = Duration::from_millis(500);

impl Run {
    /// Memory per connection, and joins per second.
    pub(super) fn idle(&self, connections: u32) -> io::Result<Vec<FigureRow>> {
        let mut rows = Vec::new();
        for side in [Side::Gateway, Side::FloorWs] {
            let (kib, joins_per_s) = self.idle_on(side, connections)?;
            let ours = side == Side::Gateway;
            let what = |what: &str| format!("{what}, {connections} idle, {}", side.name());
            rows.push(FigureRow {
                what: what("resident memory of a connection"),
                is: kib,
                unit: "KiB",
                goal: ours.then(|| Goal::new("memory", kib, Bound::AtMost(6.0))),
            });
            rows.push(FigureRow {
                what: what("joins"),
                is: joins_per_s,
                unit: "/s",
                goal: ours.then(|| Goal::new("joins", joins_per_s, Bound::AtLeast(10_000.0))),
            });
        }
        Ok(rows)
    }

    /// KiB of a connection, and joins per second, on one side.
    pub(super) fn idle_on(&self, side: Side, connections: u32) -> io::Result<(f64, f64)> {
        let mut kib = Vec::new();
        let mut joins_per_s = Vec::new();
        for nth in 1..=self.turns {
            self.say(&format!("{connections} idle connections: {} {nth}", side.name()));
            let server = self.stage.start(side, connections.div_ceil(MEMBERS))?;
            // Only the second half counts: the first may reuse memory left from the start.
            let seats = seats(&server, side, connections);
            let begin = Instant::now();
            let (first, second) = seats.split_at(seats.len() / 2);
            let mut first = Load::join(first, TEXT_BYTES, &mut teller())?;
            let took = begin.elapsed();
            first.listen(SETTLE)?;
            let before = server.resident_bytes();
            let begin = Instant::now();
            let mut load = Load::join(second, TEXT_BYTES, &mut teller())?;
            let took = took + begin.elapsed();
            joins_per_s.push(f64::from(connections) / took.as_secs_f64());
            load.listen(SETTLE)?;
            let bytes = server.resident_bytes().saturating_sub(before);
            kib.push(bytes as f64 / 1024.0 / second.len() as f64);
        }
        Ok((median(kib), median(joins_per_s)))
    }
}

fn seats(server: &Server, side: Side, connections: u32) -> Vec<Seat> {
    let seat = |nth: u32| {
        let room = nth / MEMBERS;
        let (port, talk) = if side.is_gateway() {
            let room = format!("bench-{room}");
            let user = format!("guest-{nth}");
            (CHATROOM_WEBSOCKET, Talk::Chatroom { room, user })
        } else {
            (FLOOR, Talk::Floor { room })
        };
        let from = server.clients[nth as usize % server.clients.len()];
        Seat { from: Some(from), ..server.seat(port, room, talk) }
    };
    (0..connections).map(seat).collect()
}
