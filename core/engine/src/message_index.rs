//! The order of messages: a stream of ids for each room, and two for each user's direct messages.
//!
//! The newest ids of a stream form one small row of `tails`; every [`RUN`] ids move to `chunks` as
//! one row. A message thus costs an append to a row that is written anyway when several messages of
//! a room are in one commit, and two to three bytes on disk, instead of a row of its own in a
//! second tree. A tail is empty right after its ids moved; a stream without a tail has no ids.
//!
//! Retention removes the oldest messages from the front of their table and leaves their ids in the
//! stream until the whole run is dead. Readers skip ids below the [`floor`].

use std::collections::BTreeSet;

use core_model::RoomId;
use redb::ReadableTable;

use crate::error::StoreError;
use crate::id_run::{RUN, Run, count, pack, unpack};
use crate::removed;
use crate::rows::{Destination, MessageRow, Who};
use crate::state::Batch;
use crate::tables::Tables;

/// The two highest bits mark streams of direct messages; a room's stream is its id.
const INBOX: u64 = 1 << 63;
const OUTBOX: u64 = 1 << 62;

pub(crate) fn of_room(room: u32) -> u64 {
    u64::from(room)
}

/// Direct messages sent to a user.
pub(crate) fn of_inbox(uid: u64) -> u64 {
    INBOX | uid
}

/// Direct messages sent by a user: a stream of its own, so that they do not count as received.
pub(crate) fn of_outbox(uid: u64) -> u64 {
    OUTBOX | uid
}

/// The user of a stream of direct messages.
pub(crate) fn user(stream: u64) -> Option<u64> {
    (stream >= OUTBOX).then_some(stream & !(INBOX | OUTBOX))
}

/// The room of a room's stream.
pub(crate) fn room(stream: u64) -> RoomId {
    RoomId(u32::try_from(stream).expect("a stream of a room"))
}

/// The streams that list a message.
pub(crate) fn streams_of(row: &MessageRow) -> impl Iterator<Item = u64> {
    let streams = match (&row.author, row.to) {
        (_, Destination::Room(room)) => [Some(of_room(room)), None],
        (Who::User(from), Destination::User(to)) => [Some(of_outbox(*from)), Some(of_inbox(to))],
        (Who::Guest(_), Destination::User(to)) => [None, Some(of_inbox(to))],
    };
    streams.into_iter().flatten()
}

/// The oldest message that still exists: smaller ids in streams are dead.
pub(crate) fn floor(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.messages()?.first()?.map_or(u64::MAX, |(id, _)| id.value()))
}

/// Adds ids, all greater than any that the stream has.
pub(crate) fn append(batch: &mut Batch<'_>, stream: u64, ids: &[u64]) -> Result<(), StoreError> {
    let mut tail = match batch.tails()?.get(stream)? {
        Some(row) => Run::of("tails", row.value())?,
        None => Run::default(),
    };
    if tail.count > 0 && ids.first().is_some_and(|id| *id <= tail.last) {
        return Err(StoreError::Corrupt { table: "tails" });
    }
    for id in ids {
        tail.push(*id);
        if tail.count >= RUN {
            batch.chunks_mut()?.insert((stream, tail.first), tail.bytes.as_slice())?;
            tail = Run::default();
        }
    }
    batch.tails_mut()?.insert(stream, tail.bytes.as_slice())?;
    Ok(())
}

/// Takes one id out of a stream; false if the stream does not list it. A reader does not learn that
/// there was a message.
pub(crate) fn remove(batch: &mut Batch<'_>, stream: u64, id: u64) -> Result<bool, StoreError> {
    let mut ids = tail(batch, stream)?;
    if let Ok(at) = ids.binary_search(&id) {
        ids.remove(at);
        // An empty tail: a stream without one has no ids.
        batch.tails_mut()?.insert(stream, pack(&ids).as_slice())?;
        return Ok(true);
    }
    let first = first_key(batch, stream)?;
    if id < first {
        return Ok(false);
    }
    let row = batch.chunks()?.range((stream, first)..=(stream, id))?.next_back().transpose()?;
    let run =
        row.map(|(key, run)| Ok::<_, StoreError>((key.value().1, unpack("chunks", run.value())?)));
    let Some((key, mut ids)) = run.transpose()? else { return Ok(false) };
    let Ok(at) = ids.binary_search(&id) else { return Ok(false) };
    ids.remove(at);
    if ids.is_empty() {
        batch.chunks_mut()?.remove((stream, key))?;
    } else {
        batch.chunks_mut()?.insert((stream, key), pack(&ids).as_slice())?;
    }
    Ok(true)
}

/// Empties a stream, in a few writes however long it is; [`sweep`] removes its runs and their
/// messages later, in small steps.
pub(crate) fn clear(batch: &mut Batch<'_>, stream: u64) -> Result<(), StoreError> {
    let tail = tail(batch, stream)?;
    if let Some(first) = tail.first() {
        batch.garbage_mut()?.insert(*first, pack(&tail).as_slice())?;
        removed::keep(batch, stream, &tail)?;
    }
    batch.tails_mut()?.remove(stream)?;
    let newest = batch.chunks()?.range((stream, 0)..=(stream, u64::MAX))?.next_back();
    let newest = newest.transpose()?.map(|(key, _)| key.value().1);
    if let Some(newest) = newest {
        batch.cleared_mut()?.insert(stream, newest)?;
    }
    Ok(())
}

/// The lowest key that a run of a stream may have: those below were cleared.
pub(crate) fn first_key(tables: &impl Tables, stream: u64) -> Result<u64, StoreError> {
    Ok(tables.cleared()?.get(stream)?.map_or(0, |newest| newest.value() + 1))
}

/// Removes the runs whose messages are all gone.
pub(crate) fn drop_dead(batch: &mut Batch<'_>, stream: u64) -> Result<(), StoreError> {
    let floor = floor(batch)?;
    let is_dead = |ids: &[u64]| ids.last().is_none_or(|newest| *newest < floor);
    let mut dead = Vec::new();
    while let Some((first, run)) = oldest_run(batch, stream)? {
        if !is_dead(&run) {
            return removed::keep(batch, stream, &dead);
        }
        batch.chunks_mut()?.remove((stream, first))?;
        dead.extend(run);
    }
    if batch.tails()?.get(stream)?.is_some() {
        let tail = tail(batch, stream)?;
        if is_dead(&tail) {
            batch.tails_mut()?.remove(stream)?;
            dead.extend(tail);
        }
    }
    removed::keep(batch, stream, &dead)
}

/// Takes the oldest ids beyond the newest `keep` out of a stream, at most `limit`.
pub(crate) fn take_excess(
    batch: &mut Batch<'_>,
    stream: u64,
    keep: usize,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let taken = take_oldest(batch, stream, keep, limit)?;
    removed::keep(batch, stream, &taken)?;
    Ok(taken)
}

fn take_oldest(
    batch: &mut Batch<'_>,
    stream: u64,
    keep: usize,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let Some(kept_from) = oldest_kept(batch, stream, keep)? else { return Ok(Vec::new()) };
    let mut taken = Vec::new();
    // Returns how many ids at the front are taken.
    let take = |ids: &[u64], taken: &mut Vec<u64>| {
        let over = ids.partition_point(|id| *id < kept_from).min(limit - taken.len());
        taken.extend(&ids[..over]);
        over
    };
    while let Some((first, run)) = oldest_run(batch, stream)? {
        let over = take(&run, &mut taken);
        if over < run.len() {
            if over > 0 {
                batch.chunks_mut()?.insert((stream, first), pack(&run[over..]).as_slice())?;
            }
            return Ok(taken);
        }
        batch.chunks_mut()?.remove((stream, first))?;
    }
    let tail = tail(batch, stream)?;
    let over = take(&tail, &mut taken);
    if over == tail.len() {
        batch.tails_mut()?.remove(stream)?;
    } else if over > 0 {
        batch.tails_mut()?.insert(stream, pack(&tail[over..]).as_slice())?;
    }
    Ok(taken)
}

/// The oldest id to keep of a stream that has more than `keep`.
fn oldest_kept(tables: &impl Tables, stream: u64, keep: usize) -> Result<Option<u64>, StoreError> {
    let tail = tail(tables, stream)?;
    let mut kept = tail.len();
    if kept > keep {
        return Ok(Some(tail.get(kept - keep).copied().unwrap_or(u64::MAX)));
    }
    let first = first_key(tables, stream)?;
    for row in tables.chunks()?.range((stream, first)..=(stream, u64::MAX))?.rev() {
        let (_, run) = row?;
        let count = count(run.value());
        if kept + count > keep {
            let run = unpack("chunks", run.value())?;
            let over = count - (keep - kept);
            return Ok(run.get(over).copied().or(run.last().map(|last| last + 1)));
        }
        kept += count;
    }
    Ok(None)
}

/// The key and the ids of the oldest run of a stream.
fn oldest_run(tables: &impl Tables, stream: u64) -> Result<Option<(u64, Vec<u64>)>, StoreError> {
    let first = first_key(tables, stream)?;
    let row = tables.chunks()?.range((stream, first)..=(stream, u64::MAX))?.next().transpose()?;
    row.map(|(key, run)| Ok((key.value().1, unpack("chunks", run.value())?))).transpose()
}

/// Removes up to `runs_max` runs that [`clear`] left, with their messages.
pub(crate) fn sweep(batch: &mut Batch<'_>, runs_max: usize) -> Result<(), StoreError> {
    for _ in 0..runs_max {
        let Some(ids) = take_cleared(batch)? else { return Ok(()) };
        for id in ids {
            batch.messages_mut()?.remove(id)?;
        }
    }
    Ok(())
}

/// As [`clear`], for a room that ends: which messages were removed is forgotten too.
pub(crate) fn clear_for_good(batch: &mut Batch<'_>, stream: u64) -> Result<(), StoreError> {
    clear(batch, stream)?;
    removed::forget(batch, stream)
}

/// Whether [`sweep`] has something to do.
pub(crate) fn has_cleared(tables: &impl Tables) -> Result<bool, StoreError> {
    Ok(tables.garbage()?.first()?.is_some() || tables.cleared()?.first()?.is_some())
}

/// Takes a run that was cleared.
fn take_cleared(batch: &mut Batch<'_>) -> Result<Option<Vec<u64>>, StoreError> {
    if batch.garbage()?.first()?.is_some() {
        let row = batch.garbage_mut()?.pop_first()?;
        return row.map(|(_, run)| unpack("garbage", run.value())).transpose();
    }
    let Some((stream, newest)) =
        batch.cleared()?.first()?.map(|(stream, newest)| (stream.value(), newest.value()))
    else {
        return Ok(None);
    };
    let row = batch.chunks()?.range((stream, 0)..=(stream, newest))?.next().transpose()?;
    let run = row.map(|(key, run)| (key.value().1, unpack("chunks", run.value())));
    let Some((first, ids)) = run else {
        batch.cleared_mut()?.remove(stream)?;
        return Ok(Some(Vec::new()));
    };
    batch.chunks_mut()?.remove((stream, first))?;
    let ids = ids?;
    if matches!(holder(stream), Holder::Room(id) if batch.rooms()?.get(id)?.is_some()) {
        removed::keep(batch, stream, &ids)?;
    }
    Ok(Some(ids))
}

/// The newest ids below `before`, at most `limit`, ascending.
pub(crate) fn newest(
    tables: &impl Tables,
    stream: u64,
    before: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    newest_between(tables, stream, 0, before, limit)
}

/// The newest ids above `after` and below `before`, at most `limit`, ascending.
pub(crate) fn newest_between(
    tables: &impl Tables,
    stream: u64,
    after: u64,
    before: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let floor = floor(tables)?.max(after.saturating_add(1));
    let mut newest_first = Vec::with_capacity(2 * RUN);
    let mut take = |ids: Vec<u64>| {
        let there = |id: &u64| *id < before && *id >= floor;
        let is_oldest = ids.first().is_some_and(|first| *first < floor);
        newest_first.extend(ids.into_iter().rev().filter(there));
        newest_first.len() < limit && !is_oldest
    };
    if take(tail(tables, stream)?) {
        let first = first_key(tables, stream)?;
        let runs = (stream, first.min(before))..(stream, before);
        for row in tables.chunks()?.range(runs)?.rev() {
            if !take(unpack("chunks", row?.1.value())?) {
                break;
            }
        }
    }
    newest_first.truncate(limit);
    newest_first.reverse();
    Ok(newest_first)
}

/// The newest ids of several streams, each above its own id and below `before`, at most `limit`,
/// ascending.
///
/// It reads the streams from the one with the newest message on, and of each only what is newer than
/// the `limit` newest found so far: however many streams and messages there are, little more than
/// their tails.
pub(crate) fn newest_of(
    tables: &impl Tables,
    streams: &[(u64, u64)],
    before: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let mut by_newest = Vec::with_capacity(streams.len());
    for (stream, after) in streams {
        let newest = newest_between(tables, *stream, *after, before, limit.min(1))?;
        by_newest.extend(newest.first().map(|newest| (*newest, *stream, *after)));
    }
    by_newest.sort_unstable_by(|one, other| other.cmp(one));
    let mut found = BTreeSet::new();
    for (newest, stream, after) in by_newest {
        let oldest = found.first().copied().filter(|_| found.len() >= limit).unwrap_or(0);
        if newest <= oldest {
            break;
        }
        found.extend(newest_between(tables, stream, after.max(oldest), before, limit)?);
        while found.len() > limit {
            found.pop_first();
        }
    }
    Ok(found.into_iter().collect())
}

/// The oldest ids above `after`, at most `limit`, ascending.
pub(crate) fn oldest(
    tables: &impl Tables,
    stream: u64,
    after: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let after = after.max(floor(tables)?.saturating_sub(1));
    let Some(row) = tables.tails()?.get(stream)? else { return Ok(Vec::new()) };
    let newest = unpack("tails", row.value())?;
    // Runs are older than the tail: a reader that is nearly up to date needs none.
    if newest.first().is_some_and(|first| *first <= after) {
        return Ok(newest.into_iter().filter(|id| *id > after).take(limit).collect());
    }
    let mut ids: Vec<u64> = Vec::new();
    // The run that contains `after` begins at or before it.
    let chunks = tables.chunks()?;
    let first = first_key(tables, stream)?;
    let start = if after > first {
        let run = chunks.range((stream, first)..=(stream, after))?.next_back().transpose()?;
        run.map_or(first, |(key, _)| key.value().1)
    } else {
        first
    };
    for row in chunks.range((stream, start)..=(stream, u64::MAX))? {
        if ids.len() >= limit {
            break;
        }
        let run = unpack("chunks", row?.1.value())?;
        ids.extend(run.into_iter().filter(|id| *id > after));
    }
    if ids.len() < limit {
        ids.extend(newest.into_iter().filter(|id| *id > after));
    }
    ids.truncate(limit);
    Ok(ids)
}

/// The ids above `after` of messages that retention or an owner has removed, at most `limit` and a few,
/// in no order; None where they are not all known.
pub(crate) fn removed_after(
    tables: &impl Tables,
    stream: u64,
    after: u64,
    limit: usize,
) -> Result<Option<Vec<u64>>, StoreError> {
    let newest = removed::up_to(tables, stream)?;
    if newest <= after {
        return Ok(Some(Vec::new()));
    }
    let Some(mut ids) = removed::kept_after(tables, stream, after)? else { return Ok(None) };
    let mut take = |run: Vec<u64>| {
        let is_oldest = run.first().is_some_and(|first| *first <= after);
        ids.extend(run.into_iter().filter(|id| *id > after && *id <= newest));
        !is_oldest && ids.len() < limit
    };
    // Those whose run is not dead yet, or not swept.
    if take(tail(tables, stream)?) {
        for row in tables.chunks()?.range((stream, 0)..=(stream, newest))?.rev() {
            if !take(unpack("chunks", row?.1.value())?) {
                break;
            }
        }
    }
    Ok(Some(ids))
}

/// Calls `run` with each run and tail: its stream, its first id and all its ids.
pub(crate) fn each_run(
    tables: &impl Tables,
    mut run: impl FnMut(u64, u64, Result<Vec<u64>, StoreError>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for row in tables.chunks()?.iter()? {
        let (key, ids) = row?;
        let (stream, first) = key.value();
        run(stream, first, unpack("chunks", ids.value()))?;
    }
    for row in tables.tails()?.iter()? {
        let (stream, ids) = row?;
        let ids = unpack("tails", ids.value());
        let first = ids.as_ref().ok().and_then(|ids| ids.first().copied()).unwrap_or(0);
        run(stream.value(), first, ids)?;
    }
    Ok(())
}

/// The newest id that a stream lists, whether or not the message still exists; 0 for none.
pub(crate) fn newest_listed(tables: &impl Tables, stream: u64) -> Result<u64, StoreError> {
    if let Some(newest) = tail(tables, stream)?.last() {
        return Ok(*newest);
    }
    let first = first_key(tables, stream)?;
    let newest = tables.chunks()?.range((stream, first)..=(stream, u64::MAX))?.next_back();
    let Some(row) = newest.transpose()? else { return Ok(0) };
    Ok(unpack("chunks", row.1.value())?.last().copied().unwrap_or(0))
}

/// Whether the run that begins with this id was cleared.
pub(crate) fn is_cleared(
    tables: &impl Tables,
    stream: u64,
    first: u64,
) -> Result<bool, StoreError> {
    Ok(first < first_key(tables, stream)?)
}

/// The room or user of a stream.
pub(crate) enum Holder {
    Room(u32),
    User(u64),
    /// No stream has this number.
    Unknown,
}

pub(crate) fn holder(stream: u64) -> Holder {
    match (u32::try_from(stream), stream & (INBOX | OUTBOX)) {
        (Ok(room), _) => Holder::Room(room),
        (Err(_), INBOX | OUTBOX) => Holder::User(stream & !(INBOX | OUTBOX)),
        (Err(_), _) => Holder::Unknown,
    }
}

/// How many messages that still exist [`clear`] has left to [`sweep`].
pub(crate) fn cleared(tables: &impl Tables) -> Result<u64, StoreError> {
    let mut count = 0;
    for row in tables.garbage()?.iter()? {
        for id in unpack("garbage", row?.1.value())? {
            count += u64::from(tables.messages()?.get(id)?.is_some());
        }
    }
    Ok(count)
}

pub(crate) fn tail(tables: &impl Tables, stream: u64) -> Result<Vec<u64>, StoreError> {
    match tables.tails()?.get(stream)? {
        Some(row) => unpack("tails", row.value()),
        None => Ok(Vec::new()),
    }
}
