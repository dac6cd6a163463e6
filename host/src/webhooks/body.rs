//! What a request says: the event as JSON.

use std::sync::Arc;

use bytes::Bytes;
use core_engine::{Happened, Logged, LoggedEvent};
use core_model::{Event, Message, MessageId, Person, Role, RoomChanges, RoomTag, Timestamp};
use frontend_api::schema::{self, Document, Shape};
use schemars::JsonSchema;
use serde::Serialize;

/// A body with its id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Body {
    /// The same however often the event is sent: the header `webhook-id`.
    pub id: String,
    pub json: Bytes,
}

/// The body of a request: an event, by its type.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "type")]
#[schemars(rename = "WebhookEvent")]
pub enum EventBody {
    /// A message was posted to a room.
    #[serde(rename = "message.created")]
    MessageCreated {
        /// When it was posted, as RFC 3339 has it.
        timestamp: String,
        data: Arc<Message>,
    },
    /// A user has sent a message to another.
    #[serde(rename = "direct.created")]
    DirectCreated { timestamp: String, data: Arc<Message> },
    /// A user became visible in a room: as a durable member, or by a live seat.
    #[serde(rename = "member.joined")]
    MemberJoined { timestamp: String, data: Member },
    /// A user gave up such a membership or seat, or lost it.
    #[serde(rename = "member.left")]
    MemberLeft { timestamp: String, data: Departure },
    /// A user has got or lost a role in a room.
    #[serde(rename = "role.changed")]
    RoleChanged { timestamp: String, data: RoleChange },
    /// A room was made.
    #[serde(rename = "room.created")]
    RoomCreated { timestamp: String, data: NewRoom },
    /// The title, section or description of a room has changed.
    #[serde(rename = "room.changed")]
    RoomChanged { timestamp: String, data: RoomChange },
    /// A room was deleted, with its messages.
    #[serde(rename = "room.deleted")]
    RoomDeleted { timestamp: String, data: DeletedRoom },
    /// An account was made.
    #[serde(rename = "user.created")]
    UserCreated { timestamp: String, data: NewUser },
    /// Messages were removed, by retention or by an owner, before they were delivered. Sent whatever
    /// the webhook selects.
    #[serde(rename = "messages.gone")]
    MessagesGone { timestamp: String, data: GoneMessages },
    /// Events other than messages were dropped before they were delivered, because too many waited.
    /// Sent whatever the webhook selects.
    #[serde(rename = "events.gone")]
    EventsGone { timestamp: String, data: GoneEvents },
    /// A test by the operator.
    #[serde(rename = "webhook.test")]
    Test { timestamp: String, data: Test },
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Member {
    pub room: RoomTag,
    pub user: Arc<Person>,
    /// Whether by durable membership rather than a live seat.
    pub durable: bool,
    /// Whether the user was in the room already, by another seat or as a durable member.
    pub elsewhere: bool,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Departure {
    pub room: RoomTag,
    pub user: Arc<Person>,
    /// Whether it was a durable membership rather than a live seat.
    pub durable: bool,
    /// Whether the user is still in the room, by another seat or as a durable member.
    pub elsewhere: bool,
    /// Why, in the words of the user or of `by`; "" for no reason.
    pub reason: String,
    /// The owner or operator that removed the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<Person>>,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct RoleChange {
    pub room: RoomTag,
    pub user: Arc<Person>,
    pub role: Role,
    /// Whether the user holds the role now.
    pub held: bool,
    /// Who changed it; absent for the gateway itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<Person>>,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct NewRoom {
    pub room: RoomTag,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Person>>,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct NewUser {
    pub user: Arc<Person>,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct RoomChange {
    pub room: RoomTag,
    /// The new values.
    pub changes: RoomChanges,
    /// Who changed it; absent for the gateway itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<Person>>,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct DeletedRoom {
    pub room: RoomTag,
}

/// Messages after one id and before another, of all rooms and users: the webhook may have wanted
/// only some of them.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
pub struct GoneMessages {
    pub after: MessageId,
    pub before: MessageId,
    /// How many ids are between them.
    pub count: u64,
}

#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
pub struct GoneEvents {
    /// They came before this message, or right after it.
    pub until: MessageId,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Test {
    /// The name of the webhook.
    pub webhook: String,
}

/// The JSON Schema of a body.
pub fn schema() -> Document {
    let shape = Shape::of::<EventBody>();
    schema::written("webhooks:event", "event.json", "The body of a webhook's request", &shape)
}

/// The body for what was logged. `now` is for what has no time of its own. `None`: no webhook is
/// sent it.
pub(crate) fn body_of(logged: &LoggedEvent, now: Timestamp) -> Option<Body> {
    let (message, seq) = (logged.position.message, logged.position.seq);
    let at = at(&logged.what).unwrap_or(now);
    let id = match &logged.what {
        // With the time, since another store begins with the same numbers.
        Logged::Message(_) => format!("msg_{message}_{at}"),
        Logged::Event { .. } => format!("evt_{message}_{seq}_{at}"),
        Logged::MessagesGone { after, before } => format!("gap_{after}_{before}"),
        Logged::EventsGone => format!("gap_events_{message}_{seq}"),
    };
    let timestamp = rfc3339(at);
    let body = match &logged.what {
        Logged::Message(message) => {
            let data = message.clone();
            match message.to {
                core_model::Recipient::Room(_) => EventBody::MessageCreated { timestamp, data },
                core_model::Recipient::User(_) => EventBody::DirectCreated { timestamp, data },
            }
        }
        Logged::Event { happened, .. } => of_event(timestamp, happened)?,
        Logged::MessagesGone { after, before } => {
            let count = before.0 - after.0 - 1;
            let data = GoneMessages { after: *after, before: *before, count };
            EventBody::MessagesGone { timestamp, data }
        }
        Logged::EventsGone => {
            EventBody::EventsGone { timestamp, data: GoneEvents { until: message } }
        }
    };
    Some(Body { id, json: json(&body) })
}

/// The body of a test.
pub fn test_body(webhook: &str, now: Timestamp) -> Body {
    let data = Test { webhook: webhook.to_owned() };
    let body = EventBody::Test { timestamp: rfc3339(now), data };
    Body { id: format!("test_{now}"), json: json(&body) }
}

/// When it happened, if that is known.
pub(crate) fn at(what: &Logged) -> Option<Timestamp> {
    match what {
        Logged::Message(message) => Some(message.at),
        Logged::Event { at, .. } => Some(*at),
        Logged::MessagesGone { .. } | Logged::EventsGone => None,
    }
}

fn of_event(timestamp: String, happened: &Happened) -> Option<EventBody> {
    let event = match happened.clone() {
        Happened::RoomCreated { room, owner } => {
            return Some(EventBody::RoomCreated { timestamp, data: NewRoom { room, owner } });
        }
        Happened::UserCreated { user } => {
            return Some(EventBody::UserCreated { timestamp, data: NewUser { user } });
        }
        Happened::Event(event) => event,
    };
    Some(match event {
        Event::Posted { .. }
        | Event::PolicyChanged { .. }
        | Event::MessageDeleted { .. }
        | Event::PopulationChanged { .. }
        | Event::RoomCreated { .. } => {
            return None;
        }
        Event::Entered { room, user, durable, elsewhere, .. } => {
            let data = Member { room, user, durable, elsewhere };
            EventBody::MemberJoined { timestamp, data }
        }
        Event::Left { room, user, durable, elsewhere, reason, by, .. } => {
            let data = Departure { room, user, durable, elsewhere, reason, by };
            EventBody::MemberLeft { timestamp, data }
        }
        Event::RoleChanged { room, user, role, held, by } => {
            EventBody::RoleChanged { timestamp, data: RoleChange { room, user, role, held, by } }
        }
        Event::RoomChanged { room, changes, by } => {
            EventBody::RoomChanged { timestamp, data: RoomChange { room, changes, by } }
        }
        Event::RoomDeleted { room } => {
            EventBody::RoomDeleted { timestamp, data: DeletedRoom { room } }
        }
    })
}

fn json(body: &EventBody) -> Bytes {
    serde_json::to_vec(body).expect("a body is plain data").into()
}

fn rfc3339(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests;
