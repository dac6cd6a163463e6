//! What a live seat lets its user do in a room beyond taking part.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A role of a live seat. It ends with the seat, so a guest holds one only while it sits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May describe the room, remove users, and give and take roles, by the connection of the seat.
    Operator,
    /// May post where the [policy](crate::Policy::moderated) or a ban keeps others from it.
    Voice,
}

/// The roles that a user holds in a room.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Roles {
    /// Of the owner always.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub voice: bool,
}

impl Roles {
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The same, but for one role.
    pub fn with(self, role: Role, held: bool) -> Self {
        match role {
            Role::Operator => Self { operator: held, ..self },
            Role::Voice => Self { voice: held, ..self },
        }
    }

    /// Every role that either has.
    pub fn and(self, other: Self) -> Self {
        Self { operator: self.operator || other.operator, voice: self.voice || other.voice }
    }
}
