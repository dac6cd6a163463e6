//! Messages that were sent to a client, and what it has shown to have of them.

use core_model::{MessageId, Timestamp};

/// The time from one PING that asks for messages to the next: after a direct message, and after one in
/// a channel. After a lost connection, what came since the last PING comes again.
const DIRECT_PERIOD_MS: u64 = 1_000;
const ROOM_PERIOD_MS: u64 = 10_000;

/// Messages that were sent to a client, and what it has shown to have of them.
#[derive(Default)]
pub(crate) struct Acknowledging {
    /// The newest message that was sent.
    newest: Option<MessageId>,
    /// The newest that a PING without its PONG asks for.
    asked: Option<MessageId>,
    /// When the last PING was sent.
    asked_at: Option<Timestamp>,
    /// When to ask for the newest, if not yet.
    due: Option<Timestamp>,
}

impl Acknowledging {
    /// Notes that messages up to this one were sent.
    pub(crate) fn note_sent(&mut self, message: MessageId, is_direct: bool, now: Timestamp) {
        if self.newest >= Some(message) {
            return;
        }
        self.newest = Some(message);
        let period = if is_direct { DIRECT_PERIOD_MS } else { ROOM_PERIOD_MS };
        let due = match self.asked_at {
            Some(asked_at) => asked_at.plus_ms(period),
            None if is_direct => now,
            None => now.plus_ms(period),
        };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// When the next PING is due, unless a PONG is to come before.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.due.filter(|_| self.asked.is_none())
    }

    /// The message for which a PING is to ask now, if one is due.
    pub(crate) fn ask(&mut self, now: Timestamp) -> Option<MessageId> {
        let newest = self.due().filter(|due| *due <= now).and(self.newest)?;
        self.asked = Some(newest);
        self.asked_at = Some(now);
        self.due = None;
        Some(newest)
    }

    /// A PONG has named this message. Whether its PING had asked for it.
    pub(crate) fn take(&mut self, message: MessageId) -> bool {
        self.asked.take_if(|asked| *asked == message).is_some()
    }
}
