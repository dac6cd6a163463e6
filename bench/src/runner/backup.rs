//! What backups cost those who post meanwhile, and whether they are whole.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Run;
use super::load::{TEXT_BYTES, WARM_UP};
use super::server::{CHATROOM_WEBSOCKET, Server, Side};
use super::stored::Size;
use super::table::{Bound, FigureRow, Goal, median};
use crate::command::teller;
use crate::load::{Load, Pace, Report, Seat, Talk};

/// The load: rooms, clients in each, and messages a second of all.
const ROOMS: u32 = 500;
const MEMBERS: u32 = 4;
const PACE: Pace = Pace::Rate(2000.0);

/// The page cache of the restored copy.
const CACHE_BYTES: usize = 64 << 20;

impl Run {
    /// Latency without and with backups, which follow one another, in turn; and the last backup,
    /// restored. The store has as much that a backup takes a while.
    pub(super) fn backup(&self, size: Size) -> io::Result<Vec<FigureRow>> {
        let store = self.seeded(size)?;
        let server = self.stage.start_on(Side::Gateway, ROOMS, &store)?;
        let mut load = Load::join(&seats(&server), TEXT_BYTES, &mut teller())?;
        load.drive(PACE, WARM_UP, &mut |_| ())?;
        let file = self.stage.folder.path().join("copy.backup");
        let (mut without, mut with) = (Vec::new(), Vec::new());
        let mut backups = 0;
        for nth in 1..=self.turns {
            self.say(&format!("backup: without, with {nth}"));
            without.push(load.drive(PACE, self.span, &mut |_| ())?);
            let (report, made) = self.drive_with_backups(&mut load, &file)?;
            with.push(report);
            backups += made;
        }
        drop(server);
        let p99 = |reports: &[Report]| median(reports.iter().map(|report| report.latency.p99_ms));
        let [quiet_ms, busy_ms] = [p99(&without), p99(&with)];
        let times = busy_ms / quiet_ms;
        let row = |what: &str, is: f64, unit, goal: Option<(&str, Bound)>| FigureRow {
            what: format!("backup, 500 rooms at 2000/s: {what}"),
            is,
            unit,
            goal: goal.map(|(what, bound)| Goal::new(what, is, bound)),
        };
        let faults = without.iter().chain(&with).map(faults).sum();
        let none = Some(("faults", Bound::AtMost(0.0)));
        Ok(vec![
            row("p99 without", quiet_ms, "ms", None),
            row("p99 with", busy_ms, "ms", None),
            row("p99 with, of that without", times, "x", Some(("p99", Bound::AtMost(2.0)))),
            row("backups made", f64::from(backups), "", None),
            row("faults of the load", faults, "", none),
            row("faults of the restored copy", self.restored(&file)?, "", none),
        ])
    }

    /// Drives the load while backups are made. The last one lasts longer than the load.
    fn drive_with_backups(&self, load: &mut Load, file: &Path) -> io::Result<(Report, u32)> {
        let is_over = AtomicBool::new(false);
        let (program, config) = self.stage.program();
        thread::scope(|threads| {
            let backups = threads.spawn(|| {
                let mut made = 0;
                while !is_over.load(Ordering::Relaxed) {
                    if file.exists() {
                        fs::remove_file(file)?;
                    }
                    back_up(&program, &config, file)?;
                    made += 1;
                }
                io::Result::Ok(made)
            });
            let report = load.drive(PACE, self.span, &mut |_| ());
            is_over.store(true, Ordering::Relaxed);
            let made = backups.join().expect("the backups do not panic")?;
            Ok((report?, made))
        })
    }

    /// Restores a backup and counts what is wrong: faults of the store, and messages that are not
    /// there although they are older than the newest.
    fn restored(&self, file: &Path) -> io::Result<f64> {
        self.say("backup: restoring");
        let copy = self.stage.folder.path().join("copy.redb");
        let stream = BufReader::new(File::open(file)?);
        let restored =
            core_engine::restore(stream, &copy, CACHE_BYTES).map_err(io::Error::other)?;
        let tables = core_engine::stats(&copy, CACHE_BYTES).map_err(io::Error::other)?;
        let messages = tables.iter().find(|table| table.table == "messages");
        let missing = restored.header.newest_message - messages.map_or(0, |table| table.rows);
        let report = core_engine::check(&copy, CACHE_BYTES).map_err(io::Error::other)?;
        fs::remove_file(copy)?;
        Ok((missing + report.fault_count) as f64)
    }
}

/// Has the gateway make a backup.
fn back_up(program: &Path, config: &Path, file: &Path) -> io::Result<()> {
    let mut command = Command::new(program);
    let output =
        command.arg("--config").arg(config).args(["store", "backup"]).arg(file).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("no backup was made: {said}")))
}

fn faults(report: &Report) -> f64 {
    let faults = report.lost + report.doubled + report.reordered + report.misled;
    (faults + report.ended as u64) as f64
}

fn seats(server: &Server) -> Vec<Seat> {
    let of_room = |room: u32| (0..MEMBERS).map(move |member| (room, member));
    let seat = |(room, member): (u32, u32)| {
        let user = format!("guest-{}", room * MEMBERS + member);
        let talk = Talk::Chatroom { room: format!("bench-{room}"), user };
        server.seat(CHATROOM_WEBSOCKET, room, talk)
    };
    (0..ROOMS).flat_map(of_room).map(seat).collect()
}
