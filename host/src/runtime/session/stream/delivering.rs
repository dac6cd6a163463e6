//! A stream session's part in delivery: what it was sent, and what it passes on to the engine.

use core_model::{MessageId, Outcome, Reply};
use gateway_fanout::{DeliveryOutcome, Tally};

use super::StreamSession;
use crate::runtime::session::delivery::{Delivery, Sent};

impl StreamSession {
    /// Begins anew with a sign-in that asked for delivery; the newest message of its backlog, and
    /// the deliveries that this is.
    pub(super) fn begin_delivery(&mut self, outcome: &Outcome) -> (Option<MessageId>, Tally) {
        let Ok(Reply::SignedIn { user, backlog, cursor: Some(_), .. }) = outcome else {
            return Default::default();
        };
        self.submit_acknowledged(true);
        self.abandon_delivery();
        self.delivery.get_or_insert_default().begin(user.person.uid);
        let owed = Tally::of_messages(backlog.iter().map(AsRef::as_ref));
        self.enter_backlog(owed);
        (backlog.last().map(|message| message.id), owed)
    }

    /// What was queued so far has the messages up to this one.
    pub(super) fn mark(&mut self, message: Option<MessageId>) {
        self.mark_owed(message, Tally::default());
    }

    /// The newest message that the peer was sent and has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> Option<Sent> {
        self.delivery.as_ref()?.unacknowledged()
    }

    /// The peer has shown something about what it was sent.
    pub(crate) fn note_delivery(&mut self, shown: impl FnOnce(&mut Delivery)) {
        if let Some(delivery) = &mut self.delivery {
            shown(delivery);
            let acknowledged = delivery.take_acknowledged();
            self.settle(DeliveryOutcome::Acknowledged, acknowledged);
            self.submit_acknowledged(false);
        }
    }

    pub(super) fn submit_acknowledged(&mut self, last: bool) {
        let delivery = self.delivery.as_mut();
        if let Some(command) = delivery.and_then(|delivery| delivery.take_command(last)) {
            self.driver.submit_unanswered(command);
        }
    }
}
