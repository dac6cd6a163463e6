//! Messages, the streams that order them, and cursors.

use std::collections::BTreeSet;

use redb::ReadableTable;

use super::Report;
use super::accounts::counters;
use crate::error::StoreError;
use crate::message_index::{self, Holder};
use crate::read_markers;
use crate::removed::{self, OWNER};
use crate::rows::MessageRow;
use crate::signatures;
use crate::tables::Tables;

pub(super) fn check_messages(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let next_message = counters(tables)?.next_message;
    let mut expected = 0;
    for row in tables.messages()?.iter()? {
        let (id, row) = row?;
        let id = id.value();
        report.expect(id < next_message, || format!("message {id} is beyond the counter"));
        match MessageRow::unpack(row.value()) {
            Ok(row) => expected += message_index::streams_of(&row).count() as u64,
            Err(_) => report.fault(format!("message {id} cannot be read")),
        }
    }
    let mut found = 0;
    message_index::each_run(tables, |stream, first, ids| {
        let ids = ids?;
        if let Some(of) = removed::stream_of(stream) {
            return check_removed(tables, report, (stream, of), first, &ids);
        }
        report.expect(ids.is_sorted_by(|one, other| one < other), || {
            format!("the ids of stream {stream} from {first} do not ascend")
        });
        // Retention by number takes ids off the front of a run, which keeps its key.
        report.expect(ids.first().is_none_or(|id| *id >= first), || {
            format!("a run of stream {stream} begins before {first}")
        });
        let is_held = is_held(tables, stream)? || message_index::is_cleared(tables, stream, first)?;
        report.expect(is_held, || format!("stream {stream} is of no room and no user"));
        for id in ids {
            found += u64::from(check_listed(tables, report, stream, id)?);
        }
        Ok(())
    })?;
    // Messages of cleared rooms stay until they are swept up.
    let cleared = message_index::cleared(tables)?;
    report.expect(found + cleared == expected, || {
        format!("{expected} messages are to be listed, and {found} are, {cleared} cleared")
    });
    Ok(())
}

/// Checks a run of ids of removed messages.
fn check_removed(
    tables: &impl Tables,
    report: &mut Report,
    (number, stream): (u64, u64),
    place: u64,
    ids: &[u64],
) -> Result<(), StoreError> {
    report.expect(ids.is_sorted_by(|one, other| one < other), || {
        format!("the removed ids of stream {stream} do not ascend")
    });
    let newest = removed::up_to(tables, stream)?;
    let is_swept_up = message_index::is_cleared(tables, number, place)?;
    report.expect(is_swept_up || ids.last().is_none_or(|last| *last <= newest), || {
        format!("stream {stream} has removed ids beyond {newest}")
    });
    let is_held = is_held(tables, stream)? || is_swept_up;
    report
        .expect(is_held, || format!("removed ids are of stream {stream}, of no room and no user"));
    Ok(())
}

/// Whether the room or user of a stream exists.
fn is_held(tables: &impl Tables, stream: u64) -> Result<bool, StoreError> {
    Ok(match message_index::holder(stream) {
        Holder::Room(id) => tables.rooms()?.get(id)?.is_some(),
        Holder::User(uid) => tables.users()?.get(uid)?.is_some(),
        Holder::Unknown => false,
    })
}

/// What is cleared ends with a whole run, or has been swept up.
pub(super) fn check_cleared(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    for row in tables.cleared()?.iter()? {
        let (stream, newest) = row?;
        let (stream, newest) = (stream.value(), newest.value());
        let last =
            tables.chunks()?.range((stream, 0)..=(stream, newest))?.next_back().transpose()?;
        let ends_there = last.is_none_or(|(key, _)| key.value().1 == newest);
        report
            .expect(ends_there, || format!("stream {stream} is cleared up to the middle of a run"));
    }
    Ok(())
}

/// Checks that a message of a stream belongs there. Returns whether it still exists.
fn check_listed(
    tables: &impl Tables,
    report: &mut Report,
    stream: u64,
    id: u64,
) -> Result<bool, StoreError> {
    let Some(row) = tables.messages()?.get(id)? else {
        // Retention removes the oldest messages and leaves their ids.
        let is_dead = id < message_index::floor(tables)?;
        report.expect(is_dead, || format!("message {id} of stream {stream} does not exist"));
        return Ok(false);
    };
    if let Ok(row) = MessageRow::unpack(row.value()) {
        let belongs = message_index::streams_of(&row).any(|listed| listed == stream);
        report.expect(belongs, || format!("message {id} does not belong to stream {stream}"));
    }
    Ok(true)
}

pub(super) fn check_cursors(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let next_message = counters(tables)?.next_message;
    for row in tables.cursors()?.iter()? {
        let (key, cursor) = row?;
        let (uid, stream) = key.value();
        let is_known = uid == OWNER || tables.users()?.get(uid)?.is_some();
        report.expect(is_known, || format!("a cursor belongs to the unknown user {uid}"));
        let is_marker = read_markers::is_marker(stream);
        report.expect(is_marker || cursor.value() < next_message, || {
            format!("the cursor of user {uid} in stream {stream} is beyond the counter")
        });
    }
    Ok(())
}

/// The signatures that searches look at: none says too little.
pub(super) fn check_signatures(
    tables: &impl Tables,
    report: &mut Report,
) -> Result<(), StoreError> {
    let next = signatures::next_block(tables)?;
    let mut signed = BTreeSet::new();
    for row in tables.signatures()?.iter()? {
        let (block, signature) = row?;
        let block = block.value();
        signed.insert(block);
        report
            .expect(block < next, || format!("the signature of block {block} is beyond the last"));
        let terms = signatures::terms_of(tables, block)?;
        let finds_all = signatures::may_have(signature.value(), &terms);
        report.expect(finds_all, || format!("searches do not find all messages of block {block}"));
    }
    let mut checked = None;
    for row in tables.messages()?.range(..signatures::ids_of(next).start)? {
        let block = signatures::block_of(row?.0.value());
        if checked.replace(block) == Some(block) || signed.contains(&block) {
            continue;
        }
        let is_empty = signatures::terms_of(tables, block)?.is_empty();
        report.expect(is_empty, || format!("searches do not find the messages of block {block}"));
    }
    Ok(())
}
