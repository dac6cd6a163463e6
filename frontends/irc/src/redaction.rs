//! REDACT of IRCv3 draft/message-redaction: deleting one message of a channel.

use core_model::{Command, Event, MessageId, Outcome, Recipient, Recorded, Refusal, RoomRef};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode;
use crate::moderation::REASON_BYTES_MAX;
use crate::names;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::refusal::{self, RequestKind};
use crate::state::{IrcSession, send};

impl IrcSession {
    pub(crate) fn redact(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let (target, given) = (message.param(0), message.param(1));
        let joined = names::room(target).and_then(|room| self.channel(&room).map(|(id, _)| id));
        let Some(room) = joined else {
            let why = "Messages of channels that you are in can be deleted";
            let line = self.fail("REDACT", "INVALID_TARGET", &[target], why);
            return self.say(vec![line], out);
        };
        let reason = encode::cut_to(message.param(2), REASON_BYTES_MAX);
        let reason = core_model::bounds::cut(reason, core_model::bounds::REASON_CHARS_MAX);
        let Ok(id) = given.parse() else {
            let line = self.unknown_message(target, given);
            return self.say(vec![line], out);
        };
        let (room, by) = (RoomRef::Id(room), Some(self.actor()));
        let message = MessageId(id);
        out.submit(Command::DeleteMessage { room, message, by, reason: reason.into() });
        let (target, given) = (target.to_owned(), given.to_owned());
        self.expect(PendingReply::Redacted { target, given });
    }

    fn unknown_message(&self, target: &str, given: &str) -> String {
        let about = [target, given];
        self.fail("REDACT", "UNKNOWN_MSGID", &about, "There is no such message")
    }

    /// The event announces what was deleted.
    pub(crate) fn redacted(
        &self,
        (target, given): (&str, &str),
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let line = match outcome {
            Ok(_) => return,
            Err(Refusal::UnknownMessage) => self.unknown_message(target, given),
            Err(Refusal::NotAllowed | Refusal::NotSignedIn) => {
                let why = "Only its author, by an account, and operators may delete a message";
                self.fail("REDACT", "REDACT_FORBIDDEN", &[target, given], why)
            }
            Err(refusal) => {
                let why = refusal::text(RequestKind::Channel, refusal);
                self.fail("REDACT", "REDACT_FORBIDDEN", &[target, given], &why)
            }
        };
        send(line, out);
    }

    /// A message was deleted, in whatever dialect. Clients without the capability keep it.
    pub(crate) fn send_redaction(&self, recorded: &Recorded, out: &mut Outbox) {
        let Event::MessageDeleted { message, author, to, by, reason } = &recorded.event else {
            return;
        };
        if !self.has(Caps::REDACTION) {
            return;
        }
        let target = match to {
            Recipient::Room(room) if self.rooms.contains_key(&room.id) => {
                names::channel(&room.name)
            }
            Recipient::Room(_) => return,
            // The conversation is with the other one of both.
            Recipient::User(to) => names::nick(if self.is_me(to) { author } else { to }),
        };
        let rest = format!("REDACT {target} {message}");
        let line = match by {
            Some(by) => self.line_by(by, &rest),
            None => format!(":{} {rest}", self.options.server_name),
        };
        send(if reason.is_empty() { line } else { encode::trailing(line, reason) }, out);
    }
}
