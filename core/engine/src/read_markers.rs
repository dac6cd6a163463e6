//! Up to when users have read their conversations.
//!
//! The marks are rows of `cursors` whose values are times in ms. Their stream numbers are of no stream
//! of messages.

use core_model::{ConversationRef, Timestamp};
use redb::ReadableTable;

use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::state::State;
use crate::tables::Tables;

/// The bit of the marks of direct messages with a user, and that of the marks of rooms.
const WITH_USER: u64 = 1 << 60;
const OF_ROOM: u64 = 1 << 61;

/// The marks of one user: the greatest has this bit pattern and a room of 32 bits.
const END: u64 = OF_ROOM + WITH_USER;

/// The stream number of the mark of a room.
pub(crate) fn of_room(room: u32) -> u64 {
    OF_ROOM | u64::from(room)
}

/// Whether a row of `cursors` with this stream number is a mark.
pub(crate) fn is_marker(stream: u64) -> bool {
    (WITH_USER..END).contains(&stream)
}

/// The stream number of the mark of direct messages with a user.
pub(crate) fn with_user(uid: u64) -> u64 {
    WITH_USER | uid
}

/// What a mark is of.
pub(crate) enum Marked {
    Room(u32),
    User(u64),
}

/// What the mark with this stream number is of; none for the number of no mark.
pub(crate) fn marked(stream: u64) -> Option<Marked> {
    match stream {
        OF_ROOM..END => u32::try_from(stream - OF_ROOM).ok().map(Marked::Room),
        WITH_USER..OF_ROOM => Some(Marked::User(stream - WITH_USER)),
        _ => None,
    }
}

/// The stream number of the mark of a conversation of a user.
pub(crate) fn find(
    tables: &impl State,
    request: Request,
    uid: u64,
    conversation: &ConversationRef,
) -> Result<u64, Error> {
    Ok(match conversation {
        ConversationRef::Room(room) => of_room(lookup::room(tables, room, Some(uid))?.0),
        ConversationRef::User(user) => with_user(lookup::user(tables, request, user)?),
    })
}

/// Up to when a user has read.
pub(crate) fn get(
    tables: &impl Tables,
    uid: u64,
    stream: u64,
) -> Result<Option<Timestamp>, StoreError> {
    Ok(tables.cursors()?.get((uid, stream))?.map(|at| Timestamp(at.value())))
}

/// The marks of a user: their stream numbers and times.
pub(crate) fn all(tables: &impl Tables, uid: u64) -> Result<Vec<(u64, u64)>, StoreError> {
    let rows = tables.cursors()?.range((uid, WITH_USER)..(uid, END))?;
    rows.map(|row| {
        let (key, at) = row?;
        Ok((key.value().1, at.value()))
    })
    .collect()
}
