//! What a [`Command::Receive`] finds. It changes something only where a cursor moves or the user
//! joins a room: one who asks again and again what is new mostly finds nothing, and that is read
//! from a snapshot as a query is.

use std::sync::Arc;

use core_model::{Command, MessageId, Refusal, Reply, TokenHash, UserRef};
use redb::ReadableTable;

use crate::error::Error;
use crate::lookup::{self, Request};
use crate::message_index;
use crate::message_reader::MessageReader;
use crate::rows::RoomRow;
use crate::state::State;

/// What there is to receive.
pub(crate) struct Receipt {
    pub(crate) ids: Vec<u64>,
    /// The id up to which the user has read with it.
    pub(crate) read: u64,
    /// Whether that is to be remembered.
    pub(crate) moves: bool,
}

/// The room that is meant, None for direct messages. Refused: no such room, or the user is not
/// the one that is expected.
pub(crate) fn room(
    tables: &impl State,
    uid: u64,
    command: &Command,
) -> Result<Option<(u32, Arc<RoomRow>)>, Error> {
    let Command::Receive { room, expect, .. } = command else { return Ok(None) };
    let room = room.as_ref().map(|room| lookup::room(tables, room, Some(uid))).transpose()?;
    if let Some(handle) = expect
        && lookup::person(tables, uid)?.handle != core_model::normalize(handle)
    {
        return Err(Refusal::NotAllowed.into());
    }
    Ok(room)
}

/// What a user finds in a stream, of which all messages have ids below `next_message`.
pub(crate) fn find(
    tables: &impl State,
    uid: u64,
    stream: u64,
    command: &Command,
    next_message: u64,
) -> Result<Receipt, Error> {
    let Command::Receive { after, limit, first_limit, newest, .. } = command else {
        unreachable!("called with a Receive")
    };
    let (limit, first_limit) = (*limit as usize, *first_limit as usize);
    let cursor = tables.cursors()?.get((uid, stream))?.map(|cursor| cursor.value());
    // Nobody can have read what is not there yet.
    let after = after.map(|after| after.0.min(next_message - 1));
    let from = after.or(cursor);
    let (ids, from) = match from {
        _ if *newest => (message_index::newest(tables, stream, u64::MAX, first_limit)?, from),
        Some(after) => (message_index::oldest(tables, stream, after, limit)?, from),
        // Whoever wants everything need not count it first.
        None if first_limit == u32::MAX as usize => {
            (message_index::oldest(tables, stream, 0, limit)?, from)
        }
        None => {
            let mut ids = message_index::newest(tables, stream, u64::MAX, first_limit + 1)?;
            let received_before = (ids.len() > first_limit).then(|| ids.remove(0));
            ids.truncate(limit);
            (ids, received_before)
        }
    };
    let read = ids.last().copied().or(from).unwrap_or(0);
    Ok(Receipt { ids, read, moves: !newest && cursor != Some(read) })
}

impl Receipt {
    pub(crate) fn reply(self, tables: &impl State) -> Result<Reply, Error> {
        let messages = MessageReader::new(tables).of(&self.ids)?;
        Ok(Reply::Received { messages, cursor: MessageId(self.read) })
    }
}

/// The reply to a command that would change nothing; None where it would, or might.
pub(crate) fn try_read_only(
    tables: &impl State,
    request: Request,
    command: &Command,
) -> Result<Option<Reply>, Error> {
    let Command::Receive { user, .. } = command else { return Ok(None) };
    let counters = lookup::counters(tables)?;
    // The writer's clock never goes back.
    let request = Request { now: request.now.max(counters.now), ..request };
    let uid = lookup::user(tables, request, user)?;
    let stream = match room(tables, uid, command)? {
        Some((id, _)) if lookup::is_member(tables, id, uid)? => message_index::of_room(id),
        Some(_) => return Ok(None),
        None => message_index::of_inbox(uid),
    };
    let receipt = find(tables, uid, stream, command, counters.next_message)?;
    if receipt.moves { Ok(None) } else { receipt.reply(tables).map(Some) }
}

/// The token by which the user of such a command is named, if it is.
pub(crate) fn token(command: &Command) -> Option<&TokenHash> {
    match command {
        Command::Receive { user: UserRef::Token(hash), .. } => Some(hash),
        _ => None,
    }
}
