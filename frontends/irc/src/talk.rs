//! Saying something, in a channel or to one user.

use core_model::{
    Command, Message as Posted, Outcome, PostRight, Recipient, Reply, RoomRef, UserRef,
};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode::ME;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::refusal::Errand;
use crate::server::TARGETS_MAX;
use crate::session::{IrcSession, Owed, send};

impl IrcSession {
    pub(crate) fn privmsg(&mut self, message: &Message<'_>, out: &mut Outbox) {
        self.post("PRIVMSG", message, false, out);
    }

    /// Never answered, whatever is wrong with it: RFC 1459, section 4.4.2.
    pub(crate) fn notice(&mut self, message: &Message<'_>, out: &mut Outbox) {
        self.post("NOTICE", message, true, out);
    }

    /// Tags of clients are not carried, as ISUPPORT says.
    pub(crate) fn tagmsg(&mut self, _message: &Message<'_>, _out: &mut Outbox) {}

    fn post(&mut self, verb: &'static str, message: &Message<'_>, quiet: bool, out: &mut Outbox) {
        let targets: Vec<&str> = message.list(0).collect();
        let complaint = match parse_text(message.param(1)) {
            _ if targets.is_empty() => Err((ERR_NORECIPIENT, "", "No recipient is given")),
            _ if targets.len() > TARGETS_MAX => {
                Err((ERR_TOOMANYTARGETS, message.param(0), "Too many recipients"))
            }
            Text::Nothing => Err((ERR_NOTEXTTOSEND, "", "No text to send")),
            Text::Command => {
                let why = "Of commands from client to client only ACTION is carried";
                Err((ERR_CANNOTSENDTOCHAN, targets[0], why))
            }
            Text::Said(text) => Ok(text),
        };
        match complaint {
            Ok(text) => {
                for target in targets {
                    self.post_to(verb, target, text.clone(), quiet, out);
                }
            }
            Err((numeric, about, why)) if !quiet => {
                let about: &[&str] = if about.is_empty() { &[] } else { &[about] };
                let line = self.numeric(numeric, about, why);
                self.say(vec![line], out);
            }
            Err(_) => (),
        }
    }

    fn post_to(
        &mut self,
        verb: &'static str,
        target: &str,
        text: String,
        quiet: bool,
        out: &mut Outbox,
    ) {
        let author = self.actor();
        let errand = match (names::room(target), names::handle(target)) {
            (Some(room), _) => {
                let (room, standing) = (RoomRef::Name(room), PostRight::Seated);
                out.submit(Command::Post { room, author, text, standing });
                Errand::Say
            }
            (None, Some(handle)) => {
                out.submit(Command::PostDirect { author, to: UserRef::Handle(handle), text });
                Errand::Whisper
            }
            (None, None) => {
                let line = self.numeric(ERR_NOSUCHNICK, &[target], "No such nick or channel");
                if !quiet {
                    self.say(vec![line], out);
                }
                return;
            }
        };
        self.owe(Owed::Post { verb, target: target.into(), errand, quiet });
    }

    pub(crate) fn posted(
        &mut self,
        verb: &str,
        target: &str,
        errand: Errand,
        quiet: bool,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        match outcome {
            // The event that follows is the echo.
            Ok(Reply::Posted { message }) => self.own = Some(message.id),
            _ if quiet => (),
            _ => self.complain(errand, verb, target, outcome, out),
        }
    }

    /// Tells of a message that was just posted.
    pub(crate) fn tell(&mut self, message: &Posted, out: &mut Outbox) {
        let own = self.own == Some(message.id);
        if own && !self.has(Caps::ECHO_MESSAGE) {
            return;
        }
        match &message.to {
            Recipient::Room(room) if self.rooms.contains_key(&room.id) => {
                self.send_said(message, out);
            }
            // The user is a member, but the client is not there.
            Recipient::Room(_) => (),
            Recipient::User(_) => self.tell_direct(message, out),
        }
    }

    /// Tells of a direct message. One of the user's own, which it sent elsewhere, would look like
    /// somebody else's to a client that knows no echoes.
    pub(crate) fn tell_direct(&mut self, message: &Posted, out: &mut Outbox) {
        let shown = match &message.to {
            Recipient::Room(_) => false,
            Recipient::User(to) => self.is_me(to) || self.has(Caps::ECHO_MESSAGE),
        };
        if shown {
            self.send_said(message, out);
        }
    }

    fn send_said(&self, message: &Posted, out: &mut Outbox) {
        self.reader().said(message, None).into_iter().for_each(|line| send(line, out));
    }
}

/// What the text of a PRIVMSG is.
enum Text {
    Nothing,
    Said(String),
    /// A command from client to client that nobody outside IRC would understand.
    Command,
}

fn parse_text(text: &str) -> Text {
    match text.strip_prefix('\x01') {
        None if text.is_empty() => Text::Nothing,
        None => Text::Said(text.into()),
        Some(command) => match command.strip_prefix("ACTION ") {
            Some(doing) => Text::Said(format!("{ME}{}", doing.trim_end_matches('\x01'))),
            None => Text::Command,
        },
    }
}
