//! A stream session's part in delivery: what it was sent, and what it passes on to the engine.

use core_model::{MessageId, Outcome, Reply};

use super::StreamSession;
use crate::runtime::session::delivery::{Delivery, Sent};

impl StreamSession {
    /// Begins anew with a sign-in that asked for delivery; the newest message of its backlog.
    pub(super) fn begin_delivery(&mut self, outcome: &Outcome) -> Option<MessageId> {
        let Ok(Reply::SignedIn { user, backlog, cursor: Some(_), .. }) = outcome else {
            return None;
        };
        self.submit_acknowledged(true);
        self.delivery.get_or_insert_default().begin(user.person.uid);
        backlog.last().map(|message| message.id)
    }

    /// What was queued so far has the messages up to this one.
    pub(super) fn mark(&mut self, message: Option<MessageId>) {
        if let (Some(delivery), Some(message)) = (&mut self.delivery, message) {
            delivery.note_sent(self.write_queue.pushed(), message);
        }
    }

    /// The newest message that the peer was sent and has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> Option<Sent> {
        self.delivery.as_ref()?.unacknowledged()
    }

    /// The peer has shown something about what it was sent.
    pub(crate) fn note_delivery(&mut self, shown: impl FnOnce(&mut Delivery)) {
        if let Some(delivery) = &mut self.delivery {
            shown(delivery);
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
