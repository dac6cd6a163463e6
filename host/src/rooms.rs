//! What an operator can do to a room, on the store itself and through a running gateway.

use core_engine::Engine;
use core_model::{Command, Outcome, Refusal, RoomRef, RoomView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::users::{Failure, Who};

/// An action on one room.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoomAction {
    /// The name that is unique in the gateway.
    pub room: String,
    pub kind: RoomActionKind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RoomActionKind {
    Show,
    /// Gives the room to a user, or to none. Its members stay.
    SetOwner(Option<Who>),
}

/// A room as an operator sees it, after the action.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct RoomReport {
    pub room_id: u32,
    /// The name that is unique in the gateway.
    pub name: String,
    /// The display name.
    pub title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The owner's handle; none: no user owns it.
    pub owner: Option<String>,
    /// Whether only members know of it.
    pub closed: bool,
    /// Seats taken.
    pub population: u32,
    pub capacity: u32,
}

/// A room as an operator sees it.
pub(crate) fn report(room: &RoomView) -> RoomReport {
    RoomReport {
        room_id: room.id.0,
        name: room.name.clone(),
        title: room.title.clone(),
        section: room.section.clone(),
        description: room.description.clone(),
        owner: room.owner.as_ref().map(|owner| owner.handle.clone()),
        closed: room.closed,
        population: room.population,
        capacity: room.capacity,
    }
}

impl RoomAction {
    /// The command that carries it out, unless looking is enough.
    pub fn command(&self) -> Option<Command> {
        match &self.kind {
            RoomActionKind::Show => None,
            RoomActionKind::SetOwner(owner) => Some(Command::SetOwner {
                room: RoomRef::Name(self.room.clone()),
                owner: owner.as_ref().map(Who::user_ref),
            }),
        }
    }

    /// The room afterwards. `done` is the outcome of [`command`](Self::command).
    pub fn report<T: Send + 'static>(
        &self,
        engine: &Engine<T>,
        done: Option<Outcome>,
    ) -> Result<RoomReport, Failure> {
        done.unwrap_or(Ok(core_model::Reply::Done)).map_err(|refusal| self.explain(refusal))?;
        let found = engine.room_named(&self.room).map_err(|refusal| self.explain(refusal))?;
        let room = found.ok_or_else(|| Failure::UnknownRoom(self.room.clone()))?;
        Ok(report(&room))
    }

    fn explain(&self, refusal: Refusal) -> Failure {
        match (refusal, &self.kind) {
            (Refusal::UnknownRoom, _) => Failure::UnknownRoom(self.room.clone()),
            (Refusal::UnknownUser, RoomActionKind::SetOwner(Some(who))) => {
                Failure::Unknown(who.clone())
            }
            (Refusal::RoomNotPublic { .. }, _) => Failure::ClosedRoom(self.room.clone()),
            (Refusal::Internal { why }, _) => Failure::Store(why),
            (refusal, _) => Failure::Refused(refusal),
        }
    }
}
