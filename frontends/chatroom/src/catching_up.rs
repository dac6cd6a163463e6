//! Rooms whose missed messages are on their way: what is posted there meanwhile comes after them, and
//! what was among them does not come again.

use std::collections::BTreeMap;

use core_model::{Message, MessageId, Recipient};

/// Bytes of the messages of one connection that wait for the missed ones: those of seconds in a busy
/// room.
const HELD_BYTES_MAX: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct CatchingUp {
    rooms: BTreeMap<String, Held>,
    /// Up to which id the client has all messages of a room. The events of the newest of them may
    /// still be on their way; the first that is newer ends that.
    caught_up: BTreeMap<String, MessageId>,
    bytes: usize,
}

#[derive(Default)]
struct Held {
    /// Joins whose missed messages have not come yet.
    joins: usize,
    /// Encoded messages that wait.
    messages: Vec<(MessageId, String)>,
}

impl CatchingUp {
    pub(crate) fn begin(&mut self, room_name: &str) {
        self.caught_up.remove(room_name);
        self.rooms.entry(room_name.to_owned()).or_default().joins += 1;
    }

    /// Keeps a message that must wait, and drops one that the client has; returns the encoded form of
    /// any other.
    pub(crate) fn hold(&mut self, message: &Message, text: String) -> Option<String> {
        let Recipient::Room(room) = &message.to else { return Some(text) };
        let Some(held) = self.rooms.get_mut(&*room.name) else {
            let has = self.caught_up.get(&*room.name).is_some_and(|newest| message.id <= *newest);
            if !has && !self.caught_up.is_empty() {
                self.caught_up.remove(&*room.name);
            }
            return (!has).then_some(text);
        };
        self.bytes += text.len();
        held.messages.push((message.id, text));
        None
    }

    /// Whether too much waits.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > HELD_BYTES_MAX
    }

    /// The missed messages of a join have come, up to this one: those that waited for the last such
    /// join and are newer.
    pub(crate) fn end(&mut self, room_name: &str, newest: MessageId) -> Vec<(MessageId, String)> {
        let Some(held) = self.rooms.get_mut(room_name) else { return Vec::new() };
        held.joins -= 1;
        if held.joins > 0 {
            return Vec::new();
        }
        let mut messages = self.rooms.remove(room_name).unwrap_or_default().messages;
        self.bytes -= messages.iter().map(|(_, text)| text.len()).sum::<usize>();
        messages.retain(|(id, _)| *id > newest);
        let newest = messages.last().map_or(newest, |(id, _)| *id);
        self.caught_up.insert(room_name.to_owned(), newest);
        messages
    }
}
