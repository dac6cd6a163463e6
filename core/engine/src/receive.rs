//! [`Command::Receive`]. It writes only where the cursor moves or the user joins a room. A polling
//! client mostly finds nothing new, and that answer is read from a snapshot, as a query is.

use std::sync::Arc;

use core_model::{Command, Message, MessageId, Refusal, Reply, TokenHash, UserRef};
use redb::ReadableTable;

use crate::bans;
use crate::clock::engine_time;
use crate::envelope::Deferred;
use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::missed;
use crate::removed;
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
    stream: u64,
    /// The message that the client says to have.
    after: Option<u64>,
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

/// Refuses a message that the client says to have though there never was one.
pub(crate) fn check_after(command: &Command, next_message: u64) -> Result<(), Refusal> {
    match command {
        Command::Receive { after: Some(after), newest: false, .. } => {
            missed::check_sent(after.0, next_message - 1)
        }
        _ => Ok(()),
    }
}

/// Finds what a user receives of a stream.
pub(crate) fn find(
    tables: &impl State,
    uid: u64,
    stream: u64,
    command: &Command,
) -> Result<Receipt, Error> {
    let Command::Receive { after, limit, first_limit, newest, .. } = command else {
        unreachable!("called with a Receive")
    };
    let limit = *limit as usize;
    let first_limit = *first_limit as usize;
    let cursor = tables.cursors()?.get((uid, stream))?.map(|cursor| cursor.value());
    let after = after.map(|after| after.0);
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
    let mut read = ids.last().copied().or(from).unwrap_or(0);
    // The reply says what was removed; the cursor would stay before it, and each reply say it again.
    if after.is_some() && ids.is_empty() && !newest {
        read = read.max(removed::up_to(tables, stream)?);
    }
    let moves = !newest && cursor != Some(read);
    Ok(Receipt { ids, newest: *newest, read, moves, stream, after })
}

impl Receipt {
    /// The reply, with as many messages as it may hold, and the id up to which they are received.
    pub(crate) fn reply(&self, tables: &impl State) -> Result<(Reply, u64), StoreError> {
        let (messages, read) = self.messages(tables)?;
        let after = self.after.filter(|_| !self.newest);
        let gap = match after {
            Some(after) => missed::removed_before(tables, self.stream, after, &messages)?,
            None => None,
        };
        Ok((Reply::Received { messages, cursor: MessageId(read), gap }, read))
    }

    fn messages(&self, tables: &impl State) -> Result<(Vec<Arc<Message>>, u64), StoreError> {
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

/// The reply to a command that changes nothing. `Err`: it may change something, or has more messages.
pub(crate) fn try_read_only(
    tables: &impl State,
    request: Request,
    command: &Command,
    messages_max: usize,
) -> Result<Result<Reply, Deferred>, Error> {
    let Command::Receive { user, .. } = command else { return Ok(Err(Deferred::COMMAND)) };
    let counters = lookup::counters(tables)?;
    let request = Request { now: engine_time(counters.now, request.now), ..request };
    let uid = lookup::user(tables, request, user)?;
    bans::check_user(tables, request, uid)?;
    let (stream, joins) = match room(tables, uid, command)? {
        Some((id, _)) => (message_index::of_room(id), !lookup::is_member(tables, id, uid)?),
        None => (message_index::of_inbox(uid), false),
    };
    check_after(command, counters.next_message)?;
    let receipt = find(tables, uid, stream, command)?;
    let messages = receipt.ids.len();
    if receipt.moves || joins {
        return Ok(Err(Deferred::MustSubmit { messages }));
    }
    if messages > messages_max {
        return Ok(Err(Deferred::Long { messages }));
    }
    Ok(Ok(receipt.reply(tables)?.0))
}

/// The token that names the command's user, if one does.
pub(crate) fn token(command: &Command) -> Option<&TokenHash> {
    match command {
        Command::Receive { user: UserRef::Token(hash), .. } => Some(hash),
        _ => None,
    }
}
