//! What a reader has missed, and which part of that is not there any more.
//!
//! The rules note in `cursors`, under the number of no user, up to which id messages of a stream were
//! removed by retention or by an owner.

use std::sync::Arc;

use core_model::{Gap, Message, MessageId, Query, Reply};
use redb::ReadableTable;

use crate::error::{Error, StoreError};
use crate::lookup;
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::state::{Batch, State};
use crate::tables::Tables;

/// The owner of the notes on what was removed; users begin at 10000.
pub(crate) const REMOVED: u64 = 0;

/// Missed messages that are counted. More than these are not worth the time.
const COUNT_MAX: usize = 100_000;

/// Notes that the messages of a stream up to this one were removed.
pub(crate) fn note_removed(
    batch: &mut Batch<'_>,
    stream: u64,
    newest: u64,
) -> Result<(), StoreError> {
    let noted = removed(batch, stream)?;
    batch.cursors_mut()?.insert((REMOVED, stream), noted.max(newest))?;
    Ok(())
}

/// Up to which id messages of a stream were removed; 0 for none.
fn removed(tables: &impl Tables, stream: u64) -> Result<u64, StoreError> {
    Ok(tables.cursors()?.get((REMOVED, stream))?.map_or(0, |newest| newest.value()))
}

/// Answers [`Query::Missed`] for a room.
pub(crate) fn answer(tables: &impl State, room: u32, query: &Query) -> Result<Reply, Error> {
    let Query::Missed { after, limit, newest, .. } = query else {
        unreachable!("called with a Missed")
    };
    let limit = *limit as usize;
    let stream = message_index::of_room(room);
    // A client cannot have messages that do not exist yet.
    let after = after.0.min(lookup::counters(tables)?.next_message - 1);
    let mut reader = MessageReader::new(tables);
    if *newest {
        let ids = message_index::newest_between(tables, stream, after, u64::MAX, limit)?;
        let messages = reader.newest_within(&ids, REPLY_BYTES_MAX)?;
        let gap = gap(tables, &[(stream, 0)], [after, after], &messages)?;
        return Ok(Reply::Missed { messages, gap, more: false });
    }
    let mut ids = message_index::oldest(tables, stream, after, limit.saturating_add(1))?;
    let is_cut = ids.len() > limit;
    ids.truncate(limit);
    let (messages, is_all) = reader.oldest_within(&ids, REPLY_BYTES_MAX)?;
    let removed = removed(tables, stream)?;
    let gap = (removed > after).then(|| Gap {
        after: MessageId(after),
        before: messages.first().map_or(MessageId(removed + 1), |first| first.id),
        count: None,
    });
    Ok(Reply::Missed { messages, gap, more: is_cut || !is_all })
}

/// What is missing of streams, each with the id that it begins after, for a reader that has
/// `acknowledged` messages up to one id, was `sent` those up to another, and now gets these of the
/// later ones.
pub(crate) fn gap(
    tables: &impl State,
    streams: &[(u64, u64)],
    [acknowledged, sent]: [u64; 2],
    messages: &[Arc<Message>],
) -> Result<Option<Gap>, StoreError> {
    let next = lookup::counters(tables)?.next_message;
    let before = messages.first().map_or(next, |first| first.id.0);
    let mut missing = Vec::new();
    let mut newest_removed = 0;
    for (stream, since) in streams {
        let after = sent.max(*since);
        let limit = (COUNT_MAX + 1).saturating_sub(missing.len());
        missing.extend(message_index::newest_between(tables, *stream, after, before, limit)?);
        let removed = removed(tables, *stream)?;
        if removed > acknowledged.max(*since) {
            newest_removed = newest_removed.max(removed);
        }
    }
    let is_all = missing.len() <= COUNT_MAX;
    // A message of a user to itself is in its inbox and in its outbox.
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() && newest_removed == 0 {
        return Ok(None);
    }
    let before =
        if messages.is_empty() && missing.is_empty() { newest_removed + 1 } else { before };
    let is_counted = newest_removed == 0 && is_all;
    Ok(Some(Gap {
        after: MessageId(if newest_removed > 0 { acknowledged } else { sent }),
        before: MessageId(before),
        count: is_counted.then_some(missing.len() as u64),
    }))
}
