//! What an import did.

use std::collections::BTreeMap;
use std::time::Duration;

use core_engine::Taken;
use core_model::ExportRecord;
use serde::Serialize;

use super::super::table::aligned;

/// The kinds of records, in the order of the file.
const KINDS: [&str; 10] = [
    "user",
    "room",
    "member",
    "ban",
    "mute",
    "mask",
    "invitation",
    "message",
    "cursor",
    "read_mark",
];

#[derive(Debug, Serialize)]
pub(super) struct ImportReport {
    pub(super) file: String,
    pub(super) store: String,
    pub(super) dry_run: bool,
    pub(super) kinds: BTreeMap<&'static str, Counts>,
    /// Accounts by the scheme of the hash of their password, where it is weak.
    pub(super) weak_passwords: BTreeMap<&'static str, u64>,
    /// New rooms whose key does not fit any more, since its hash is of the room's former id.
    pub(super) keys_lost: u64,
    pub(super) seconds: f64,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Counts {
    pub(super) new: u64,
    /// The store had them.
    pub(super) there: u64,
    pub(super) conflicts: u64,
    /// They refer to what is in conflict.
    pub(super) left_out: u64,
}

impl ImportReport {
    pub(super) fn begin(file: &std::path::Path, store: &std::path::Path, dry_run: bool) -> Self {
        Self {
            file: file.display().to_string(),
            store: store.display().to_string(),
            dry_run,
            kinds: KINDS.iter().map(|kind| (*kind, Counts::default())).collect(),
            weak_passwords: BTreeMap::new(),
            keys_lost: 0,
            seconds: 0.0,
        }
    }

    pub(super) fn end(&mut self, elapsed: Duration) {
        self.seconds = elapsed.as_secs_f64();
    }

    /// Counts what became of a record; `is_moved`: of another id than in the file.
    pub(super) fn count(&mut self, record: &ExportRecord, taken: &Taken, is_moved: bool) {
        if let (ExportRecord::Room(room), Taken::New, true) = (record, taken, is_moved)
            && room.policy.key_hash.is_some()
        {
            self.keys_lost += 1;
        }
        let Some(counts) = self.kinds.get_mut(record.kind()) else { return };
        match taken {
            Taken::New => counts.new += 1,
            Taken::There => counts.there += 1,
            Taken::Conflict(_) => counts.conflicts += 1,
            Taken::LeftOut => counts.left_out += 1,
        }
    }

    fn records(&self) -> u64 {
        let of = |counts: &Counts| counts.new + counts.there + counts.conflicts + counts.left_out;
        self.kinds.values().map(of).sum()
    }

    /// A table, and lines with what is to be known.
    pub(super) fn text(&self) -> String {
        let head = ["", "new", "there already", "conflicts", "left out"].map(str::to_owned);
        let row = |kind: &&str| {
            let counts = self.kinds.get(*kind).copied().unwrap_or_default();
            let figures = [counts.new, counts.there, counts.conflicts, counts.left_out];
            let [new, there, conflicts, left_out] = figures.map(|count| count.to_string());
            [format!("{}s", kind.replace('_', " ")), new, there, conflicts, left_out]
        };
        let rows = std::iter::once(head).chain(KINDS.iter().map(row)).collect::<Vec<_>>();
        let mut text = format!("{}\n", aligned(rows));
        for (scheme, count) in &self.weak_passwords {
            text.push_str(&format!(
                "{count} passwords have weak hashes ({scheme}) until their users sign in\n"
            ));
        }
        if self.keys_lost > 0 {
            text.push_str(&format!(
                "{} rooms had keys, which do not fit their new ids: until another key is set \
                 (dragoman room policy NAME --key), only members and invited users enter them\n",
                self.keys_lost
            ));
        }
        let (records, seconds) = (self.records(), self.seconds);
        let rate = records as f64 / seconds.max(0.001);
        let done = if self.dry_run { "would be imported into" } else { "imported into" };
        text.push_str(&format!(
            "{}: {records} records {done} {} in {seconds:.1} s, {rate:.0}/s\n",
            self.file, self.store
        ));
        text
    }
}
