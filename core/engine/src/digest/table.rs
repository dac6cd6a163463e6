//! A table that is written to, and the digest that learns of it.

use std::borrow::Borrow;
use std::ops::{Deref, RangeBounds};

use redb::{AccessGuard, Key, StorageError, Table, Value};

use super::Digest;

/// What was done to a row, in the digest.
const INSERTED: u64 = 1;
const REPLACED: u64 = 2;
const REMOVED: u64 = 3;

/// One use of a table, to change it.
pub(crate) struct WrittenTable<'a, 't, K: Key + 'static, V: Value + 'static> {
    table: &'a mut Table<'t, K, V>,
    /// None where the store follows no log, or the table is not in the digest.
    log: Option<Changes<'a>>,
}

/// Where changes of a table go.
struct Changes<'a> {
    table: &'static str,
    digest: &'a mut Digest,
}

impl Changes<'_> {
    fn note(&mut self, what: u64, key: &[u8], value: &[u8]) {
        self.digest.number(what);
        self.digest.bytes(self.table.as_bytes());
        self.digest.bytes(key);
        self.digest.bytes(value);
    }
}

impl<'a, 't, K: Key + 'static, V: Value + 'static> WrittenTable<'a, 't, K, V> {
    pub(crate) fn new(
        table: &'a mut Table<'t, K, V>,
        name: &'static str,
        digest: Option<&'a mut Digest>,
    ) -> Self {
        Self { table, log: digest.map(|digest| Changes { table: name, digest }) }
    }

    pub(crate) fn insert<'k, 'v>(
        self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<Option<AccessGuard<'a, V>>, StorageError> {
        let Self { table, log } = self;
        let Some(mut log) = log else { return table.insert(key, value) };
        let (key_bytes, value_bytes) = (K::as_bytes(key.borrow()), V::as_bytes(value.borrow()));
        log.note(INSERTED, key_bytes.as_ref(), value_bytes.as_ref());
        let former = table.insert(key.borrow(), value.borrow())?;
        if let Some(former) = &former {
            log.note(REPLACED, &[], V::as_bytes(&former.value()).as_ref());
        }
        Ok(former)
    }

    pub(crate) fn remove<'k>(
        self,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<AccessGuard<'a, V>>, StorageError> {
        let Self { table, log } = self;
        let Some(mut log) = log else { return table.remove(key) };
        let former = table.remove(key.borrow())?;
        if let Some(former) = &former {
            let key = K::as_bytes(key.borrow());
            log.note(REMOVED, key.as_ref(), V::as_bytes(&former.value()).as_ref());
        }
        Ok(former)
    }

    #[expect(clippy::type_complexity, reason = "a row, as redb returns it")]
    pub(crate) fn pop_first(
        self,
    ) -> Result<Option<(AccessGuard<'a, K>, AccessGuard<'a, V>)>, StorageError> {
        let Self { table, log } = self;
        let row = table.pop_first()?;
        if let (Some(mut log), Some((key, value))) = (log, &row) {
            let (key, value) = (key.value(), value.value());
            log.note(REMOVED, K::as_bytes(&key).as_ref(), V::as_bytes(&value).as_ref());
        }
        Ok(row)
    }

    /// Removes the rows for which `keeps` is false.
    pub(crate) fn retain<F>(self, keeps: F) -> Result<(), StorageError>
    where
        F: for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool,
    {
        let Self { table, log } = self;
        match log {
            None => table.retain(keeps),
            Some(log) => table.retain(noted::<K, V, F>(log, keeps)),
        }
    }

    /// Likewise, of the rows in a range.
    pub(crate) fn retain_in<'k, KR, F>(
        self,
        range: impl RangeBounds<KR> + 'k,
        keeps: F,
    ) -> Result<(), StorageError>
    where
        KR: Borrow<K::SelfType<'k>> + 'k,
        F: for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool,
    {
        let Self { table, log } = self;
        match log {
            None => table.retain_in(range, keeps),
            Some(log) => table.retain_in(range, noted::<K, V, F>(log, keeps)),
        }
    }
}

/// Notes what a predicate has removed.
fn noted<K: Key + 'static, V: Value + 'static, F>(
    mut log: Changes<'_>,
    mut keeps: F,
) -> impl for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool
where
    F: for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool,
{
    move |key, value| {
        let (key_bytes, value_bytes) =
            (K::as_bytes(&key).as_ref().to_vec(), V::as_bytes(&value).as_ref().to_vec());
        let is_kept = keeps(key, value);
        if !is_kept {
            log.note(REMOVED, &key_bytes, &value_bytes);
        }
        is_kept
    }
}

impl<'t, K: Key + 'static, V: Value + 'static> Deref for WrittenTable<'_, 't, K, V> {
    type Target = Table<'t, K, V>;

    fn deref(&self) -> &Self::Target {
        self.table
    }
}
