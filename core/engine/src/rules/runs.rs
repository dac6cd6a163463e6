//! Runs of gateways: when they begin, and what ends with them.
//!
//! Each start of a gateway is a run, with a number that is in the ids of its connections. Seats and
//! sessions end with their run, in steps, and with the events of a connection that ends. A lease
//! counts steady time, which begins anew with a run that finds no other: then leases end too.
//!
//! A run that has ended is not in the table any more, or marked there until its connections are
//! swept up. Nothing new comes of it.

use std::collections::BTreeMap;

use core_model::{Command, ConnectionId, Refusal, Reply};
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::context::{BatchContext, CommandContext};
use crate::cache::writer::WriterCache;
use crate::digest::{Checkpoint, Digest, LiveRuns};
use crate::entry::Fate;
use crate::envelope::Envelope;
use crate::error::{Error, StoreError};
use crate::log::LogEntry;
use crate::removed;
use crate::row_scan::{SCAN_KEY, Scan};
use crate::rows::{pack, unpack};
use crate::tables::Tables;

/// The key of the row in `counters` with what holds for all runs.
pub(crate) const RUNS_KEY: u8 = 5;

/// Seats that one command takes from runs that have ended; a next one continues.
const SEATS_MAX: usize = 1_024;

/// Writes after which one command takes no more: a few milliseconds' worth.
const WRITES_MAX: u64 = 2_000;

/// Ticks in turn without anything of a run after which it has ended.
const MISSED_MAX: u32 = 5;

/// Steady time that is between two ticks at the least: several gateways may tick.
const TICK_MS: u64 = 900;

/// A run of a gateway.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct RunRow {
    pub(crate) node: String,
    pub(crate) boot: u64,
    /// The latest version of the rules that it speaks.
    pub(crate) speaks: u32,
    /// Ticks in turn without anything of it.
    pub(crate) missed: u32,
    pub(crate) state: RunState,
    /// The number of its next entry at the last tick, where the store follows a log.
    #[serde(skip)]
    pub(crate) next_at_tick: u64,
}

/// The version of a run that a log has entries of: the number at the last tick, and the layout of one
/// without.
const RUN_WITH_ENTRIES: u8 = 2;

impl RunRow {
    /// The runs of stores that follow no log keep the layout that they had before there was any.
    fn pack(&self) -> Vec<u8> {
        if self.next_at_tick == 0 {
            return pack(self);
        }
        let head = postcard::to_extend(&self.next_at_tick, vec![RUN_WITH_ENTRIES]);
        postcard::to_extend(self, head.expect("a row is plain data")).expect("a row is plain data")
    }

    fn unpack(bytes: &[u8]) -> Result<Self, StoreError> {
        let [RUN_WITH_ENTRIES, rest @ ..] = bytes else { return unpack("runs", bytes) };
        let corrupt = |_| StoreError::Corrupt { table: "runs" };
        let (next_at_tick, rest) = postcard::take_from_bytes(rest).map_err(corrupt)?;
        let row: Self = postcard::from_bytes(rest).map_err(corrupt)?;
        Ok(Self { next_at_tick, ..row })
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum RunState {
    #[default]
    Live,
    /// It found no other run, and still takes seats and sessions from earlier ones.
    Clearing,
    /// Its connections are still to be swept up.
    Ended,
}

/// What holds for all runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct RunsRow {
    /// The number of the newest run.
    newest: u64,
    /// The steady time of the last tick, ms.
    ticked: u64,
}

/// A run of a gateway, as others see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RunView {
    pub run: u64,
    /// The name of the gateway.
    pub node: String,
    /// What its process has drawn.
    pub boot: u64,
    /// The latest version of the rules that it speaks.
    pub speaks: u32,
    /// Ticks in turn without anything of it.
    pub missed: u32,
    /// Whether it goes on: if not, its connections are being swept up.
    pub is_live: bool,
}

type Runs = BTreeMap<u64, RunRow>;

/// All runs, by number.
pub(crate) fn runs(tables: &impl Tables) -> Result<Vec<RunView>, StoreError> {
    let view = |(run, row): (u64, RunRow)| RunView {
        run,
        node: row.node,
        boot: row.boot,
        speaks: row.speaks,
        missed: row.missed,
        is_live: row.state != RunState::Ended,
    };
    Ok(read_runs(tables)?.into_iter().map(view).collect())
}

fn read_runs(tables: &impl Tables) -> Result<Runs, StoreError> {
    let rows = tables.runs()?.iter()?;
    rows.map(|row| {
        let (run, row) = row?;
        Ok((run.value(), RunRow::unpack(row.value())?))
    })
    .collect()
}

impl BatchContext<'_> {
    pub(super) fn start(
        &mut self,
        cx: &mut CommandContext<'_>,
        node: &str,
        boot: u64,
        speaks: u32,
    ) -> Result<Reply, Error> {
        if let Some(marks) = &self.marks
            && speaks < marks.rules
        {
            let rules = marks.rules;
            let why = format!(
                "the cluster has gone on to version {rules} of the rules, this gateway has version {speaks}; run a later version of it"
            );
            return Err(Refusal::Internal { why }.into());
        }
        let runs = self.runs()?;
        let own = |(_, row): &(&u64, &RunRow)| {
            row.node == node && row.boot == boot && row.state != RunState::Ended
        };
        let run = match runs.iter().find(own) {
            Some((run, _)) => *run,
            None => {
                let row = RunRow { node: node.into(), boot, speaks, ..RunRow::default() };
                self.begin_run(cx, &runs, row)?
            }
        };
        let is_done = self.sweep_runs(cx)?;
        Ok(Reply::Started { run, is_done })
    }

    /// Ends the earlier runs that a new one replaces, and gives that one a number.
    fn begin_run(
        &mut self,
        cx: &CommandContext<'_>,
        runs: &Runs,
        row: RunRow,
    ) -> Result<u64, Error> {
        removed::begin_notes(&mut self.batch, self.counters.next_message - 1)?;
        let mut is_alone = true;
        for (run, earlier) in runs.iter().filter(|(_, earlier)| earlier.state != RunState::Ended) {
            if row.node.is_empty() || earlier.node == row.node {
                self.write_run(*run, &RunRow { state: RunState::Ended, ..earlier.clone() })?;
            } else {
                is_alone = false;
            }
        }
        let mut all = self.runs_row()?;
        all.newest = next_number(all.newest, runs)?;
        let mut state = RunState::Live;
        if is_alone {
            state = RunState::Clearing;
            all.ticked = cx.request.steady;
            self.restart_clock(cx.request)?;
        }
        self.write_runs_row(all)?;
        self.write_run(all.newest, &RunRow { state, ..row })?;
        Ok(all.newest)
    }

    pub(super) fn end_run(
        &mut self,
        cx: &mut CommandContext<'_>,
        run: u64,
    ) -> Result<Reply, Error> {
        if let Some(row) = self.run(run)? {
            self.write_run(run, &RunRow { state: RunState::Ended, ..row })?;
        }
        self.sweep_runs(cx)?;
        Ok(Reply::Done)
    }

    pub(super) fn tick(&mut self, cx: &mut CommandContext<'_>) -> Result<Reply, Error> {
        let all = self.runs_row()?;
        if cx.request.steady < all.ticked.saturating_add(TICK_MS) {
            return Ok(Reply::Done);
        }
        self.write_runs_row(RunsRow { ticked: cx.request.steady, ..all })?;
        for (run, mut row) in self.runs()? {
            if row.state != RunState::Ended {
                let next = self.marks.as_ref().map_or(0, |marks| marks.next_of(run));
                row.missed = if next == row.next_at_tick { row.missed + 1 } else { 0 };
                row.next_at_tick = next;
                if row.missed >= MISSED_MAX {
                    row.state = RunState::Ended;
                }
                self.write_run(run, &row)?;
            }
        }
        self.has_ticked = true;
        self.sweep_runs(cx)?;
        Ok(Reply::Done)
    }

    /// The rules that all live runs speak are in force from here on: nothing has to tell a cluster that
    /// its last gateway was replaced. Between two entries, as a gateway that does not speak them stops
    /// there.
    fn raise_rules(&mut self) -> Result<(), StoreError> {
        let runs = self.runs()?;
        let live = runs.values().filter(|row| row.state != RunState::Ended);
        let spoken = live.map(|row| row.speaks).min();
        if let (Some(marks), Some(spoken)) = (&mut self.marks, spoken) {
            marks.rules = marks.rules.max(spoken);
        }
        Ok(())
    }

    /// The runs that have not ended, with the names of their nodes.
    pub(crate) fn live_runs(&self) -> Result<LiveRuns, StoreError> {
        let runs = self.runs()?.into_iter();
        Ok(runs
            .filter(|(_, row)| row.state != RunState::Ended)
            .map(|(run, row)| (run, row.node))
            .collect())
    }

    /// Takes some of the sessions and seats that ended with their runs. Returns whether that was all.
    fn sweep_runs(&mut self, cx: &mut CommandContext<'_>) -> Result<bool, StoreError> {
        let runs = self.runs()?;
        let clearing = runs.iter().find(|(_, row)| row.state == RunState::Clearing);
        let mut ended: Vec<u64> = Vec::new();
        ended.extend(
            runs.iter().filter(|(_, row)| row.state == RunState::Ended).map(|(run, _)| run),
        );
        let connection = cx.request.connection;
        let swept = self.sweep(cx, &ended, clearing.is_some());
        cx.request.connection = connection;
        match swept {
            Ok(true) => (),
            Ok(false) => return Ok(false),
            // The tables are emptied below, so a damaged row in them stops no gateway.
            Err(error) if error.is_damage() && clearing.is_some() => (),
            Err(error) => return Err(error),
        }
        for run in ended {
            self.batch.runs_mut()?.remove(run)?;
            if let Some(marks) = &mut self.marks {
                marks.forget(run);
            }
        }
        if let Some((run, row)) = clearing {
            self.batch.clear_run_state()?;
            self.cached(WriterCache::clear_run_state);
            self.write_run(*run, &RunRow { state: RunState::Live, ..row.clone() })?;
        }
        Ok(true)
    }

    /// Ends the connections of these runs; with `clears` also those without a run, and leases.
    fn sweep(
        &mut self,
        cx: &mut CommandContext<'_>,
        ended: &[u64],
        clears: bool,
    ) -> Result<bool, StoreError> {
        let until = self.writes() + WRITES_MAX;
        let mut seats = 0;
        for run in ended.iter().copied().chain(clears.then_some(0)) {
            while let Some(connection) = self.first_connection_of(run)? {
                if seats >= SEATS_MAX || self.writes() >= until {
                    return Ok(false);
                }
                seats += self.seats_of_connection(connection)?.len();
                cx.request.connection = connection;
                self.end_session(cx)?;
            }
        }
        while clears && let Some(seat) = self.first_lease()? {
            if seats >= SEATS_MAX || self.writes() >= until {
                return Ok(false);
            }
            seats += 1;
            self.end_lease(cx, seat)?;
        }
        Ok(true)
    }

    /// The connection of a run with the smallest id that has a session or a seat.
    fn first_connection_of(&self, run: u64) -> Result<Option<u64>, StoreError> {
        let ids = ConnectionId::before_run(run).0..ConnectionId::before_run(run + 1).0;
        let session = self.batch.sessions()?.range(ids.clone())?.next().transpose()?;
        let seats = (ids.start, 0)..(ids.end, 0);
        let seat = self.batch.seats_by_connection()?.range(seats)?.next().transpose()?;
        let session = session.map(|(connection, _)| connection.value());
        Ok(session.into_iter().chain(seat.map(|(key, _)| key.value().0)).min())
    }

    fn first_lease(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.batch.seat_ends()?.first()?.map(|(key, _)| key.value().1))
    }

    /// Goes on to the next entry of the log, and judges it: see `crate::log`.
    pub(crate) fn begin_entry(&mut self, entry: &mut LogEntry) -> Result<Fate, StoreError> {
        let marks = self.marks.as_mut().expect("a batch of a log has marks");
        self.ends_second = marks.is_checkpoint(entry.at.0);
        marks.advance(entry.position, entry.at.0);
        for envelope in &mut entry.entry.commands {
            envelope.at = entry.at;
            envelope.steady_ms = marks.steady;
        }
        let id = entry.entry.id;
        if id.run == 0 {
            // The same start again is the same run.
            let starts = |envelope: &Envelope| matches!(&envelope.command, Command::Start { boot, .. } if *boot == id.number);
            let are_starts = entry.entry.commands.iter().all(starts);
            return Ok(if are_starts { Fate::Applied } else { Fate::Ended });
        }
        match self.run(id.run)? {
            Some(row) if row.state != RunState::Ended => {
                Ok(self.marks.as_mut().map_or(Fate::Ended, |marks| marks.take(id)))
            }
            _ => Ok(Fate::Ended),
        }
    }

    /// Goes on to the end of the entry: its checkpoint, if it has one.
    pub(crate) fn end_entry(&mut self) -> Result<Option<Checkpoint>, StoreError> {
        if std::mem::take(&mut self.has_ticked) {
            self.raise_rules()?;
        }
        let marks = self.marks.as_ref().expect("a batch of a log has marks");
        let (at, rules) = (marks.applied, marks.rules);
        if let Some(digest) = self.batch.digest() {
            digest.number(at);
        }
        if !std::mem::take(&mut self.ends_second) {
            return Ok(None);
        }
        let read = self.scan_some()?;
        let counters = pack(&self.counters);
        let digest = self.batch.digest().expect("a batch of a log has a digest");
        digest.number(u64::from(rules));
        digest.bytes(&counters);
        digest.number(read.0);
        Ok(Some(Checkpoint { at, digest: digest.0 }))
    }

    /// Reads some more rows of the store.
    fn scan_some(&mut self) -> Result<Digest, StoreError> {
        let place = self.batch.counters()?.get(SCAN_KEY)?;
        let place = place.map(|row| unpack("counters", row.value())).transpose()?;
        let mut scan = Scan::from(place.unwrap_or_default());
        self.batch.each_digested(&mut scan);
        let (place, read) = scan.finish()?;
        self.batch.counters_mut()?.insert(SCAN_KEY, pack(&place).as_slice())?;
        Ok(read)
    }

    fn runs(&self) -> Result<Runs, StoreError> {
        read_runs(&self.batch)
    }

    fn run(&self, run: u64) -> Result<Option<RunRow>, StoreError> {
        let row = self.batch.runs()?.get(run)?;
        row.map(|row| RunRow::unpack(row.value())).transpose()
    }

    fn write_run(&mut self, run: u64, row: &RunRow) -> Result<(), StoreError> {
        self.batch.runs_mut()?.insert(run, row.pack().as_slice())?;
        Ok(())
    }

    fn runs_row(&self) -> Result<RunsRow, StoreError> {
        let row = self.batch.counters()?.get(RUNS_KEY)?;
        Ok(row.map(|row| unpack("counters", row.value())).transpose()?.unwrap_or_default())
    }

    fn write_runs_row(&mut self, row: RunsRow) -> Result<(), StoreError> {
        self.batch.counters_mut()?.insert(RUNS_KEY, pack(&row).as_slice())?;
        Ok(())
    }
}

/// The number after `newest`, from 1 on again after the highest one, that no run has.
fn next_number(newest: u64, runs: &Runs) -> Result<u64, Error> {
    let after = |run: u64| run % ConnectionId::RUN_MAX + 1;
    let mut numbers = std::iter::successors(Some(after(newest)), |run| Some(after(*run)));
    let free = numbers.by_ref().take(runs.len() + 1).find(|run| !runs.contains_key(run));
    let why = "every number of a run is taken";
    free.ok_or_else(|| Refusal::Internal { why: why.into() }.into())
}
