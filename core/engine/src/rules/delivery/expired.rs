//! What retention takes from readers: deliveries that now never come.

use std::collections::BTreeMap;

use core_model::Expired;
use redb::ReadableTable;

use super::{CURSOR, DEVICE, SHARED};
use crate::error::StoreError;
use crate::rules::context::BatchContext;
use crate::tables::Tables;
use crate::{lookup, message_index};

impl BatchContext<'_> {
    /// Adds the deliveries of these messages of a stream, their ids ascending, that readers have not
    /// acknowledged.
    pub(crate) fn note_expired(
        &self,
        stream: u64,
        ids: &[u64],
        expired: &mut Expired,
    ) -> Result<(), StoreError> {
        let Some(newest) = ids.last() else { return Ok(()) };
        if let Some(uid) = message_index::user(stream) {
            expired.direct += self.unacknowledged(uid, 0, ids)?;
            return Ok(());
        }
        let room = message_index::room(stream).0;
        // A deleted room has no members.
        let Some(row) = lookup::room_row(&self.batch, room)? else { return Ok(()) };
        let counter = if row.closed { &mut expired.group } else { &mut expired.public };
        for row in self.batch.members()?.range((room, 0)..=(room, u64::MAX))? {
            let (key, member) = row?;
            let (_, since) = member.value();
            if since < *newest {
                *counter += self.unacknowledged(key.value().1, since, ids)?;
            }
        }
        Ok(())
    }

    /// How many of these messages, ascending from after `since`, the user's readers have not
    /// acknowledged, added up over the readers.
    fn unacknowledged(&self, uid: u64, since: u64, ids: &[u64]) -> Result<u64, StoreError> {
        let mut readers: BTreeMap<u64, u64> = BTreeMap::new();
        for row in self.batch.cursors()?.range((uid, DEVICE)..=(uid, SHARED))? {
            let (key, id) = row?;
            let stream = key.value().1;
            // The row without the bit says what was sent; a reader may have that one only.
            let cursor = readers.entry(stream | CURSOR).or_default();
            if stream & CURSOR != 0 {
                *cursor = id.value();
            }
        }
        let after = |cursor: u64| ids.len() - ids.partition_point(|id| *id <= cursor.max(since));
        Ok(readers.into_values().map(|cursor| after(cursor) as u64).sum())
    }
}
