//! Memory for what peers have begun to send and not finished: request bodies, WebSocket messages,
//! lines. One budget for all connections and one for each address, so that a peer which announces
//! much and sends it slowly takes memory from itself and not from others.
//!
//! What counts are the bytes that have arrived. The buffers that hold them grow by doubling, and are
//! given back when a message is complete: so memory is at most twice what counts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::AddressPrefix;

/// Unfinished bytes that count against nothing: nearly every message fits, and takes no lock.
pub(crate) const FREE_BYTES: usize = 16 * 1024;

/// For all connections together: what the gateway may grow by under a flood of unfinished messages.
const TOTAL_BYTES_MAX: usize = 128 * 1024 * 1024;

/// For one address: 32 of the largest messages at the default limits.
const ADDRESS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Reservations grow by this much at a time, so that a long message seldom takes the lock.
const STEP_BYTES: usize = 64 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct MemoryBudget {
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    by_address: HashMap<AddressPrefix, usize>,
}

/// There is no memory for more of this message now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Exhausted;

/// The part of the budget that one connection uses. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<MemoryBudget>,
    address: Option<AddressPrefix>,
    bytes: usize,
}

impl MemoryBudget {
    /// For a peer of this address, or one whose address is unknown.
    pub(crate) fn reservation(self: &Arc<Self>, address: Option<IpAddr>) -> Reservation {
        let address = address.map(AddressPrefix::of);
        Reservation { budget: Arc::clone(self), address, bytes: 0 }
    }
}

impl Used {
    fn add(&mut self, address: Option<AddressPrefix>, bytes: usize) -> Result<(), Exhausted> {
        if self.total + bytes > TOTAL_BYTES_MAX {
            return Err(Exhausted);
        }
        if let Some(address) = address {
            let used = self.by_address.get(&address).copied().unwrap_or(0) + bytes;
            if used > ADDRESS_BYTES_MAX {
                return Err(Exhausted);
            }
            self.by_address.insert(address, used);
        }
        self.total += bytes;
        Ok(())
    }

    fn remove(&mut self, address: Option<AddressPrefix>, bytes: usize) {
        self.total -= bytes;
        if let Some(address) = address
            && let Some(used) = self.by_address.get_mut(&address)
        {
            *used -= bytes;
            if *used == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Reservation {
    /// Makes room for a message that has grown to `bytes`.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if bytes <= FREE_BYTES || bytes <= self.bytes {
            return Ok(());
        }
        let wanted = bytes.next_multiple_of(STEP_BYTES);
        self.budget.used.lock().add(self.address, wanted - self.bytes)?;
        self.bytes = wanted;
        Ok(())
    }

    /// The message is complete.
    pub(crate) fn clear(&mut self) {
        if self.bytes > 0 {
            self.budget.used.lock().remove(self.address, self.bytes);
            self.bytes = 0;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([127, 0, 0, last]))
    }

    #[test]
    fn small_messages_take_nothing_from_the_budget() {
        let budget = Arc::<MemoryBudget>::default();
        let mut reservation = budget.reservation(address(1));
        assert_eq!(reservation.grow_to(FREE_BYTES), Ok(()));
        assert_eq!(budget.used.lock().total, 0);
    }

    #[test]
    fn one_address_cannot_use_up_what_others_need() {
        let budget = Arc::<MemoryBudget>::default();
        let mut greedy: Vec<_> = (0..33).map(|_| budget.reservation(address(1))).collect();
        let granted =
            greedy.iter_mut().map(|one| one.grow_to(1024 * 1024)).filter(Result::is_ok).count();
        assert_eq!(granted, 32);
        assert_eq!(budget.reservation(address(2)).grow_to(1024 * 1024), Ok(()));
        drop(greedy);
        assert_eq!(budget.used.lock().total, 0);
        assert!(budget.used.lock().by_address.is_empty());
    }

    #[test]
    fn all_addresses_together_stay_within_the_total() {
        let budget = Arc::<MemoryBudget>::default();
        let mut all: Vec<_> = (0..=255).map(|last| budget.reservation(address(last))).collect();
        let granted =
            all.iter_mut().map(|one| one.grow_to(1024 * 1024)).filter(Result::is_ok).count();
        assert_eq!(granted, 128);
        assert_eq!(budget.reservation(None).grow_to(FREE_BYTES + 1), Err(Exhausted));
    }
}
