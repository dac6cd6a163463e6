//! How far a store has followed its log.
//!
//! The marks are part of the transaction that applies entries. One that changes nothing else is not
//! committed: then the writer keeps the marks, all of them, for the next that is. A store may so be
//! behind what it has read, and reads it again after a restart, to the same end.

use std::collections::BTreeMap;

use redb::{Database, ReadableDatabase, ReadableTable, Table, WriteTransaction};

use crate::clock::Moment;
use crate::digest::Digest;
use crate::entry::{EntryId, Fate};
use crate::error::StoreError;
use crate::migrate::{LOG_KEY, META};
use crate::rules_version::RULES;

/// What all of them begin with.
const PREFIX: &str = "log/";
const APPLIED_KEY: &str = "log/applied";
const AT_KEY: &str = "log/at";
const STEADY_KEY: &str = "log/steady";
const NOW_KEY: &str = "log/newest_now";
const NOW_STEADY_KEY: &str = "log/newest_steady";
const DIGEST_KEY: &str = "log/digest";
const RULES_KEY: &str = "log/rules";
/// The position at which the store was found to differ from the others.
const DIVERGED_KEY: &str = "log/diverged";
/// Before the number of a run.
const NEXT_KEY: &str = "log/next/";

/// The most that steady time goes on between two entries. Gateways write one each second, so more is
/// an outage, which is to end no lease and no run, or a jump of the log's clock.
const STEP_MAX_MS: u64 = 5_000;

/// The first entry of each such piece of the log's time ends with a checkpoint.
const CHECKPOINT_MS: u64 = 1_000;

/// Where a store stands in its log. It depends on nothing but the entries up to there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Marks {
    /// The position of the last entry.
    pub(crate) applied: u64,
    /// Its time, by the log's clock.
    at: u64,
    /// Steady time, which the log's clock gives in steps that are not too long.
    pub(crate) steady: u64,
    /// The times of the last command.
    pub(crate) last: Option<Moment>,
    /// The number of the next entry of each run; 1 for those that are not there.
    next: BTreeMap<u64, u64>,
    /// The digest of what was written.
    pub(crate) digest: Digest,
    /// The version of the rules that is in force.
    pub(crate) rules: u32,
}

impl Marks {
    /// Whether the next entry, which the log took at this time, ends with a checkpoint.
    pub(crate) fn is_checkpoint(&self, at: u64) -> bool {
        at / CHECKPOINT_MS != self.at / CHECKPOINT_MS
    }

    /// Goes on to the next entry.
    pub(crate) fn advance(&mut self, position: u64, at: u64) {
        self.steady += at.saturating_sub(self.at).min(STEP_MAX_MS);
        self.applied = position;
        self.at = at;
    }

    /// The number of the next entry of a run.
    pub(crate) fn next_of(&self, run: u64) -> u64 {
        self.next.get(&run).copied().unwrap_or(1)
    }

    /// Judges an entry of a run that has not ended, and notes it if it is the next.
    pub(crate) fn take(&mut self, entry: EntryId) -> Fate {
        let next = self.next_of(entry.run);
        match entry.number.cmp(&next) {
            std::cmp::Ordering::Less => Fate::Repeated,
            std::cmp::Ordering::Greater => Fate::Early,
            std::cmp::Ordering::Equal => {
                self.next.insert(entry.run, next + 1);
                Fate::Applied
            }
        }
    }

    /// A run is over.
    pub(crate) fn forget(&mut self, run: u64) {
        self.next.remove(&run);
    }

    fn read(meta: &impl ReadableTable<&'static str, u64>) -> Result<Self, StoreError> {
        let value = |key| Ok::<_, StoreError>(meta.get(key)?.map(|value| value.value()));
        let last = match (value(NOW_KEY)?, value(NOW_STEADY_KEY)?) {
            (Some(now), Some(steady)) => Some(Moment { now, steady }),
            _ => None,
        };
        let mut marks = Self {
            applied: value(APPLIED_KEY)?.unwrap_or_default(),
            at: value(AT_KEY)?.unwrap_or_default(),
            steady: value(STEADY_KEY)?.unwrap_or_default(),
            last,
            next: BTreeMap::new(),
            digest: Digest(value(DIGEST_KEY)?.unwrap_or_default()),
            rules: value(RULES_KEY)?.and_then(|rules| rules.try_into().ok()).unwrap_or(RULES),
        };
        for row in meta.range(NEXT_KEY..)? {
            let (key, next) = row?;
            let Some(run) = key.value().strip_prefix(NEXT_KEY) else { break };
            let run = run.parse().map_err(|_| StoreError::Corrupt { table: "meta" })?;
            marks.next.insert(run, next.value());
        }
        Ok(marks)
    }

    /// Writes all of them: those that earlier transactions did not commit are among them.
    pub(crate) fn write(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut meta = transaction.open_table(META)?;
        for (key, value) in [(APPLIED_KEY, self.applied), (AT_KEY, self.at)] {
            meta.insert(key, value)?;
        }
        meta.insert(STEADY_KEY, self.steady)?;
        meta.insert(DIGEST_KEY, self.digest.0)?;
        meta.insert(RULES_KEY, u64::from(self.rules))?;
        if let Some(Moment { now, steady }) = self.last {
            meta.insert(NOW_KEY, now)?;
            meta.insert(NOW_STEADY_KEY, steady)?;
        }
        self.write_next(&mut meta)
    }

    fn write_next(&self, meta: &mut Table<'_, &'static str, u64>) -> Result<(), StoreError> {
        let mut over = Vec::new();
        for row in meta.range(NEXT_KEY..)? {
            let (key, _) = row?;
            let Some(run) = key.value().strip_prefix(NEXT_KEY) else { break };
            if run.parse().map_or(true, |run: u64| !self.next.contains_key(&run)) {
                over.push(key.value().to_owned());
            }
        }
        for key in over {
            meta.remove(key.as_str())?;
        }
        for (run, next) in &self.next {
            meta.insert(format!("{NEXT_KEY}{run}").as_str(), next)?;
        }
        Ok(())
    }
}

/// The log that a store follows, and where it stands there. None: it follows none.
pub(crate) fn read(database: &Database) -> Result<Option<(u64, Marks)>, StoreError> {
    let meta = database.begin_read()?.open_table(META)?;
    let Some(log) = meta.get(LOG_KEY)?.map(|log| log.value()) else { return Ok(None) };
    Ok(Some((log, Marks::read(&meta)?)))
}

/// The log that a store follows, the position, and the rows of its marks, as a backup has them.
pub(crate) fn rows(
    meta: &impl ReadableTable<&'static str, u64>,
) -> Result<Option<Rows>, StoreError> {
    let Some(log) = meta.get(LOG_KEY)?.map(|log| log.value()) else { return Ok(None) };
    let mut marks = BTreeMap::new();
    for row in meta.range(PREFIX..)? {
        let (key, value) = row?;
        if !key.value().starts_with(PREFIX) {
            break;
        }
        if key.value() != DIVERGED_KEY {
            marks.insert(key.value().to_owned(), value.value());
        }
    }
    let applied = marks.get(APPLIED_KEY).copied().unwrap_or_default();
    Ok(Some((log, applied, marks)))
}

type Rows = (u64, u64, BTreeMap<String, u64>);

/// Has a new store follow a log, with the marks of a backup.
pub(crate) fn insert(
    transaction: &WriteTransaction,
    log: u64,
    marks: &BTreeMap<String, u64>,
) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(LOG_KEY, log)?;
    for (key, value) in marks.iter().filter(|(key, _)| key.starts_with(PREFIX)) {
        meta.insert(key.as_str(), value)?;
    }
    Ok(())
}

/// Has a store that follows a log follow the one that replaces it, from the same position on.
pub(crate) fn replace_log(database: &Database, log: u64) -> Result<(), StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(META)?.insert(LOG_KEY, log)?;
    transaction.commit()?;
    Ok(())
}

/// Makes a store that follows no log follow one, of whose entries it has those up to `applied`.
pub(crate) fn begin(database: &Database, log: u64, applied: u64) -> Result<(), StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(META)?.insert(LOG_KEY, log)?;
    Marks { applied, rules: RULES, ..Marks::default() }.write(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// Notes where the store was found to differ from the others.
pub(crate) fn note_divergence(database: &Database, position: u64) -> Result<(), StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(META)?.insert(DIVERGED_KEY, position)?;
    transaction.commit()?;
    Ok(())
}

/// Where the store was found to differ from the others, if it was.
pub(crate) fn divergence(database: &Database) -> Result<Option<u64>, StoreError> {
    let meta = database.begin_read()?.open_table(META)?;
    Ok(meta.get(DIVERGED_KEY)?.map(|position| position.value()))
}
