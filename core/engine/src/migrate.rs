//! Store formats: what a new store needs, and how an earlier one is upgraded.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use crate::error::StoreError;
use crate::lookalike;
use crate::rows::{TokenRow, unpack};
use crate::tables::{
    ADDRESSES, ADDRESSES_BY_USER, HANDLES, LOOKALIKES, TOKENS, TOKENS_BY_USER, create_tables,
};

/// The layout this code reads and writes. A store records its own in `meta`; opening an earlier one
/// upgrades it.
///
/// 1: the first. 2: `tokens_by_user` and `addresses_by_user`. 3: `lookalikes`.
pub(crate) const FORMAT: u64 = 3;
const FORMAT_KEY: &str = "format";
/// The [`lookalike::revision`] that the keys in `lookalikes` were made with.
const LOOKALIKES_KEY: &str = "lookalikes";

/// Single values: [`FORMAT_KEY`] and [`LOOKALIKES_KEY`].
const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

/// Makes the tables of a new store, upgrades an earlier format, and returns the store's format. A
/// store of the current format, or of a later one, is not written to.
pub(crate) fn prepare(database: &Database) -> Result<u64, StoreError> {
    let read = database.begin_read()?;
    let (found, lookalikes) = match read.open_table(META) {
        Ok(meta) => {
            let value = |key| meta.get(key).map(|found| found.map(|found| found.value()));
            (value(FORMAT_KEY)?, value(LOOKALIKES_KEY)?)
        }
        Err(redb::TableError::TableDoesNotExist(_)) => (None, None),
        Err(error) => return Err(error.into()),
    };
    drop(read);
    let revision = lookalike::revision();
    if let Some(found) = found
        && (found > FORMAT || found == FORMAT && lookalikes == Some(revision))
    {
        return Ok(found);
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    create_tables(&transaction)?;
    if found == Some(1) {
        index_by_user(&transaction)?;
    }
    if lookalikes != Some(revision) {
        index_lookalikes(&transaction)?;
    }
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT_KEY, FORMAT)?;
    meta.insert(LOOKALIKES_KEY, revision)?;
    drop(meta);
    transaction.commit()?;
    Ok(FORMAT)
}

/// Commits without changing anything: whether the store can be written to.
pub(crate) fn probe(database: &Database) -> Result<(), StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.commit()?;
    Ok(())
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

/// Upgrades from format 2 to 3, and replaces keys that another revision made.
fn index_lookalikes(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut lookalikes = transaction.open_table(LOOKALIKES)?;
    lookalikes.retain(|_, ()| false)?;
    for row in transaction.open_table(HANDLES)?.iter()? {
        let (handle, uid) = row?;
        for key in lookalike::keys(handle.value()) {
            lookalikes.insert((key.as_str(), uid.value()), ())?;
        }
    }
    Ok(())
}
