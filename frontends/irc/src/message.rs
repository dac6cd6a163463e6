//! Posting, to a channel or to one user.

use std::sync::Arc;

use core_model::{
    Command, ConnectionId, Message as Posted, Outcome, PostRight, Recipient, Reply, RoomRef,
    UserRef,
};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode::ME;
use crate::names;
use crate::numeric::*;
use crate::parse::{CLIENT_ID, Message};
use crate::pending::{ClientId, PendingReply, Post, Whisper};
use crate::refusal::RequestKind;
use crate::server::TARGETS_MAX;
use crate::state::{IrcSession, send};

/// The longest id of a client for a message, in bytes: leaves room in an idempotency key for what
/// makes it the caller's own.
const CLIENT_ID_BYTES_MAX: usize = 200;

impl IrcSession {
    pub(crate) fn privmsg(&mut self, message: &Message<'_>, out: &mut Outbox) {
        self.post("PRIVMSG", message, out);
    }

    pub(crate) fn notice(&mut self, message: &Message<'_>, out: &mut Outbox) {
        self.post("NOTICE", message, out);
    }

    /// Whether a message has no answer, not even an error: RFC 1459, section 4.4.2. A label requests
    /// an answer, and a client's id is for messages that must not be lost unnoticed.
    pub(crate) fn is_quiet(&self, verb: &str, client_id: Option<&str>) -> bool {
        verb == "NOTICE" && self.label.is_none() && client_id.is_none()
    }

    fn post(&mut self, verb: &'static str, message: &Message<'_>, out: &mut Outbox) {
        if self.take_batched(verb, message, out) {
            return;
        }
        let draft = Draft {
            verb,
            targets: message.param(0),
            text: message.param(1),
            client_id: message.client_id,
            tags: self.client_tags(message),
            quiet: self.is_quiet(verb, message.client_id),
        };
        self.post_draft(&draft, out);
    }

    /// Posts a text to each of its targets.
    pub(crate) fn post_draft(&mut self, draft: &Draft<'_>, out: &mut Outbox) {
        let quiet = draft.quiet;
        let client_id = draft.client_id.filter(|_| self.has(Caps::MESSAGE_TAGS));
        if client_id.is_some_and(|id| !(1..=CLIENT_ID_BYTES_MAX).contains(&id.len())) {
            // To post it without the id would post it twice at a retry.
            let why = format!("The id of the message must have 1 to {CLIENT_ID_BYTES_MAX} bytes");
            let line = self.fail(draft.verb, "INVALID_CLIENT_MSGID", &[], &why);
            return self.say(vec![line], out);
        }
        let targets = draft.targets.split(',').filter(|target| !target.is_empty());
        let targets: Vec<&str> = targets.collect();
        let text = match parse_text(draft.text) {
            _ if targets.is_empty() => Err((ERR_NORECIPIENT, "", "No recipient is given")),
            _ if targets.len() > TARGETS_MAX => {
                Err((ERR_TOOMANYTARGETS, draft.targets, "Too many recipients"))
            }
            Text::Empty => Err((ERR_NOTEXTTOSEND, "", "No text to send")),
            Text::Command => {
                let why = "Of commands from client to client only ACTION is carried";
                Err((ERR_CANNOTSENDTOCHAN, targets[0], why))
            }
            Text::Message(text) => Ok(text),
        };
        match text {
            Ok(text) => {
                for (nth, target) in targets.into_iter().enumerate() {
                    let client_id = client_id.map(|id| ClientId { value: id.into(), nth });
                    self.post_to(draft, target, text.clone(), client_id, out);
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
        draft: &Draft<'_>,
        target: &str,
        text: String,
        client_id: Option<ClientId>,
        out: &mut Outbox,
    ) {
        let Draft { verb, ref tags, quiet, .. } = *draft;
        let tags = tags.clone();
        let author = self.actor();
        let notice = verb == "NOTICE";
        let (request, command) = match (names::room(target), self.account_handle(target)) {
            (Some(room), _) => {
                let room = RoomRef::Name(self.joined_name(room));
                let standing = PostRight::Seated;
                (RequestKind::Post, Command::Post { room, author, text, standing, notice })
            }
            (None, Some(handle)) if self.is_whisper(target) => {
                let whisper = Whisper { verb, to: target.into(), text, client_id, tags, quiet };
                return self.whisper(handle, whisper, out);
            }
            (None, Some(handle)) => {
                let (to, allow_self) = (UserRef::Handle(handle), true);
                let post = Command::PostDirect { author, to, text, notice, allow_self };
                (RequestKind::PostDirect, post)
            }
            (None, None) => {
                let line = self.numeric(ERR_NOSUCHNICK, &[target], "No such nick or channel");
                if !quiet {
                    self.say(vec![line], out);
                }
                return;
            }
        };
        let target = target.into();
        self.submit_post(command, Post { verb, target, request, client_id, tags, quiet }, out);
    }

    pub(crate) fn submit_post(&mut self, command: Command, post: Post, out: &mut Outbox) {
        if let Some(tags) = &post.tags {
            self.announce_tags(tags, &command);
        }
        match &post.client_id {
            Some(id) => out.submit_once(command, id.key()),
            None => out.submit(command),
        }
        self.expect(PendingReply::Post(post));
    }

    /// The handle that a nick stands for. Users of irc are found whatever the case of the nick.
    pub(crate) fn account_handle(&self, nick: &str) -> Option<String> {
        let known = self.directory.find(nick);
        names::handle(known.as_ref().map_or(nick, |known| &known.nick))
    }

    pub(crate) fn posted(&mut self, post: &Post, outcome: &Outcome, out: &mut Outbox) {
        let Post { verb, target, request, client_id, tags, quiet } = post;
        if tags.is_some() {
            self.settle_tags(outcome);
        }
        match outcome {
            Ok(Reply::Posted { message }) => {
                self.own = Some(message.id);
                if let Some(client_id) = client_id {
                    self.confirm(client_id, tags.as_deref(), message, out);
                }
                if *verb == "PRIVMSG"
                    && *request == RequestKind::PostDirect
                    && let Some(away) = self.away_of(target)
                {
                    send(self.numeric(RPL_AWAY, &[target], &away), out);
                }
            }
            _ if *quiet => (),
            _ => self.report(*request, verb, target, outcome, out),
        }
    }

    /// Echoes a message with a client's id. One that was posted before has no event, which is the
    /// echo of others; so the event of a new one is passed over.
    fn confirm(
        &mut self,
        client_id: &ClientId,
        tags: Option<&str>,
        message: &Posted,
        out: &mut Outbox,
    ) {
        self.confirmed = Some(message.id);
        if self.has(Caps::ECHO_MESSAGE) {
            let is_bot = self.is_bot(&message.author);
            let mut lines = self.reader().message(message, is_bot);
            let id = format!("{CLIENT_ID}={}", client_id.value);
            let tags = tags.map_or_else(|| id.clone(), |tags| format!("{id};{tags}"));
            self.add_tags(Some(&tags), &mut lines);
            lines.into_iter().for_each(|line| send(line, out));
        }
    }

    /// Sends a message that was just posted.
    pub(crate) fn send_posted(&mut self, message: &Posted, cause: ConnectionId, out: &mut Outbox) {
        let own = self.own == Some(message.id);
        let to_me = matches!(&message.to, Recipient::User(to) if self.is_me(to));
        let is_echoed = self.confirmed == Some(message.id) || !self.has(Caps::ECHO_MESSAGE);
        if own && !to_me && is_echoed {
            return;
        }
        match &message.to {
            Recipient::Room(room) if self.rooms.contains_key(&room.id) => {
                self.send_message(message, Some(cause), out);
            }
            // The user is a member, but the client has not joined.
            Recipient::Room(_) => (),
            Recipient::User(_) => self.send_direct(message, Some(cause), out),
        }
    }

    /// Sends a direct message. One that the user has sent by another connection goes only to clients
    /// with `echo-message`: others would take it for a message from a different user.
    pub(crate) fn send_direct(
        &mut self,
        message: &Posted,
        cause: Option<ConnectionId>,
        out: &mut Outbox,
    ) {
        let shown = match &message.to {
            Recipient::Room(_) => false,
            Recipient::User(to) => self.is_me(to) || self.has(Caps::ECHO_MESSAGE),
        };
        if shown {
            self.send_message(message, cause, out);
        }
    }

    /// Sends a message, with the client-only tags that the connection which caused it has given it.
    fn send_message(&self, message: &Posted, cause: Option<ConnectionId>, out: &mut Outbox) {
        let is_bot = self.is_bot(&message.author);
        let mut lines = self.reader().message(message, is_bot);
        let tags = cause.and_then(|cause| self.directory.tags_of(cause, message));
        self.add_tags(tags.as_deref(), &mut lines);
        lines.into_iter().for_each(|line| send(line, out));
    }
}

/// What a client sends by a PRIVMSG or NOTICE, or by a batch of them.
pub(crate) struct Draft<'a> {
    pub(crate) verb: &'static str,
    /// Separated by commas.
    pub(crate) targets: &'a str,
    pub(crate) text: &'a str,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) tags: Option<Arc<str>>,
    pub(crate) quiet: bool,
}

/// The text of a PRIVMSG or NOTICE.
enum Text {
    Empty,
    Message(String),
    /// A client-to-client command other than ACTION; the other dialects have no form for it.
    Command,
}

fn parse_text(text: &str) -> Text {
    match text.strip_prefix('\x01') {
        None if text.is_empty() => Text::Empty,
        None => Text::Message(text.into()),
        Some(command) => match command.strip_prefix("ACTION ") {
            Some(doing) => Text::Message(format!("{ME}{}", doing.trim_end_matches('\x01'))),
            None => Text::Command,
        },
    }
}
