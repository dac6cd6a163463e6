//! A stream session's part in the ledger: what became of the deliveries that it took from its
//! mailbox.

use std::collections::VecDeque;

use core_model::{Event, MessageId, Recorded};
use frontend_api::Input;
use gateway_fanout::{Closed, DeliveryOutcome, MailboxItem, Report, Source, Tally, owed};

use super::{CloseReason, StreamSession};

/// What was done since the last report to the mailbox.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Deliveries that came with an answer, not through the mailbox.
    entered: Tally,
    /// Deliveries that got an outcome.
    settled: Tally,
    /// Whether deliveries have changed their place.
    is_due: bool,
}

impl StreamSession {
    /// Takes what was in the mailbox, to be passed on item by item.
    pub(crate) fn take_all(&mut self, items: VecDeque<MailboxItem>) {
        let mut frames = 0;
        let mut now = None;
        for item in &items {
            if let Some((posted, messages)) = item.posted() {
                let now = *now.get_or_insert_with(|| self.driver.services.clock.now());
                let delay_ms = now.0.saturating_sub(posted.0);
                self.driver.frontend.metrics.delivery_delay.note(delay_ms, messages);
            }
            match item {
                MailboxItem::Frame { frames: more, .. } => frames += u64::from(*more),
                MailboxItem::Event(_) => self.books.is_due = true,
                MailboxItem::Answer { .. } | MailboxItem::Fence | MailboxItem::Wake => (),
            }
        }
        self.books.is_due |= frames > 0;
        // Once for all of them: every connection of the front end counts here.
        self.driver.frontend.metrics.frames.add(frames);
        self.write_queue.reserve(items.len());
        self.items = items;
    }

    /// Has the session encode an event, and counts a message among them by whether it did.
    pub(super) fn pass_event(&mut self, recorded: &Recorded) {
        let before = self.write_queue.pushed();
        self.feed(Input::Event(recorded));
        let Event::Posted { message } = &recorded.event else { return };
        let owed = Tally::of_event(&recorded.event);
        if self.write_queue.pushed() > before {
            return self.mark_owed(Some(message.id), owed);
        }
        self.mark(Some(message.id));
        let outcome = match self.closed {
            None if recorded.cause == self.handle.id => DeliveryOutcome::Own,
            None => DeliveryOutcome::Hidden,
            Some(CloseReason::SessionFailed) => DeliveryOutcome::Fault,
            Some(_) => DeliveryOutcome::Ended,
        };
        self.settle(outcome, owed);
    }

    /// What was queued so far has these deliveries, the last one that of this message.
    pub(super) fn mark_owed(&mut self, message: Option<MessageId>, owed: Tally) {
        let place = self.write_queue.pushed();
        let is_tracked = match (&mut self.delivery, message) {
            (Some(delivery), Some(message)) => delivery.note_sent(place, message, owed),
            _ => false,
        };
        if !is_tracked {
            self.write_queue.attach(owed);
        }
    }

    /// Deliveries come with the answer to a sign-in.
    pub(super) fn enter_backlog(&mut self, owed: Tally) {
        self.driver.frontend.metrics.ledger.owe(Source::Backlog, owed);
        self.books.entered += owed;
        self.books.is_due = true;
    }

    pub(super) fn settle(&mut self, outcome: DeliveryOutcome, owed: Tally) {
        if !owed.is_empty() {
            self.driver.frontend.metrics.ledger.settle(outcome, owed);
            self.books.settled += owed;
            self.books.is_due = true;
        }
    }

    /// Tells the mailbox where the deliveries are, if that has changed.
    pub(crate) fn report(&mut self) {
        self.activity.note_sent(self.write_queue.pushed());
        let written = self.write_queue.take_written();
        self.settle(DeliveryOutcome::Written, written);
        if !std::mem::take(&mut self.books.is_due) {
            return;
        }
        let mut in_hand = self.write_queue.owed();
        in_hand += owed(&self.items);
        let entered = std::mem::take(&mut self.books.entered);
        let settled = std::mem::take(&mut self.books.settled);
        let unacknowledged = self.delivery.as_ref().map(|delivery| delivery.owed());
        let unacknowledged = unacknowledged.unwrap_or_default();
        self.handle.mailbox.report(Report { entered, settled, in_hand, unacknowledged });
    }

    /// Closes the mailbox, and gives every delivery that is left its outcome.
    pub(super) fn close_books(&mut self) {
        let Closed { waiting, mut outstanding, cut_off } = self.handle.mailbox.close();
        let written = self.write_queue.take_written();
        self.settle(DeliveryOutcome::Written, written);
        let mut unsent = self.write_queue.abandon();
        unsent += owed(&self.items);
        unsent += waiting;
        let outcome = if cut_off { DeliveryOutcome::CutOff } else { DeliveryOutcome::Ended };
        self.settle(outcome, unsent);
        self.abandon_delivery();
        outstanding += self.books.entered;
        outstanding -= self.books.settled;
        self.driver.frontend.metrics.ledger.note_lost(outstanding.balance());
    }

    /// Gives what the peer has not acknowledged back to the store, if that owes it still.
    pub(super) fn abandon_delivery(&mut self) {
        let Some(delivery) = &mut self.delivery else { return };
        let (acknowledged, abandoned) = (delivery.take_acknowledged(), delivery.abandon());
        self.settle(DeliveryOutcome::Acknowledged, acknowledged);
        self.settle(DeliveryOutcome::Returned, abandoned.returned);
        self.settle(DeliveryOutcome::Ended, abandoned.ended);
    }
}
