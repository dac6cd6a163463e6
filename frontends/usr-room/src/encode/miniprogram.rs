//! Replies as the deployed mini-program reads them: a code, then a list or an object.

use std::borrow::Cow;
use std::sync::Arc;

use core_model::{Gap, MessageId, Person, RoomId, RoomView, Timestamp, UserView};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Ack, SUCCESS};
use crate::UsrRoom;

/// `[{"response_code":1}, <user>]`
#[derive(JsonSchema, Serialize)]
pub(crate) struct UserReply<'a>(Ack, User<'a>);

#[derive(JsonSchema, Serialize)]
pub(crate) struct User<'a> {
    /// An openid or `@<handle>`.
    #[schemars(extend("x-secret" = true))]
    id: Cow<'a, str>,
    sex: &'a str,
    pre: &'a [String],
    avatar: &'a str,
    name: &'a str,
}

impl<'a> UserReply<'a> {
    pub(crate) fn of(dialect: &UsrRoom, user: &'a UserView) -> Self {
        Self(Ack::SUCCESS, User::of(dialect, user))
    }
}

impl<'a> User<'a> {
    fn of(dialect: &UsrRoom, user: &'a UserView) -> Self {
        let known = Self::of_person(dialect, &user.person);
        Self { sex: &user.sex, pre: &user.preferences, ..known }
    }

    /// A user outside the room's members, with the fields that its messages carry.
    fn of_person(dialect: &UsrRoom, person: &'a Person) -> Self {
        let id = dialect.address(person);
        Self { id, sex: "", pre: &[], avatar: &person.avatar, name: name(person) }
    }

    /// A user in a room, in full if a member.
    fn of_room(dialect: &UsrRoom, room: &'a RoomView, person: &'a Person) -> Self {
        match room.members.iter().find(|member| member.person.handle == person.handle) {
            Some(member) => Self::of(dialect, member),
            None => Self::of_person(dialect, person),
        }
    }
}

/// The name that a user set, "" without one: then the model shows the generated handle,
/// `user-<uid>` or, if that was taken, `user-<uid>-2`.
fn name(person: &Person) -> &str {
    let rest = person.uid.and_then(|uid| person.name.strip_prefix(&format!("user-{uid}")));
    let counted = |count: &str| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    let generated = |rest: &str| rest.is_empty() || rest.strip_prefix('-').is_some_and(counted);
    let made_up = person.name == person.handle && rest.is_some_and(generated);
    if made_up { "" } else { &person.name }
}

/// `[{"response_code":1}, [<room>, …]]`
#[derive(JsonSchema, Serialize)]
pub(crate) struct RoomList<'a>(pub(crate) Ack, pub(crate) Vec<Room<'a>>);

/// `[{"response_code":1}, <room>]`
#[derive(JsonSchema, Serialize)]
pub(crate) struct RoomReply<'a>(Ack, Room<'a>);

#[derive(JsonSchema, Serialize)]
pub(crate) struct Room<'a> {
    room_id: RoomId,
    name: &'a str,
    /// The section.
    area: &'a str,
    description: &'a str,
    /// `null` where the room has no owner.
    owner: Option<User<'a>>,
    /// 0 not active, 1 active
    #[schemars(extend("enum" = [0, 1]))]
    active: u8,
    /// The durable members in the order of joining.
    users: Vec<User<'a>>,
    /// The newest, oldest first; empty but in the search by `room_id`.
    messages: Vec<RoomMessage<'a>>,
}

impl<'a> RoomList<'a> {
    pub(crate) fn of(dialect: &UsrRoom, rooms: &'a [Arc<RoomView>]) -> Self {
        Self(Ack::SUCCESS, rooms.iter().map(|room| Room::of(dialect, room)).collect())
    }
}

impl<'a> RoomReply<'a> {
    pub(crate) fn of(dialect: &UsrRoom, room: &'a RoomView) -> Self {
        Self(Ack::SUCCESS, Room::of(dialect, room))
    }
}

impl<'a> Room<'a> {
    fn of(dialect: &UsrRoom, room: &'a RoomView) -> Self {
        let owner = room.owner.as_deref();
        let messages = room.messages.iter();
        Self {
            room_id: room.id,
            name: &room.title,
            area: &room.section,
            description: &room.description,
            owner: owner.map(|owner| User::of_room(dialect, room, owner)),
            active: room.active.into(),
            users: room.members.iter().map(|member| User::of(dialect, member)).collect(),
            messages: messages.map(|message| RoomMessage::of(dialect, room, message)).collect(),
        }
    }
}

/// A message in the room it was posted to.
#[derive(JsonSchema, Serialize)]
pub(crate) struct RoomMessage<'a> {
    user: User<'a>,
    content: &'a str,
    time: Date,
}

impl<'a> RoomMessage<'a> {
    fn of(dialect: &UsrRoom, room: &'a RoomView, message: &'a core_model::Message) -> Self {
        Self {
            user: User::of_room(dialect, room, &message.author),
            content: &message.text,
            time: Date { date: message.at },
        }
    }
}

/// `[{"response_code":1}, [<message>, …]]`
#[derive(JsonSchema, Serialize)]
pub(crate) struct MessageList<'a>(MessagesHead, Vec<Message<'a>>);

#[derive(JsonSchema, Serialize)]
struct MessagesHead {
    /// 1
    #[schemars(extend("const" = 1))]
    response_code: u8,
    /// Only after a request with `after`, and only if some of those after it were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<Gap>,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct Message<'a> {
    /// The author: an openid or `@<handle>`.
    #[schemars(extend("x-secret" = true))]
    user: Cow<'a, str>,
    content: &'a str,
    time: Date,
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
        Self(MessagesHead { response_code: SUCCESS, gap }, messages)
    }
}

impl<'a> Message<'a> {
    fn of(dialect: &UsrRoom, message: &'a core_model::Message) -> Self {
        Self {
            user: dialect.address(&message.author),
            content: &message.text,
            time: Date { date: message.at },
            id: message.id,
        }
    }
}

/// A moment, as MongoDB's extended JSON writes it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Date {
    /// Milliseconds since 1970.
    #[serde(rename = "$date")]
    date: Timestamp,
}
