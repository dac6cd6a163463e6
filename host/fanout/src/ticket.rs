//! Where the answer to a command goes.

use std::num::NonZeroU64;
use std::sync::Arc;

use core_model::Outcome;
use tokio::sync::oneshot;

use crate::handle::ConnectionHandle;
use crate::ledger::Ledger;
use crate::subscriptions::SubscriptionChange;

/// When a command was submitted, in nanoseconds by the clock of the caller. The default: it is not
/// timed, as no client waits for it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SubmittedAt(Option<NonZeroU64>);

impl SubmittedAt {
    /// At this time; not timed at 0.
    pub fn ns(now_ns: u64) -> Self {
        Self(NonZeroU64::new(now_ns))
    }

    /// The time in nanoseconds, if it is timed.
    pub fn at_ns(self) -> Option<u64> {
        self.0.map(NonZeroU64::get)
    }

    /// The time in nanoseconds from then until `now_ns`, if it is timed.
    pub fn until(self, now_ns: u64) -> Option<u64> {
        self.0.map(|at| now_ns.saturating_sub(at.get()))
    }
}

#[derive(Debug)]
pub enum Ticket {
    /// To the mailbox of a stream connection, whose subscriptions change if the command succeeds.
    Connection {
        connection: Arc<ConnectionHandle>,
        change: SubscriptionChange,
        submitted: SubmittedAt,
    },
    /// To a task that waits for this one answer; and where a message that it posts is counted.
    Once { sender: oneshot::Sender<Outcome>, ledger: Option<Arc<Ledger>>, submitted: SubmittedAt },
    /// Nowhere.
    Discard,
}

impl Ticket {
    /// The answer goes to this connection.
    pub fn connection(connection: Arc<ConnectionHandle>, change: SubscriptionChange) -> Self {
        Self::Connection { connection, change, submitted: SubmittedAt::default() }
    }

    /// The answer goes to whatever waits for it.
    pub fn once(sender: oneshot::Sender<Outcome>, ledger: Option<Arc<Ledger>>) -> Self {
        Self::Once { sender, ledger, submitted: SubmittedAt::default() }
    }

    /// When the command was submitted.
    pub fn submitted(&self) -> SubmittedAt {
        match self {
            Self::Connection { submitted, .. } | Self::Once { submitted, .. } => *submitted,
            Self::Discard => SubmittedAt::default(),
        }
    }

    /// The same of a command that another gateway may have the ticket of.
    pub fn submitted_of(ticket: &Option<Self>) -> SubmittedAt {
        ticket.as_ref().map_or_else(SubmittedAt::default, Self::submitted)
    }

    /// The same ticket of a command that is submitted now.
    #[must_use]
    pub fn submitted_at(mut self, now_ns: u64) -> Self {
        match &mut self {
            Self::Connection { submitted, .. } | Self::Once { submitted, .. } => {
                *submitted = SubmittedAt::ns(now_ns);
            }
            Self::Discard => (),
        }
        self
    }

    /// Where a message that the command posts is counted.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        match self {
            Self::Connection { connection, .. } => Some(&connection.ledger),
            Self::Once { ledger, .. } => ledger.as_deref(),
            Self::Discard => None,
        }
    }
}
