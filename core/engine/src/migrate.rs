//! Store formats: what a new store needs, and how an earlier one is upgraded.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use crate::error::StoreError;
use crate::rows::{TokenRow, unpack};
use crate::tables::{ADDRESSES, ADDRESSES_BY_USER, TOKENS, TOKENS_BY_USER, create_tables};

/// The layout this code reads and writes. A store records its own in `meta`; opening an earlier one
/// upgrades it.
///
/// 1: the first. 2: `tokens_by_user` and `addresses_by_user`.
pub(crate) const FORMAT: u64 = 2;
const FORMAT_KEY: &str = "format";

/// Single values; so far only [`FORMAT_KEY`].
const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

/// Makes the tables of a new store, upgrades an earlier format, and returns the store's format. A
/// store of the current format, or of a later one, is not written to.
pub(crate) fn prepare(database: &Database) -> Result<u64, StoreError> {
    let read = database.begin_read()?;
    let found = match read.open_table(META) {
        Ok(meta) => meta.get(FORMAT_KEY)?.map(|found| found.value()),
        Err(_) => None,
    };
    if let Some(found) = found
        && found >= FORMAT
    {
        return Ok(found);
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    create_tables(&transaction)?;
    if found == Some(1) {
        index_by_user(&transaction)?;
    }
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.commit()?;
    Ok(FORMAT)
}

/// Upgrades from format 1 to 2.
fn index_by_user(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut by_user = transaction.open_table(TOKENS_BY_USER)?;
    for row in transaction.open_table(TOKENS)?.iter()? {
        let (hash, row) = row?;
        let row: TokenRow = unpack("tokens", row.value())?;
        by_user.insert((row.uid, hash.value()), ())?;
    }
    let mut by_user = transaction.open_table(ADDRESSES_BY_USER)?;
    for row in transaction.open_table(ADDRESSES)?.iter()? {
        let (key, _) = row?;
        let (address, uid) = key.value();
        by_user.insert((uid, address), ())?;
    }
    Ok(())
}
