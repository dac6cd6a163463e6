//! Where the answer to a command goes.

use std::sync::Arc;

use core_model::Outcome;
use tokio::sync::oneshot;

use crate::handle::ConnectionHandle;
use crate::ledger::Ledger;
use crate::subscriptions::SubscriptionChange;

#[derive(Debug)]
pub enum Ticket {
    /// To the mailbox of a stream connection, whose subscriptions change if the command succeeds.
    Connection { connection: Arc<ConnectionHandle>, change: SubscriptionChange },
    /// To a task that waits for this one answer; and where a message that it posts is counted.
    Once { sender: oneshot::Sender<Outcome>, ledger: Option<Arc<Ledger>> },
    /// Nowhere.
    Discard,
}

impl Ticket {
    /// Where a message that the command posts is counted.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        match self {
            Self::Connection { connection, .. } => Some(&connection.ledger),
            Self::Once { ledger, .. } => ledger.as_deref(),
            Self::Discard => None,
        }
    }
}
