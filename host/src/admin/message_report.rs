//! A message as operators see it.

use core_model::{Message, Recipient};

use super::types::MessageReport;
use crate::users::rfc3339;

pub(crate) fn report(message: &Message) -> MessageReport {
    let (room, to) = match &message.to {
        Recipient::Room(room) => (Some(room.name.to_string()), None),
        Recipient::User(person) => (None, Some(person.handle.clone())),
    };
    MessageReport {
        id: message.id.0,
        at: rfc3339(message.at),
        author: message.author.handle.clone(),
        room,
        to,
        text: message.text.clone(),
        notice: message.notice,
    }
}
