//! `dragoman ledger`: what a running gateway owed to its connections, and what became of it.

use std::collections::BTreeMap;
use std::error::Error;

use clap::Args;

use super::operation::get;
use super::table::aligned;
use super::{Options, output};
use crate::ledger::{FrontendReport, LEDGER_PATH, Report, RoomReport, StoreReport};

#[derive(Args, Debug)]
pub(super) struct Ledger {
    #[command(flatten)]
    options: Options,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// The columns: a title and the figure.
const COLUMNS: [(&str, Figure); 14] = [
    ("posted", |room| room.posted),
    ("read", |room| room.read),
    ("live", |room| count(&room.owed, "live")),
    ("backlog", |room| count(&room.owed, "backlog")),
    ("written", |room| count(&room.deliveries, "written")),
    ("acked", |room| count(&room.deliveries, "acknowledged")),
    ("own", |room| count(&room.deliveries, "own")),
    ("hidden", |room| count(&room.deliveries, "hidden")),
    ("cut off", |room| count(&room.deliveries, "cut_off")),
    ("ended", |room| count(&room.deliveries, "ended")),
    ("fault", |room| count(&room.deliveries, "fault")),
    ("returned", |room| count(&room.deliveries, "returned")),
    ("queued", |room| count(&room.pending, "queued")),
    ("unacked", |room| count(&room.pending, "unacknowledged")),
];

type Figure = fn(&RoomReport) -> u64;

pub(super) fn run(options: Options, ledger: Ledger) -> Result<(), Box<dyn Error>> {
    let backend = options.and(ledger.options).backend()?;
    let report: Report = get(&backend, LEDGER_PATH)?;
    if ledger.json {
        output::line(serde_json::to_string(&report)?)?;
    } else {
        output::line(shown(&report))?;
        if let Some(store) = &report.store {
            output::line(owed(store))?;
        }
    }
    let wrong = report.frontends.iter().filter(|frontend| frontend.mismatch != 0);
    let wrong: Vec<_> = wrong
        .map(|frontend| format!("{} by {} deliveries", frontend.frontend, frontend.mismatch))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("the ledger does not add up: {}", wrong.join(", ")).into())
}

/// A row for each front end and room class that has figures, without columns that have none.
fn shown(report: &Report) -> String {
    let mut rooms = Vec::new();
    for FrontendReport { frontend, rooms: of, .. } in &report.frontends {
        let has_figures = |room: &RoomReport| COLUMNS.iter().any(|(_, figure)| figure(room) > 0);
        let of = of.iter().filter(|(_, room)| has_figures(room));
        rooms.extend(of.map(|(class, room)| ([frontend.clone(), class.clone()], room)));
    }
    if rooms.is_empty() {
        return "no message was posted or delivered yet".into();
    }
    let is_used = |(_, figure): &&(&str, Figure)| rooms.iter().any(|(_, room)| figure(room) > 0);
    let columns: Vec<_> = COLUMNS.iter().filter(is_used).collect();
    let titles = ["front end", "room"].into_iter().chain(columns.iter().map(|(title, _)| *title));
    let mut rows: Vec<Vec<String>> = vec![titles.map(str::to_owned).collect()];
    for (names, room) in &rooms {
        let figures = columns.iter().map(|(_, figure)| figure(room).to_string());
        rows.push(names.iter().cloned().chain(figures).collect());
    }
    aligned(rows)
}

/// What is for users who are away, or have not acknowledged it yet.
fn owed(store: &StoreReport) -> String {
    let of = |class: &str| count(&store.rooms, class);
    let more = if store.complete { "" } else { ", and more" };
    let expired: u64 = store.expired.values().sum();
    let expired = match expired {
        0 => String::new(),
        expired => format!("\nretention has removed {expired} that they had not acknowledged"),
    };
    format!(
        "the store owes {} readers of ourchat and irc: public {}, group {}, direct {}{more}{expired}",
        store.readers,
        of("public"),
        of("group"),
        of("direct"),
    )
}

fn count(counts: &BTreeMap<String, u64>, word: &str) -> u64 {
    counts.get(word).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_figures_is_left_out() {
        let counts = |words: &[(&str, u64)]| {
            words.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
        };
        let public = RoomReport {
            posted: 3,
            read: 0,
            owed: counts(&[("live", 30), ("backlog", 0)]),
            pending: counts(&[("queued", 2)]),
            deliveries: counts(&[("written", 27), ("own", 1)]),
        };
        let rooms = [("public".to_owned(), public), ("direct".to_owned(), RoomReport::default())];
        let rooms = rooms.into_iter().collect();
        let frontend = FrontendReport { frontend: "chatroom".into(), mismatch: 0, rooms };
        insta::assert_snapshot!(shown(&Report { frontends: vec![frontend], store: None }), @r"
        front end  room    posted  live  written  own  queued
        chatroom   public  3       30    27       1    2
        ");
    }
}
