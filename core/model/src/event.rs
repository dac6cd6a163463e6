//! Events: what commands changed. Past tense, since an event is never refused.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::RoomChanges;
use crate::id::{ConnectionId, MessageId, Seq, Timestamp};
use crate::policy::PolicyChange;
use crate::role::Role;
use crate::view::{Message, Person, Recipient, RoomTag};

/// A change that sessions other than the caller's may need to show.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A message: for the subscribers of its room, or both ends of a direct message.
    Posted { message: Message },
    /// A user became visible in a room: as a durable member, or by a connected seat.
    Entered {
        room: RoomTag,
        user: Arc<Person>,
        /// The avatar given at this entrance, else the user's.
        avatar: String,
        /// Whether by durable membership rather than a live seat.
        durable: bool,
        /// Whether this entrance opened the room: see `opens` of
        /// [`Command::Enter`](crate::Command::Enter).
        opened: bool,
        /// The connection that uses the seat.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<ConnectionId>,
        /// Whether the user was visible in the room already, by another connected seat or as a
        /// durable member.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        elsewhere: bool,
    },
    /// A user gave up such a membership or seat, or lost it.
    Left {
        room: RoomTag,
        user: Arc<Person>,
        avatar: String,
        durable: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<ConnectionId>,
        /// Whether the user is still visible in the room.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        elsewhere: bool,
        /// Whether the user has left the gateway: its connection has ended or signed out, and it has
        /// no seat in any room.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        quit: bool,
        /// Why, in the words of the user or of `by`; "" for no reason.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// The owner or operator that removed the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Person>>,
    },
    /// The title, section or description of a room has changed. Only connections whose event filter
    /// includes room changes receive it.
    RoomChanged {
        room: RoomTag,
        /// The new values.
        changes: RoomChanges,
        /// Who changed it; `None` for the gateway itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Person>>,
    },
    /// A user has got or lost a role by its live seats. Only connections whose event filter includes
    /// room changes receive it.
    RoleChanged {
        room: RoomTag,
        user: Arc<Person>,
        role: Role,
        /// Whether the user holds the role now.
        held: bool,
        /// Who changed it; `None` for the gateway itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Person>>,
    },
    /// What holds in a room has changed. Never an invitation of one user. Only connections whose
    /// event filter includes room changes receive it.
    PolicyChanged {
        room: RoomTag,
        change: PolicyChange,
        /// Who changed it; `None` for the gateway itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Person>>,
    },
    /// A message was deleted, and no history has it any more: for those who were to get it. Only
    /// connections whose event filter includes room changes receive it.
    MessageDeleted {
        message: MessageId,
        author: Arc<Person>,
        to: Recipient,
        /// Who deleted it; `None` for the gateway itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Person>>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// The number of seats taken has changed.
    PopulationChanged { room: RoomTag, population: u32 },
    /// A room was made, with these members invited besides its owner.
    RoomCreated {
        room: RoomTag,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Arc<Person>>,
        /// The room's members, the owner included, by uid; empty without invitations.
        members: Vec<Arc<Person>>,
    },
    /// A room was deleted. Its members and seats have [`Left`](Self::Left) before.
    RoomDeleted { room: RoomTag },
}

impl Event {
    /// The room whose subscribers receive it; none for a direct message.
    pub fn room(&self) -> Option<&RoomTag> {
        match self {
            Self::Posted { message: Message { to, .. } } | Self::MessageDeleted { to, .. } => {
                match to {
                    Recipient::Room(room) => Some(room),
                    Recipient::User(_) => None,
                }
            }
            Self::Entered { room, .. }
            | Self::Left { room, .. }
            | Self::PopulationChanged { room, .. }
            | Self::RoomChanged { room, .. }
            | Self::RoleChanged { room, .. }
            | Self::PolicyChanged { room, .. }
            | Self::RoomCreated { room, .. }
            | Self::RoomDeleted { room } => Some(room),
        }
    }
}

/// An event with its position, its time and the connection whose command caused it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Recorded {
    pub seq: Seq,
    pub at: Timestamp,
    pub cause: ConnectionId,
    pub event: Event,
}
