//! What the sessions of this front end tell each other past the engine.

use std::sync::Arc;

use core_model::{ConnectionId, Person, RoomId, Timestamp};

use crate::local_id::LocalId;

/// The most events that wait for one session, which takes them when the host wakes it.
const INBOX_MAX: usize = 256;

/// Something that a user of irc has done.
#[derive(Clone, Debug)]
pub(crate) struct PeerEvent {
    pub(crate) by: Arc<Person>,
    pub(crate) at: Timestamp,
    pub(crate) action: PeerAction,
}

#[derive(Clone, Debug)]
pub(crate) enum PeerAction {
    /// A message from or to a guest; the engine has direct messages of accounts alone.
    Message {
        verb: &'static str,
        to: String,
        text: String,
        id: LocalId,
        /// Client-only tags.
        tags: Option<Arc<str>>,
    },
    /// A TAGMSG to a nick or channel.
    Tags {
        to: String,
        id: LocalId,
        tags: Arc<str>,
    },
    Invite {
        to: String,
        room: RoomId,
        channel: String,
    },
    /// An operator ends the connection, for this reason.
    Kill(String),
    /// What an operator tells all who want to know.
    Wallops(String),
    /// Away for this reason, or back.
    Away(Option<String>),
    RealName(String),
    /// The user has read a channel or conversation up to this time, by another connection.
    Read {
        target: String,
        at: Option<Timestamp>,
    },
    /// A watched nick is in use now; `by` uses it.
    Online,
    /// A watched nick is free now.
    Offline(String),
}

/// The events for one session.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Vec<PeerEvent>);

/// The sessions that have to be woken.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    pub(crate) connections: Vec<ConnectionId>,
    /// An inbox was full.
    pub(crate) is_inbox_full: bool,
}

impl Inbox {
    /// Adds an event. The session is woken for the first alone; it takes all. What ends the session
    /// has a place of its own: others could fill the inbox.
    pub(crate) fn put(&mut self, event: PeerEvent, connection: ConnectionId, wakes: &mut Wakes) {
        let is_kill = |event: &PeerEvent| matches!(event.action, PeerAction::Kill(_));
        let ends = is_kill(&event) && !self.0.iter().any(is_kill);
        if self.0.len() >= INBOX_MAX && !ends {
            wakes.is_inbox_full = true;
            return;
        }
        if self.0.is_empty() {
            wakes.connections.push(connection);
        }
        self.0.push(event);
    }

    pub(crate) fn take(&mut self) -> Vec<PeerEvent> {
        std::mem::take(&mut self.0)
    }
}
