//! Encodes an event, an answer or an error as a WebSocket message. Document: the packet.

use core_model::{Event, Gap, Message, MessageId, Person, Recipient, RoomTag};
use frontend_api::{Broadcast, Frame, json};
use serde::Serialize;

use crate::packet::{
    self, Coming, Current, Data, Kept, Missing, Presence, Said, ServerCaughtUp, ServerError,
    ServerGap, ServerMsg, ServerPosted, ServerUser,
};
use crate::words::{self, CaughtUp, Msg, Posted, User};

/// Encodes an event once for everyone in the room, including the user that caused it.
pub(crate) fn broadcast(event: &Event) -> Broadcast {
    match event {
        Event::Posted { message } => match said(message, false) {
            Some(text) => everyone(text),
            None => Broadcast::Nothing,
        },
        Event::Entered { room, user, avatar, opened, .. } => {
            let msg = if *opened { Coming::Create } else { Coming::Join };
            everyone(presence(&room.name, user, avatar, msg))
        }
        Event::Left { room, user, avatar, .. } => {
            everyone(presence(&room.name, user, avatar, Coming::Leave))
        }
        Event::PopulationChanged { .. }
        | Event::RoomChanged { .. }
        | Event::RoleChanged { .. }
        | Event::PolicyChanged { .. }
        | Event::MessageDeleted { .. }
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

/// A message in a room; with its id and time for a client that has joined with `since`.
pub(crate) fn said(message: &Message, numbered: bool) -> Option<String> {
    let Recipient::Room(RoomTag { name, .. }) = &message.to else { return None };
    let user = shown(&message.author, &message.author.avatar);
    let id = numbered.then_some(message.id);
    let time = numbered.then_some(message.at);
    let data = Said { user, room_name: name, msg: &message.text, id, time };
    Some(text(&ServerMsg { r#type: Msg, data }))
}

/// An event for a client that has joined with `since`.
pub(crate) fn numbered(event: &Event) -> Option<String> {
    if let Event::Posted { message } = event {
        return said(message, true);
    }
    match broadcast(event) {
        Broadcast::Everyone(Frame::Text(text)) => Some(text),
        _ => None,
    }
}

/// What a client has missed and does not receive.
pub(crate) fn gap(room_name: &str, gap: Gap) -> String {
    let Gap { after, before, count } = gap;
    let (how_many, are) = match count {
        Some(1) => ("1 message".into(), "is"),
        Some(count) => (format!("{count} messages"), "are"),
        None => ("some messages".into(), "are"),
    };
    let msg = &format!("{how_many} after {after} and before {before} {are} missing");
    let user = packet::Person::default();
    let data = Missing { user, room_name, msg, after, before, count };
    text(&ServerGap { r#type: words::Gap, data })
}

/// The client has every message of the room up to this one.
pub(crate) fn caught_up(room_name: &str, id: MessageId) -> String {
    let user = packet::Person::default();
    let data = Current { user, room_name, msg: "", id };
    text(&ServerCaughtUp { r#type: CaughtUp, data })
}

/// The text with this `client_id` is posted.
pub(crate) fn kept(room_name: &str, client_id: &str, id: MessageId) -> String {
    let user = packet::Person::default();
    text(&ServerPosted { r#type: Posted, data: Kept { user, room_name, msg: "", client_id, id } })
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
