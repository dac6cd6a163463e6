//! How much each table holds.

use std::path::Path;

use redb::{ReadableTable, Value};

use crate::error::StoreError;
use crate::open::{OpenError, Opener, close};
use crate::tables::{ReadTables, TableVisitor};

/// What a table holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableStats {
    pub table: &'static str,
    pub rows: u64,
    /// Bytes of keys and values.
    pub stored_bytes: u64,
    /// Bytes of pages beyond those: of the tree, and free in its pages.
    pub overhead_bytes: u64,
}

/// What the tables of a store hold that no process has open, in the order of their use of space.
pub fn stats(path: &Path, cache_bytes: usize) -> Result<Vec<TableStats>, OpenError> {
    let opener = Opener::file(path, cache_bytes);
    let opened = opener.reopen()?;
    let damaged =
        |error: StoreError| OpenError::Damaged { path: path.into(), why: error.to_string() };
    let found = opener.guarded(|| {
        let tables = ReadTables::begin(&opened.database, ()).map_err(damaged)?;
        table_stats(&tables).map_err(damaged)
    });
    close(opened.database);
    found
}

pub(crate) fn table_stats<A>(tables: &ReadTables<A>) -> Result<Vec<TableStats>, StoreError> {
    let mut found = Found(Ok(Vec::new()));
    tables.each_table(&mut found);
    let mut stats = found.0?;
    stats.sort_by_key(|stats| std::cmp::Reverse(stats.stored_bytes + stats.overhead_bytes));
    Ok(stats)
}

struct Found(Result<Vec<TableStats>, StoreError>);

impl TableVisitor for Found {
    fn visit<K: redb::Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: Result<&impl ReadableTable<K, V>, StoreError>,
    ) {
        let Ok(found) = &mut self.0 else { return };
        match of_table(name, table) {
            Ok(stats) => found.push(stats),
            Err(error) => self.0 = Err(error),
        }
    }
}

fn of_table<K: redb::Key + 'static, V: Value + 'static>(
    table_name: &'static str,
    table: Result<&impl ReadableTable<K, V>, StoreError>,
) -> Result<TableStats, StoreError> {
    let table = table?;
    let stats = table.stats()?;
    Ok(TableStats {
        table: table_name,
        rows: table.len()?,
        stored_bytes: stats.stored_bytes(),
        overhead_bytes: stats.metadata_bytes() + stats.fragmented_bytes(),
    })
}
