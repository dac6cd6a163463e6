//! What answers take of the budget of replies that are not read (`limits/memory_budget.rs`): from
//! before they are made until the peer's system has taken them.

use std::net::IpAddr;

use core_model::Query;

use crate::config::UnreadLimits;
use crate::runtime::limits::memory_budget::{Exhausted, FREE_BYTES, MemoryBudget, Reservation};
use crate::runtime::session::reply_size::{PATIENCE, messages_of};
use crate::runtime::session::services::Services;

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
