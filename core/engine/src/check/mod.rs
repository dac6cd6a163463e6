//! Checks a store file: redb's own integrity, then every table against every other.
//!
//! An index is compared by looking up what each row of its source must have there, and by its
//! length: if all are found and there are no more rows, the index is right.

mod accounts;
mod messages;
mod rooms;
mod seats;
mod webhooks;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, ReadableTable, ReadableTableMetadata, Value};

use crate::error::{StoreError, panic_message};
use crate::open::{OpenError, Opened, Opener, close};
use crate::tables::{ReadTables, TableVisitor};

/// Faults that a report describes; more are only counted.
const FAULTS_MAX: usize = 100;

/// What a check of a store found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Faults, a sentence each; the first hundred.
    pub faults: Vec<String>,
    /// How many faults there are.
    pub fault_count: u64,
    /// Each table with the number of its rows that can be read.
    pub readable: Vec<(&'static str, u64)>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.fault_count == 0
    }

    pub(crate) fn fault(&mut self, fault: impl Into<String>) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault.into());
        }
    }

    /// Notes a fault unless `holds`.
    pub(crate) fn expect(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.fault(fault());
        }
    }

    /// Notes a fault unless an index has as many rows as were found in its source.
    pub(crate) fn expect_len(
        &mut self,
        name: &str,
        index: &impl ReadableTableMetadata,
        expected: u64,
    ) -> Result<(), StoreError> {
        let found = index.len()?;
        self.expect(found == expected, || format!("{name} has {found} rows instead of {expected}"));
        Ok(())
    }

    /// Runs one check. If it cannot go on, because a table cannot be read, that is a fault.
    fn part(&mut self, name: &str, check: impl FnOnce(&mut Self) -> Result<(), StoreError>) {
        match catch_unwind(AssertUnwindSafe(|| check(self))) {
            Ok(Ok(())) => (),
            Ok(Err(error)) => self.fault(format!("{name}: {error}")),
            Err(panic) => self.fault(format!("{name}: {}", panic_message(&*panic))),
        }
    }
}

/// Checks the store in a file that no process has open. A store of an earlier format is upgraded
/// first, as it is when the gateway starts; faults of the file that redb can repair are repaired,
/// and reported.
pub fn check(path: &Path, cache_bytes: usize) -> Result<Report, OpenError> {
    if let Err(error) = path.metadata() {
        let source = Box::new(redb::Error::Io(error));
        return Err(OpenError::Open { path: path.into(), source });
    }
    check_opened(Opener::file(path, cache_bytes).reopen()?)
}

/// As [`check`], on a backend other than a file: for tests.
#[doc(hidden)]
pub fn check_backend(backend: impl redb::StorageBackend + Clone) -> Result<Report, OpenError> {
    check_opened(Opener::backend(backend, 1 << 20).reopen()?)
}

fn check_opened(Opened { mut database, .. }: Opened) -> Result<Report, OpenError> {
    let mut report = Report::default();
    report.part("the file", |report| {
        let is_whole =
            database.check_integrity().map_err(|error| StoreError::Redb(Box::new(error.into())))?;
        report.expect(is_whole, || "the file had faults, which have been repaired".into());
        Ok(())
    });
    report.part("the tables", |report| check_tables(&database, report));
    close(database);
    Ok(report)
}

fn check_tables(database: &Database, report: &mut Report) -> Result<(), StoreError> {
    let tables = ReadTables::begin(database, ())?;
    tables.each_table(report);
    report.part("users", |report| accounts::check_users(&tables, report));
    report.part("tokens", |report| accounts::check_tokens(&tables, report));
    report.part("addresses", |report| accounts::check_addresses(&tables, report));
    report.part("keys", |report| accounts::check_keys(&tables, report));
    report.part("rooms", |report| rooms::check_rooms(&tables, report));
    report.part("unowned rooms", |report| rooms::check_unowned_rooms(&tables, report));
    report.part("masks", |report| rooms::check_masks(&tables, report));
    report.part("members", |report| rooms::check_members(&tables, report));
    report.part("the search index", |report| rooms::check_search(&tables, report));
    report.part("seats", |report| seats::check_seats(&tables, report));
    report.part("presence", |report| seats::check_presence(&tables, report));
    report.part("messages", |report| messages::check_messages(&tables, report));
    report.part("signatures", |report| messages::check_signatures(&tables, report));
    report.part("cleared messages", |report| messages::check_cleared(&tables, report));
    report.part("cursors", |report| messages::check_cursors(&tables, report));
    report.part("webhooks", |report| webhooks::check_webhooks(&tables, report));
    Ok(())
}

/// Counts the rows of each table that can be read; redb may panic at others.
impl TableVisitor for Report {
    fn visit<K: redb::Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: Result<&impl ReadableTable<K, V>, StoreError>,
    ) {
        let mut readable = 0;
        self.part(name, |report| {
            let table = table?;
            for row in table.iter()? {
                let (key, value) = row?;
                let _decoded = (key.value(), value.value());
                readable += 1;
            }
            report.expect_len(name, table, readable)
        });
        self.readable.push((name, readable));
    }
}
