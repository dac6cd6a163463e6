//! A stream session's part in delivery: what it was sent, and what it passes on to the engine.

use core_model::{MessageId, Outcome, Reply};
use gateway_fanout::{DeliveryOutcome, Tally};

use super::StreamSession;
use crate::runtime::session::acknowledgements::Reader;
use crate::runtime::session::delivery::{Delivery, Sent};
use crate::runtime::session::pending::DeliveryRequest;

impl StreamSession {
    /// Begins anew with a sign-in that asked for this delivery; the newest message of its
    /// backlog, and the deliveries that this is. Leaves out of the answer what the store does not know
    /// yet to be acknowledged.
    pub(super) fn begin_delivery(
        &mut self,
        outcome: &mut Outcome,
        request: Option<DeliveryRequest>,
    ) -> (Option<MessageId>, Tally) {
        let (Ok(Reply::SignedIn { user, backlog, cursor: Some(cursor), .. }), Some(request)) =
            (outcome, request)
        else {
            return Default::default();
        };
        self.submit_acknowledged();
        self.abandon_delivery();
        let manifest = self.driver.frontend.frontend.manifest();
        let DeliveryRequest { device, is_direct_only } = request;
        let is_in_words = manifest.acknowledges.applies_to(&device);
        let reader = user.person.uid.map(|user| Reader { user, device });
        let acknowledgements = &self.driver.services.acknowledgements;
        if let Some(newest) = reader.as_ref().and_then(|reader| acknowledgements.newest(reader)) {
            backlog.retain(|message| message.id > newest);
            *cursor = newest.max(*cursor);
        }
        self.delivery.get_or_insert_default().begin(reader, is_in_words, is_direct_only);
        let owed = Tally::of_messages(backlog.iter().map(AsRef::as_ref));
        self.enter_backlog(owed);
        (backlog.last().map(|message| message.id), owed)
    }

    /// What was queued so far has the messages up to this one.
    pub(super) fn mark(&mut self, message: Option<MessageId>) {
        self.mark_owed(message, Tally::default());
    }

    /// The newest message that the peer was sent and has not acknowledged; none if the transport's
    /// word would not count.
    pub(crate) fn unacknowledged(&self) -> Option<Sent> {
        self.delivery.as_ref()?.unacknowledged()
    }

    /// Whether bytes that the peer's system acknowledges would show something.
    pub(crate) fn counts_bytes(&self) -> bool {
        self.delivery.as_ref().is_some_and(|delivery| delivery.counts_bytes())
    }

    /// The peer has shown something about what it was sent.
    pub(crate) fn note_delivery(&mut self, shown: impl FnOnce(&mut Delivery)) {
        let Some(delivery) = &mut self.delivery else { return };
        shown(delivery);
        let acknowledged = delivery.take_acknowledged();
        if let Some((reader, message)) = delivery.take_news() {
            self.driver.services.acknowledgements.note(reader, self.handle.id, message);
        }
        self.settle(DeliveryOutcome::Acknowledged, acknowledged);
    }

    /// The session ends: has the engine store what was acknowledged and is not stored yet.
    pub(super) fn submit_acknowledged(&mut self) {
        let reader = self.delivery.as_ref().and_then(|delivery| delivery.reader());
        let acknowledgements = &self.driver.services.acknowledgements;
        if let Some(command) =
            reader.and_then(|reader| acknowledgements.end(reader, self.handle.id))
        {
            self.driver.submit_unanswered(command);
        }
    }
}
