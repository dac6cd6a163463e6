//! A stream connection, as the fan-out sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use core_model::{ConnectionId, Event};
use frontend_api::EventFilter;

use crate::framing::Framing;
use crate::ledger::Ledger;
use crate::mailbox::Mailbox;

/// How to reach a stream connection, and which events it wants.
#[derive(Debug)]
pub struct ConnectionHandle {
    pub id: ConnectionId,
    /// The index of its front end among all that run.
    pub frontend: u16,
    pub framing: Framing,
    pub mailbox: Mailbox,
    /// Of its front end, which may be gone before the last answer to the connection.
    pub(crate) ledger: Arc<Ledger>,
    filter: AtomicU8,
}

const MESSAGES: u8 = 1;
const PRESENCE: u8 = 2;
const POPULATION: u8 = 4;
const ROOM_CHANGES: u8 = 8;
const PER_SESSION: u8 = 16;

impl ConnectionHandle {
    pub fn new(
        id: ConnectionId,
        frontend: u16,
        framing: Framing,
        mailbox: Mailbox,
        ledger: Arc<Ledger>,
    ) -> Self {
        let filter = AtomicU8::new(0);
        let handle = Self { id, frontend, framing, mailbox, ledger, filter };
        handle.set_event_filter(EventFilter::default());
        handle
    }

    /// Takes effect at once: a session that turns something on and then posts sees its own post.
    pub fn set_event_filter(&self, filter: EventFilter) {
        let bit = |wanted: bool, bit: u8| if wanted { bit } else { 0 };
        let bits = bit(filter.messages, MESSAGES)
            | bit(filter.presence, PRESENCE)
            | bit(filter.population, POPULATION)
            | bit(filter.room_changes, ROOM_CHANGES)
            | bit(filter.per_session, PER_SESSION);
        self.filter.store(bits, Ordering::Release);
    }

    /// Whether its session encodes events itself.
    pub fn is_per_session(&self) -> bool {
        self.filter.load(Ordering::Acquire) & PER_SESSION != 0
    }

    /// Whether the connection wants such events of the rooms it is subscribed to.
    pub fn wants(&self, event: &Event) -> bool {
        let bit = match event {
            Event::Posted { .. } => MESSAGES,
            Event::Entered { .. } | Event::Left { .. } => PRESENCE,
            Event::PopulationChanged { .. } => POPULATION,
            Event::RoomChanged { .. }
            | Event::RoleChanged { .. }
            | Event::PolicyChanged { .. }
            | Event::MessageDeleted { .. } => ROOM_CHANGES,
            Event::RoomCreated { .. } | Event::RoomDeleted { .. } => return true,
        };
        self.filter.load(Ordering::Acquire) & bit != 0
    }
}
