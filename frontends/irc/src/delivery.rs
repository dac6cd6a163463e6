//! Delivery to an account: the cursor of its clients on irc, and what moves it.
//!
//! A PING that follows messages has the id of the newest as its token. The PONG shows that the client
//! has them: bytes that its system has acknowledged say less, and those that a proxy has, nothing.

use core_model::{Delivery, MessageId, Timestamp, bounds};
use frontend_api::Outbox;

use crate::state::{IrcSession, send};

/// The device of clients that name none: they share a cursor, which is not that of other dialects.
const DEVICE: &str = "irc";

/// The time from one such PING to the next: after a direct message, and after one in a channel.
/// After a lost connection, what came since the last PING comes again.
const DIRECT_PERIOD_MS: u64 = 1_000;
const ROOM_PERIOD_MS: u64 = 10_000;

/// What distinguishes the token of such a PING from others.
const TOKEN_MARK: char = 'm';

/// Messages that were sent to the client, and what it has shown to have of them.
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

/// The delivery that a sign-on asks for. A client may name its device after an `@` in the username
/// of USER, and then has a cursor of its own.
pub(crate) fn delivery(device: Option<&str>, backlog_max: u32) -> Delivery {
    let named = device.map(|device| format!("{DEVICE}@{device}"));
    let device = named.filter(|name| name.len() <= bounds::DEVICE_BYTES_MAX);
    let device = device.unwrap_or_else(|| DEVICE.into());
    Delivery { backlog_max, device, direct_only: true }
}

impl IrcSession {
    /// Notes that the client was sent messages up to this one, and asks it to show that it has them,
    /// now or a little later.
    pub(crate) fn note_sent(&mut self, message: MessageId, is_direct: bool, out: &mut Outbox) {
        if self.me.uid.is_none() || self.acknowledging.newest >= Some(message) {
            return;
        }
        let period = if is_direct { DIRECT_PERIOD_MS } else { ROOM_PERIOD_MS };
        let state = &mut self.acknowledging;
        state.newest = Some(message);
        let due = match state.asked_at {
            Some(asked_at) => asked_at.plus_ms(period),
            None if is_direct => self.now,
            None => self.now.plus_ms(period),
        };
        state.due = Some(state.due.map_or(due, |earlier| earlier.min(due)));
        self.ask_or_wait(out);
    }

    /// Sends the PING if its time has come, else sets the alarm for it.
    pub(crate) fn ask_or_wait(&mut self, out: &mut Outbox) {
        self.ask_if_due(out);
        if self.ask_due().is_some() {
            self.set_alarm(out);
        }
    }

    /// Sends the PING if its time has come.
    pub(crate) fn ask_if_due(&mut self, out: &mut Outbox) {
        let Some(newest) = self.ask_due().filter(|due| *due <= self.now).and(self.newest_sent())
        else {
            return;
        };
        let state = &mut self.acknowledging;
        state.asked = Some(newest);
        state.asked_at = Some(self.now);
        state.due = None;
        send(format!("PING :{TOKEN_MARK}{newest}"), out);
    }

    fn newest_sent(&self) -> Option<MessageId> {
        self.acknowledging.newest
    }

    /// When the session next has to ask. Not while a PONG is to come, nor while the messages of a
    /// replay are: the newest that was sent is then no place to go on from.
    pub(crate) fn ask_due(&self) -> Option<Timestamp> {
        let may_ask = self.acknowledging.asked.is_none() && !self.is_replaying();
        self.acknowledging.due.filter(|_| may_ask)
    }

    /// The token of a PONG.
    pub(crate) fn take_token(&mut self, token: &str, out: &mut Outbox) {
        let id = token.strip_prefix(TOKEN_MARK).and_then(|id| id.parse().ok()).map(MessageId);
        let state = &mut self.acknowledging;
        let Some(message) = state.asked.take_if(|asked| Some(*asked) == id) else { return };
        out.acknowledge(message);
        self.ask_or_wait(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_a_name_that_fits() {
        let device = |device| delivery(device, 9).device;
        assert_eq!(device(None), "irc");
        assert_eq!(device(Some("phone")), "irc@phone");
        assert_eq!(device(Some(&"x".repeat(60))).len(), 64);
        assert_eq!(device(Some(&"x".repeat(61))), "irc");
    }
}
