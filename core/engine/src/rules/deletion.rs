//! Deleting single messages.

use std::sync::Arc;

use core_model::{Command, Event, Expired, MessageId, Person, Recipient, Refusal, Reply};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext};
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::message_index;
use crate::rows::{Destination, MessageRow};
use crate::tables::Tables;

/// Who deletes, and why.
struct Because<'a> {
    by: Option<Arc<Person>>,
    reason: &'a str,
}

impl BatchContext<'_> {
    pub(super) fn delete_message(
        &mut self,
        cx: &mut CommandContext<'_>,
        command: &Command,
    ) -> Result<Reply, Error> {
        let Command::DeleteMessage { room, message, by, reason } = command else {
            unreachable!("called with a DeleteMessage")
        };
        let who = by.as_ref().map(|by| self.user_or_guest(cx, by)).transpose()?;
        let uid = who.as_ref().and_then(|who| who.uid());
        let (id, row) = lookup::room(&self.batch, room, uid)?;
        self.settle()?;
        let found = self.message_row(message.0)?;
        let found = found.filter(|message| message.to == Destination::Room(id));
        let stream = message_index::of_room(id);
        let newest = message_index::newest(&self.batch, stream, message.0.saturating_add(1), 1)?;
        // One that an owner has cleared is swept up later.
        let Some(found) = found.filter(|_| newest == [message.0]) else {
            return Err(Refusal::UnknownMessage.into());
        };
        if let Some(who) = &who {
            let is_allowed = uid.is_some() && (uid == row.owner || *who == found.author)
                || self.is_operator(cx, id, who)?;
            if !is_allowed {
                return Err(Refusal::NotAllowed.into());
            }
        }
        let by = who.map(|who| self.person(&who)).transpose()?;
        self.delete(cx, message.0, &found, &Because { by, reason })?;
        Ok(Reply::Done)
    }

    pub(super) fn delete_messages(
        &mut self,
        cx: &mut CommandContext<'_>,
        messages: &[MessageId],
    ) -> Result<Reply, Error> {
        self.settle()?;
        let mut removed = 0;
        for id in messages {
            let Some(row) = self.message_row(id.0)? else { continue };
            let because = Because { by: None, reason: "" };
            removed += u32::from(self.delete(cx, id.0, &row, &because)?);
        }
        Ok(Reply::Pruned { messages: removed, expired: Expired::default(), next: None })
    }

    fn message_row(&self, id: u64) -> Result<Option<MessageRow>, StoreError> {
        self.batch.messages()?.get(id)?.map(|row| MessageRow::unpack(row.value())).transpose()
    }

    /// False for a message that an owner has cleared, which is swept up later.
    fn delete(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u64,
        row: &MessageRow,
        because: &Because<'_>,
    ) -> Result<bool, StoreError> {
        let mut was_listed = false;
        for stream in message_index::streams_of(row) {
            was_listed |= message_index::remove(&mut self.batch, stream, id)?;
        }
        if !was_listed {
            return Ok(false);
        }
        self.batch.messages_mut()?.remove(id)?;
        cx.visible = true;
        let to = match row.to {
            Destination::Room(room) => {
                Recipient::Room(lookup::known_room(&self.batch, room)?.tag(room))
            }
            Destination::User(uid) => Recipient::User(lookup::person(&self.batch, uid)?),
        };
        cx.events.push(Event::MessageDeleted {
            message: MessageId(id),
            author: self.person(&row.author)?,
            to,
            by: because.by.clone(),
            reason: because.reason.to_owned(),
        });
        Ok(true)
    }
}
