//! What the ledger of each front end says, with what is under way on its connections.

use std::sync::Arc;

use gateway_fanout::{Account, Ledger, RoomClass, Tally};

use crate::runtime::frontends::instance::FrontendInstance;
use crate::runtime::net::registry::FrontendRegistry;

/// The ledger of one front end, and the instances that share it.
pub(crate) struct Books {
    pub(crate) frontend: String,
    pub(crate) ledger: Arc<Ledger>,
    instances: Vec<Arc<FrontendInstance>>,
}

/// What is under way, and whether the accounts of the connections are right.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Pending {
    /// In mailboxes, and taken from them but not written.
    pub(crate) queued: Tally,
    /// Sent, and to be acknowledged by the peer.
    pub(crate) unacknowledged: Tally,
    /// Deliveries that the account of a connection has in no place; exact at any time.
    lost: i64,
}

impl FrontendRegistry {
    /// The books of every front end, in the configuration's order.
    pub(crate) fn books(&self) -> Vec<Books> {
        let mut books: Vec<Books> = Vec::new();
        for instance in self.instances() {
            let ledger = &instance.metrics.ledger;
            match books.iter_mut().find(|books| Arc::ptr_eq(&books.ledger, ledger)) {
                Some(books) => books.instances.push(instance.clone()),
                None => books.push(Books {
                    frontend: instance.name.clone(),
                    ledger: ledger.clone(),
                    instances: vec![instance.clone()],
                }),
            }
        }
        books
    }
}

impl Books {
    /// Asks every open connection.
    pub(crate) fn pending(&self) -> Pending {
        let mut pending = Pending::default();
        for instance in &self.instances {
            instance.each_account(|account| pending.add(account));
        }
        pending
    }

    /// Deliveries that are in no place, as far as that is known while others are under way.
    pub(crate) fn lost(&self, pending: &Pending) -> i64 {
        self.ledger.lost() + pending.lost
    }

    /// What the reconciliation found, unless more is known by now.
    pub(crate) fn mismatch(&self, pending: &Pending) -> i64 {
        match self.lost(pending) {
            0 => self.ledger.mismatch(),
            lost => lost,
        }
    }
}

impl Pending {
    fn add(&mut self, account: Account) {
        self.lost += account.lost();
        self.queued += account.waiting;
        self.queued += account.in_hand;
        self.unacknowledged += account.unacknowledged;
    }

    pub(crate) fn total(&self) -> u64 {
        let total = |tally: Tally| -> u64 {
            RoomClass::ALL.into_iter().map(|(class, _)| u64::from(tally.count(class))).sum()
        };
        total(self.queued) + total(self.unacknowledged)
    }

    /// By place, with its name in metrics.
    pub(crate) fn places(&self) -> [(&'static str, Tally); 2] {
        [("queued", self.queued), ("unacknowledged", self.unacknowledged)]
    }
}
