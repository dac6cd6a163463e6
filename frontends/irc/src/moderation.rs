//! KICK and INVITE: what a room of the engine has of them.

use core_model::{Command, GUEST_PREFIX, Outcome, PolicyChange, Refusal, RoomId, RoomRef, UserRef};
use frontend_api::Outbox;

use crate::directory::Presence;
use crate::encode;
use crate::names;
use crate::numeric::*;
use crate::occupants::Occupants;
use crate::parse::Message;
use crate::peer_event::PeerAction;
use crate::pending::{PendingReply, Target};
use crate::refusal::RequestKind;
use crate::state::{IrcSession, send};

/// The most users of one KICK, as ISUPPORT announces it.
pub(crate) const KICKED_MAX: usize = 4;

/// The longest reason of a KICK, PART or QUIT.
pub(crate) const REASON_BYTES_MAX: usize = 390;

impl IrcSession {
    // KICK.

    /// Several users of one channel, or as many channels as users: RFC 2812, section 3.2.8.
    pub(crate) fn kick(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let channels: Vec<&str> = message.list(0).collect();
        let nicks: Vec<&str> = message.list(1).collect();
        let error = if nicks.len() > KICKED_MAX {
            Some((ERR_TOOMANYTARGETS, message.param(1), "Too many users"))
        } else if channels.len() != 1 && channels.len() != nicks.len() {
            Some((ERR_NEEDMOREPARAMS, "KICK", "Name one channel, or one for each user"))
        } else {
            None
        };
        if let Some((numeric, about, why)) = error {
            let line = self.numeric(numeric, &[about], why);
            return self.say(vec![line], out);
        }
        let reason = encode::cut_to(message.param(2), REASON_BYTES_MAX);
        let reason = if reason.is_empty() { &self.nick } else { reason }.to_owned();
        for (nth, nick) in nicks.into_iter().enumerate() {
            let channel = channels.get(nth).unwrap_or(&channels[0]);
            let Some(room) = self.room(channel, out) else { continue };
            let room = self.joined_name(room);
            let query = self.occupants(&room);
            let target = Target { room, nick: nick.into(), reason: reason.clone() };
            self.query(query, PendingReply::Kick(target), out);
        }
    }

    /// Kicks a user that is in the channel; the engine ignores others without a word.
    pub(crate) fn kick_found(&mut self, target: Target, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(&target.room);
        let Some(occupants) = Occupants::of(outcome) else {
            return self.report(RequestKind::Channel, "KICK", &channel, outcome, out);
        };
        if let Some(error) = self.not_operator(&target.room, occupants) {
            return send(error, out);
        }
        let Some(person) = occupants.find(&target.nick) else {
            return send(self.not_in_channel(&target.nick, &channel), out);
        };
        let user = UserRef::Handle(person.handle.clone());
        let room = RoomRef::Name(target.room.clone());
        let by = Some(self.actor());
        out.submit(Command::Kick { room, user, by, reason: target.reason });
        self.expect(PendingReply::Kicked(target.room));
    }

    /// The event announces a kick that succeeded.
    pub(crate) fn kicked(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(room);
        if matches!(outcome, Err(Refusal::OwnerStays)) {
            let why = "The owner of a channel cannot be removed";
            send(self.numeric(ERR_CHANOPRIVSNEEDED, &[&channel], why), out);
        } else if outcome.is_err() {
            self.report(RequestKind::Topic, "KICK", &channel, outcome, out);
        }
    }

    // INVITE.

    pub(crate) fn invite(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let Some(room) = self.room(message.param(1), out) else { return };
        let room = self.joined_name(room);
        let query = self.occupants(&room);
        let target = Target { room, nick: message.param(0).into(), reason: String::new() };
        self.query(query, PendingReply::Invite(target), out);
    }

    /// Invites a user of irc to an open channel. A closed room has members in place of invitations.
    pub(crate) fn send_invite(&mut self, target: &Target, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(&target.room);
        let Some(occupants) = Occupants::of(outcome) else {
            return self.report(RequestKind::Channel, "INVITE", &channel, outcome, out);
        };
        let Some((room, joined)) = self.channel(&target.room) else {
            let why = "You're not on that channel";
            return send(self.numeric(ERR_NOTONCHANNEL, &[&channel], why), out);
        };
        let known = self.directory.find(&target.nick);
        let line = if occupants.find(&target.nick).is_some() {
            let params = [target.nick.as_str(), &channel];
            self.numeric(ERR_USERONCHANNEL, &params, "is already on channel")
        } else if joined.closed {
            let why = "A closed room has no invitations: its owner adds members";
            self.numeric(ERR_UNKNOWNERROR, &["INVITE"], why)
        } else if let Some(known) = known {
            return self.submit_invitation(room, target, &known, out);
        } else {
            self.numeric(ERR_NOSUCHNICK, &[&target.nick], "No such nick")
        };
        send(line, out);
    }

    /// Has the engine check the invitation, and keep it where the room is not open to everyone.
    fn submit_invitation(
        &mut self,
        room: RoomId,
        target: &Target,
        known: &Presence,
        out: &mut Outbox,
    ) {
        let Some(handle) = names::handle(&known.nick) else { return };
        let handle = if known.uid.is_some() { handle } else { format!("{GUEST_PREFIX}{handle}") };
        let change = PolicyChange::Invited(UserRef::Handle(handle));
        let by = Some(self.actor());
        out.submit(Command::ChangePolicy { room: RoomRef::Id(room), change, by });
        let (room, nick) = (target.room.clone(), known.nick.clone());
        self.expect(PendingReply::Invited(Target { room, nick, reason: String::new() }));
    }

    pub(crate) fn invited(&mut self, target: &Target, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(&target.room);
        if outcome.is_err() {
            return self.report(RequestKind::Topic, "INVITE", &channel, outcome, out);
        }
        match (self.channel(&target.room), self.directory.find(&target.nick)) {
            (Some((room, _)), Some(known)) => self.invite_to(room, channel, known, out),
            (None, _) => (),
            (_, None) => send(self.numeric(ERR_NOSUCHNICK, &[&target.nick], "No such nick"), out),
        }
    }

    fn invite_to(&self, room: RoomId, channel: String, known: Presence, out: &mut Outbox) {
        send(self.numeric_of_invite(&known.nick, &channel), out);
        if let Some(away) = &known.away {
            send(self.numeric(RPL_AWAY, &[&known.nick], away), out);
        }
        let to = known.nick;
        let event = self.my_event(PeerAction::Invite { to: to.clone(), room, channel });
        let wakes = self.directory.tell_nick(&to, &event);
        self.wake_all(wakes, out);
        if let Some(entry) = &self.entry {
            let wakes = entry.tell_room(room, &event);
            self.wake_all(wakes, out);
        }
    }

    fn numeric_of_invite(&self, nick: &str, channel: &str) -> String {
        self.bare(RPL_INVITING, &[nick, channel])
    }
}
