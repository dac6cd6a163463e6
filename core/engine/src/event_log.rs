//! The order of events that webhooks read: messages, from their own table, and between them the
//! other events, which are logged while a webhook waits for them.
//!
//! Both are at an [`EventPosition`]. A message with the id `m` is at (m, 0); the `s`th event that was
//! logged is at (m, s), where `m` is the newest message before it.

use std::sync::Arc;

use core_model::{Event, EventPosition, Message, MessageId, Person, RoomTag, Seq, Timestamp};
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::lookup;
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::removed;
use crate::rows::{Counters, Destination, MessageRow, unpack};
use crate::state::{Snapshot, State};
use crate::tables::Tables;

/// The key of the row in `counters` that has the [`LogCounters`].
pub(crate) const LOG_KEY: u8 = 3;

/// The version of a logged event's layout, before its JSON.
const VERSION: u8 = 1;

/// What a webhook reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wanted {
    pub messages: bool,
    /// Events other than messages.
    pub events: bool,
}

/// Something that happened, at its place in the order.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    pub position: EventPosition,
    pub what: Logged,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Logged {
    Message(Arc<Message>),
    Event {
        at: Timestamp,
        happened: Happened,
    },
    /// The messages after the first id and before the second one are gone: retention or an owner has
    /// removed them.
    MessagesGone {
        after: MessageId,
        before: MessageId,
    },
    /// Events other than messages, up to this place, are gone: too many waited.
    EventsGone,
}

/// Something other than a message.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// What sessions show too. Never [`Event::RoomCreated`], which not every room has.
    Event(Event),
    RoomCreated {
        room: RoomTag,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Arc<Person>>,
    },
    UserCreated {
        user: Arc<Person>,
    },
}

/// The events after a place, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    pub events: Vec<LoggedEvent>,
    /// The place up to which everything was read.
    pub end: EventPosition,
    /// Whether there is more after that.
    pub more: bool,
}

/// How far a webhook has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebhookState {
    pub name: String,
    pub position: EventPosition,
    /// When the receiver said that it is gone for good.
    pub gone_since: Option<Timestamp>,
    pub dead_letters: u32,
}

/// An event that could not be delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetterView {
    pub position: EventPosition,
    /// When it was given up.
    pub at: Timestamp,
    pub attempts: u32,
    pub why: String,
    /// The event; none where retention or an owner has removed the message.
    pub event: Option<LoggedEvent>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct WebhookRow {
    pub(crate) message: u64,
    pub(crate) seq: u64,
    /// Whether events other than messages are kept for it.
    pub(crate) events: bool,
    pub(crate) gone_since: Option<u64>,
    /// Its rows in `dead_letters`.
    pub(crate) dead_letters: u32,
}

impl WebhookRow {
    pub(crate) fn position(&self) -> EventPosition {
        position((self.message, self.seq))
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct DeadLetterRow {
    pub(crate) at: u64,
    pub(crate) attempts: u32,
    pub(crate) why: String,
    /// The logged event; empty for a message.
    pub(crate) event: Vec<u8>,
}

/// An event as it is logged.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct LogRow {
    pub(crate) at: Timestamp,
    pub(crate) happened: Happened,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct LogCounters {
    /// The number of the next event.
    pub(crate) next: u64,
    /// The place of the newest event that was dropped because too many waited.
    pub(crate) dropped: (u64, u64),
}

pub(crate) fn position((message, seq): (u64, u64)) -> EventPosition {
    EventPosition { message: MessageId(message), seq: Seq(seq) }
}

pub(crate) fn key(position: EventPosition) -> (u64, u64) {
    (position.message.0, position.seq.0)
}

/// Whether webhooks can have an event. Messages have a table of their own.
pub(crate) fn is_logged(event: &Event) -> bool {
    match event {
        Event::Posted { .. }
        | Event::PolicyChanged { .. }
        | Event::MessageDeleted { .. }
        | Event::PopulationChanged { .. }
        | Event::RoomCreated { .. } => false,
        Event::Entered { .. }
        | Event::Left { .. }
        | Event::RoomChanged { .. }
        | Event::RoleChanged { .. }
        | Event::RoomDeleted { .. } => true,
    }
}

pub(crate) fn pack_event(row: &LogRow) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, row).expect("an event is plain data");
    bytes
}

pub(crate) fn unpack_event(table: &'static str, bytes: &[u8]) -> Result<LogRow, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, json)) => {
            serde_json::from_slice(json).map_err(|_| StoreError::Corrupt { table })
        }
        _ => Err(StoreError::Corrupt { table }),
    }
}

pub(crate) fn counters(tables: &impl Tables) -> Result<LogCounters, StoreError> {
    let row = tables.counters()?.get(LOG_KEY)?;
    let begin = LogCounters { next: 1, dropped: (0, 0) };
    row.map_or(Ok(begin), |row| unpack("counters", row.value()))
}

/// The newest place of the order.
pub(crate) fn newest(tables: &impl State) -> Result<EventPosition, StoreError> {
    newest_of(tables, &lookup::counters(tables)?)
}

/// The same with counters that may not be written yet.
pub(crate) fn newest_of(tables: &impl Tables, own: &Counters) -> Result<EventPosition, StoreError> {
    Ok(position((own.next_message - 1, counters(tables)?.next - 1)))
}

/// The wanted events after a place, at most `limit` of each kind.
pub(crate) fn after(
    tables: &Snapshot,
    after: EventPosition,
    wanted: Wanted,
    limit: usize,
) -> Result<EventPage, StoreError> {
    let newest = newest(tables)?;
    let mut events = Vec::new();
    let mut end = newest.max(after);
    if wanted.messages {
        end = messages_after(tables, after.message.0, limit, end, &mut events)?;
    }
    if wanted.events {
        end = logged_after(tables, after, limit, end, &mut events)?;
    }
    events.retain_mut(|event| cut(event, end));
    events.sort_by_key(|event| event.position);
    Ok(EventPage { events, end, more: end < newest })
}

/// Adds messages, and what tells of those that are gone. Returns up to where they were read.
fn messages_after(
    tables: &Snapshot,
    after: u64,
    limit: usize,
    newest: EventPosition,
    events: &mut Vec<LoggedEvent>,
) -> Result<EventPosition, StoreError> {
    if after >= newest.message.0 {
        return Ok(newest);
    }
    let mut ids = Vec::new();
    let mut last = after;
    let mut rows = 0;
    for row in tables.messages()?.range(after + 1..=newest.message.0)?.take(limit) {
        let (id, row) = row?;
        last = id.value();
        rows += 1;
        if exists(tables, last, &MessageRow::unpack(row.value())?)? {
            ids.push(last);
        }
    }
    let (messages, is_all) = MessageReader::new(tables).oldest_within(&ids, REPLY_BYTES_MAX)?;
    let end = match messages.last() {
        Some(last) if !is_all => position((last.id.0, 0)),
        _ if rows == limit => position((last, 0)),
        _ => newest,
    };
    let mut expected = after + 1;
    for message in messages {
        let id = message.id.0;
        events.extend(gone(expected, id));
        expected = id + 1;
        let position = position((id, 0));
        events.push(LoggedEvent { position, what: Logged::Message(message) });
    }
    events.extend(gone(expected, end.message.0 + 1));
    Ok(end)
}

/// What tells that the messages from `first` to the one before `next` are gone, if there are any.
fn gone(first: u64, next: u64) -> Option<LoggedEvent> {
    let (after, before) = (MessageId(first - 1), MessageId(next));
    let what = Logged::MessagesGone { after, before };
    (first < next).then(|| LoggedEvent { position: position((next - 1, 0)), what })
}

/// Cuts what tells of messages that are gone at the end of the page; the next page tells of the
/// others. Returns whether something is left of the event.
fn cut(event: &mut LoggedEvent, end: EventPosition) -> bool {
    if event.position > end
        && let Logged::MessagesGone { after, before } = &mut event.what
        && *after < end.message
    {
        *before = MessageId(end.message.0 + 1);
        event.position = position((end.message.0, 0));
    }
    event.position <= end
}

/// Whether a message may be shown. The rows of one that its owner removed, or whose room is gone,
/// are swept up later.
pub(crate) fn exists(tables: &Snapshot, id: u64, row: &MessageRow) -> Result<bool, StoreError> {
    let Destination::Room(room) = row.to else { return Ok(true) };
    Ok(tables.rooms()?.get(room)?.is_some()
        && removed::up_to(tables, message_index::of_room(room))? < id)
}

/// Adds logged events up to `end`, and what tells of dropped ones. Returns up to where they were
/// read.
fn logged_after(
    tables: &Snapshot,
    after: EventPosition,
    limit: usize,
    end: EventPosition,
    events: &mut Vec<LoggedEvent>,
) -> Result<EventPosition, StoreError> {
    let dropped = position(counters(tables)?.dropped);
    let mut from = after;
    if after < dropped && dropped <= end {
        events.push(LoggedEvent { position: dropped, what: Logged::EventsGone });
        from = dropped;
    }
    if from >= end {
        return Ok(end);
    }
    let mut rows = 0;
    let mut read = end;
    let (message, seq) = key(from);
    for row in tables.event_log()?.range((message, seq + 1)..=key(end))?.take(limit) {
        let (at, row) = row?;
        read = position(at.value());
        rows += 1;
        let LogRow { at, happened } = unpack_event("event_log", row.value())?;
        events.push(LoggedEvent { position: read, what: Logged::Event { at, happened } });
    }
    Ok(if rows == limit { read } else { end })
}

/// Every webhook, by name.
pub(crate) fn webhooks(tables: &impl Tables) -> Result<Vec<WebhookState>, StoreError> {
    let state = |(name, row): (String, WebhookRow)| WebhookState {
        name,
        position: row.position(),
        gone_since: row.gone_since.map(Timestamp),
        dead_letters: row.dead_letters,
    };
    Ok(webhook_rows(tables)?.into_iter().map(state).collect())
}

pub(crate) fn webhook_rows(tables: &impl Tables) -> Result<Vec<(String, WebhookRow)>, StoreError> {
    let mut rows = Vec::new();
    for row in tables.webhooks()?.iter()? {
        let (name, row) = row?;
        rows.push((name.value().to_owned(), unpack("webhooks", row.value())?));
    }
    Ok(rows)
}

/// Up to where no webhook waits for logged events any more.
pub(crate) fn delivered_up_to(tables: &impl Tables) -> Result<(u64, u64), StoreError> {
    let waiting = webhook_rows(tables)?.into_iter().filter(|(_, row)| row.events);
    let up_to = waiting.map(|(_, row)| (row.message, row.seq)).min();
    Ok(up_to.unwrap_or((u64::MAX, u64::MAX)))
}

/// Whether the log has events that no webhook waits for.
pub(crate) fn has_delivered(tables: &impl Tables) -> Result<bool, StoreError> {
    let Some(oldest) = tables.event_log()?.first()?.map(|(key, _)| key.value()) else {
        return Ok(false);
    };
    Ok(oldest <= delivered_up_to(tables)?)
}

/// The dead letters of a webhook after a place, at most `limit`.
pub(crate) fn dead_letters(
    tables: &Snapshot,
    webhook: &str,
    after: EventPosition,
    limit: usize,
) -> Result<Vec<DeadLetterView>, StoreError> {
    let (message, seq) = key(after);
    let from = (webhook, message, seq + 1);
    let mut found = Vec::new();
    for row in tables.dead_letters()?.range(from..=(webhook, u64::MAX, u64::MAX))?.take(limit) {
        let (at, row) = row?;
        let (_, message, seq) = at.value();
        let position = position((message, seq));
        let row: DeadLetterRow = unpack("dead_letters", row.value())?;
        let what = if row.event.is_empty() {
            message_at(tables, message)?.map(Logged::Message)
        } else {
            let LogRow { at, happened } = unpack_event("dead_letters", &row.event)?;
            Some(Logged::Event { at, happened })
        };
        found.push(DeadLetterView {
            position,
            at: Timestamp(row.at),
            attempts: row.attempts,
            why: row.why,
            event: what.map(|what| LoggedEvent { position, what }),
        });
    }
    Ok(found)
}

fn message_at(tables: &Snapshot, id: u64) -> Result<Option<Arc<Message>>, StoreError> {
    match tables.messages()?.get(id)? {
        Some(row) if exists(tables, id, &MessageRow::unpack(row.value())?)? => (),
        _ => return Ok(None),
    }
    Ok(MessageReader::new(tables).of(&[id])?.pop())
}
