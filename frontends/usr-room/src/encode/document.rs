//! Replies as the document has them: always one object.

use std::borrow::Cow;
use std::sync::Arc;

use core_model::{Gap, MessageId, RoomId, RoomView, Timestamp, UserView};
use schemars::JsonSchema;
use serde::Serialize;

use super::SUCCESS;
use crate::UsrRoom;

/// 一.2: a user.
#[derive(JsonSchema, Serialize)]
pub(crate) struct User<'a> {
    /// 1
    #[schemars(extend("const" = 1))]
    response_code: u8,
    sex: &'a str,
    preference: &'a [String],
}

impl<'a> User<'a> {
    pub(crate) fn of(user: &'a UserView) -> Self {
        Self { response_code: SUCCESS, sex: &user.sex, preference: &user.preferences }
    }
}

/// 一.3, 一.4, 二.1 and 三.1: rooms.
#[derive(JsonSchema, Serialize)]
pub(crate) struct RoomList<'a> {
    /// 1
    #[schemars(extend("const" = 1))]
    response_code: u8,
    rooms: Vec<Room<'a>>,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct Room<'a> {
    room_id: RoomId,
    name: &'a str,
    section: &'a str,
    description: &'a str,
    /// An openid, `@<handle>`, or "" where the room has no owner.
    #[schemars(extend("x-secret" = true))]
    room_owner_id: Cow<'a, str>,
    /// The durable members in the order of joining, each an openid or `@<handle>`.
    #[schemars(extend("x-secret" = true))]
    users_id: Vec<Cow<'a, str>>,
    /// 0 not active, 1 active
    #[schemars(extend("enum" = [0, 1]))]
    state: u8,
}

impl<'a> RoomList<'a> {
    pub(crate) fn of(dialect: &UsrRoom, rooms: &'a [Arc<RoomView>]) -> Self {
        let rooms = rooms.iter().map(|room| Room::of(dialect, room)).collect();
        Self { response_code: SUCCESS, rooms }
    }
}

impl<'a> Room<'a> {
    fn of(dialect: &UsrRoom, room: &'a RoomView) -> Self {
        let owner = room.owner.as_deref();
        Self {
            room_id: room.id,
            name: &room.title,
            section: &room.section,
            description: &room.description,
            room_owner_id: owner.map_or(Cow::Borrowed(""), |owner| dialect.address(owner)),
            users_id: room.members.iter().map(|member| dialect.address(&member.person)).collect(),
            state: room.active.into(),
        }
    }
}

/// 二.5: messages, oldest first.
#[derive(JsonSchema, Serialize)]
pub(crate) struct MessageList<'a> {
    /// 1
    #[schemars(extend("const" = 1))]
    response_code: u8,
    messages: Vec<Message<'a>>,
    /// Only after a request with `after`, and only if some of those after it were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<Gap>,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct Message<'a> {
    /// The author: an openid or `@<handle>`.
    #[schemars(extend("x-secret" = true))]
    openid: Cow<'a, str>,
    message: &'a str,
    /// Milliseconds since 1970.
    time: Timestamp,
    /// What `after` takes.
    id: MessageId,
}

impl<'a> MessageList<'a> {
    pub(crate) fn of(
        dialect: &UsrRoom,
        messages: &'a [Arc<core_model::Message>],
        gap: Option<Gap>,
    ) -> Self {
        let messages = messages.iter().map(|message| Message::of(dialect, message)).collect();
        Self { response_code: SUCCESS, messages, gap }
    }
}

impl<'a> Message<'a> {
    fn of(dialect: &UsrRoom, message: &'a core_model::Message) -> Self {
        Self {
            openid: dialect.address(&message.author),
            message: &message.text,
            time: message.at,
            id: message.id,
        }
    }
}
