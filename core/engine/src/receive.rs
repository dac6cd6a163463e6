//! [`Command::Receive`]. It writes only where the cursor moves or the user joins a room. A polling
//! client mostly finds nothing new, and that answer is read from a snapshot, as a query is.

use std::sync::Arc;

use core_model::{Command, Message, MessageId, Refusal, Reply, TokenHash, UserRef};
use redb::ReadableTable;

use crate::clock::engine_time;
use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::rows::RoomRow;
use crate::state::State;

/// The result of a [`Command::Receive`].
pub(crate) struct Receipt {
    ids: Vec<u64>,
    /// Whether the newest have priority if not all fit into a reply.
    newest: bool,
    /// The id up to which the user has now received.
    pub(crate) read: u64,
    /// Whether the user's cursor has to move to it.
    pub(crate) moves: bool,
}

/// The room to receive from, None for direct messages. Refuses an unknown room and an unexpected
/// user.
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

/// Finds what a user receives of a stream whose ids are below `next_message`.
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
    let limit = *limit as usize;
    let first_limit = *first_limit as usize;
    let cursor = tables.cursors()?.get((uid, stream))?.map(|cursor| cursor.value());
    // A client cannot have received messages that do not exist yet.
    let after = after.map(|after| after.0.min(next_message - 1));
    let from = after.or(cursor);
    let (ids, from) = match from {
        _ if *newest => (message_index::newest(tables, stream, u64::MAX, first_limit)?, from),
        Some(after) => (message_index::oldest(tables, stream, after, limit)?, from),
        // Without a limit there is no need to count from the end.
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
    Ok(Receipt { ids, newest: *newest, read, moves: !newest && cursor != Some(read) })
}

impl Receipt {
    /// The messages, as far as one reply may hold them, and the id up to which they are received.
    pub(crate) fn messages(
        &self,
        tables: &impl State,
    ) -> Result<(Vec<Arc<Message>>, u64), StoreError> {
        let mut reader = MessageReader::new(tables);
        if self.newest {
            return Ok((reader.newest_within(&self.ids, REPLY_BYTES_MAX)?, self.read));
        }
        let (messages, is_all) = reader.oldest_within(&self.ids, REPLY_BYTES_MAX)?;
        let read = match messages.last() {
            Some(last) if !is_all => last.id.0,
            _ => self.read,
        };
        Ok((messages, read))
    }
}

/// The reply to a command that changes nothing; None where it may change something.
pub(crate) fn try_read_only(
    tables: &impl State,
    request: Request,
    command: &Command,
) -> Result<Option<Reply>, Error> {
    let Command::Receive { user, .. } = command else { return Ok(None) };
    let counters = lookup::counters(tables)?;
    let request = Request { now: engine_time(counters.now, request.now), ..request };
    let uid = lookup::user(tables, request, user)?;
    let stream = match room(tables, uid, command)? {
        Some((id, _)) if lookup::is_member(tables, id, uid)? => message_index::of_room(id),
        Some(_) => return Ok(None),
        None => message_index::of_inbox(uid),
    };
    let receipt = find(tables, uid, stream, command, counters.next_message)?;
    if receipt.moves {
        return Ok(None);
    }
    let (messages, read) = receipt.messages(tables)?;
    Ok(Some(Reply::Received { messages, cursor: MessageId(read) }))
}

/// The token that names the command's user, if one does.
pub(crate) fn token(command: &Command) -> Option<&TokenHash> {
    match command {
        Command::Receive { user: UserRef::Token(hash), .. } => Some(hash),
        _ => None,
    }
}
