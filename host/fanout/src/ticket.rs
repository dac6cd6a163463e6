//! Where the answer to a command goes.

use std::sync::Arc;

use core_model::Outcome;
use tokio::sync::oneshot;

use crate::handle::ConnectionHandle;
use crate::subscriptions::SubscriptionChange;

#[derive(Debug)]
pub enum Ticket {
    /// To the mailbox of a stream connection, whose subscriptions change if the command succeeds.
    Connection { connection: Arc<ConnectionHandle>, change: SubscriptionChange },
    /// To a task that waits for this one answer.
    Once(oneshot::Sender<Outcome>),
    /// Nowhere.
    Discard,
}
