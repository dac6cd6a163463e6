//! The events that a webhook can be sent.

use std::fmt;
use std::str::FromStr;

use core_engine::{Happened, Logged};
use core_model::{Event, Recipient, RoomTag};

/// A kind of event, by which `events` of a webhook selects.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EventName {
    MessageCreated,
    DirectCreated,
    MemberJoined,
    MemberLeft,
    RoleChanged,
    RoomCreated,
    RoomChanged,
    RoomDeleted,
    UserCreated,
}

impl EventName {
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::MessageCreated, "message.created"),
        (Self::DirectCreated, "direct.created"),
        (Self::MemberJoined, "member.joined"),
        (Self::MemberLeft, "member.left"),
        (Self::RoleChanged, "role.changed"),
        (Self::RoomCreated, "room.created"),
        (Self::RoomChanged, "room.changed"),
        (Self::RoomDeleted, "room.deleted"),
        (Self::UserCreated, "user.created"),
    ];

    /// Whether it is of a message, rather than logged for webhooks alone.
    pub fn is_message(self) -> bool {
        matches!(self, Self::MessageCreated | Self::DirectCreated)
    }

    /// Whether it happens in a room.
    pub fn is_of_room(self) -> bool {
        !matches!(self, Self::DirectCreated | Self::UserCreated)
    }

    /// The kind and the room of what was logged. `None`: no webhook selects it.
    pub(crate) fn of(what: &Logged) -> Option<(Self, Option<&RoomTag>)> {
        let happened = match what {
            Logged::Message(message) => {
                return Some(match &message.to {
                    Recipient::Room(room) => (Self::MessageCreated, Some(room)),
                    Recipient::User(_) => (Self::DirectCreated, None),
                });
            }
            Logged::Event { happened, .. } => happened,
            Logged::MessagesGone { .. } | Logged::EventsGone => return None,
        };
        let event = match happened {
            Happened::RoomCreated { room, .. } => return Some((Self::RoomCreated, Some(room))),
            Happened::UserCreated { .. } => return Some((Self::UserCreated, None)),
            Happened::Event(event) => event,
        };
        let name = match event {
            Event::Entered { .. } => Self::MemberJoined,
            Event::Left { .. } => Self::MemberLeft,
            Event::RoleChanged { .. } => Self::RoleChanged,
            Event::RoomChanged { .. } => Self::RoomChanged,
            Event::RoomDeleted { .. } => Self::RoomDeleted,
            Event::Posted { .. }
            | Event::PolicyChanged { .. }
            | Event::MessageDeleted { .. }
            | Event::PopulationChanged { .. }
            | Event::RoomCreated { .. } => {
                return None;
            }
        };
        Some((name, event.room()))
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(event, _)| event == self).map(|(_, name)| *name);
        f.write_str(name.expect("every event has a name"))
    }
}

impl FromStr for EventName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text).map(|(event, _)| *event);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("there is no such event; there are {}", names.join(", "))
        })
    }
}
