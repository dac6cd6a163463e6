//! From an event, an answer or a complaint to a WebSocket message. Document: the packet.

use core_model::{Event, Message, Person, Recipient, RoomTag};
use frontend_api::{Broadcast, Frame};
use schemars::JsonSchema;
use serde::Serialize;

/// What the server sends. Field order is the document's.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Packet<'a> {
    pub r#type: Kind,
    pub data: Data<'a>,
}

#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something went wrong; `data.msg` says what, the other fields are empty.
    Error,
    /// A message.
    Msg,
    /// Somebody came or went: `data.msg` is `create`, `join` or `leave`.
    User,
}

#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Data<'a> {
    pub user: User<'a>,
    pub room_name: &'a str,
    pub msg: &'a str,
}

#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct User<'a> {
    pub user_name: &'a str,
    /// As given at the join, else the account's; "" where there is none.
    pub user_avatar: &'a str,
}

/// An event, once for everyone in the room, whoever caused it included.
pub(crate) fn broadcast(event: &Event) -> Broadcast {
    match event {
        Event::Posted { message } => posted(message),
        Event::Entered { room, user, avatar, opened, .. } => {
            let msg = if *opened { "create" } else { "join" };
            everyone(presence(&room.name, user, avatar, msg))
        }
        Event::Left { room, user, avatar, .. } => {
            everyone(presence(&room.name, user, avatar, "leave"))
        }
        Event::PopulationChanged { .. } | Event::RoomCreated { .. } | Event::RoomDeleted { .. } => {
            Broadcast::Nothing
        }
    }
}

/// That somebody is in the room already.
pub(crate) fn joined_again(room_name: &str, user: &Person, avatar: &str) -> String {
    presence(room_name, user, avatar, "join")
}

/// That what the client sent was not done, and why.
pub(crate) fn error(msg: &str) -> String {
    text(&Packet { r#type: Kind::Error, data: Data { msg, ..Data::default() } })
}

fn posted(message: &Message) -> Broadcast {
    match &message.to {
        Recipient::Room(RoomTag { name, .. }) => {
            let user = shown(&message.author, &message.author.avatar);
            let data = Data { user, room_name: name, msg: &message.text };
            everyone(text(&Packet { r#type: Kind::Msg, data }))
        }
        Recipient::User(_) => Broadcast::Nothing,
    }
}

fn presence(room_name: &str, user: &Person, avatar: &str, msg: &str) -> String {
    let data = Data { user: shown(user, avatar), room_name, msg };
    text(&Packet { r#type: Kind::User, data })
}

/// A guest goes by the name it chose, anybody else by handle.
fn shown<'a>(person: &'a Person, user_avatar: &'a str) -> User<'a> {
    User { user_name: person.guest_name().unwrap_or(&person.handle), user_avatar }
}

fn everyone(text: String) -> Broadcast {
    Broadcast::Everyone(Frame::Text(text))
}

fn text(packet: &Packet<'_>) -> String {
    serde_json::to_string(packet).expect("a packet is plain data with string keys")
}
