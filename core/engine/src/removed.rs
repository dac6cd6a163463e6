//! Which messages of a stream retention or an owner has removed, so that a reader learns how many of
//! those it missed are gone.
//!
//! `cursors` has, under the number of no user, up to which id messages were removed, and up to which
//! their ids are not known. The ids are in runs in `chunks`, under a number beside the stream's own:
//! two to three bytes for a message that took a hundred, and only for the newest of them.

use redb::ReadableTable;

use crate::error::StoreError;
use crate::id_run::{RUN, Run, unpack};
use crate::rows::{self, pack};
use crate::state::Batch;
use crate::tables::Tables;

/// The owner of the notes in `cursors`; users begin at 10000.
pub(crate) const OWNER: u64 = 0;

/// The bit of the number beside a stream's own. Those of rooms and users are smaller, and the marks
/// of direct messages higher.
const REMOVED: u64 = 1 << 61;

/// The key of the row in `counters` that has the newest message of the store when it first kept such
/// notes: those up to it may have been removed without one.
const BEFORE_NOTES_KEY: u8 = 2;

/// Runs of removed ids that a stream keeps: some 16,000 ids, in some 40 KiB.
const RUNS_MAX: u64 = 512;

/// Notes that the messages of a stream up to this one were removed.
pub(crate) fn note(batch: &mut Batch<'_>, stream: u64, newest: u64) -> Result<(), StoreError> {
    let noted = up_to(batch, stream)?;
    batch.cursors_mut()?.insert((OWNER, stream), noted.max(newest))?;
    Ok(())
}

/// The same for messages whose ids are not known.
pub(crate) fn note_unknown(
    batch: &mut Batch<'_>,
    stream: u64,
    newest: u64,
) -> Result<(), StoreError> {
    note(batch, stream, newest)?;
    let number = stream | REMOVED;
    let known = batch.cursors()?.get((OWNER, number))?.map_or(0, |note| note.value());
    batch.cursors_mut()?.insert((OWNER, number), known.max(newest))?;
    Ok(())
}

/// Notes, once, up to which id messages may have been removed before there were such notes.
pub(crate) fn begin_notes(batch: &mut Batch<'_>, newest: u64) -> Result<(), StoreError> {
    if batch.counters()?.get(BEFORE_NOTES_KEY)?.is_none() {
        batch.counters_mut()?.insert(BEFORE_NOTES_KEY, pack(&newest).as_slice())?;
    }
    Ok(())
}

/// Up to which id messages of a stream were removed; 0 for none.
pub(crate) fn up_to(tables: &impl Tables, stream: u64) -> Result<u64, StoreError> {
    Ok(tables.cursors()?.get((OWNER, stream))?.map_or(0, |newest| newest.value()))
}

/// Keeps the ids of removed messages that the stream does not list any more.
pub(crate) fn keep(batch: &mut Batch<'_>, stream: u64, ids: &[u64]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let number = stream | REMOVED;
    let newest = batch.chunks()?.range((number, 0)..=(number, u64::MAX))?.next_back();
    let (mut place, mut run) = match newest.transpose()? {
        Some((key, row)) => (key.value().1, Run::of("chunks", row.value())?),
        None => (0, Run::default()),
    };
    for id in ids {
        // What an owner has removed is swept up later, and so may be older.
        if run.count >= RUN || run.count > 0 && *id <= run.last {
            batch.chunks_mut()?.insert((number, place), run.bytes.as_slice())?;
            place += 1;
            run = Run::default();
        }
        run.push(*id);
    }
    batch.chunks_mut()?.insert((number, place), run.bytes.as_slice())?;
    trim(batch, number, place)
}

/// Forgets the oldest runs, if there are too many up to `newest`.
fn trim(batch: &mut Batch<'_>, number: u64, newest: u64) -> Result<(), StoreError> {
    loop {
        let oldest = batch.chunks()?.range((number, 0)..=(number, newest))?.next().transpose()?;
        let Some((place, ids)) = oldest
            .map(|(key, row)| Ok::<_, StoreError>((key.value().1, unpack("chunks", row.value())?)))
            .transpose()?
        else {
            return Ok(());
        };
        if newest - place < RUNS_MAX {
            return Ok(());
        }
        batch.chunks_mut()?.remove((number, place))?;
        let known = not_known_up_to(batch, number)?.unwrap_or(0);
        let forgotten = ids.last().copied().unwrap_or(0);
        batch.cursors_mut()?.insert((OWNER, number), known.max(forgotten))?;
    }
}

/// Up to which id messages may have been removed whose ids are not known; None: any of them.
fn not_known_up_to(tables: &impl Tables, number: u64) -> Result<Option<u64>, StoreError> {
    if let Some(note) = tables.cursors()?.get((OWNER, number))? {
        return Ok(Some(note.value()));
    }
    let row = tables.counters()?.get(BEFORE_NOTES_KEY)?;
    row.map(|row| rows::unpack("counters", row.value())).transpose()
}

/// The ids above `after` that [`keep`] has kept; None where it has not kept all.
pub(crate) fn kept_after(
    tables: &impl Tables,
    stream: u64,
    after: u64,
) -> Result<Option<Vec<u64>>, StoreError> {
    let number = stream | REMOVED;
    if not_known_up_to(tables, number)?.is_none_or(|not_known| after < not_known) {
        return Ok(None);
    }
    let mut ids = Vec::new();
    for row in tables.chunks()?.range((number, 0)..=(number, u64::MAX))? {
        ids.extend(unpack("chunks", row?.1.value())?.into_iter().filter(|id| *id > after));
    }
    Ok(Some(ids))
}

/// Forgets the notes of a room that ends. Its runs are left to be swept up.
pub(crate) fn forget(batch: &mut Batch<'_>, stream: u64) -> Result<(), StoreError> {
    let number = stream | REMOVED;
    batch.cursors_mut()?.remove((OWNER, stream))?;
    batch.cursors_mut()?.remove((OWNER, number))?;
    let newest = batch.chunks()?.range((number, 0)..=(number, u64::MAX))?.next_back();
    let newest = newest.transpose()?.map(|(key, _)| key.value().1);
    if let Some(newest) = newest {
        batch.cleared_mut()?.insert(number, newest)?;
    }
    Ok(())
}

/// The stream whose removed messages a number of `chunks` has, if it is no stream's own.
pub(crate) fn stream_of(number: u64) -> Option<u64> {
    (number & REMOVED != 0).then_some(number & !REMOVED)
}
