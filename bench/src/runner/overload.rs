//! The latency of clients within their limits while others ask for twice the capacity.

use std::io;
use std::thread;
use std::time::Duration;

use super::Run;
use super::load::TEXT_BYTES;
use super::server::{CHATROOM_WEBSOCKET, Server, Side};
use super::table::{Bound, FigureRow, Goal, median};
use crate::command::teller;
use crate::load::{Load, Pace, Report, Seat, Talk};

/// Rooms of flooding and of quiet clients, and clients per room.
const FLOODED: u32 = 100;
const QUIET: u32 = 20;
const MEMBERS: u32 = 4;

/// Messages per second of all quiet clients together.
const QUIET_PER_S: f64 = 200.0;

/// The time after the last message of the flood in which latency must recover, even if parts of the
/// flood are still in flight.
const RECOVERY: Duration = Duration::from_secs(1);

/// The limits that the flood meets.
#[derive(Clone, Copy)]
enum Limits {
    /// A limit per connection; all limits add up to a quarter of the capacity.
    Each,
    /// Only the engine's queue.
    Queue,
}

/// One flood.
struct Flood {
    others: Report,
    flooding: Report,
    after: Report,
    span_s: f64,
    grown_mib: f64,
}

impl Run {
    pub(super) fn overload(&self) -> io::Result<Vec<FigureRow>> {
        self.say("overload: what there is");
        let server = self.stage.start(Side::Gateway, FLOODED)?;
        let seats = seats(&server, 0..FLOODED);
        let capacity = self.turn(&server, &seats, Pace::UnderWay(512))?.report.messages_per_s();
        drop(server);
        let mut rows = vec![FigureRow {
            what: "what the gateway takes, in rooms of 4".into(),
            is: capacity,
            unit: "/s",
            goal: None,
        }];
        for (how, limits) in [("a limit for each", Limits::Each), ("no limit", Limits::Queue)] {
            let floods: io::Result<Vec<Flood>> =
                (0..self.turns).map(|_| self.flood(capacity, limits)).collect();
            rows.extend(figures(how, &floods?));
        }
        Ok(rows)
    }

    fn flood(&self, capacity: f64, limits: Limits) -> io::Result<Flood> {
        self.say("overload: twice as much");
        let each = (capacity / 4.0 / f64::from(FLOODED * MEMBERS)).ceil().max(6.0);
        let limit = |key| format!("frontends.chatroom.{key}={each}");
        let set = match limits {
            Limits::Each => ["messages_per_s", "messages_burst"].map(limit).to_vec(),
            Limits::Queue => Vec::new(),
        };
        let store = self.stage.new_store()?;
        let server = self.stage.start_with(Side::Gateway, FLOODED + QUIET, &store, &set)?;
        let mut flooding = Load::join(&seats(&server, 0..FLOODED), TEXT_BYTES, &mut teller())?;
        let others = seats(&server, FLOODED..FLOODED + QUIET);
        let mut others = Load::join(&others, TEXT_BYTES, &mut teller())?;
        let before = server.resident_bytes();
        let span = self.span;
        let (others, after, flooding, peak) = thread::scope(|threads| {
            let flood = threads
                .spawn(move || flooding.drive(Pace::Rate(2.0 * capacity), span, &mut |_| ()));
            let report = others.drive(Pace::Rate(QUIET_PER_S), span, &mut |_| ());
            let peak = server.resident_bytes();
            let after = others.drive(Pace::Rate(QUIET_PER_S), RECOVERY, &mut |_| ());
            let flood = flood.join().expect("the load does not panic");
            io::Result::Ok((report?, after?, flood?, peak))
        })?;
        let grown_mib = peak.saturating_sub(before) as f64 / f64::from(1 << 20);
        Ok(Flood { others, flooding, after, span_s: span.as_secs_f64(), grown_mib })
    }
}

fn figures(how: &str, floods: &[Flood]) -> Vec<FigureRow> {
    let of = |figure: fn(&Flood) -> f64| median(floods.iter().map(figure));
    let row = |what: &str, is: f64, unit, goal: Option<(&str, Bound)>| FigureRow {
        what: format!("overload, {how}: {what}"),
        is,
        unit,
        goal: goal.map(|(what, bound)| Goal::new(what, is, bound)),
    };
    let faults = |report: &Report| {
        (report.lost + report.doubled + report.reordered + report.misled) as f64
            + report.ended as f64
    };
    let all_faults = floods
        .iter()
        .map(|flood| faults(&flood.others) + faults(&flood.flooding) + faults(&flood.after));
    vec![
        row("wanted", of(|flood| flood.flooding.sent as f64 / flood.span_s), "/s", None),
        row(
            "told to slow down",
            of(|flood| 100.0 * flood.flooding.refused as f64 / flood.flooding.sent as f64),
            "%",
            None,
        ),
        row(
            "until the rest of it is answered",
            of(|flood| flood.flooding.seconds - flood.span_s),
            "s",
            None,
        ),
        row(
            "p99 of those within their limits",
            of(|flood| flood.others.latency.p99_ms),
            "ms",
            Some(("p99", Bound::AtMost(50.0))),
        ),
        row("of them told to slow down", of(|flood| flood.others.refused as f64), "", None),
        row(
            "p99 in the second after",
            of(|flood| flood.after.latency.p99_ms),
            "ms",
            Some(("p99", Bound::AtMost(50.0))),
        ),
        row(
            "memory more than before",
            of(|flood| flood.grown_mib),
            "MiB",
            Some(("memory", Bound::AtMost(64.0))),
        ),
        row("faults", all_faults.sum(), "", Some(("faults", Bound::AtMost(0.0)))),
    ]
}

fn seats(server: &Server, rooms: std::ops::Range<u32>) -> Vec<Seat> {
    let begin = rooms.start;
    let of_room = |room: u32| (0..MEMBERS).map(move |member| (room, member));
    let seat = |(room, member): (u32, u32)| {
        let name = format!("bench-{room}");
        let user = format!("guest-{}", room * MEMBERS + member);
        let talk = Talk::Chatroom { room: name, user };
        Seat::new(server.at(CHATROOM_WEBSOCKET), room - begin, talk)
    };
    rooms.flat_map(of_room).map(seat).collect()
}
