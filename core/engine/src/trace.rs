//! What the store knows of one message: whether its readers have it.

use std::sync::Arc;

use core_model::{Message, MessageId, Person, Recipient, Refusal};
use redb::ReadableTable;

use crate::engine::Engine;
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::message_index;
use crate::message_reader::MessageReader;
use crate::rows::MessageRow;
use crate::rules::{is_cursor_of_device, is_shared_cursor};
use crate::state::Snapshot;
use crate::tables::Tables;

/// Readers of one message that are looked at: some milliseconds' work.
const READERS_MAX: usize = 1000;

/// A message, and its readers.
#[derive(Clone, Debug)]
pub struct MessageTrace {
    pub message: Arc<Message>,
    /// The durable members of its room since before it was posted, or author and recipient of a direct
    /// message; once for each way in which a user reads.
    pub readers: Vec<ReaderTrace>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// What there is of a message id.
#[derive(Clone, Debug)]
pub enum TracedMessage {
    Found(MessageTrace),
    /// It was posted, and retention or a deletion has removed it.
    Removed {
        /// Whether an older message is there: retention by age would have removed that before.
        is_newer_than_kept: bool,
    },
    /// No message has had this id.
    NeverPosted,
}

/// One way in which a user reads.
#[derive(Clone, Debug)]
pub struct ReaderTrace {
    pub user: Arc<Person>,
    pub way: ReaderWay,
    /// Whether the user has shown to have the message.
    pub has: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReaderWay {
    /// By sessions without a device.
    Sessions,
    /// By the sessions of one device.
    Device,
    /// By asking for the messages of the room, or of the inbox.
    Polling,
    /// In no way that the store keeps account of.
    Unknown,
}

impl<T: Send + 'static> Engine<T> {
    /// A message with what the store knows of its readers.
    pub fn trace_message(&self, id: MessageId) -> Result<TracedMessage, Refusal> {
        self.read(|tables| {
            // The reader may know a message that is gone by now.
            if is_there(tables, id)? {
                let found = MessageReader::new(tables).of(&[id.0])?;
                if let Some(message) = found.into_iter().next() {
                    return Ok(TracedMessage::Found(trace(tables, message)?));
                }
            }
            let was_posted = (1..lookup::counters(tables)?.next_message).contains(&id.0);
            if !was_posted {
                return Ok(TracedMessage::NeverPosted);
            }
            let oldest = tables.messages()?.first()?.map(|(oldest, _)| oldest.value());
            let is_newer_than_kept = oldest.is_some_and(|oldest| oldest < id.0);
            Ok(TracedMessage::Removed { is_newer_than_kept })
        })
    }
}

/// Whether a history or an inbox still lists a message; one that its owner has cleared is swept up
/// later.
fn is_there(tables: &Snapshot, id: MessageId) -> Result<bool, StoreError> {
    let Some(row) = tables.messages()?.get(id.0)? else { return Ok(false) };
    let row = MessageRow::unpack(row.value())?;
    for stream in message_index::streams_of(&row) {
        if message_index::newest(tables, stream, id.0.saturating_add(1), 1)? == [id.0] {
            return Ok(true);
        }
    }
    Ok(false)
}

fn trace(tables: &Snapshot, message: Arc<Message>) -> Result<MessageTrace, Error> {
    let mut users: Vec<(u64, u64)> = Vec::new();
    match &message.to {
        Recipient::Room(room) => {
            let stream = message_index::of_room(room.id.0);
            for row in tables.members()?.range((room.id.0, 0)..=(room.id.0, u64::MAX))? {
                let (key, value) = row?;
                let since = value.value().1;
                if since < message.id.0 {
                    users.push((key.value().1, stream));
                }
                if users.len() > READERS_MAX {
                    break;
                }
            }
        }
        Recipient::User(person) => {
            let uid = person.uid.map(|uid| uid.0);
            users.extend(uid.map(|uid| (uid, message_index::of_inbox(uid))));
        }
    }
    let is_complete = users.len() <= READERS_MAX;
    let mut readers = Vec::new();
    for (uid, stream) in users.into_iter().take(READERS_MAX) {
        let user = lookup::person(tables, uid)?;
        let ways = ways(tables, uid, stream)?;
        if ways.is_empty() {
            readers.push(ReaderTrace { user: user.clone(), way: ReaderWay::Unknown, has: false });
        }
        readers.extend(ways.into_iter().map(|(way, cursor)| ReaderTrace {
            user: user.clone(),
            way,
            has: cursor >= message.id.0,
        }));
    }
    Ok(MessageTrace { message, readers, is_complete })
}

/// How a user reads a stream, each way with the id up to which it has received.
fn ways(tables: &Snapshot, uid: u64, stream: u64) -> Result<Vec<(ReaderWay, u64)>, StoreError> {
    let mut ways = Vec::new();
    for row in tables.cursors()?.range((uid, 0)..=(uid, u64::MAX))? {
        let (key, cursor) = row?;
        let way = match key.value().1 {
            other if is_shared_cursor(other) => ReaderWay::Sessions,
            other if is_cursor_of_device(other) => ReaderWay::Device,
            other if other == stream => ReaderWay::Polling,
            _ => continue,
        };
        ways.push((way, cursor.value()));
    }
    Ok(ways)
}
