//! Encodes an event, an answer or an error as a WebSocket message. Document: the packet.

use core_model::{Event, Message, Person, Recipient, RoomTag};
use frontend_api::{Broadcast, Frame, json};
use serde::Serialize;

use crate::packet::{self, Coming, Data, Presence, ServerError, ServerMsg, ServerUser};
use crate::words::{Msg, User};

/// Encodes an event once for everyone in the room, including the user that caused it.
pub(crate) fn broadcast(event: &Event) -> Broadcast {
    match event {
        Event::Posted { message } => posted(message),
        Event::Entered { room, user, avatar, opened, .. } => {
            let msg = if *opened { Coming::Create } else { Coming::Join };
            everyone(presence(&room.name, user, avatar, msg))
        }
        Event::Left { room, user, avatar, .. } => {
            everyone(presence(&room.name, user, avatar, Coming::Leave))
        }
        Event::PopulationChanged { .. }
        | Event::RoomChanged { .. }
        | Event::RoomCreated { .. }
        | Event::RoomDeleted { .. } => Broadcast::Nothing,
    }
}

/// The reply to a join by a user that is already in the room.
pub(crate) fn joined_again(room_name: &str, user: &Person, avatar: &str) -> String {
    presence(room_name, user, avatar, Coming::Join)
}

/// An error packet with the reason.
pub(crate) fn error(msg: &str) -> String {
    text(&ServerError { data: Data { msg, ..Data::default() }, ..ServerError::default() })
}

fn posted(message: &Message) -> Broadcast {
    match &message.to {
        Recipient::Room(RoomTag { name, .. }) => {
            let user = shown(&message.author, &message.author.avatar);
            let data = Data { user, room_name: name, msg: &message.text };
            everyone(text(&ServerMsg { r#type: Msg, data }))
        }
        Recipient::User(_) => Broadcast::Nothing,
    }
}

fn presence(room_name: &str, user: &Person, avatar: &str, msg: Coming) -> String {
    let data = Presence { user: shown(user, avatar), room_name, msg };
    text(&ServerUser { r#type: User, data })
}

/// A guest shows under its chosen name, any other user under its handle.
fn shown<'a>(person: &'a Person, user_avatar: &'a str) -> packet::Person<'a> {
    packet::Person { user_name: person.guest_name().unwrap_or(&person.handle), user_avatar }
}

fn everyone(text: String) -> Broadcast {
    Broadcast::Everyone(Frame::Text(text))
}

fn text(packet: &impl Serialize) -> String {
    json::to_string(packet).expect("a packet is plain data with string keys")
}
