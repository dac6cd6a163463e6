//! What the store owes: the messages that users with delivery have not acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use redb::ReadableTable;

use super::{CURSOR, DEVICE, NO_DELIVERY, stream_of};
use crate::envelope::Owed;
use crate::error::StoreError;
use crate::rows::{SessionRow, unpack};
use crate::state::State;
use crate::{lookup, message_index, removed};

/// Counts up to `messages_max` messages.
pub(crate) fn owed(tables: &impl State, messages_max: usize) -> Result<Owed, StoreError> {
    let mut owed = Owed { is_complete: true, ..Owed::default() };
    let mut left = messages_max;
    for ((uid, _), cursor) in readers(tables)? {
        owed.readers += 1;
        let direct = direct(tables, uid, cursor, left)?;
        owed.direct += take(&mut left, direct);
        for room in lookup::rooms_of_member(tables, uid)? {
            let since = tables.members()?.get((room, uid))?.map_or(0, |it| it.value().1);
            let stream = message_index::of_room(room);
            let after = cursor.max(since);
            let count = message_index::newest_between(tables, stream, after, u64::MAX, left)?.len();
            let is_closed = lookup::known_room(tables, room)?.closed;
            let counter = if is_closed { &mut owed.group } else { &mut owed.public };
            *counter += take(&mut left, count);
        }
        if left == 0 {
            owed.is_complete = false;
            break;
        }
    }
    Ok(owed)
}

fn take(left: &mut usize, count: usize) -> u64 {
    *left = left.saturating_sub(count);
    count as u64
}

/// The users' devices and shared sessions (user, stream of the cursor), each with the id up to which
/// it has acknowledged: those that are signed in, and those that were.
fn readers(tables: &impl State) -> Result<BTreeMap<(u64, u64), u64>, StoreError> {
    let mut readers = BTreeMap::new();
    for row in tables.cursors()?.iter()? {
        let (key, id) = row?;
        let (uid, stream) = key.value();
        if uid == removed::OWNER || stream < DEVICE {
            continue;
        }
        // The row without the bit says what was sent; a reader may have that one only.
        let cursor = readers.entry((uid, stream | CURSOR)).or_default();
        if stream & CURSOR != 0 {
            *cursor = id.value();
        }
    }
    // One that has signed in and acknowledged nothing yet has no row.
    for row in tables.sessions()?.iter()? {
        let session: SessionRow = unpack("sessions", row?.1.value())?;
        if session.delivery != NO_DELIVERY {
            readers.entry((session.uid, stream_of(&session))).or_default();
        }
    }
    Ok(readers)
}

/// A message of a user to itself is in its inbox and in its outbox.
fn direct(tables: &impl State, uid: u64, after: u64, limit: usize) -> Result<usize, StoreError> {
    let mut ids = BTreeSet::new();
    for stream in [message_index::of_inbox(uid), message_index::of_outbox(uid)] {
        ids.extend(message_index::newest_between(tables, stream, after, u64::MAX, limit)?);
    }
    Ok(ids.len())
}
