//! What has happened. Past tense: an event is never refused.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ConnectionId, Seq, Timestamp};
use crate::view::{Message, Person, RoomTag};

/// Something that those concerned should hear of.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A message: to those who watch the room, or to both ends of a direct message.
    Posted { message: Message },
    /// Somebody took a seat that others hear of: a durable join, or a live entrance.
    Entered {
        room: RoomTag,
        user: Arc<Person>,
        /// The avatar given at this entrance, else the user's.
        avatar: String,
        /// Whether it is durable membership rather than a live entrance.
        durable: bool,
        /// Whether this entrance opened the room: see `opens` of
        /// [`Command::Enter`](crate::Command::Enter).
        opened: bool,
        /// The connection whose seat it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<ConnectionId>,
        /// Whether others have heard of the user in this room before: it has another seat that a
        /// connection uses, or is a durable member.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        elsewhere: bool,
    },
    /// Somebody gave such a seat back, or lost it.
    Left {
        room: RoomTag,
        user: Arc<Person>,
        avatar: String,
        durable: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<ConnectionId>,
        /// Whether the user is still in the room by another such seat.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        elsewhere: bool,
    },
    /// The number of seats taken has changed.
    PopulationChanged { room: RoomTag, population: u32 },
    /// A room was made, with these members invited besides its owner.
    RoomCreated {
        room: RoomTag,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Arc<Person>>,
        /// Everyone who is a member because of it, the owner included, by uid; empty where
        /// nobody was invited.
        members: Vec<Arc<Person>>,
    },
    /// A room is gone; its members and seats have [`Left`](Self::Left) before.
    RoomDeleted { room: RoomTag },
}

impl Event {
    /// The room whose watchers hear of it; none for a direct message.
    pub fn room(&self) -> Option<&RoomTag> {
        match self {
            Self::Posted { message } => match &message.to {
                crate::Recipient::Room(room) => Some(room),
                crate::Recipient::User(_) => None,
            },
            Self::Entered { room, .. }
            | Self::Left { room, .. }
            | Self::PopulationChanged { room, .. }
            | Self::RoomCreated { room, .. }
            | Self::RoomDeleted { room } => Some(room),
        }
    }
}

/// An event with its place, its time and the connection whose command caused it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Recorded {
    pub seq: Seq,
    pub at: Timestamp,
    pub cause: ConnectionId,
    pub event: Event,
}
