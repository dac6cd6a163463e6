//! What a reader has missed, and which part of that is not there any more.

use std::sync::Arc;

use core_model::{Gap, Message, MessageId, Query, Refusal, Reply};

use crate::error::{Error, StoreError};
use crate::lookup;
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::removed;
use crate::state::State;

/// Missed messages that are counted. More than these are not worth the time.
const COUNT_MAX: usize = 100_000;

/// Answers [`Query::Missed`] for a room.
pub(crate) fn answer(tables: &impl State, room: u32, query: &Query) -> Result<Reply, Error> {
    let Query::Missed { after, limit, newest, .. } = query else {
        unreachable!("called with a Missed")
    };
    let limit = *limit as usize;
    let stream = message_index::of_room(room);
    let last = MessageId(lookup::counters(tables)?.next_message - 1);
    let Some(after) = after.map(|after| after.0) else {
        return Ok(Reply::Missed { messages: Vec::new(), gap: None, more: false, cursor: last });
    };
    check_sent(after, last.0)?;
    let mut reader = MessageReader::new(tables);
    if *newest {
        let ids = message_index::newest_between(tables, stream, after, u64::MAX, limit)?;
        let messages = reader.newest_within(&ids, REPLY_BYTES_MAX)?;
        let gap = gap(tables, &[(stream, 0)], [after, after], &messages)?;
        return Ok(Reply::Missed { messages, gap, more: false, cursor: last });
    }
    let mut ids = message_index::oldest(tables, stream, after, limit.saturating_add(1))?;
    let is_cut = ids.len() > limit;
    ids.truncate(limit);
    let (messages, is_all) = reader.oldest_within(&ids, REPLY_BYTES_MAX)?;
    let gap = removed_before(tables, stream, after, &messages)?;
    let more = is_cut || !is_all;
    let cursor = messages.last().map(|message| message.id).filter(|_| more).unwrap_or(last);
    Ok(Reply::Missed { messages, gap, more, cursor })
}

/// Refuses a message that the reader says to have though none with this id was ever sent: the store
/// may be an older one, and what comes next would seem to be known.
pub(crate) fn check_sent(after: u64, newest: u64) -> Result<(), Refusal> {
    if after > newest { Err(Refusal::UnknownMessage) } else { Ok(()) }
}

/// What was removed of a stream between a message that the reader has and the first of these.
pub(crate) fn removed_before(
    tables: &impl State,
    stream: u64,
    after: u64,
    messages: &[Arc<Message>],
) -> Result<Option<Gap>, StoreError> {
    let newest = removed::up_to(tables, stream)?;
    if newest <= after {
        return Ok(None);
    }
    let ids = message_index::removed_after(tables, stream, after, COUNT_MAX + 1)?;
    let count = ids.map(|ids| ids.len()).filter(|count| *count <= COUNT_MAX);
    Ok(Some(Gap {
        after: MessageId(after),
        before: messages.first().map_or(MessageId(newest + 1), |first| first.id),
        count: count.map(|count| count as u64),
    }))
}

/// What is missing of streams, each with the id that it begins after, for a reader that has
/// `acknowledged` messages up to one id, was `sent` those up to another, and now gets `messages`, of
/// those after `sent` the newest.
///
/// The gap spans what is missing and as little else as possible: messages of one stream may have been
/// removed while older ones of another are there.
pub(crate) fn gap(
    tables: &impl State,
    streams: &[(u64, u64)],
    [acknowledged, sent]: [u64; 2],
    messages: &[Arc<Message>],
) -> Result<Option<Gap>, StoreError> {
    let next = lookup::counters(tables)?.next_message;
    let shown = &messages[messages.partition_point(|message| message.id.0 <= sent)..];
    let before = shown.first().map_or(next, |first| first.id.0);
    let mut missing = Vec::new();
    let mut gone = Vec::new();
    let mut is_all = true;
    let mut newest_removed = 0;
    for (stream, since) in streams {
        let after = sent.max(*since);
        let limit = (COUNT_MAX + 1).saturating_sub(missing.len() + gone.len());
        missing.extend(message_index::newest_between(tables, *stream, after, before, limit)?);
        let from = acknowledged.max(*since);
        let removed = removed::up_to(tables, *stream)?;
        if removed > from {
            newest_removed = newest_removed.max(removed);
            match message_index::removed_after(tables, *stream, from, limit)? {
                Some(ids) => gone.extend(ids),
                None => is_all = false,
            }
        }
    }
    let Some(last) = missing.iter().copied().chain([newest_removed]).max().filter(|id| *id > 0)
    else {
        return Ok(None);
    };
    missing.extend(gone);
    is_all &= missing.len() <= COUNT_MAX;
    // A message of a user to itself is in its inbox and in its outbox.
    missing.sort_unstable();
    missing.dedup();
    let from = if newest_removed > 0 { acknowledged } else { sent };
    // Where not all are known, the first may be any.
    let first = missing.first().copied().filter(|_| is_all).unwrap_or(0);
    let ids = || messages.iter().map(|message| message.id);
    let has = ids().take_while(|id| id.0 < first).last().unwrap_or_default();
    Ok(Some(Gap {
        after: MessageId(from).max(has),
        before: ids().find(|id| id.0 > last).unwrap_or(MessageId(last + 1)),
        count: is_all.then_some(missing.len() as u64),
    }))
}
