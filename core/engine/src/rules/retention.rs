//! Retention: removes messages that are too old, or too many for their room, in small steps.
//!
//! Messages are removed from the front of their table, since ids ascend with time. A message from a
//! time when the clock was ahead is removed with those after it.
//!
//! Their ids stay in the streams, where readers skip them (see `message_index`), until a whole run
//! is dead: removing each id by itself would cost as many writes as posting did.

use std::collections::BTreeMap;

use core_model::{Reply, RoomId, Timestamp};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext};
use super::delivery::Gone;
use crate::error::{Error, StoreError};
use crate::lookup::Request;
use crate::message_index;
use crate::removed;
use crate::rows::MessageRow;
use crate::tables::Tables;

/// Rooms that one step looks at; they take about a millisecond.
const ROOMS_MAX: usize = 1024;

/// Messages to remove, and which of them are in each stream, ascending.
#[derive(Default)]
struct Removal {
    ids: Vec<u64>,
    streams: BTreeMap<u64, Vec<u64>>,
}

impl Removal {
    fn add(&mut self, id: u64, row: &MessageRow) {
        self.ids.push(id);
        for stream in message_index::streams_of(row) {
            self.streams.entry(stream).or_default().push(id);
        }
    }

    /// The messages of a stream whose readers miss them there. One of a user to itself is in two
    /// streams, and is missed once.
    fn missed_in(&self, stream: u64) -> Vec<u64> {
        let ids = &self.streams[&stream];
        match message_index::user(stream).map(message_index::of_inbox) {
            Some(inbox) if inbox != stream => {
                let received = self.streams.get(&inbox).map_or(&[][..], Vec::as_slice);
                let is_other = |id: &&u64| received.binary_search(id).is_err();
                ids.iter().filter(is_other).copied().collect()
            }
            _ => ids.clone(),
        }
    }
}

impl BatchContext<'_> {
    pub(super) fn prune(
        &mut self,
        cx: &CommandContext<'_>,
        before: Option<Timestamp>,
        keep_per_room: Option<u32>,
        from: RoomId,
        limit: u32,
    ) -> Result<Reply, Error> {
        self.settle()?;
        let limit = limit.max(1) as usize;
        let mut gone = Gone::new();
        let old = match before {
            Some(before) => self.remove_older(cx.request, before.0, limit, &mut gone)?,
            None => 0,
        };
        let (excess, next) = match keep_per_room {
            _ if old == limit => (0, Some(from)),
            Some(keep) => self.remove_excess(keep as usize, from, limit - old, &mut gone)?,
            None => (0, None),
        };
        let expired = self.count_expired(&gone)?;
        Ok(Reply::Pruned { messages: (old + excess) as u32, expired, next })
    }

    /// Removes the oldest messages that were posted before `before`, as far as the clock is trusted.
    fn remove_older(
        &mut self,
        request: Request,
        before: u64,
        limit: usize,
        gone: &mut Gone,
    ) -> Result<usize, StoreError> {
        let distrust = request.now - self.trusted(request)?;
        let before = before.saturating_sub(distrust);
        let mut old = Removal::default();
        let mut ahead = Vec::new();
        for row in self.batch.messages()?.iter()?.take(limit) {
            let (id, row) = row?;
            let row = MessageRow::unpack(row.value())?;
            if row.at > request.now {
                ahead.push((id.value(), row));
                continue;
            }
            if row.at >= before {
                break;
            }
            ahead.drain(..).for_each(|(id, row)| old.add(id, &row));
            old.add(id.value(), &row);
        }
        if old.ids.len() + ahead.len() == limit
            && let Some((last, _)) = ahead.last()
            && self.is_old_behind(*last, request.now, before)?
        {
            ahead.drain(..).for_each(|(id, row)| old.add(id, &row));
        }
        for id in &old.ids {
            self.batch.messages_mut()?.remove(*id)?;
        }
        for (stream, ids) in &old.streams {
            gone.push((*stream, old.missed_in(*stream)));
            if let Some(newest) = ids.last() {
                removed::note(&mut self.batch, *stream, *newest)?;
            }
            message_index::drop_dead(&mut self.batch, *stream)?;
        }
        Ok(old.ids.len())
    }

    /// Whether the first message behind `ahead` whose time is not ahead of the clock is old enough:
    /// then all before it are, whatever their time. Found by halving, since a step reads few rows.
    fn is_old_behind(&self, ahead: u64, now: u64, before: u64) -> Result<bool, StoreError> {
        let messages = self.batch.messages()?;
        let mut low = ahead;
        let mut high = self.counters.next_message;
        let mut is_old = false;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let Some(row) = messages.range(middle..high)?.next() else {
                high = middle;
                continue;
            };
            let (id, row) = row?;
            let row = MessageRow::unpack(row.value())?;
            if row.at > now {
                low = id.value();
            } else {
                is_old = row.at < before;
                high = middle;
            }
        }
        Ok(is_old)
    }

    /// Removes the oldest messages of rooms that have more than `keep`. Returns how many, and the
    /// room that the next step begins with.
    fn remove_excess(
        &mut self,
        keep: usize,
        from: RoomId,
        limit: usize,
        gone: &mut Gone,
    ) -> Result<(usize, Option<RoomId>), StoreError> {
        let rooms = message_index::of_room(from.0)..=message_index::of_room(u32::MAX);
        let rooms = self.batch.tails()?.range(rooms)?.take(ROOMS_MAX + 1);
        let mut rooms: Vec<u64> =
            rooms.map(|row| Ok(row?.0.value())).collect::<Result<_, StoreError>>()?;
        let mut next = if rooms.len() > ROOMS_MAX { rooms.pop() } else { None };
        let mut left = limit;
        let mut removed = 0;
        for room in rooms {
            let ids = message_index::take_excess(&mut self.batch, room, keep, left)?;
            left -= ids.len();
            if let Some(newest) = ids.last() {
                removed::note(&mut self.batch, room, *newest)?;
            }
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                // A message that was too old may be gone already.
                if self.batch.messages_mut()?.remove(id)?.is_some() {
                    found.push(id);
                }
            }
            removed += found.len();
            gone.push((room, found));
            if left == 0 {
                next = Some(room);
                break;
            }
        }
        Ok((removed, next.map(message_index::room)))
    }
}
