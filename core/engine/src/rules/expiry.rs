//! Expiry of leases, tokens, addresses and idempotency keys, and removal of cleared messages.

use core_model::Reply;
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext};
use crate::clock;
use crate::error::{Error, StoreError};
use crate::lookup::Request;
use crate::message_index;
use crate::rows::{TokenRow, unpack};
use crate::state::{Batch, State};
use crate::tables::Tables;

/// Kinds of rows in `expiries`, and their keys.
pub(crate) const TOKEN: u8 = 0; // the token's hash
pub(crate) const ADDRESS: u8 = 1; // the uid, big-endian, and the address
pub(crate) const KEY: u8 = 2; // the idempotency key

/// Rows of each kind that one command removes, so that it stays short; the next continues.
const ROWS_MAX: usize = 1024;

/// Runs of cleared messages that one command removes.
const RUNS_MAX: usize = 32;

/// The key of an address's row in `expiries`.
pub(crate) fn address_key(uid: u64, address: &str) -> Vec<u8> {
    [&uid.to_be_bytes(), address.as_bytes()].concat()
}

pub(super) fn note_address(
    batch: &mut Batch<'_>,
    until: u64,
    address: &str,
    uid: u64,
) -> Result<(), StoreError> {
    let key = address_key(uid, address);
    batch.expiries_mut()?.insert((until, ADDRESS, key.as_slice()), ())?;
    Ok(())
}

/// When the first lease or other row expires, ms.
pub(crate) fn next(tables: &impl Tables) -> Result<Option<u64>, StoreError> {
    if tables.garbage()?.first()?.is_some() {
        return Ok(Some(0));
    }
    let seat = tables.seat_ends()?.first()?.map(|(key, _)| key.value().0);
    let other = tables.expiries()?.first()?.map(|(key, _)| key.value().0);
    Ok(seat.into_iter().chain(other).min())
}

/// Whether `Command::Expire` has something to do at the time of this request.
pub(crate) fn is_due(tables: &impl State, request: Request) -> Result<bool, StoreError> {
    let has_garbage = tables.garbage()?.first()?.is_some();
    let seat = tables.seat_ends()?.first()?.map(|(key, _)| key.value().0);
    if has_garbage || seat.is_some_and(|ends| ends <= request.steady) {
        return Ok(true);
    }
    let Some(ends) = tables.expiries()?.first()?.map(|(key, _)| key.value().0) else {
        return Ok(false);
    };
    Ok(ends <= request.now && ends <= clock::trusted(tables, request)?)
}

impl BatchContext<'_> {
    pub(super) fn expire(&mut self, cx: &mut CommandContext<'_>) -> Result<Reply, Error> {
        for seat_id in self.ended_leases(cx.request.steady)? {
            self.end_lease(cx, seat_id)?;
        }
        let trusted = self.trusted(cx.request)?;
        for (at, kind, key) in self.expired(trusted)? {
            self.batch.expiries_mut()?.remove((at, kind, key.as_slice()))?;
            self.remove_expired(trusted, kind, &key)?;
        }
        message_index::sweep(&mut self.batch, RUNS_MAX)?;
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
    fn remove_expired(&mut self, now: u64, kind: u8, key: &[u8]) -> Result<(), StoreError> {
        let corrupt = || StoreError::Corrupt { table: "expiries" };
        match kind {
            TOKEN => {
                let hash: &[u8; 32] = key.try_into().map_err(|_| corrupt())?;
                let row = self.batch.tokens()?.get(hash)?.map(|row| row.value().to_vec());
                let row: Option<TokenRow> = row.map(|row| unpack("tokens", &row)).transpose()?;
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
                self.batch.keys_mut()?.remove(key)?;
            }
            _ => return Err(corrupt()),
        }
        Ok(())
    }
}
