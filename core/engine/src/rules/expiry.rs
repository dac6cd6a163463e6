//! Expiry of leases, tokens, addresses and idempotency keys, and removal of cleared messages and of
//! events that no webhook waits for.

use core_model::{Reply, TokenHash};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext};
use crate::clock;
use crate::error::{Error, StoreError};
use crate::event_log;
use crate::lookup::Request;
use crate::message_index;
use crate::rows::TokenRow;
use crate::state::{Batch, State};
use crate::tables::Tables;

/// Kinds of rows in `expiries`, and their keys.
pub(crate) const TOKEN: u8 = 0; // the token's hash
pub(crate) const ADDRESS: u8 = 1; // the uid, big-endian, and the address
pub(crate) const KEY: u8 = 2; // the idempotency key, of formats up to 3
pub(crate) const KEY_OF_ADDRESS: u8 = 3; // the peer's address, big-endian, and the key
pub(crate) const WINDOW: u8 = 4; // what is counted, and the peer's address, big-endian
pub(crate) const UNOWNED_ROOM: u8 = 5; // the room id, big-endian

/// After so long without a member, a seat or a message, a room that a client made without an owner
/// is deleted: a week, in ms.
const UNOWNED_ROOM_TTL_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Rows of each kind that one command looks at.
const ROWS_MAX: usize = 256;

/// Writes after which one command removes nothing more: a few milliseconds' worth. The next command
/// continues.
const WRITES_MAX: u64 = 2_000;

/// Runs of cleared messages that one command sweeps.
const RUNS_MAX: usize = 32;

/// The key of an address's row in `expiries`.
pub(crate) fn address_key(uid: u64, address: &str) -> Vec<u8> {
    [&uid.to_be_bytes(), address.as_bytes()].concat()
}

fn key_of_address(address: u128, key: &str) -> Vec<u8> {
    [&address.to_be_bytes(), key.as_bytes()].concat()
}

pub(super) fn note_key(
    batch: &mut Batch<'_>,
    ends: u64,
    address: u128,
    key: &str,
) -> Result<(), StoreError> {
    note(batch, ends, KEY_OF_ADDRESS, &key_of_address(address, key))
}

pub(super) fn drop_key(
    batch: &mut Batch<'_>,
    ends: u64,
    address: u128,
    key: &str,
) -> Result<(), StoreError> {
    let key = key_of_address(address, key);
    batch.expiries_mut()?.remove((ends, KEY_OF_ADDRESS, key.as_slice()))?;
    Ok(())
}

pub(super) fn note_window(
    batch: &mut Batch<'_>,
    ends: u64,
    kind: u8,
    address: u128,
) -> Result<(), StoreError> {
    let key = [&[kind], address.to_be_bytes().as_slice()].concat();
    note(batch, ends, WINDOW, &key)
}

/// Has `Command::Expire` look at a room without an owner a week from now.
pub(super) fn note_unowned_room(
    batch: &mut Batch<'_>,
    now: u64,
    id: u32,
) -> Result<(), StoreError> {
    note(batch, now.saturating_add(UNOWNED_ROOM_TTL_MS), UNOWNED_ROOM, &id.to_be_bytes())
}

pub(super) fn note_address(
    batch: &mut Batch<'_>,
    until: u64,
    address: &str,
    uid: u64,
) -> Result<(), StoreError> {
    note(batch, until, ADDRESS, &address_key(uid, address))
}

pub(super) fn note_token(
    batch: &mut Batch<'_>,
    expires: u64,
    hash: &TokenHash,
) -> Result<(), StoreError> {
    note(batch, expires, TOKEN, &hash.0)
}

fn note(batch: &mut Batch<'_>, ends: u64, kind: u8, key: &[u8]) -> Result<(), StoreError> {
    batch.expiries_mut()?.insert((ends, kind, key), ())?;
    Ok(())
}

/// When the first lease or other row expires, ms.
pub(crate) fn next(tables: &impl Tables) -> Result<Option<u64>, StoreError> {
    if has_garbage(tables)? {
        return Ok(Some(0));
    }
    let seat = tables.seat_ends()?.first()?.map(|(key, _)| key.value().0);
    let other = tables.expiries()?.first()?.map(|(key, _)| key.value().0);
    Ok(seat.into_iter().chain(other).min())
}

/// Whether there is something to remove whatever the time.
fn has_garbage(tables: &impl Tables) -> Result<bool, StoreError> {
    Ok(message_index::has_cleared(tables)? || event_log::has_delivered(tables)?)
}

/// Whether `Command::Expire` has something to do at the time of this request.
pub(crate) fn is_due(tables: &impl State, request: Request) -> Result<bool, StoreError> {
    let seat = tables.seat_ends()?.first()?.map(|(key, _)| key.value().0);
    if has_garbage(tables)? || seat.is_some_and(|ends| ends <= request.steady) {
        return Ok(true);
    }
    let Some(ends) = tables.expiries()?.first()?.map(|(key, _)| key.value().0) else {
        return Ok(false);
    };
    Ok(ends <= request.now && ends <= clock::trusted(tables, request)?)
}

impl BatchContext<'_> {
    pub(super) fn expire(&mut self, cx: &mut CommandContext<'_>) -> Result<Reply, Error> {
        let written = self.writes();
        for seat_id in self.ended_leases(cx.request.steady)? {
            if self.writes() - written > WRITES_MAX {
                return Ok(Reply::Done);
            }
            self.end_lease(cx, seat_id)?;
        }
        let trusted = self.trusted(cx.request)?;
        for (at, kind, key) in self.expired(trusted)? {
            if self.writes() - written > WRITES_MAX {
                return Ok(Reply::Done);
            }
            self.batch.expiries_mut()?.remove((at, kind, key.as_slice()))?;
            self.remove_expired(cx, trusted, (at, kind, &key))?;
        }
        message_index::sweep(&mut self.batch, RUNS_MAX)?;
        if event_log::has_delivered(&self.batch)? {
            self.sweep_events()?;
        }
        Ok(Reply::Done)
    }

    fn ended_leases(&self, now: u64) -> Result<Vec<u64>, StoreError> {
        let rows = self.batch.seat_ends()?.range(..=(now, u64::MAX))?.take(ROWS_MAX);
        rows.map(|row| Ok(row?.0.value().1)).collect()
    }

    fn expired(&self, now: u64) -> Result<Vec<(u64, u8, Vec<u8>)>, StoreError> {
        let end: (u64, u8, &[u8]) = (now, u8::MAX, &[]);
        let rows = self.batch.expiries()?.range(..=end)?.take(ROWS_MAX);
        rows.map(|row| {
            let (key, _) = row?;
            let (at, kind, key) = key.value();
            Ok((at, kind, key.to_vec()))
        })
        .collect()
    }

    /// Removes what the row of `expiries` names, unless it has been extended since.
    fn remove_expired(
        &mut self,
        cx: &mut CommandContext<'_>,
        now: u64,
        (at, kind, key): (u64, u8, &[u8]),
    ) -> Result<(), StoreError> {
        let corrupt = || StoreError::Corrupt { table: "expiries" };
        match kind {
            TOKEN => {
                let hash: &[u8; 32] = key.try_into().map_err(|_| corrupt())?;
                let row = self.batch.tokens()?.get(hash)?.map(|row| row.value().to_vec());
                let row = row.map(|row| TokenRow::unpack(&row)).transpose()?;
                if let Some(row) = row.filter(|row| row.expires <= now) {
                    self.batch.tokens_mut()?.remove(hash)?;
                    self.batch.tokens_by_user_mut()?.remove((row.uid, hash))?;
                }
            }
            ADDRESS => {
                let (uid, address) = key.split_first_chunk().ok_or_else(corrupt)?;
                let address = str::from_utf8(address).map_err(|_| corrupt())?;
                let uid = u64::from_be_bytes(*uid);
                let until = self.batch.addresses()?.get((address, uid))?.map(|until| until.value());
                if until.is_some_and(|until| until <= now) {
                    self.batch.addresses_mut()?.remove((address, uid))?;
                    self.batch.addresses_by_user_mut()?.remove((uid, address))?;
                }
            }
            KEY => {
                let key = str::from_utf8(key).map_err(|_| corrupt())?;
                self.remove_key(key)?;
            }
            KEY_OF_ADDRESS => {
                let (address, key) = key.split_first_chunk().ok_or_else(corrupt)?;
                let key = str::from_utf8(key).map_err(|_| corrupt())?;
                self.forget_key(u128::from_be_bytes(*address), at, key)?;
            }
            WINDOW => {
                let (kind, address) = key.split_first().ok_or_else(corrupt)?;
                let address = address.try_into().map_err(|_| corrupt())?;
                self.end_window(now, *kind, u128::from_be_bytes(address))?;
            }
            UNOWNED_ROOM => {
                let id = key.try_into().map_err(|_| corrupt())?;
                self.end_unowned_room(cx, u32::from_be_bytes(id))?;
            }
            _ => return Err(corrupt()),
        }
        Ok(())
    }
}
