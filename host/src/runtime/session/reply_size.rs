//! How large the answers to queries and commands are, and may be.

use std::sync::Arc;
use std::time::Duration;

use core_model::{Message, Outcome, Query, Reply};

/// The texts of a reply have no more bytes (the engine's `REPLY_BYTES_MAX`).
const REPLY_BYTES_MAX: usize = 4 << 20;

/// What is expected of one message: the longest one at the default limits.
const MESSAGE_BYTES: usize = 64 * 1024;

/// How long a request waits for memory that answers under way give back within milliseconds. What
/// peers do not read is held for longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Of a message without its text: ids, times and names.
const ENVELOPE_BYTES: usize = 256;

/// What so many messages may have, before they are read.
pub(crate) fn expected_bytes(messages: usize) -> usize {
    messages.saturating_mul(MESSAGE_BYTES).min(REPLY_BYTES_MAX)
}

/// How many messages a query may answer with.
pub(crate) fn messages_of(query: &Query) -> usize {
    match query {
        Query::History { limit, .. }
        | Query::Missed { limit, .. }
        | Query::Excerpt { limit, .. } => *limit as usize,
        Query::Room { detail, .. }
        | Query::Rooms { detail, .. }
        | Query::SearchRooms { detail, .. } => detail.messages as usize,
        Query::Conversations { .. }
        | Query::LastChange
        | Query::Members { .. }
        | Query::Occupants { .. }
        | Query::ReadMarker { .. }
        | Query::RoomIds { .. }
        | Query::User { .. } => 0,
    }
}

/// The bytes of the messages in an answer. The rest of it is small, or shared with the caches.
pub(crate) fn bytes_of(outcome: &Outcome) -> usize {
    let Ok(reply) = outcome else { return 0 };
    match reply {
        Reply::Messages { messages }
        | Reply::Missed { messages, .. }
        | Reply::Received { messages, .. }
        | Reply::SignedIn { backlog: messages, .. } => bytes_of_all(messages),
        Reply::Room { room } => bytes_of_all(&room.messages),
        Reply::Rooms { rooms } => rooms.iter().map(|room| bytes_of_all(&room.messages)).sum(),
        _ => 0,
    }
}

fn bytes_of_all(messages: &[Arc<Message>]) -> usize {
    messages.iter().map(|message| message.text.len() + ENVELOPE_BYTES).sum()
}
