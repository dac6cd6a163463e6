//! Retention: messages that are too old, or too many for their room, are forgotten in small steps.
//!
//! Ids and times of messages ascend together, so the oldest messages are the first rows of their
//! table. What is left of them in streams is passed over by whoever reads (see `stream`), and goes
//! when a whole run of them is gone: taking each id out by itself would cost as many writes as
//! posting did.

use std::collections::BTreeSet;

use core_model::{Reply, RoomId, Timestamp};
use redb::ReadableTable;

use super::BatchContext;
use crate::error::{Error, StoreError};
use crate::message_index;
use crate::rows::{Destination, MessageRow, Who};
use crate::tables::Tables;

/// Rooms that one step looks at: a millisecond's worth.
const ROOMS_MAX: usize = 1024;

impl BatchContext<'_> {
    pub(super) fn prune(
        &mut self,
        before: Option<Timestamp>,
        keep_per_room: Option<u32>,
        from: RoomId,
        limit: u32,
    ) -> Result<Reply, Error> {
        self.settle()?;
        let limit = limit.max(1) as usize;
        let old = before.map_or(Ok(0), |before| self.forget_older(before.0, limit))?;
        let (excess, next) = match keep_per_room {
            _ if old == limit => (0, Some(from)),
            Some(keep) => self.forget_excess(keep as usize, from, limit - old)?,
            None => (0, None),
        };
        Ok(Reply::Pruned { messages: (old + excess) as u32, next })
    }

    /// Removes the oldest messages, if they are of before then.
    fn forget_older(&mut self, before: u64, limit: usize) -> Result<usize, StoreError> {
        let (mut ids, mut streams) = (Vec::new(), BTreeSet::new());
        for row in self.batch.messages()?.iter()?.take(limit) {
            let (id, row) = row?;
            let row = MessageRow::unpack(row.value())?;
            if row.at >= before {
                break;
            }
            ids.push(id.value());
            streams.extend(streams_of(&row));
        }
        for id in &ids {
            self.batch.messages_mut()?.remove(*id)?;
        }
        for stream in streams {
            message_index::drop_dead(&mut self.batch, stream)?;
        }
        Ok(ids.len())
    }

    /// Removes the oldest messages of rooms that have more than `keep`; and where to go on.
    fn forget_excess(
        &mut self,
        keep: usize,
        from: RoomId,
        limit: usize,
    ) -> Result<(usize, Option<RoomId>), StoreError> {
        let rooms = message_index::of_room(from.0)..=message_index::of_room(u32::MAX);
        let rooms = self.batch.tails()?.range(rooms)?.take(ROOMS_MAX + 1);
        let mut rooms: Vec<u64> =
            rooms.map(|row| Ok(row?.0.value())).collect::<Result<_, StoreError>>()?;
        let mut next = if rooms.len() > ROOMS_MAX { rooms.pop() } else { None };
        let (mut left, mut forgotten) = (limit, 0);
        for room in rooms {
            let ids = message_index::take_excess(&mut self.batch, room, keep, left)?;
            left -= ids.len();
            for id in ids {
                // What was too old may be gone already.
                forgotten += usize::from(self.batch.messages_mut()?.remove(id)?.is_some());
            }
            if left == 0 {
                next = Some(room);
                break;
            }
        }
        Ok((forgotten, next.map(message_index::room)))
    }
}

/// Where a message is listed.
fn streams_of(row: &MessageRow) -> impl Iterator<Item = u64> {
    let (one, other) = match (&row.author, row.to) {
        (_, Destination::Room(room)) => (Some(message_index::of_room(room)), None),
        (Who::User(author), Destination::User(to)) => {
            (Some(message_index::of_outbox(*author)), Some(message_index::of_inbox(to)))
        }
        (Who::Guest(_), Destination::User(to)) => (None, Some(message_index::of_inbox(to))),
    };
    one.into_iter().chain(other)
}
