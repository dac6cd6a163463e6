//! What users of irc tell each other past the engine: messages of guests, invitations, being away,
//! and real names.

use std::sync::Arc;

use core_model::{Command, Outcome, Query, Refusal, Reply, UserRef};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode::{self, Tags};
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::peer_event::{PeerAction, PeerEvent, Wakes};
use crate::pending::{PendingReply, Post, Whisper};
use crate::refusal::RequestKind;
use crate::state::{IrcSession, claim, send};

/// The longest away message, as ISUPPORT announces it.
pub(crate) const AWAY_BYTES_MAX: usize = 390;

/// The longest real name.
pub(crate) const REAL_NAME_BYTES_MAX: usize = 390;

impl IrcSession {
    pub(crate) fn my_event(&self, action: PeerAction) -> PeerEvent {
        PeerEvent { by: Arc::clone(&self.me), at: self.now, action }
    }

    pub(crate) fn wake_all(&self, wakes: Wakes, out: &mut Outbox) {
        wakes.connections.into_iter().for_each(|connection| out.wake(connection));
    }

    /// Leaves the directory, and notifies the sessions that watch the nick.
    pub(crate) fn leave_directory(&mut self, out: &mut Outbox) {
        self.unregistered = None;
        if let Some(connection) = self.connection {
            self.directory.forget_tags(connection);
        }
        if let Some(entry) = self.entry.take() {
            let wakes = entry.leave(&self.me, self.now);
            self.wake_all(wakes, out);
        }
    }

    /// A query for the user itself, so that the limits of the gateway cover the events to others.
    pub(crate) fn query_self(&mut self, reply: PendingReply, out: &mut Outbox) {
        let query = Query::User { user: self.actor(), caller: None };
        self.query(query, reply, out);
    }

    // Messages to and from guests.

    /// Whether the engine has no such messages: the author or the recipient is a guest.
    pub(crate) fn is_whisper(&self, target: &str) -> bool {
        let known = self.directory.find(target);
        self.me.uid.is_none() || known.is_some_and(|known| known.uid.is_none())
    }

    /// Asks whether the guest is still one: the recipient, or the author. An account may have got its
    /// nick since it signed on, and then the guest is not it. A guest that writes to a user
    /// outside irc has the error that befits the recipient.
    pub(crate) fn whisper(&mut self, handle: String, whisper: Whisper, out: &mut Outbox) {
        let user = match self.directory.find(&whisper.to) {
            Some(_) if self.me.uid.is_none() => self.actor(),
            Some(_) => UserRef::Claim(claim(handle)),
            None => UserRef::Handle(handle),
        };
        self.query(Query::User { user, caller: None }, PendingReply::Whisper(whisper), out);
    }

    pub(crate) fn whispered(&mut self, whisper: Whisper, outcome: &Outcome, out: &mut Outbox) {
        match (self.me.uid, outcome) {
            (Some(_), Ok(_) | Err(Refusal::NotSignedIn)) => self.post_to_account(whisper, out),
            (None, Err(Refusal::NotSignedIn)) => {
                self.report_whisper(&whisper, outcome, out);
                self.refuse_guest(&self.nick, out);
            }
            _ => self.pass_whisper(whisper, outcome, out),
        }
    }

    fn report_whisper(&mut self, whisper: &Whisper, outcome: &Outcome, out: &mut Outbox) {
        if !whisper.quiet {
            self.report(RequestKind::PostDirect, whisper.verb, &whisper.to, outcome, out);
        }
    }

    fn pass_whisper(&mut self, whisper: Whisper, outcome: &Outcome, out: &mut Outbox) {
        if is_refused_for_load(outcome) {
            return self.report_whisper(&whisper, outcome, out);
        }
        let Some(known) = self.directory.find(&whisper.to) else {
            let refusal = if outcome.is_ok() { Refusal::NotSignedIn } else { Refusal::UnknownUser };
            return self.report_whisper(&whisper, &Err(refusal), out);
        };
        let id = self.directory.next_local_id(self.now);
        let (verb, to) = (whisper.verb, known.nick.clone());
        let (text, tags) = (whisper.text.clone(), whisper.tags.clone());
        let event = self.my_event(PeerAction::Message { verb, to, text, id, tags });
        let wakes = self.directory.tell_nick(&known.nick, &event);
        let is_inbox_full = wakes.is_inbox_full;
        self.wake_all(wakes, out);
        if is_inbox_full {
            return self.report_whisper(&whisper, &Err(Refusal::Overloaded), out);
        }
        if self.has(Caps::ECHO_MESSAGE) {
            self.send_peer_event(event, out);
        }
        if let Some(away) = known.away.filter(|_| whisper.verb == "PRIVMSG") {
            send(self.numeric(RPL_AWAY, &[&known.nick], &away), out);
        }
    }

    /// Posts to the account that has got the nick of a guest, or to none if the guest's nick only
    /// resembles an account's.
    fn post_to_account(&mut self, whisper: Whisper, out: &mut Outbox) {
        let Whisper { verb, to: target, text, client_id, tags, quiet } = whisper;
        self.refuse_guest(&target, out);
        let Some(handle) = names::handle(&target) else { return };
        let (author, to) = (self.actor(), UserRef::Handle(handle));
        let notice = verb == "NOTICE";
        let command = Command::PostDirect { author, to, text, notice, allow_self: true };
        let request = RequestKind::PostDirect;
        self.submit_post(command, Post { verb, target, request, client_id, tags, quiet }, out);
    }

    /// Disconnects the guest of this nick, which an account has got since it signed on.
    pub(crate) fn refuse_guest(&self, nick: &str, out: &mut Outbox) {
        let wakes = self.directory.refuse_guest(nick);
        self.wake_all(wakes, out);
    }

    // AWAY and SETNAME.

    pub(crate) fn away(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let why = encode::cut_to(message.param(0), AWAY_BYTES_MAX);
        let away = (!why.is_empty()).then(|| why.to_owned());
        self.query_self(PendingReply::Away(away), out);
    }

    pub(crate) fn went_away(&mut self, away: Option<String>, outcome: &Outcome, out: &mut Outbox) {
        if is_refused_for_load(outcome) {
            return self.report(RequestKind::Channel, "AWAY", "*", outcome, out);
        }
        let line = match &away {
            None => self.numeric(RPL_UNAWAY, &[], "You are no longer marked as being away"),
            Some(_) => self.numeric(RPL_NOWAWAY, &[], "You have been marked as being away"),
        };
        send(line, out);
        let Some(entry) = &self.entry else { return };
        if entry.set_away(away) {
            let seen = self.away_of(&self.nick);
            let wakes = entry.tell_neighbors(&self.my_event(PeerAction::Away(seen)));
            self.wake_all(wakes, out);
        }
    }

    pub(crate) fn set_name(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let name = message.param(0);
        if name.is_empty() || name.len() > REAL_NAME_BYTES_MAX {
            let why = "That cannot be a real name";
            let line = self.fail("SETNAME", "INVALID_REALNAME", &[], why);
            return self.say(vec![line], out);
        }
        self.query_self(PendingReply::SetName(name.into()), out);
    }

    pub(crate) fn name_set(&mut self, name: String, outcome: &Outcome, out: &mut Outbox) {
        if is_refused_for_load(outcome) {
            return self.report(RequestKind::Channel, "SETNAME", "*", outcome, out);
        }
        // The engine does not take a name that others would take for a guest's or for a handle.
        if matches!(outcome, Ok(Reply::User { user }) if user.person.name != name) {
            let line = self.fail("SETNAME", "INVALID_REALNAME", &[], "This name is reserved");
            return send(line, out);
        }
        let Some(entry) = &self.entry else { return };
        entry.set_real_name(&name);
        let event = self.my_event(PeerAction::RealName(name));
        let wakes = entry.tell_neighbors(&event);
        self.wake_all(wakes, out);
        self.send_peer_event(event, out);
    }

    // What others tell.

    pub(crate) fn take_peer_events(&mut self, out: &mut Outbox) {
        let events = self.entry.as_ref().map(|entry| entry.take_inbox()).unwrap_or_default();
        for event in events {
            match event {
                PeerEvent { by, action: PeerAction::Kill(reason), .. } => {
                    let by = names::nick(&by);
                    self.be_killed(&by, &reason, out);
                }
                event => self.send_peer_event(event, out),
            }
        }
    }

    pub(crate) fn send_peer_event(&self, event: PeerEvent, out: &mut Outbox) {
        let PeerEvent { by, at, action } = event;
        let tags = Tags { at, by: &by, id: None, is_bot: self.is_bot(&by) };
        let reader = self.reader();
        let lines = match action {
            PeerAction::Message { verb, to, text, id, tags: client } => {
                let mut lines = reader.whisper(tags, verb, &to, &text);
                self.add_local_id(id, &mut lines);
                self.add_tags(client.as_deref(), &mut lines);
                lines
            }
            PeerAction::Tags { to, id, tags: client } if self.has(Caps::MESSAGE_TAGS) => {
                let mut lines = vec![reader.line_by(tags, &format!("TAGMSG {to}"))];
                self.add_local_id(id, &mut lines);
                self.add_tags(Some(&client), &mut lines);
                lines
            }
            PeerAction::Tags { .. } => Vec::new(),
            PeerAction::Invite { to, channel, room } => {
                let is_mine = names::same(&to, &self.nick);
                let is_here = self.has(Caps::INVITE_NOTIFY) && self.rooms.contains_key(&room);
                let shown = is_mine || is_here;
                shown
                    .then(|| reader.line_by(tags, &format!("INVITE {to} {channel}")))
                    .into_iter()
                    .collect()
            }
            PeerAction::Wallops(text) => {
                vec![encode::trailing(reader.line_by(tags, "WALLOPS"), &text)]
            }
            // It ends the session instead.
            PeerAction::Kill(_) => Vec::new(),
            PeerAction::Away(_) if !self.has(Caps::AWAY_NOTIFY) => Vec::new(),
            PeerAction::Away(None) => vec![reader.line_by(tags, "AWAY")],
            PeerAction::Away(Some(why)) => {
                vec![encode::trailing(reader.line_by(tags, "AWAY"), &why)]
            }
            PeerAction::RealName(_) if !self.has(Caps::SETNAME) => Vec::new(),
            PeerAction::RealName(name) => {
                vec![encode::trailing(reader.line_by(tags, "SETNAME"), &name)]
            }
            PeerAction::Read { .. } if !self.has(Caps::READ_MARKER) => Vec::new(),
            PeerAction::Read { target, at } => vec![self.marker_line(&target, at)],
            PeerAction::Online => self.online_lines(&by),
            PeerAction::Offline(nick) => self.offline_lines(nick),
        };
        lines.into_iter().for_each(|line| send(line, out));
    }
}

pub(crate) fn is_refused_for_load(outcome: &Outcome) -> bool {
    use Refusal::{Internal, Overloaded, SlowDown};
    matches!(outcome, Err(Overloaded | SlowDown { .. } | Internal { .. }))
}
