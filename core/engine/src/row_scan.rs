//! Reads all rows of a store, some at a time, into its digest.
//!
//! A row that a disk or a hand has changed is in no command's way, perhaps for months. All stores of a
//! cluster read the same rows at the same entry, so that one which finds others there is noticed
//! within one turn through the tables.

use redb::{Key, ReadableTable, Value};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::StoreError;
use crate::tables::TableVisitor;

/// The key of the row in `counters` with the place where the next scan goes on.
pub(crate) const SCAN_KEY: u8 = 6;

/// Rows that are read at a time.
const SCANNED_MAX: usize = 1_024;
/// Bytes after which no further row is.
const SCANNED_BYTES_MAX: usize = 256 << 10;

/// The last row that was read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Place {
    table: String,
    key: Vec<u8>,
}

/// A scan from one place on. The first table comes after the last one.
pub(crate) struct Scan {
    place: Place,
    /// Whether the table of the place was passed.
    has_begun: bool,
    digest: Digest,
    rows: usize,
    bytes: usize,
    result: Result<(), StoreError>,
}

impl Scan {
    pub(crate) fn from(place: Place) -> Self {
        let has_begun = place.table.is_empty();
        Self { place, has_begun, digest: Digest::default(), rows: 0, bytes: 0, result: Ok(()) }
    }

    fn is_full(&self) -> bool {
        self.rows >= SCANNED_MAX || self.bytes >= SCANNED_BYTES_MAX
    }

    /// Where the next scan goes on, and what this one read. After the last table that is the beginning.
    pub(crate) fn finish(self) -> Result<(Place, Digest), StoreError> {
        let is_full = self.is_full();
        self.result?;
        Ok((if is_full { self.place } else { Place::default() }, self.digest))
    }

    fn read<K: Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: Result<&impl ReadableTable<K, V>, StoreError>,
    ) -> Result<(), StoreError> {
        let table = table?;
        let goes_on = name == self.place.table;
        let rows = if goes_on {
            let after = std::ops::Bound::Excluded(K::from_bytes(&self.place.key));
            table.range((after, std::ops::Bound::Unbounded))?
        } else {
            table.iter()?
        };
        let mut last = None;
        for row in rows {
            if self.rows >= SCANNED_MAX || self.bytes >= SCANNED_BYTES_MAX {
                break;
            }
            let (key, value) = row?;
            let (key, value) = (key.value(), value.value());
            let (key, value) = (K::as_bytes(&key), V::as_bytes(&value));
            self.digest.bytes(key.as_ref());
            self.digest.bytes(value.as_ref());
            self.rows += 1;
            self.bytes += key.as_ref().len() + value.as_ref().len();
            last = Some(key.as_ref().to_vec());
        }
        if let Some(key) = last {
            self.place = Place { table: name.into(), key };
        }
        Ok(())
    }
}

impl TableVisitor for Scan {
    fn visit<K: Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: Result<&impl ReadableTable<K, V>, StoreError>,
    ) {
        self.has_begun |= name == self.place.table;
        if !self.has_begun || self.is_full() || self.result.is_err() {
            return;
        }
        self.digest.bytes(name.as_bytes());
        self.result = self.read(name, table);
    }
}
