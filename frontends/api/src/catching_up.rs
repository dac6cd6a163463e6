//! Rooms whose missed messages are on their way: what is posted there meanwhile comes after them, and
//! what was among them does not come again.

use std::collections::BTreeMap;

use core_model::{Message, MessageId, Recipient, RoomId};

/// Bytes of the messages of one connection that wait for the missed ones: those of seconds in a busy
/// room.
const HELD_BYTES_MAX: usize = 1 << 20;

/// Rooms of one connection that are remembered. Of further ones a message may come twice.
const ROOMS_MAX: usize = 1_024;

/// What a session passes on, and when, of the messages of rooms that its client catches up with.
///
/// The session encodes events itself ([`EventFilter::per_session`](crate::EventFilter)), and shows each
/// message to [`hold`](Self::hold) first. `T` is an encoded message.
///
/// ```
/// use core_model::{Message, MessageId, RoomId};
/// use frontend_api::CatchingUp;
///
/// let message = |id: u64| -> Message {
///     let text = format!(
///         r#"{{"id":{id},"at":0,"author":{{"handle":"ann","name":"Ann"}},
///         "to":{{"room":{{"id":1,"name":"tea"}}}},"text":"hi"}}"#
///     );
///     serde_json::from_str(&text).expect("a message")
/// };
/// let mut catching_up = CatchingUp::default();
/// catching_up.begin(RoomId(1));
/// assert_eq!(catching_up.hold(&message(7), "among the missed ones"), None);
/// assert_eq!(catching_up.hold(&message(8), "newer"), None);
/// assert_eq!(catching_up.end(RoomId(1), MessageId(7), false), [(MessageId(8), "newer")]);
/// assert_eq!(catching_up.hold(&message(9), "live"), Some("live"));
/// ```
#[derive(Debug)]
pub struct CatchingUp<T> {
    rooms: BTreeMap<RoomId, Room<T>>,
    bytes: usize,
}

#[derive(Debug)]
struct Room<T> {
    /// Requests whose missed messages have not come yet.
    requests: usize,
    /// Encoded messages that wait.
    held: Vec<(MessageId, T)>,
    /// Whether the client has to ask for more. What is posted until then is among that.
    is_partial: bool,
    /// Up to which id the client has all messages. The events of the newest of them may still be on
    /// their way; the first that is newer ends that.
    caught_up: MessageId,
}

impl<T: AsRef<[u8]>> CatchingUp<T> {
    /// The client asks for the messages that it missed of a room.
    pub fn begin(&mut self, room: RoomId) {
        self.rooms.entry(room).or_default().requests += 1;
    }

    /// Keeps a message that must wait, and drops one that the client has or is to ask for; returns
    /// the encoded form of any other.
    pub fn hold(&mut self, message: &Message, encoded: T) -> Option<T> {
        let Recipient::Room(tag) = &message.to else { return Some(encoded) };
        let Some(room) = self.rooms.get_mut(&tag.id) else { return Some(encoded) };
        if room.requests > 0 {
            self.bytes += encoded.as_ref().len();
            room.held.push((message.id, encoded));
            return None;
        }
        if room.is_partial || message.id <= room.caught_up {
            return None;
        }
        self.rooms.remove(&tag.id);
        Some(encoded)
    }

    /// Whether too much waits: the connection should be closed.
    pub fn is_full(&self) -> bool {
        self.bytes > HELD_BYTES_MAX
    }

    /// The missed messages of a request have come, up to this one; `more`: the client has to ask
    /// again. Returns those that waited for the last such request and are newer.
    pub fn end(&mut self, room: RoomId, newest: MessageId, more: bool) -> Vec<(MessageId, T)> {
        let Some(state) = self.rooms.get_mut(&room) else { return Vec::new() };
        state.caught_up = state.caught_up.max(newest);
        state.is_partial = more;
        self.release(room)
    }

    /// A request was refused. Returns the messages that waited for it.
    pub fn refuse(&mut self, room: RoomId) -> Vec<(MessageId, T)> {
        self.release(room)
    }

    /// The client has left the room: it has nothing more to ask for there.
    pub fn forget(&mut self, room: RoomId) {
        if let Some(state) = self.rooms.get_mut(&room) {
            state.is_partial = false;
        }
    }

    /// The client has left every room.
    pub fn forget_all(&mut self) {
        self.rooms.values_mut().for_each(|state| state.is_partial = false);
    }

    fn release(&mut self, room: RoomId) -> Vec<(MessageId, T)> {
        let is_crowded = self.rooms.len() > ROOMS_MAX;
        let Some(state) = self.rooms.get_mut(&room) else { return Vec::new() };
        state.requests = state.requests.saturating_sub(1);
        if state.requests > 0 {
            return Vec::new();
        }
        let mut held = std::mem::take(&mut state.held);
        self.bytes -= held.iter().map(|(_, encoded)| encoded.as_ref().len()).sum::<usize>();
        held.retain(|(id, _)| !state.is_partial && *id > state.caught_up);
        if let Some((newest, _)) = held.last() {
            state.caught_up = *newest;
        }
        if is_crowded || (!state.is_partial && state.caught_up == MessageId::default()) {
            self.rooms.remove(&room);
        }
        held
    }
}

impl<T> Default for CatchingUp<T> {
    fn default() -> Self {
        Self { rooms: BTreeMap::new(), bytes: 0 }
    }
}

impl<T> Default for Room<T> {
    fn default() -> Self {
        let (requests, is_partial, caught_up) = Default::default();
        Self { requests, held: Vec::new(), is_partial, caught_up }
    }
}
