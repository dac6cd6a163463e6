//! Users, tokens, addresses and idempotency keys.

use redb::ReadableTable;

use super::Report;
use crate::error::StoreError;
use crate::lookalike;
use crate::lookup::COUNTERS_KEY;
use crate::rows::{Counters, KeyRow, TokenRow, UserRow, unpack};
use crate::rules::{ADDRESS, KEY, KEY_OF_ADDRESS, KEYS, TOKEN, UNOWNED_ROOM, address_key};
use crate::tables::Tables;

pub(super) fn counters(tables: &impl Tables) -> Result<Counters, StoreError> {
    match tables.counters()?.get(COUNTERS_KEY)? {
        Some(row) => unpack("counters", row.value()),
        None => Ok(Counters::default()),
    }
}

pub(super) fn check_users(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let next_uid = counters(tables)?.next_uid;
    let mut users = 0;
    let mut identities = 0;
    let mut lookalikes = 0;
    for row in tables.users()?.iter()? {
        let (uid, row) = row?;
        let uid = uid.value();
        users += 1;
        let Ok(user) = unpack::<UserRow>("users", row.value()) else {
            report.fault(format!("user {uid} cannot be read"));
            continue;
        };
        report.expect(uid < next_uid, || format!("user {uid} is beyond the counter"));
        let found = tables.handles()?.get(user.handle.as_str())?.map(|found| found.value());
        report.expect(found == Some(uid), || {
            format!("the handle {:?} leads to {found:?} instead of user {uid}", user.handle)
        });
        for identity in &user.identities {
            identities += 1;
            let found = tables.identities()?.get(identity.as_str())?.map(|found| found.value());
            report.expect(found == Some(uid), || {
                format!("the identity {identity:?} leads to {found:?} instead of user {uid}")
            });
        }
        for key in lookalike::keys(&user.handle) {
            lookalikes += 1;
            let is_there = tables.lookalikes()?.get((key.as_str(), uid))?.is_some();
            report.expect(is_there, || format!("a lookalike of user {uid} is missing"));
        }
    }
    report.expect_len("handles", tables.handles()?, users)?;
    report.expect_len("identities", tables.identities()?, identities)?;
    report.expect_len("lookalikes", tables.lookalikes()?, lookalikes)
}

pub(super) fn check_tokens(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let mut tokens = 0;
    for row in tables.tokens()?.iter()? {
        let (hash, row) = row?;
        let hash = hash.value();
        tokens += 1;
        let Ok(token) = TokenRow::unpack(row.value()) else {
            report.fault(format!("token {tokens} in order cannot be read"));
            continue;
        };
        let uid = token.uid;
        let is_known = tables.users()?.get(uid)?.is_some();
        report.expect(is_known, || format!("a token belongs to user {uid}, who does not exist"));
        let is_listed = tables.tokens_by_user()?.get((uid, hash))?.is_some();
        report.expect(is_listed, || format!("a token of user {uid} is not listed as the user's"));
        let expiry = tables.expiries()?.get((token.expires, TOKEN, hash.as_slice()))?;
        report.expect(expiry.is_some(), || format!("a token of user {uid} never expires"));
    }
    report.expect_len("tokens_by_user", tables.tokens_by_user()?, tokens)
}

pub(super) fn check_addresses(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let mut addresses = 0;
    for row in tables.addresses()?.iter()? {
        let (key, until) = row?;
        let (address, uid) = key.value();
        addresses += 1;
        let is_listed = tables.addresses_by_user()?.get((uid, address))?.is_some();
        report
            .expect(is_listed, || format!("an address of user {uid} is not listed as the user's"));
        let key = address_key(uid, address);
        let expiry = tables.expiries()?.get((until.value(), ADDRESS, key.as_slice()))?;
        report.expect(expiry.is_some(), || format!("an address of user {uid} never expires"));
    }
    report.expect_len("addresses_by_user", tables.addresses_by_user()?, addresses)
}

pub(super) fn check_keys(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    for row in tables.keys()?.iter()? {
        let (key, row) = row?;
        let is_readable = unpack::<KeyRow>("keys", row.value()).is_ok();
        report.expect(is_readable, || format!("the key {:?} cannot be read", key.value()));
    }
    for row in tables.leased_keys()?.iter()? {
        let (key, _) = row?;
        let is_there = tables.keys()?.get(key.value())?.is_some();
        report.expect(is_there, || format!("the key {:?} of a lease does not exist", key.value()));
    }
    let mut expiring = 0;
    let mut of_addresses = 0;
    for row in tables.expiries()?.iter()? {
        let (row, ()) = row.map(|(key, _)| (key, ()))?;
        let (at, kind, key) = row.value();
        let is_known = kind <= UNOWNED_ROOM;
        report.expect(is_known, || format!("a row of expiries is of the unknown kind {kind}"));
        let key = match (kind, key.split_first_chunk()) {
            (KEY, _) => String::from_utf8_lossy(key),
            (KEY_OF_ADDRESS, Some((address, key))) => {
                of_addresses += 1;
                let key = String::from_utf8_lossy(key);
                let by_address = (u128::from_be_bytes(*address), at, &*key);
                let is_listed = tables.keys_by_address()?.get(by_address)?.is_some();
                report.expect(is_listed, || format!("the key {key:?} is not its address's"));
                key
            }
            _ => continue,
        };
        expiring += 1;
        let is_there = tables.keys()?.get(&*key)?.is_some();
        report.expect(is_there, || format!("the key {key:?} expires and does not exist"));
    }
    report.expect_len("keys", tables.keys()?, expiring)?;
    report.expect_len("keys_by_address", tables.keys_by_address()?, of_addresses)?;
    let mut counted = 0;
    for row in tables.quotas()?.iter()? {
        let (key, row) = row?;
        if key.value().0 == KEYS {
            counted += u64::from(row.value().1);
        }
    }
    report.expect(counted == of_addresses, || format!("{of_addresses} keys, {counted} counted"));
    Ok(())
}
