//! What retention takes from readers: deliveries that now never come.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use core_model::Expired;
use redb::ReadableTable;

use super::{CURSOR, DEVICE, SHARED};
use crate::error::StoreError;
use crate::rules::context::BatchContext;
use crate::state::Batch;
use crate::tables::Tables;
use crate::{lookup, message_index};

/// Members of rooms whose cursors one step of retention reads: one or two milliseconds' work of the
/// writer.
const MEMBERS_MAX: u64 = 1_000;

/// Messages that a step has removed: a stream, and their ids in it, ascending. A stream may be named
/// more than once.
pub(crate) type Gone = Vec<(u64, Vec<u64>)>;

impl BatchContext<'_> {
    /// The deliveries of these messages that readers have not acknowledged.
    ///
    /// They are exact as long as the rooms have at most [`MEMBERS_MAX`] members together. With more, a
    /// part of each room's members is looked at, at least one and in proportion to the room's size, and
    /// the others are counted as the average of these. Which members that are depends on the newest of
    /// the messages, so that it changes from step to step.
    pub(crate) fn count_expired(&self, gone: &Gone) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        let mut readers = Readers::new(&self.batch);
        let mut rooms = Vec::new();
        for (stream, ids) in gone.iter().filter(|(_, ids)| !ids.is_empty()) {
            if let Some(uid) = message_index::user(*stream) {
                expired.direct += readers.unacknowledged(uid, 0, ids)?;
                continue;
            }
            let room = message_index::room(*stream).0;
            // A deleted room has no members.
            if let Some(row) = lookup::room_row(&self.batch, room)? {
                rooms.push((room, row.closed, u64::from(row.members), ids));
            }
        }
        let all: u64 = rooms.iter().map(|(_, _, members, _)| members).sum();
        for (room, is_closed, members, ids) in rooms {
            let share = if all <= MEMBERS_MAX { members } else { members * MEMBERS_MAX / all };
            let first = ids.last().map_or(0, |newest| newest % self.counters.next_uid);
            let count = readers.of_room(room, [members, share.max(1)], first, ids)?;
            let counter = if is_closed { &mut expired.group } else { &mut expired.public };
            *counter += count;
        }
        Ok(expired)
    }
}

/// Reads cursors, those of each user once.
struct Readers<'b, 't> {
    batch: &'b Batch<'t>,
    /// What each of a user's readers has acknowledged.
    cursors: BTreeMap<u64, Vec<u64>>,
    members_read: u64,
}

impl<'b, 't> Readers<'b, 't> {
    fn new(batch: &'b Batch<'t>) -> Self {
        Self { batch, cursors: BTreeMap::new(), members_read: 0 }
    }

    /// How many deliveries of these messages the readers of a room's members have not acknowledged,
    /// by as many of the members as `share` says, from the user `first` on.
    fn of_room(
        &mut self,
        room: u32,
        [members, share]: [u64; 2],
        first: u64,
        ids: &[u64],
    ) -> Result<u64, StoreError> {
        let batch = self.batch;
        let table = batch.members()?;
        let behind = table.range((room, first)..=(room, u64::MAX))?;
        let rows = behind.chain(table.range((room, 0)..(room, first))?);
        let newest = ids.last().copied().unwrap_or(0);
        let mut read = 0;
        let mut count = 0;
        for row in rows.take(share as usize) {
            let (key, member) = row?;
            read += 1;
            let (_, since) = member.value();
            if since < newest {
                count += self.unacknowledged(key.value().1, since, ids)?;
            }
        }
        self.members_read += read;
        Ok(if read < members && read > 0 { count * members / read } else { count })
    }

    /// How many of these messages, ascending from after `since`, the user's readers have not
    /// acknowledged, added up over the readers.
    fn unacknowledged(&mut self, uid: u64, since: u64, ids: &[u64]) -> Result<u64, StoreError> {
        let cursors = match self.cursors.entry(uid) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(cursors_of(self.batch, uid)?),
        };
        let after = |cursor: u64| ids.len() - ids.partition_point(|id| *id <= cursor.max(since));
        Ok(cursors.iter().map(|cursor| after(*cursor) as u64).sum())
    }
}

fn cursors_of(batch: &Batch<'_>, uid: u64) -> Result<Vec<u64>, StoreError> {
    let mut readers: BTreeMap<u64, u64> = BTreeMap::new();
    for row in batch.cursors()?.range((uid, DEVICE)..=(uid, SHARED))? {
        let (key, id) = row?;
        let stream = key.value().1;
        // The row without the bit says what was sent; a reader may have that one only.
        let cursor = readers.entry(stream | CURSOR).or_default();
        if stream & CURSOR != 0 {
            *cursor = id.value();
        }
    }
    Ok(readers.into_values().collect())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use redb::{Database, backends::InMemoryBackend};

    use super::*;
    use crate::migrate::prepare;

    #[test]
    fn of_large_rooms_a_part_of_the_members_is_looked_at_and_the_others_are_estimated() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        prepare(&database).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut batch = Batch::new(&transaction, RefCell::default());
        let members = 5 * MEMBERS_MAX;
        for uid in 0..members {
            batch.members_mut().unwrap().insert((7, uid), (0, 0)).unwrap();
            // Every second member has a reader, which has the first two of the messages.
            if uid % 2 == 0 {
                batch.cursors_mut().unwrap().insert((uid, SHARED), 2).unwrap();
            }
        }
        let ids = [1, 2, 3, members - 9];
        let missed = members / 2 * 2;
        let count = |share, first| {
            let mut readers = Readers::new(&batch);
            let count = readers.of_room(7, [members, share], first, &ids).unwrap();
            (count, readers.members_read)
        };
        assert_eq!(count(members, 0), (missed, members), "exact");
        assert_eq!(count(members, members - 9), (missed, members), "wherever it begins");
        assert_eq!(count(MEMBERS_MAX, 0), (missed, MEMBERS_MAX));
        assert_eq!(count(MEMBERS_MAX, members - 9), (missed, MEMBERS_MAX));
    }
}
