//! What answers take of the budget of replies that are not read (`limits/memory_budget.rs`): from
//! before they are made until the peer's system has taken them.

use std::net::IpAddr;
use std::time::Duration;

use core_model::{Message, Outcome, Query, Reply};

use crate::config::UnreadLimits;
use crate::runtime::limits::memory_budget::{Exhausted, FREE_BYTES, MemoryBudget, Reservation};
use crate::runtime::session::services::Services;

/// The texts of a reply have no more bytes (the engine's `REPLY_BYTES_MAX`).
const REPLY_BYTES_MAX: usize = 4 << 20;

/// What is expected of one message: the longest one at the default limits.
const MESSAGE_BYTES: usize = 64 * 1024;

/// How long a request waits for memory that answers under way give back within milliseconds. What
/// peers do not read is held for longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Of a message without its text: ids, times and names.
const ENVELOPE_BYTES: usize = 256;

impl UnreadLimits {
    pub(crate) fn budget(self) -> MemoryBudget {
        let max = |bytes| if bytes == 0 { usize::MAX } else { bytes as usize };
        MemoryBudget::with_shares(max(self.total), max(self.per_address))
    }
}

impl Services {
    /// A part of the budget for the answers to one peer. Unknown addresses count as none.
    pub(crate) fn unread_of(&self, address: IpAddr) -> Reservation {
        self.unread_budget.reservation(Some(address).filter(|address| !address.is_unspecified()))
    }
}

/// Makes a part of the budget as large as an answer, if that is long.
pub(crate) fn resize(
    unread: &mut Option<Reservation>,
    services: &Services,
    address: IpAddr,
    bytes: usize,
) -> Result<(), Exhausted> {
    if bytes <= FREE_BYTES && unread.is_none() {
        return Ok(());
    }
    unread.get_or_insert_with(|| services.unread_of(address)).resize(bytes)
}

/// The same before the answer is made: waits for others of the address to get theirs.
pub(crate) async fn resize_within(
    unread: &mut Option<Reservation>,
    services: &Services,
    address: IpAddr,
    bytes: usize,
) -> Result<(), Exhausted> {
    if bytes <= FREE_BYTES && unread.is_none() {
        return Ok(());
    }
    unread.get_or_insert_with(|| services.unread_of(address)).resize_within(bytes, PATIENCE).await
}

/// Waits until an address has not all that it may have.
pub(crate) async fn wait_for_room(services: &Services, address: IpAddr) -> Result<(), Exhausted> {
    if services.unread_budget.has_room(address, 1) {
        return Ok(());
    }
    services.unread_of(address).resize_within(FREE_BYTES + 1, PATIENCE).await
}

/// Whether a query for messages may be answered at once: it is not if the address has all that it may
/// have. What the answer takes is counted when it is made.
pub(crate) fn has_room_for(services: &Services, address: IpAddr, query: &Query) -> bool {
    messages_of(query) == 0 || services.unread_budget.has_room(address, 1)
}

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
    let messages = match outcome {
        Ok(
            Reply::Messages { messages }
            | Reply::Missed { messages, .. }
            | Reply::Received { messages, .. }
            | Reply::SignedIn { backlog: messages, .. },
        ) => messages,
        _ => return 0,
    };
    let bytes_of = |message: &std::sync::Arc<Message>| message.text.len() + ENVELOPE_BYTES;
    messages.iter().map(bytes_of).sum()
}
