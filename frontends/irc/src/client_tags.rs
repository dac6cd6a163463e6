//! Client-only tags, which clients show each other: IRCv3 message tags. The engine does not know them;
//! the sessions of this front end tell each other, and nothing of it is kept.

use std::sync::Arc;

use core_model::{Command, Outcome, Refusal, Reply};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode;
use crate::local_id::LocalId;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::peer_event::PeerAction;
use crate::peers::is_refused_for_load;
use crate::pending::{PendingReply, TagMessage};
use crate::refusal::RequestKind;
use crate::server::TARGETS_MAX;
use crate::state::{IrcSession, send};

impl IrcSession {
    /// The client-only tags of a line, if the client may send any.
    pub(crate) fn client_tags(&self, message: &Message<'_>) -> Option<Arc<str>> {
        let tags = message.client_tags.as_str();
        (self.has(Caps::MESSAGE_TAGS) && !tags.is_empty()).then(|| tags.into())
    }

    /// Tells the other sessions the tags of a message that is about to be posted.
    pub(crate) fn announce_tags(&self, tags: &Arc<str>, command: &Command) {
        if let (Some(connection), Command::Post { text, .. } | Command::PostDirect { text, .. }) =
            (self.connection, command)
        {
            self.directory.announce_tags(connection, self.own, text, tags);
        }
    }

    /// A message whose tags were announced has its id, or was refused.
    pub(crate) fn settle_tags(&self, outcome: &Outcome) {
        let message = match outcome {
            Ok(Reply::Posted { message }) => Some(message.id),
            _ => None,
        };
        if let Some(connection) = self.connection {
            self.directory.settle_tags(connection, message);
        }
    }

    /// Adds client-only tags to the first line of a message.
    pub(crate) fn add_tags(&self, tags: Option<&str>, lines: &mut [String]) {
        if let (Some(tags), Some(line)) = (tags, lines.first_mut())
            && self.has(Caps::MESSAGE_TAGS)
        {
            *line = encode::with_tag(tags, line);
        }
    }

    /// Adds the id of a message that the engine does not know.
    pub(crate) fn add_local_id(&self, id: LocalId, lines: &mut [String]) {
        self.add_tags(Some(&format!("msgid={id}")), lines);
    }

    pub(crate) fn tagmsg(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let Some(tags) = self.client_tags(message) else { return };
        let targets: Vec<String> = message.list(0).map(String::from).collect();
        if targets.len() > TARGETS_MAX {
            let why = "Too many recipients";
            let line = self.numeric(ERR_TOOMANYTARGETS, &[message.param(0)], why);
            return self.say(vec![line], out);
        }
        self.query_self(PendingReply::TagMessage(TagMessage { targets, tags }), out);
    }

    pub(crate) fn send_tag_message(
        &mut self,
        message: &TagMessage,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        // A guest whose nick an account has got is refused.
        let is_impostor = self.me.uid.is_none() && matches!(outcome, Err(Refusal::NotSignedIn));
        if is_impostor || is_refused_for_load(outcome) {
            return self.report(RequestKind::Post, "TAGMSG", "*", outcome, out);
        }
        for target in &message.targets {
            self.send_tags_to(target, &message.tags, out);
        }
    }

    fn send_tags_to(&mut self, target: &str, tags: &Arc<str>, out: &mut Outbox) {
        let id = self.directory.next_local_id(self.now);
        let event = |session: &Self, to: String| {
            session.my_event(PeerAction::Tags { to, id, tags: Arc::clone(tags) })
        };
        let (event, wakes) = match names::room(target) {
            Some(room) => {
                let Some((id, channel)) = self.channel(&room) else {
                    let why = "You are not in the channel";
                    let line = self.numeric(ERR_CANNOTSENDTOCHAN, &[target], why);
                    return send(line, out);
                };
                let event = event(self, names::channel(&channel.name));
                let entry = self.entry.as_ref();
                let wakes = entry.map(|entry| entry.tell_room(id, &event)).unwrap_or_default();
                (event, wakes)
            }
            None => {
                let Some(known) = self.directory.find(target) else {
                    return send(self.numeric(ERR_NOSUCHNICK, &[target], "No such nick"), out);
                };
                let event = event(self, known.nick.clone());
                let wakes = self.directory.tell_nick(&known.nick, &event);
                (event, wakes)
            }
        };
        self.wake_all(wakes, out);
        if self.has(Caps::ECHO_MESSAGE) {
            self.send_peer_event(event, out);
        }
    }
}
