//! What is observed, read from the store.

use std::sync::Arc;

use core_model::{Message, MessageId, Recipient, Refusal, RoomRef, UserRef};

use super::{Subject, scripts};
use crate::runtime::net::state::GatewayState;

/// Messages are read before this one.
const NEWEST: MessageId = MessageId(u64::MAX);

impl Subject {
    /// A room with its newest message.
    pub(in super::super) fn of_room(state: &GatewayState, room: &RoomRef) -> Result<Self, Refusal> {
        let engine = &state.services.engine;
        let view = engine.room(room)?;
        let room = RoomRef::Id(view.id);
        Ok(Self {
            messages: engine.messages_of_room(&room, NEWEST, 1)?,
            members: engine.members_of(&room)?,
            room: Some(Arc::new(view)),
            user: None,
            observer: Arc::new(scripts::observer(None)),
        })
    }

    /// A user, who comes into one of its rooms.
    pub(in super::super) fn of_user(state: &GatewayState, user: &UserRef) -> Result<Self, Refusal> {
        let services = &state.services;
        let record = services.engine.user_record(services.clock.now(), user)?;
        let uid = record.user.person.uid.unwrap_or_default();
        let (owned, member) = services.engine.rooms_of_user(uid)?;
        let room = owned.iter().chain(&member).next();
        let room = room.map(|room| services.engine.room(&RoomRef::Id(room.id))).transpose()?;
        Ok(Self {
            room: room.map(Arc::new),
            user: Some(record.user),
            observer: Arc::new(scripts::observer(None)),
            ..Self::default()
        })
    }

    /// A message, in its room if it is to one.
    pub(in super::super) fn of_message(
        state: &GatewayState,
        message: Arc<Message>,
    ) -> Result<Self, Refusal> {
        let observer = Arc::new(scripts::observer(Some(&message.to)));
        let room = match &message.to {
            Recipient::Room(room) => Some(state.services.engine.room(&RoomRef::Id(room.id))?),
            Recipient::User(_) => None,
        };
        let room = room.map(Arc::new);
        Ok(Self { room, messages: vec![message], observer, ..Self::default() })
    }
}
