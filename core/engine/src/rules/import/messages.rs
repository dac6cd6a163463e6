//! Messages, and up to where users have received and read them.

use core_model::{ExportedCursor, ExportedMessage, ExportedReadMark, MessageId};
use redb::ReadableTable as _;

use super::cursor::stream_of;
use super::{ImportBatch, Outcome, RecordError, Taken};
use crate::message_index;
use crate::read_markers;
use crate::removed;
use crate::rows::{Destination, MessageRow, Who};
use crate::tables::Tables as _;

impl ImportBatch<'_, '_> {
    pub(super) fn message(&mut self, message: &ExportedMessage) -> Outcome {
        let id = message.id.0 + self.state.id_offset;
        if id <= self.state.last_message {
            let why = format!("is {}, and the message before it has a greater id", message.id);
            return Err(RecordError::field("id", why));
        }
        self.state.last_message = id;
        let author = match (message.user, &message.guest) {
            (Some(uid), _) => self.known_user("user", uid)?.map(Who::User),
            (None, guest) => guest.clone().map(Who::Guest),
        };
        let to = match (message.room, message.to) {
            (Some(room), _) => self.known_room("room", room)?.map(Destination::Room),
            (None, Some(uid)) => self.known_user("to", uid)?.map(Destination::User),
            (None, None) => None,
        };
        let (Some(author), Some(to)) = (author, to) else { return Ok(Taken::LeftOut) };
        let (at, notice, text) = (message.at.0, message.notice, message.text.clone());
        self.add_message(id, &MessageRow { at, author, to, notice, text })
    }

    fn add_message(&mut self, id: u64, row: &MessageRow) -> Outcome {
        let batch = &self.cx.batch;
        if let Some(found) = batch.messages()?.get(id)? {
            if MessageRow::unpack(found.value())? == *row {
                return Ok(Taken::There);
            }
            return Ok(Taken::Conflict(format!("the id {id} is that of another message")));
        }
        // The ids below were removed, and would be listed again.
        if id < message_index::floor(batch)? && batch.messages()?.first()?.is_some() {
            let why = format!("message {id} is older than the oldest message of the store");
            return Ok(Taken::Conflict(why));
        }
        for stream in message_index::streams_of(row) {
            let newest = self.newest_listed(stream)?.max(removed::up_to(&self.cx.batch, stream)?);
            if id <= newest {
                let why = format!("message {id} is older than message {newest} beside it");
                return Ok(Taken::Conflict(why));
            }
        }
        let MessageRow { at, author, to, notice, text } = row;
        MessageRow::pack(*at, author, *to, *notice, text, &mut self.cx.row);
        self.cx.batch.messages_mut()?.insert(id, self.cx.row.as_slice())?;
        for stream in message_index::streams_of(row) {
            self.cx.appends.entry(stream).or_default().push(id);
        }
        self.reserve_message(id);
        Ok(Taken::New)
    }

    pub(super) fn cursor(&mut self, cursor: &ExportedCursor) -> Outcome {
        let ExportedCursor { user, of, message } = cursor;
        let Some(uid) = self.known_user("user", *user)? else { return Ok(Taken::LeftOut) };
        let stream = match of {
            core_model::CursorOf::Room(room) => {
                let Some(room) = self.known_room("of", *room)? else { return Ok(Taken::LeftOut) };
                message_index::of_room(room)
            }
            of => stream_of(uid, of)
                .ok_or_else(|| RecordError::field("of", "is no number of a device"))?,
        };
        let MessageId(id) = message;
        let id = if *id == 0 { 0 } else { id + self.state.id_offset };
        self.reserve_message(id);
        self.mark(uid, stream, id)
    }

    pub(super) fn read_mark(&mut self, mark: &ExportedReadMark) -> Outcome {
        let Some(uid) = self.known_user("user", mark.user)? else { return Ok(Taken::LeftOut) };
        let stream = match (mark.room, mark.with) {
            (Some(room), _) => self.known_room("room", room)?.map(read_markers::of_room),
            (None, Some(with)) => self.known_user("with", with)?.map(read_markers::with_user),
            (None, None) => None,
        };
        match stream {
            Some(stream) => self.mark(uid, stream, mark.at.0),
            None => Ok(Taken::LeftOut),
        }
    }

    /// Writes a row of `cursors`. One that there is may have come further.
    fn mark(&mut self, uid: u64, stream: u64, value: u64) -> Outcome {
        if self.cx.batch.cursors()?.get((uid, stream))?.is_some() {
            return Ok(Taken::There);
        }
        self.cx.batch.cursors_mut()?.insert((uid, stream), value)?;
        Ok(Taken::New)
    }
}
