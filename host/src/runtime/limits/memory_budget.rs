//! Memory that peers take and do not give back: what they have begun to send and not finished
//! (request bodies, WebSocket messages, lines), and what they have asked for and not read (replies).
//! One budget of each kind for all connections and one for each address, so that a peer which
//! announces much and sends it slowly, or asks for much and does not read it, takes memory from
//! itself and not from others.
//!
//! Of input, what counts are the bytes that have arrived. The buffers that hold them grow by
//! doubling, and are given back when a message is complete: so memory is at most twice what counts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::AddressPrefix;

/// Bytes of a message or reply that count against nothing: nearly every one fits, and takes no lock.
pub(crate) const FREE_BYTES: usize = 16 * 1024;

/// Unfinished input of all connections together: what the gateway may grow by under a flood of it.
const TOTAL_BYTES_MAX: usize = 128 * 1024 * 1024;

/// That of one address: 32 of the largest messages at the default limits.
const ADDRESS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Reservations grow by this much at a time, so that a long message seldom takes the lock.
const STEP_BYTES: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    total_max: usize,
    address_max: usize,
    /// An address with no more than this may use the last quarter of the total, and others may not:
    /// so a few addresses that take all they can do not shut out those that take little.
    share: usize,
    used: Mutex<Used>,
    /// Something was given back.
    freed: Notify,
    /// That of `used`, to be looked at without the lock.
    total: AtomicUsize,
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    by_address: HashMap<AddressPrefix, usize>,
}

/// There is no memory for more of this message now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Exhausted;

/// The part of the budget that one connection or reply uses. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<MemoryBudget>,
    address: Option<AddressPrefix>,
    bytes: usize,
}

impl MemoryBudget {
    pub(crate) fn new(total_max: usize, address_max: usize) -> Self {
        let (used, freed, total) = (Mutex::default(), Notify::new(), AtomicUsize::new(0));
        Self { total_max, address_max, share: 0, used, freed, total }
    }

    /// With an eighth of what an address may have as the share that is kept for it.
    pub(crate) fn with_shares(total_max: usize, address_max: usize) -> Self {
        Self { share: address_max / 8, ..Self::new(total_max, address_max) }
    }

    /// The budget of input that is not finished.
    pub(crate) fn of_input() -> Self {
        Self::new(TOTAL_BYTES_MAX, ADDRESS_BYTES_MAX)
    }

    /// For a peer of this address, or one whose address is unknown.
    pub(crate) fn reservation(self: &Arc<Self>, address: Option<IpAddr>) -> Reservation {
        let address = address.map(AddressPrefix::of);
        Reservation { budget: Arc::clone(self), address, bytes: 0 }
    }

    /// What all reservations have.
    pub(crate) fn used(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Whether so many bytes would fit now. Mostly little is used, and this takes no lock.
    pub(crate) fn has_room(&self, address: IpAddr, bytes: usize) -> bool {
        if self.used().saturating_add(bytes) <= (self.total_max / 4 * 3).min(self.address_max) {
            return true;
        }
        let address = Some(AddressPrefix::of(address)).filter(|_| !address.is_unspecified());
        self.fits(&self.used.lock(), address, bytes)
    }

    fn fits(&self, used: &Used, address: Option<AddressPrefix>, bytes: usize) -> bool {
        let of_address = address.and_then(|address| used.by_address.get(&address));
        let of_address = of_address.copied().unwrap_or(0).saturating_add(bytes);
        let takes_little = address.is_some() && of_address <= self.share;
        let is_all_open = takes_little || self.share == 0;
        let total_max = if is_all_open { self.total_max } else { self.total_max / 4 * 3 };
        used.total.saturating_add(bytes) <= total_max
            && (address.is_none() || of_address <= self.address_max)
    }

    fn add(&self, address: Option<AddressPrefix>, bytes: usize) -> Result<(), Exhausted> {
        let mut used = self.used.lock();
        if !self.fits(&used, address, bytes) {
            return Err(Exhausted);
        }
        used.add(address, bytes);
        self.total.store(used.total, Ordering::Relaxed);
        Ok(())
    }
}

impl Used {
    fn add(&mut self, address: Option<AddressPrefix>, bytes: usize) {
        self.total += bytes;
        if let Some(address) = address {
            *self.by_address.entry(address).or_default() += bytes;
        }
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
        self.budget.add(self.address, wanted - self.bytes)?;
        self.bytes = wanted;
        Ok(())
    }

    /// Makes it as large as this; smaller always works.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if bytes > self.bytes {
            return self.grow_to(bytes);
        }
        self.shrink_to(bytes);
        Ok(())
    }

    /// The same; waits for so long until others have given back what is wanted.
    pub(crate) async fn resize_within(
        &mut self,
        bytes: usize,
        patience: Duration,
    ) -> Result<(), Exhausted> {
        let budget = Arc::clone(&self.budget);
        let resized = async {
            loop {
                let freed = budget.freed.notified();
                if self.resize(bytes).is_ok() {
                    return;
                }
                freed.await;
            }
        };
        tokio::time::timeout(patience, resized).await.map_err(|_| Exhausted)
    }

    /// The same for what is there already, and cannot be refused.
    pub(crate) fn hold(&mut self, bytes: usize) {
        if self.resize(bytes).is_err() {
            let wanted = bytes.next_multiple_of(STEP_BYTES);
            let mut used = self.budget.used.lock();
            used.add(self.address, wanted - self.bytes);
            self.budget.total.store(used.total, Ordering::Relaxed);
            self.bytes = wanted;
        }
    }

    /// Whether it counts nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The message is complete.
    pub(crate) fn clear(&mut self) {
        self.shrink_to(0);
    }

    fn shrink_to(&mut self, bytes: usize) {
        let kept = if bytes <= FREE_BYTES { 0 } else { bytes.next_multiple_of(STEP_BYTES) };
        if kept < self.bytes {
            let mut used = self.budget.used.lock();
            used.remove(self.address, self.bytes - kept);
            self.budget.total.store(used.total, Ordering::Relaxed);
            drop(used);
            self.bytes = kept;
            self.budget.freed.notify_waiters();
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
        let budget = Arc::new(MemoryBudget::of_input());
        let mut reservation = budget.reservation(address(1));
        assert_eq!(reservation.grow_to(FREE_BYTES), Ok(()));
        assert_eq!(budget.used.lock().total, 0);
    }

    #[test]
    fn one_address_cannot_use_up_what_others_need() {
        let budget = Arc::new(MemoryBudget::of_input());
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
        let budget = Arc::new(MemoryBudget::of_input());
        let mut all: Vec<_> = (0..=255).map(|last| budget.reservation(address(last))).collect();
        let granted =
            all.iter_mut().map(|one| one.grow_to(1024 * 1024)).filter(Result::is_ok).count();
        assert_eq!(granted, 128);
        assert_eq!(budget.reservation(None).grow_to(FREE_BYTES + 1), Err(Exhausted));
    }

    #[test]
    fn an_address_that_takes_little_is_not_shut_out_by_others() {
        let budget = Arc::new(MemoryBudget::with_shares(64 * STEP_BYTES, 16 * STEP_BYTES));
        let mut greedy: Vec<_> = (1..=8).map(|last| budget.reservation(address(last))).collect();
        let taken = greedy.iter_mut().map(|one| one.resize(16 * STEP_BYTES));
        assert_eq!(taken.filter(Result::is_ok).count(), 3);
        assert_eq!(budget.used(), 48 * STEP_BYTES);
        assert!(!budget.has_room(address(1).unwrap(), 1));
        assert!(budget.has_room(address(9).unwrap(), 2 * STEP_BYTES));
        let mut little = budget.reservation(address(9));
        assert_eq!(little.resize(2 * STEP_BYTES), Ok(()));
        assert_eq!(little.resize(3 * STEP_BYTES), Err(Exhausted));
    }

    #[tokio::test]
    async fn what_is_wanted_is_waited_for() {
        let budget = Arc::new(MemoryBudget::with_shares(8 * STEP_BYTES, 4 * STEP_BYTES));
        let mut one = budget.reservation(address(1));
        assert_eq!(one.resize(4 * STEP_BYTES), Ok(()));
        let mut other = budget.reservation(address(1));
        let refused = other.resize_within(4 * STEP_BYTES, Duration::ZERO).await;
        assert_eq!(refused, Err(Exhausted));
        let wait = other.resize_within(4 * STEP_BYTES, Duration::from_secs(600));
        let (granted, ()) = tokio::join!(wait, async { drop(one) });
        assert_eq!(granted, Ok(()));
    }

    #[test]
    fn a_reservation_shrinks_and_holds_what_is_there_already() {
        let budget = Arc::new(MemoryBudget::new(8 * STEP_BYTES, 4 * STEP_BYTES));
        let mut one = budget.reservation(address(1));
        assert_eq!(one.resize(4 * STEP_BYTES), Ok(()));
        assert_eq!(budget.reservation(address(1)).resize(FREE_BYTES + 1), Err(Exhausted));
        assert_eq!(one.resize(STEP_BYTES + 1), Ok(()));
        assert_eq!(budget.used(), 2 * STEP_BYTES);
        assert_eq!(one.resize(5 * STEP_BYTES), Err(Exhausted));
        one.hold(5 * STEP_BYTES);
        assert_eq!(budget.used(), 5 * STEP_BYTES);
        let has_room = |last, steps| budget.has_room(address(last).unwrap(), steps * STEP_BYTES);
        assert!(!has_room(1, 1) && has_room(2, 3) && !has_room(2, 4));
        assert_eq!(one.resize(FREE_BYTES), Ok(()));
        assert_eq!(budget.used(), 0);
    }
}
