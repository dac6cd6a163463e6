//! Parts of conversations, and the list of them: [`Query::Excerpt`](core_model::Query::Excerpt) and
//! [`Query::Conversations`](core_model::Query::Conversations).

use std::collections::BTreeSet;

use core_model::{
    ConversationRef, ConversationView, MessageId, Part, Position, Recipient, Refusal, Reply,
    RoomId, RoomRef, Timestamp, Uid,
};
use redb::ReadableTable;

use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::message_index::{self, of_inbox, of_outbox, of_room};
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::rows::{Destination, MessageRow, Who};
use crate::state::State;
use crate::stream_cursor::Ids;

/// Direct messages that are looked at for the list of conversations, the newest.
const SCANNED_MAX: usize = 20_000;

/// The ids at a position: none if `last` is below `first`.
struct Span {
    first: u64,
    last: u64,
}

impl Span {
    fn of(tables: &impl State, position: Position) -> Result<Self, StoreError> {
        Ok(match position {
            Position::Message(MessageId(id)) => Self { first: id, last: id },
            Position::Time(Timestamp(time)) => {
                let first = first_at(tables, time)?;
                let next = first_at(tables, time.saturating_add(1))?;
                Self { first, last: next.max(first).saturating_sub(1) }
            }
        })
    }
}

/// The id of the first message that was posted at a time or later; the next one to be given if there
/// is none.
fn first_at(tables: &impl State, time: u64) -> Result<u64, StoreError> {
    let messages = tables.messages()?;
    let mut high = lookup::counters(tables)?.next_message;
    let mut low = message_index::floor(tables)?.min(high);
    while low < high {
        let middle = low + (high - low) / 2;
        match messages.range(middle..high)?.next().transpose()? {
            Some((id, row)) if MessageRow::time(row.value())? < time => low = id.value() + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Answers an excerpt.
pub(crate) fn answer(
    tables: &impl State,
    request: Request,
    conversation: &ConversationRef,
    caller: Option<u64>,
    part: Part,
    limit: usize,
) -> Result<Reply, Error> {
    let mut ids = match conversation {
        ConversationRef::Room(room) => {
            let (id, _) = lookup::room(tables, room, caller)?;
            Ids::new(tables, &[&[of_room(id)]])?
        }
        ConversationRef::User(user) => {
            let caller = caller.ok_or(Refusal::NotSignedIn)?;
            let other = lookup::user(tables, request, user)?;
            let sent = [of_outbox(caller), of_inbox(other)];
            let received = [of_outbox(other), of_inbox(caller)];
            let sets: [&[u64]; 2] = [&sent, &received];
            let count = if caller == other { 1 } else { 2 };
            Ids::new(tables, &sets[..count])?
        }
    };
    let span = |position| Span::of(tables, position);
    let mut reader = MessageReader::new(tables);
    let mut newest = |ids: &mut Ids<'_, _>, after: u64, before: u64| -> Result<_, StoreError> {
        let ids = ids.newest_between(after, before, limit)?;
        reader.newest_within(&ids, REPLY_BYTES_MAX)
    };
    let messages = match part {
        Part::Newest { after } => {
            let after = after.map(span).transpose()?.map_or(0, |span| span.last);
            newest(&mut ids, after, u64::MAX)?
        }
        Part::Before(position) => newest(&mut ids, 0, span(position)?.first)?,
        Part::After(position) => {
            let found = ids.oldest_between(span(position)?.last, u64::MAX, limit)?;
            reader.oldest_within(&found, REPLY_BYTES_MAX)?.0
        }
        Part::Between { from, to } => {
            let from = span(from)?;
            let to = span(to)?;
            if from.first > to.first {
                newest(&mut ids, to.last, from.first)?
            } else {
                let found = ids.oldest_between(from.last, to.first, limit)?;
                reader.oldest_within(&found, REPLY_BYTES_MAX)?.0
            }
        }
        Part::Around(position) => {
            let [older, newer] = around(&mut ids, span(position)?.first, limit)?;
            let mut messages = reader.newest_within(&older, REPLY_BYTES_MAX / 2)?;
            messages.extend(reader.oldest_within(&newer, REPLY_BYTES_MAX / 2)?.0);
            messages
        }
    };
    Ok(Reply::Messages { messages })
}

/// The ids below `first`, and those from it on, together at most `limit`.
fn around<T: State>(
    ids: &mut Ids<'_, T>,
    first: u64,
    limit: usize,
) -> Result<[Vec<u64>; 2], StoreError> {
    let mut older = ids.newest_between(0, first, limit)?;
    let mut newer = ids.oldest_between(first.saturating_sub(1), u64::MAX, limit)?;
    let older_count = (limit / 2).max(limit - newer.len()).min(older.len());
    older.drain(..older.len() - older_count);
    newer.truncate(limit - older_count);
    Ok([older, newer])
}

/// Answers with a list of conversations.
pub(crate) fn conversations(
    tables: &impl State,
    caller: Option<u64>,
    rooms: &[RoomId],
    [from, to]: [Timestamp; 2],
    limit: usize,
) -> Result<Reply, Error> {
    let first = first_at(tables, from.min(to).0.saturating_add(1))?;
    let end = first_at(tables, from.max(to).0)?;
    let mut newest = BTreeSet::new();
    for room in rooms {
        let id = match lookup::room(tables, &RoomRef::Id(*room), caller) {
            Ok((id, _)) => id,
            Err(Error::Refused(_)) => continue,
            Err(error) => return Err(error),
        };
        newest.extend(message_index::newest(tables, of_room(id), u64::MAX, 1)?);
    }
    if let Some(caller) = caller {
        newest.extend(newest_direct(tables, caller, first)?);
    }
    let mut ids: Vec<u64> = newest.into_iter().filter(|id| (first..end).contains(id)).collect();
    if from <= to {
        ids.truncate(limit);
    } else {
        ids.drain(..ids.len().saturating_sub(limit));
    }
    let messages = MessageReader::new(tables).of(&ids)?.into_iter();
    let caller = caller.map(Uid);
    let view = |message: std::sync::Arc<core_model::Message>| {
        let with = match &message.to {
            Recipient::User(_) if message.author.uid != caller => {
                Recipient::User(message.author.clone())
            }
            with => with.clone(),
        };
        ConversationView { with, newest: message.id, at: message.at }
    };
    Ok(Reply::Conversations { conversations: messages.map(view).collect() })
}

/// The newest direct message with each other user, of those from `first` on.
fn newest_direct(tables: &impl State, uid: u64, first: u64) -> Result<Vec<u64>, StoreError> {
    let mut ids = Ids::new(tables, &[&[of_inbox(uid)], &[of_outbox(uid)]])?;
    let scanned = ids.newest_between(first.saturating_sub(1), u64::MAX, SCANNED_MAX)?;
    let mut others = BTreeSet::new();
    let mut newest = Vec::new();
    for id in scanned.into_iter().rev() {
        let Some(row) = tables.messages()?.get(id)? else { continue };
        let row = MessageRow::unpack(row.value())?;
        let other = match (row.author, row.to) {
            (Who::User(author), Destination::User(to)) if author == uid => to,
            (Who::User(author), _) => author,
            (Who::Guest(_), _) => continue,
        };
        if others.insert(other) {
            newest.push(id);
        }
    }
    Ok(newest)
}
