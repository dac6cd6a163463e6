//! What the sessions of this front end tell each other past the engine.

use std::sync::Arc;

use core_model::{ConnectionId, Person, RoomId, Timestamp};

/// The most notices that wait for one session, which takes them when the host wakes it.
const INBOX_MAX: usize = 256;

/// Something that a user of irc has done.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) by: Arc<Person>,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A message from or to a guest; the engine has direct messages of accounts alone.
    Message {
        verb: &'static str,
        to: String,
        text: String,
    },
    Invite {
        to: String,
        room: RoomId,
        channel: String,
    },
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

/// The notices for one session.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Vec<Notice>);

/// The sessions that have to be woken.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) wakes: Vec<ConnectionId>,
    /// An inbox was full.
    pub(crate) is_lost: bool,
}

impl Inbox {
    /// Adds a notice. The session is woken for the first alone; it takes all.
    pub(crate) fn put(&mut self, notice: Notice, connection: ConnectionId, told: &mut Told) {
        if self.0.len() >= INBOX_MAX {
            told.is_lost = true;
            return;
        }
        if self.0.is_empty() {
            told.wakes.push(connection);
        }
        self.0.push(notice);
    }

    pub(crate) fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.0)
    }
}
