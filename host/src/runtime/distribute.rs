//! Takes what the engine committed to those whom it concerns: first the answer of a command, then
//! its events, each encoded once a front end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use core_engine::Done;
use core_model::{ConnectionId, Event, MessageId, Outcome, Recorded};
use frontend_api::{Broadcast, Frame};
use tokio::sync::oneshot;

use super::link::Link;
use super::mailbox::Mail;
use super::metrics::Totals;
use super::served::Served;
use super::watch::{Effect, Watch};
use super::wire::Wire;

/// Where the answer to a command goes.
#[derive(Debug)]
pub(super) enum Ticket {
    /// To the mailbox of a stream connection.
    Link {
        link: Arc<Link>,
        effect: Effect,
    },
    /// To somebody who waits for this one answer.
    Once(oneshot::Sender<Outcome>),
    Nobody,
}

/// The hub without its thread.
pub(super) struct Distributor {
    watch: Watch,
    frontends: Vec<Arc<Served>>,
    totals: Arc<Totals>,
}

impl Distributor {
    pub(super) fn new(frontends: Vec<Arc<Served>>, totals: Arc<Totals>) -> Self {
        Self { watch: Watch::default(), frontends, totals }
    }

    pub(super) fn carry_out(&mut self, batch: Vec<Done<Ticket>>) {
        self.totals.commits.add(1);
        self.totals.committed.add(batch.len() as u64);
        for done in batch {
            self.answer(done.ticket, done.outcome);
            self.hand_out(&done.events);
        }
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.watch.forget(connection);
    }

    fn answer(&mut self, ticket: Ticket, outcome: Outcome) {
        match ticket {
            // A connection that is gone must not come back: it has been forgotten.
            Ticket::Link { link, .. } if link.mailbox.is_shut() => (),
            Ticket::Link { link, effect } => {
                if let Ok(reply) = &outcome {
                    self.watch.take_effect(&link, effect, reply);
                }
                deliver(&self.frontends, &link, Mail::Answer(Box::new(outcome)));
            }
            // An HTTP client that did not wait for its answer.
            Ticket::Once(sender) => drop(sender.send(outcome)),
            Ticket::Nobody => (),
        }
    }

    fn hand_out(&mut self, events: &[Recorded]) {
        self.totals.events.add(events.len() as u64);
        let frontends = &self.frontends;
        self.watch.hand_out(events, |recorded, audience| {
            let mut encoded: Vec<Option<Encoded>> = Vec::new();
            let message = match &recorded.event {
                Event::Posted { message } => Some(message.id),
                Event::Entered { .. }
                | Event::Left { .. }
                | Event::PopulationChanged { .. }
                | Event::RoomCreated { .. }
                | Event::RoomDeleted { .. } => None,
            };
            for link in audience {
                let at = usize::from(link.frontend);
                if encoded.len() <= at {
                    encoded.resize_with(frontends.len(), || None);
                }
                let encoded =
                    encoded[at].get_or_insert_with(|| Encoded::of(&frontends[at], recorded));
                if let Some(mail) = encoded.mail(recorded, link, message) {
                    deliver(frontends, link, mail);
                }
            }
        });
    }
}

fn deliver(frontends: &[Arc<Served>], link: &Link, mail: Mail) {
    if link.mailbox.push(mail).is_err() {
        let served = &frontends[usize::from(link.frontend)];
        served.counters.cut_off.add(1);
        tracing::debug!(frontend = served.name, connection = link.id.0, "cut off: does not read");
    }
}

/// An event in one dialect, laid out for a transport when first somebody needs it there.
enum Encoded {
    Nothing,
    Frame { frame: Frame, others: bool, laid_out: Vec<(Wire, Bytes)> },
    Ask(Arc<Recorded>),
}

impl Encoded {
    /// A front end that panics loses the event, not the gateway.
    fn of(served: &Served, recorded: &Recorded) -> Self {
        let broadcast = || served.frontend.broadcast(recorded);
        let Ok(broadcast) = catch_unwind(AssertUnwindSafe(broadcast)) else {
            served.panicked("encoding an event");
            return Self::Nothing;
        };
        served.counters.events.add(1);
        match broadcast {
            Broadcast::Nothing => Self::Nothing,
            Broadcast::Everyone(frame) => {
                Self::Frame { frame, others: false, laid_out: Vec::new() }
            }
            Broadcast::Others(frame) => Self::Frame { frame, others: true, laid_out: Vec::new() },
            Broadcast::Ask => Self::Ask(Arc::new(recorded.clone())),
        }
    }

    fn mail(
        &mut self,
        recorded: &Recorded,
        link: &Link,
        message: Option<MessageId>,
    ) -> Option<Mail> {
        match self {
            Self::Nothing => None,
            Self::Frame { others: true, .. } if recorded.cause == link.id => None,
            Self::Frame { frame, laid_out, .. } => {
                let bytes = match laid_out.iter().find(|(wire, _)| *wire == link.wire) {
                    Some((_, bytes)) => bytes.clone(),
                    None => {
                        let bytes = link.wire.encode(frame.clone());
                        laid_out.push((link.wire, bytes.clone()));
                        bytes
                    }
                };
                Some(Mail::Frame { bytes, message })
            }
            Self::Ask(recorded) => Some(Mail::Event(recorded.clone())),
        }
    }
}
