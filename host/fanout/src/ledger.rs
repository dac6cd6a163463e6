//! The ledger of a front end: the deliveries that it owed, and what became of each.
//!
//! A delivery is one message for one connection. It is owed from the moment that the fan-out finds
//! the connection in the message's audience, or that a sign-in reads the message from the store for
//! it. From then on it is in one place: with an outcome here, or pending in the
//! [`Account`](crate::Account) of its connection. What is in neither is lost, and the ledger does not
//! add up.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::counter::Counter;
use crate::tally::{RoomClass, Tally};

/// Why a delivery is owed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The connection was subscribed when the message was committed.
    Live,
    /// The store had the message for a user who signed in, unacknowledged.
    Backlog,
}

impl Source {
    /// Each source with its name in metrics.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Live, "live"), (Self::Backlog, "backlog")];
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeliveryOutcome {
    /// The operating system, or the encryption before it, took the last byte; the dialect has no
    /// acknowledgement.
    Written,
    /// The peer has shown to have it.
    Acknowledged,
    /// Not sent: the connection posted the message itself, and its answer shows that.
    Own,
    /// Not sent: the front end has no words for the message, or the session shows it not.
    Hidden,
    /// Lost: the peer did not read, and the connection was cut off.
    CutOff,
    /// Lost: the connection ended first.
    Ended,
    /// Lost: the front end failed while it encoded the message.
    Fault,
    /// The connection ended before the peer acknowledged it. The store still owes it to the user,
    /// and a later session gets it as [`Source::Backlog`].
    Returned,
}

impl DeliveryOutcome {
    /// Each outcome with its name in metrics.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Written, "written"),
        (Self::Acknowledged, "acknowledged"),
        (Self::Own, "own"),
        (Self::Hidden, "hidden"),
        (Self::CutOff, "cut_off"),
        (Self::Ended, "ended"),
        (Self::Fault, "fault"),
        (Self::Returned, "returned"),
    ];
}

/// Counted for each front end, by room class. Everything only grows.
#[derive(Debug, Default)]
pub struct Ledger {
    posted: ByClass,
    read: ByClass,
    owed: [ByClass; Source::ALL.len()],
    outcomes: [ByClass; DeliveryOutcome::ALL.len()],
    /// Deliveries that were owed and are in no place, as far as that was found where it happened.
    lost: AtomicI64,
    mismatch: AtomicI64,
}

type ByClass = [Counter; RoomClass::COUNT];

fn add(counters: &ByClass, tally: Tally) {
    for ((class, _), counter) in RoomClass::ALL.into_iter().zip(counters) {
        match tally.count(class) {
            0 => (),
            count => counter.add(count.into()),
        }
    }
}

impl Ledger {
    /// Messages that were posted through the front end and are durable.
    pub fn note_posted(&self, tally: Tally) {
        add(&self.posted, tally);
    }

    /// Messages in answers to requests for them: history, and receiving by polling.
    pub fn note_read(&self, tally: Tally) {
        add(&self.read, tally);
    }

    pub fn owe(&self, source: Source, tally: Tally) {
        add(&self.owed[source as usize], tally);
    }

    pub fn settle(&self, outcome: DeliveryOutcome, tally: Tally) {
        add(&self.outcomes[outcome as usize], tally);
    }

    /// Deliveries, by which what was owed exceeds what was done with it, in a place that is known to
    /// be complete.
    pub fn note_lost(&self, balance: i64) {
        if balance != 0 {
            self.lost.fetch_add(balance, Ordering::Relaxed);
        }
    }

    /// The result of the reconciliation: deliveries that are missing, or below zero, too many.
    pub fn set_mismatch(&self, mismatch: i64) {
        self.mismatch.store(mismatch, Ordering::Relaxed);
    }

    pub fn mismatch(&self) -> i64 {
        self.mismatch.load(Ordering::Relaxed)
    }

    pub fn lost(&self) -> i64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub fn posted(&self, class: RoomClass) -> u64 {
        self.posted[class as usize].count()
    }

    pub fn read(&self, class: RoomClass) -> u64 {
        self.read[class as usize].count()
    }

    pub fn owed(&self, source: Source, class: RoomClass) -> u64 {
        self.owed[source as usize][class as usize].count()
    }

    pub fn outcome(&self, outcome: DeliveryOutcome, class: RoomClass) -> u64 {
        self.outcomes[outcome as usize][class as usize].count()
    }

    /// Deliveries that were ever owed, and those that have an outcome. Read one after the other:
    /// their difference is exact only while neither changes.
    pub fn totals(&self) -> (u64, u64) {
        let sum = |counters: &[ByClass]| counters.iter().flatten().map(Counter::count).sum();
        (sum(&self.owed), sum(&self.outcomes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_at_its_own_index() {
        for (at, (class, _)) in RoomClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
        }
        for (at, (source, _)) in Source::ALL.into_iter().enumerate() {
            assert_eq!(source as usize, at);
        }
        for (at, (outcome, _)) in DeliveryOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at);
        }
    }

    #[test]
    fn a_difference_may_be_below_zero() {
        let mut tally = Tally::new(RoomClass::Group, 2);
        tally -= Tally::new(RoomClass::Group, 5);
        tally += Tally::new(RoomClass::Direct, 1);
        assert_eq!(tally.balance(), -2);
    }
}
