//! Which messages are where: for each room, and for each user's direct messages, the ids in
//! order.
//!
//! The newest ids of a stream are one small row of `tails`; every [`RUN`] of them move to
//! `chunks` as one row. So a message costs an append to a row that is written anyway when
//! several messages of a room are in one commit, and two to three bytes on disk, instead of a row
//! of its own in a second tree.

use redb::ReadableTable;

use crate::store::{Batch, StoreError, Tables};

/// Ids in a row of `chunks`.
const RUN: usize = 128;

/// Streams of direct messages are marked by the two highest bits; rooms' are their ids.
const INBOX: u64 = 1 << 63;
const OUTBOX: u64 = 1 << 62;

pub(crate) fn of_room(room: u32) -> u64 {
    u64::from(room)
}

/// What was sent to a user.
pub(crate) fn of_inbox(uid: u64) -> u64 {
    INBOX | uid
}

/// What a user has sent to others. By itself, so that it takes no place among what one receives.
pub(crate) fn of_outbox(uid: u64) -> u64 {
    OUTBOX | uid
}

/// Adds ids, all greater than any that the stream has.
pub(crate) fn append(batch: &mut Batch<'_>, stream: u64, ids: &[u64]) -> Result<(), StoreError> {
    let mut tail = tail(batch, stream)?;
    tail.extend(ids);
    let mut rest = tail.as_slice();
    while rest.len() >= RUN {
        let (run, after) = rest.split_at(RUN);
        batch.chunks_mut()?.insert((stream, run[0]), pack(run).as_slice())?;
        rest = after;
    }
    batch.tails_mut()?.insert(stream, pack(rest).as_slice())?;
    Ok(())
}

/// Forgets the whole stream; its messages are swept up later, in small steps.
pub(crate) fn clear(batch: &mut Batch<'_>, stream: u64) -> Result<(), StoreError> {
    let tail = tail(batch, stream)?;
    let mut runs = Vec::new();
    for row in batch.chunks()?.range((stream, 0)..=(stream, u64::MAX))? {
        let (key, run) = row?;
        runs.push((key.value().1, run.value().to_vec()));
    }
    if let Some(first) = tail.first() {
        runs.push((*first, pack(&tail)));
    }
    for (first, run) in runs {
        batch.chunks_mut()?.remove((stream, first))?;
        batch.garbage_mut()?.insert(first, run.as_slice())?;
    }
    batch.tails_mut()?.remove(stream)?;
    Ok(())
}

/// Removes the rows of up to `runs_max` runs of forgotten messages.
pub(crate) fn sweep(batch: &mut Batch<'_>, runs_max: usize) -> Result<(), StoreError> {
    for _ in 0..runs_max {
        let Some((_, run)) = batch.garbage_mut()?.pop_first()? else { return Ok(()) };
        let ids = unpack("garbage", run.value())?;
        drop(run);
        for id in ids {
            batch.messages_mut()?.remove(id)?;
        }
    }
    Ok(())
}

/// The newest ids below `before`, at most `limit`, ascending.
pub(crate) fn newest(
    tables: &impl Tables,
    stream: u64,
    before: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let mut newest_first = Vec::new();
    let mut take = |ids: Vec<u64>| {
        newest_first.extend(ids.into_iter().rev().filter(|id| *id < before));
        newest_first.len() < limit
    };
    if take(tail(tables, stream)?) {
        for row in tables.chunks()?.range((stream, 0)..(stream, before))?.rev() {
            if !take(unpack("chunks", row?.1.value())?) {
                break;
            }
        }
    }
    newest_first.truncate(limit);
    newest_first.reverse();
    Ok(newest_first)
}

/// The oldest ids above `after`, at most `limit`, ascending.
pub(crate) fn oldest(
    tables: &impl Tables,
    stream: u64,
    after: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let mut ids: Vec<u64> = Vec::new();
    // The run that `after` falls into begins at or before it.
    let chunks = tables.chunks()?;
    let start = chunks.range((stream, 0)..=(stream, after))?.next_back().transpose()?;
    let start = start.map_or(0, |(key, _)| key.value().1);
    for row in chunks.range((stream, start)..=(stream, u64::MAX))? {
        if ids.len() >= limit {
            break;
        }
        let run = unpack("chunks", row?.1.value())?;
        ids.extend(run.into_iter().filter(|id| *id > after));
    }
    if ids.len() < limit {
        ids.extend(tail(tables, stream)?.into_iter().filter(|id| *id > after));
    }
    ids.truncate(limit);
    Ok(ids)
}

fn tail(tables: &impl Tables, stream: u64) -> Result<Vec<u64>, StoreError> {
    match tables.tails()?.get(stream)? {
        Some(row) => unpack("tails", row.value()),
        None => Ok(Vec::new()),
    }
}

/// The first id, then the distance of each from the one before, as LEB128.
fn pack(ids: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + 2 * ids.len());
    let mut last = 0;
    for id in ids {
        let mut rest = id - last;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        last = *id;
    }
    bytes
}

fn unpack(table: &'static str, bytes: &[u8]) -> Result<Vec<u64>, StoreError> {
    let mut ids = Vec::with_capacity(2 * RUN);
    let (mut last, mut distance, mut shift) = (0u64, 0u64, 0u32);
    for byte in bytes {
        if shift > 63 {
            return Err(StoreError::Corrupt { table });
        }
        distance |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            last = last.checked_add(distance).ok_or(StoreError::Corrupt { table })?;
            ids.push(last);
            (distance, shift) = (0, 0);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written() {
        for ids in [vec![], vec![1], vec![1, 2, 300, 1 << 40, (1 << 53) - 1]] {
            assert_eq!(unpack("tails", &pack(&ids)).unwrap(), ids);
        }
    }
}
