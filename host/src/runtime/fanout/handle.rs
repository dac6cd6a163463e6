//! The hub's end of a stream connection.

use std::sync::atomic::{AtomicU8, Ordering};

use core_model::{ConnectionId, Event};
use frontend_api::EventFilter;

use crate::runtime::fanout::framing::Wire;
use crate::runtime::fanout::mailbox::Mailbox;

/// What the hub needs to know of a connection to reach it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    /// The place of its front end among all that run.
    pub(crate) frontend: u16,
    pub(crate) wire: Wire,
    pub(crate) mailbox: Mailbox,
    interest: AtomicU8,
}

const MESSAGES: u8 = 1;
const PRESENCE: u8 = 2;
const POPULATION: u8 = 4;
const ROOM_CHANGES: u8 = 8;

impl Link {
    pub(crate) fn new(id: ConnectionId, frontend: u16, wire: Wire, mailbox: Mailbox) -> Self {
        let link = Self { id, frontend, wire, mailbox, interest: AtomicU8::new(0) };
        link.set_event_filter(EventFilter::default());
        link
    }

    /// Takes effect at once: a session that turns something on and then posts sees its own post.
    pub(crate) fn set_event_filter(&self, interest: EventFilter) {
        let bit = |wanted: bool, bit: u8| if wanted { bit } else { 0 };
        let bits = bit(interest.messages, MESSAGES)
            | bit(interest.presence, PRESENCE)
            | bit(interest.population, POPULATION)
            | bit(interest.room_changes, ROOM_CHANGES);
        self.interest.store(bits, Ordering::Release);
    }

    /// Whether the connection wants to hear of such events in rooms.
    pub(crate) fn wants(&self, event: &Event) -> bool {
        let bit = match event {
            Event::Posted { .. } => MESSAGES,
            Event::Entered { .. } | Event::Left { .. } => PRESENCE,
            Event::PopulationChanged { .. } => POPULATION,
            Event::RoomChanged { .. } => ROOM_CHANGES,
            Event::RoomCreated { .. } | Event::RoomDeleted { .. } => return true,
        };
        self.interest.load(Ordering::Acquire) & bit != 0
    }
}
