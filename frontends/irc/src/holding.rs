//! Messages that are posted in a channel while those before the join are on their way: they come
//! after these, and what was among these does not come again.

use std::collections::BTreeMap;

use core_model::{ConnectionId, Message as Posted, MessageId, RoomId};

/// Bytes of the messages of one connection that are held back: those of seconds in a busy channel.
const HELD_BYTES_MAX: usize = 1 << 20;

/// What a message costs besides its text.
const MESSAGE_BYTES: usize = 256;

/// The channels whose earlier messages are on their way.
#[derive(Default)]
pub(crate) struct Holding {
    rooms: BTreeMap<RoomId, Held>,
    /// Up to which message the client has all of a channel. The events of the newest of them may
    /// still be on their way; the first that is newer ends that.
    shown: BTreeMap<RoomId, MessageId>,
    bytes: usize,
}

#[derive(Default)]
struct Held {
    messages: Vec<(Posted, ConnectionId)>,
    /// The newest of the earlier messages, once these have been sent.
    newest: Option<MessageId>,
}

/// What to do with a message that was just posted in a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Send,
    /// The client has it, or gets it later.
    Keep,
    /// More is held back than may be.
    TooMuch,
}

impl Holding {
    /// Whether messages wait in any channel.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.rooms.is_empty()
    }

    pub(crate) fn begin(&mut self, room: RoomId) {
        self.shown.remove(&room);
        self.rooms.entry(room).or_default();
    }

    pub(crate) fn take(&mut self, room: RoomId, message: &Posted, cause: ConnectionId) -> Fate {
        if let Some(held) = self.rooms.get_mut(&room) {
            self.bytes += message.text.len() + MESSAGE_BYTES;
            held.messages.push((message.clone(), cause));
            return if self.bytes > HELD_BYTES_MAX { Fate::TooMuch } else { Fate::Keep };
        }
        match self.shown.get(&room) {
            Some(newest) if message.id <= *newest => Fate::Keep,
            Some(_) => {
                self.shown.remove(&room);
                Fate::Send
            }
            None => Fate::Send,
        }
    }

    /// The earlier messages of a channel were sent, up to this one.
    pub(crate) fn end(&mut self, room: RoomId, newest: MessageId) {
        if let Some(held) = self.rooms.get_mut(&room) {
            held.newest = Some(newest);
        }
    }

    /// A message was deleted.
    pub(crate) fn delete(&mut self, message: MessageId) {
        self.rooms
            .values_mut()
            .for_each(|room| room.messages.retain(|(held, _)| held.id != message));
    }

    /// The client has left a channel.
    pub(crate) fn forget(&mut self, room: RoomId) {
        self.shown.remove(&room);
        self.rooms.remove(&room);
        self.count();
    }

    /// What was held back in channels whose earlier messages have been sent.
    pub(crate) fn release(&mut self) -> Vec<(Posted, ConnectionId)> {
        let mut released = Vec::new();
        let shown = &mut self.shown;
        self.rooms.retain(|room, held| {
            let Some(newest) = held.newest else { return true };
            let is_new = |(message, _): &(Posted, _)| message.id > newest;
            let messages = held.messages.drain(..).filter(is_new);
            released.extend(messages);
            shown.insert(*room, newest);
            false
        });
        self.count();
        released
    }

    fn count(&mut self) {
        let held = self.rooms.values().flat_map(|held| &held.messages);
        self.bytes = held.map(|(message, _)| message.text.len() + MESSAGE_BYTES).sum();
    }
}
