//! Consecutive posts to one room, delivered together.

use std::sync::Arc;

use core_engine::Done;
use core_model::{Event, Outcome, Recipient, Recorded, RoomId};

use crate::handle::ConnectionHandle;
use crate::subscriptions::SubscriptionChange;
use crate::ticket::Ticket;

/// Messages to one room, committed one after the other with only their answers in between: most
/// listeners get all of them as one mailbox item.
#[derive(Default)]
pub(crate) struct PostBatch {
    pub(crate) posted: Vec<Recorded>,
    /// Each answer, and the index of the message that it comes before.
    pub(crate) answers: Vec<(usize, Arc<ConnectionHandle>, Outcome)>,
}

impl PostBatch {
    /// Adds a command that [`posts_to`] a room; returns the length of its text.
    pub(crate) fn push(&mut self, done: Done<Ticket>) -> usize {
        let at = self.posted.len();
        match done.ticket.unwrap_or(Ticket::Discard) {
            Ticket::Connection { connection, .. } if connection.mailbox.is_closed() => (),
            Ticket::Connection { connection, .. } => {
                self.answers.push((at, connection, done.outcome));
            }
            // Fails when an HTTP client did not wait for its answer.
            Ticket::Once { sender, .. } => drop(sender.send(done.outcome)),
            Ticket::Discard => (),
        }
        let bytes = done.events.iter().map(|recorded| text_bytes(&recorded.event)).sum();
        self.posted.extend(done.events);
        bytes
    }
}

/// The room, if all that a command did is post a message there.
pub(crate) fn posts_to(done: &Done<Ticket>) -> Option<RoomId> {
    match (&done.ticket, done.events.as_slice()) {
        (Some(Ticket::Connection { change, .. }), _) if *change != SubscriptionChange::None => None,
        (_, [Recorded { event: Event::Posted { message }, .. }]) => match &message.to {
            Recipient::Room(room) => Some(room.id),
            Recipient::User(_) => None,
        },
        _ => None,
    }
}

fn text_bytes(event: &Event) -> usize {
    match event {
        Event::Posted { message } => message.text.len(),
        Event::Entered { .. }
        | Event::Left { .. }
        | Event::PopulationChanged { .. }
        | Event::RoomChanged { .. }
        | Event::RoleChanged { .. }
        | Event::PolicyChanged { .. }
        | Event::MessageDeleted { .. }
        | Event::RoomCreated { .. }
        | Event::RoomDeleted { .. } => 0,
    }
}
