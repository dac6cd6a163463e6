//! The account of one connection: the deliveries that it is owed and that have no outcome yet.
//!
//! It is kept under the lock of the mailbox, so it is never seen between two steps: whatever is
//! outstanding is in the mailbox, in the hands of the connection's task, or sent and not
//! acknowledged.

use crate::tally::Tally;

/// What a connection is owed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// Owed, and without an outcome.
    pub outstanding: Tally,
    /// Of these, in the mailbox.
    pub waiting: Tally,
    /// Of these, taken from the mailbox and not written.
    pub in_hand: Tally,
    /// Of these, sent, and to be acknowledged by the peer.
    pub unacknowledged: Tally,
}

/// What the connection's task did with deliveries since its last report, and where the others are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Owed since, other than through the mailbox.
    pub entered: Tally,
    /// Given an outcome since.
    pub settled: Tally,
    pub in_hand: Tally,
    pub unacknowledged: Tally,
}

impl Account {
    /// Deliveries that are outstanding, but in no place; 0 if all is right.
    pub fn lost(&self) -> i64 {
        let mut rest = self.outstanding;
        for place in [self.waiting, self.in_hand, self.unacknowledged] {
            rest -= place;
        }
        rest.balance()
    }

    /// One was put into the mailbox.
    pub(crate) fn put(&mut self, owed: Tally) {
        self.outstanding += owed;
        self.waiting += owed;
    }

    /// The task takes what waits.
    pub(crate) fn take(&mut self) {
        self.in_hand += std::mem::take(&mut self.waiting);
    }

    /// Removes what waits, which gets its outcome now.
    pub(crate) fn drop_waiting(&mut self) -> Tally {
        let waiting = std::mem::take(&mut self.waiting);
        self.outstanding -= waiting;
        waiting
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.outstanding += report.entered;
        self.outstanding -= report.settled;
        self.in_hand = report.in_hand;
        self.unacknowledged = report.unacknowledged;
    }
}
