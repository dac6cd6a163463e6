//! Delivery to an account: the cursor of its clients on irc, and what moves it.
//!
//! A PING that follows messages has the id of the newest as its token. The PONG shows that the client
//! has them: bytes that its system has acknowledged say less, and those that a proxy has, nothing.

use core_model::{Delivery, MessageId, Timestamp, bounds};
use frontend_api::Outbox;

use crate::state::{IrcSession, send};

/// The device of clients that name none: they share a cursor, which is not that of other dialects.
const DEVICE: &str = "irc";

/// What distinguishes the token of such a PING from others.
const TOKEN_MARK: char = 'm';

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
        if self.me.uid.is_some() {
            self.acknowledging.note_sent(message, is_direct, self.now);
            self.ask_or_wait(out);
        }
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
        if !self.is_replaying()
            && let Some(newest) = self.acknowledging.ask(self.now)
        {
            send(format!("PING :{TOKEN_MARK}{newest}"), out);
        }
    }

    /// When the session next has to ask. Not while the messages of a replay are to come: the newest
    /// that was sent is then no place to go on from.
    pub(crate) fn ask_due(&self) -> Option<Timestamp> {
        self.acknowledging.due().filter(|_| !self.is_replaying())
    }

    /// The token of a PONG.
    pub(crate) fn take_token(&mut self, token: &str, out: &mut Outbox) {
        let id = token.strip_prefix(TOKEN_MARK).and_then(|id| id.parse().ok()).map(MessageId);
        if let Some(message) = id.filter(|id| self.acknowledging.take(*id)) {
            out.acknowledge(message);
            self.ask_or_wait(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_a_name_that_fits() {
        let device = |device: Option<&str>| delivery(device, 9).device;
        assert_eq!(device(None), "irc");
        assert_eq!(device(Some("phone")), "irc@phone");
        assert_eq!(device(Some(&"x".repeat(60))).len(), 64);
        assert_eq!(device(Some(&"x".repeat(61))), "irc");
    }
}
