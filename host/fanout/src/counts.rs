//! What the fan-out does with deliveries, counted by front end and added to the ledgers once a turn:
//! network threads add to the same counters.

use std::sync::Arc;

use crate::ledger::{DeliveryOutcome, Ledger, Source};
use crate::mailbox::Pushed;
use crate::tally::Tally;
use crate::ticket::Ticket;

/// Since the last [`flush`](Self::flush), by the front end's index.
#[derive(Default)]
pub(crate) struct Counts(Vec<FrontendCounts>);

#[derive(Default)]
struct FrontendCounts {
    ledger: Arc<Ledger>,
    owed: Tally,
    /// Of these, put into a mailbox.
    waiting: Tally,
    /// Of these, the others.
    outcomes: [Tally; DeliveryOutcome::ALL.len()],
    /// Of turns before or of this one, dropped from a mailbox that was full.
    cut_off: Tally,
}

impl Counts {
    pub(crate) fn add_frontend(&mut self, index: usize, ledger: Arc<Ledger>) {
        self.flush();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, FrontendCounts::default);
        }
        self.0[index].ledger = ledger;
    }

    /// The index of the front end that a command came through, if it came through one.
    pub(crate) fn origin(&self, ticket: &Ticket) -> Option<u16> {
        match ticket {
            Ticket::Connection { connection, .. } => Some(connection.frontend),
            Ticket::Once { ledger, .. } => {
                let ledger = ledger.as_ref()?;
                let at = self.0.iter().position(|one| Arc::ptr_eq(&one.ledger, ledger))?;
                u16::try_from(at).ok()
            }
            Ticket::Discard => None,
        }
    }

    /// A connection of the front end is in the audience.
    pub(crate) fn owe(&mut self, frontend: u16, owed: Tally) {
        self.0[usize::from(frontend)].owed += owed;
    }

    pub(crate) fn settle(&mut self, frontend: u16, outcome: DeliveryOutcome, owed: Tally) {
        self.0[usize::from(frontend)].outcomes[outcome as usize] += owed;
    }

    /// An item was put into a mailbox.
    pub(crate) fn note_pushed(&mut self, frontend: u16, pushed: Pushed, owed: Tally) {
        match pushed {
            Pushed::Waiting => self.0[usize::from(frontend)].waiting += owed,
            Pushed::CutOff { waiting, .. } => {
                self.settle(frontend, DeliveryOutcome::CutOff, owed);
                self.0[usize::from(frontend)].cut_off += waiting;
            }
            Pushed::Closed { cut_off: true } => {
                self.settle(frontend, DeliveryOutcome::CutOff, owed);
            }
            Pushed::Closed { cut_off: false } => {
                self.settle(frontend, DeliveryOutcome::Ended, owed);
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        self.0.iter_mut().for_each(FrontendCounts::flush);
    }
}

impl FrontendCounts {
    fn flush(&mut self) {
        if self.owed.is_empty() && self.cut_off.is_empty() {
            return;
        }
        self.ledger.owe(Source::Live, self.owed);
        let mut lost = std::mem::take(&mut self.owed);
        lost -= std::mem::take(&mut self.waiting);
        for (outcome, _) in DeliveryOutcome::ALL {
            let settled = std::mem::take(&mut self.outcomes[outcome as usize]);
            lost -= settled;
            self.ledger.settle(outcome, settled);
        }
        self.ledger.settle(DeliveryOutcome::CutOff, std::mem::take(&mut self.cut_off));
        self.ledger.note_lost(lost.balance());
    }
}
