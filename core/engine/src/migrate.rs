//! Store formats: what a new store needs, and how an earlier one is upgraded.

use std::cell::RefCell;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use crate::error::StoreError;
use crate::lookalike;
use crate::removed;
use crate::rows::{RoomRow, TokenRow};
use crate::rules_version::RULES;
use crate::search;
use crate::state::Batch;
use crate::tables::{
    ADDRESSES, ADDRESSES_BY_USER, HANDLES, LOOKALIKES, MEMBER_ROOMS, MEMBERSHIP_COUNTS, RUNS,
    TOKENS, TOKENS_BY_USER, Tables, create_tables,
};

/// The layout this code reads and writes. A store records its own in `meta`; opening an earlier one
/// upgrades it.
///
/// 1: the first. 2: `tokens_by_user` and `addresses_by_user`. 3: `lookalikes`. 4: `open_rooms`,
/// `membership_counts`, `cleared`, quotas; bounded search rows. 5: `admin_tokens`, `bans`, `mutes`,
/// which an earlier version would not enforce. 6: policies of rooms, and `room_masks`, likewise.
pub const FORMAT: u64 = 6;
const FORMAT_KEY: &str = "format";
/// The [`lookalike::revision`] that the keys in `lookalikes` were made with.
const LOOKALIKES_KEY: &str = "lookalikes";
/// The [`RULES`] of the version that opened the store last.
const RULES_KEY: &str = "rules";
/// The number of the log that the store follows, as one of several. None: it follows none.
pub(crate) const LOG_KEY: &str = "log";

/// Single values: [`FORMAT_KEY`], [`LOOKALIKES_KEY`], [`RULES_KEY`], [`LOG_KEY`], and the [`marks`](crate::marks).
pub(crate) const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

/// The format of a store; 0 for none yet.
pub(crate) fn found_format(database: &Database) -> Result<u64, StoreError> {
    let read = database.begin_read()?;
    match read.open_table(META) {
        Ok(meta) => Ok(meta.get(FORMAT_KEY)?.map_or(0, |found| found.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Makes the tables of a new store, upgrades an earlier format, and returns the store's format. A
/// store of the current format, or of a later one, is not written to, unless it lacks the newest
/// table, which needs no format: earlier versions pass over it.
pub(crate) fn prepare(database: &Database) -> Result<u64, StoreError> {
    let read = database.begin_read()?;
    let is_complete = match read.open_table(RUNS) {
        Ok(_) => true,
        Err(redb::TableError::TableDoesNotExist(_)) => false,
        Err(error) => return Err(error.into()),
    };
    let (found, lookalikes, rules) = match read.open_table(META) {
        Ok(meta) => {
            let value = |key| meta.get(key).map(|found| found.map(|found| found.value()));
            (value(FORMAT_KEY)?, value(LOOKALIKES_KEY)?, value(RULES_KEY)?)
        }
        Err(redb::TableError::TableDoesNotExist(_)) => (None, None, None),
        Err(error) => return Err(error.into()),
    };
    drop(read);
    let revision = lookalike::revision();
    let is_current = is_complete && lookalikes == Some(revision) && rules == Some(u64::from(RULES));
    if let Some(found) = found
        && (found > FORMAT || found == FORMAT && is_current)
    {
        return Ok(found);
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    create_tables(&transaction)?;
    if found == Some(1) {
        index_by_user(&transaction)?;
    }
    if found.is_none() {
        removed::begin_notes(&mut Batch::new(&transaction, RefCell::default()), 0)?;
    }
    if lookalikes != Some(revision) {
        index_lookalikes(&transaction)?;
    }
    if found.is_some_and(|found| found < 4) {
        index_rooms(&transaction)?;
        count_memberships(&transaction)?;
    }
    stamp(&transaction, FORMAT, revision)?;
    transaction.commit()?;
    Ok(FORMAT)
}

/// Records the format of the tables, the [`lookalike::revision`] of the keys in `lookalikes`, and the
/// rules.
pub(crate) fn stamp(
    transaction: &WriteTransaction,
    format: u64,
    lookalikes: u64,
) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT_KEY, format)?;
    meta.insert(LOOKALIKES_KEY, lookalikes)?;
    meta.insert(RULES_KEY, u64::from(RULES))?;
    Ok(())
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
        let row = TokenRow::unpack(row.value())?;
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

/// Upgrades to format 4: lists open rooms, and indexes anew what searches find of them, which was
/// not bounded before. Seats have another layout, and end with the run anyway.
fn index_rooms(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut batch = Batch::new(transaction, RefCell::default());
    batch.clear_run_state()?;
    batch.grams_mut()?.retain(|_, ()| false)?;
    batch.gram_counts_mut()?.retain(|_, _| false)?;
    batch.folded_names_mut()?.retain(|_, ()| false)?;
    let mut last = None;
    while let Some((id, row)) = room_after(&batch, last)? {
        if !row.closed {
            batch.open_rooms_mut()?.insert(id, ())?;
            search::insert(&mut batch, id, &row)?;
        }
        last = Some(id);
    }
    Ok(())
}

fn room_after(batch: &Batch<'_>, id: Option<u32>) -> Result<Option<(u32, RoomRow)>, StoreError> {
    let Some(start) = id.map_or(Some(0), |id| id.checked_add(1)) else { return Ok(None) };
    let row = batch.rooms()?.range(start..)?.next().transpose()?;
    row.map(|(id, row)| Ok((id.value(), RoomRow::unpack(row.value())?))).transpose()
}

fn count_memberships(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut counts = transaction.open_table(MEMBERSHIP_COUNTS)?;
    for row in transaction.open_table(MEMBER_ROOMS)?.iter()? {
        let (uid, _) = row?.0.value();
        let count = counts.get(uid)?.map_or(0, |count| count.value());
        counts.insert(uid, count + 1)?;
    }
    Ok(())
}
