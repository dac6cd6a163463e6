//! KICK, INVITE and MODE: what a room of the engine has of them.

use core_model::{Command, Outcome, Refusal, Reply, RoomRef, RoomView, UserRef};
use frontend_api::Outbox;

use crate::encode;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::pending::{PendingReply, Target};
use crate::refusal::RequestKind;
use crate::state::{IrcSession, members, send};

/// The longest reason of a KICK, PART or QUIT.
pub(crate) const REASON_BYTES_MAX: usize = 390;

/// The modes of channels that ISUPPORT and 004 announce.
const CHANNEL_MODES: &str = "beIilnot";

impl IrcSession {
    // KICK.

    pub(crate) fn kick(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let Some(room) = self.room(message.param(0), out) else { return };
        let room = self.joined_name(room);
        let reason = encode::cut_to(message.param(2), REASON_BYTES_MAX);
        let reason = if reason.is_empty() { &self.nick } else { reason }.to_owned();
        for nick in message.list(1) {
            let target = Target { room: room.clone(), nick: nick.into(), reason: reason.clone() };
            let query = self.occupants(&room);
            self.query(query, PendingReply::Kick(target), out);
        }
    }

    /// Kicks a user that is in the channel; the engine ignores others without a word.
    pub(crate) fn kick_found(&mut self, target: Target, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(&target.room);
        let Some(people) = members(outcome) else {
            return self.report(RequestKind::Channel, "KICK", &channel, outcome, out);
        };
        if let Some(error) = self.not_owner(&target.room) {
            return send(error, out);
        }
        let found = people.iter().find(|it| names::same(&names::nick(it), &target.nick));
        let Some(person) = found else {
            let params = [target.nick.as_str(), &channel];
            let why = "They are not on that channel";
            return send(self.numeric(ERR_USERNOTINCHANNEL, &params, why), out);
        };
        let user = UserRef::Handle(person.handle.clone());
        let (room, by) = (RoomRef::Name(target.room.clone()), Some(self.actor()));
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

    /// The error for a client that is not in a channel, or does not own it.
    fn not_owner(&self, room: &str) -> Option<String> {
        let channel = names::channel(room);
        let Some((_, joined)) = self.channel(room) else {
            return Some(self.numeric(ERR_NOTONCHANNEL, &[&channel], "You're not on that channel"));
        };
        let owns = joined.owner.is_some() && joined.owner == self.me.uid;
        let why = "Only the owner of the channel may do that";
        (!owns).then(|| self.numeric(ERR_CHANOPRIVSNEEDED, &[&channel], why))
    }

    // INVITE.

    pub(crate) fn invite(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let Some(room) = self.room(message.param(1), out) else { return };
        let room = self.joined_name(room);
        let query = self.occupants(&room);
        let target = Target { room, nick: message.param(0).into(), reason: String::new() };
        self.query(query, PendingReply::Invite(target), out);
    }

    /// The engine has no invitations, so every INVITE is refused, with the error that comes first.
    pub(crate) fn refuse_invite(&mut self, target: &Target, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(&target.room);
        let Some(people) = members(outcome) else {
            return self.report(RequestKind::Channel, "INVITE", &channel, outcome, out);
        };
        let line = if self.channel(&target.room).is_none() {
            self.numeric(ERR_NOTONCHANNEL, &[&channel], "You're not on that channel")
        } else if people.iter().any(|it| names::same(&names::nick(it), &target.nick)) {
            let params = [target.nick.as_str(), &channel];
            self.numeric(ERR_USERONCHANNEL, &params, "is already on channel")
        } else {
            let why = "Rooms have no invitations: open ones can be joined, closed ones add members";
            self.numeric(ERR_UNKNOWNERROR, &["INVITE"], why)
        };
        send(line, out);
    }

    // MODE.

    pub(crate) fn mode(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let target = message.param(0);
        if !target.starts_with('#') {
            let lines = self.user_mode(target, message.param(1));
            return self.say(lines, out);
        }
        let Some(room) = self.room(target, out) else { return };
        let room = self.joined_name(room);
        let modes = message.param(1);
        let reply = if modes.is_empty() {
            PendingReply::Mode(room.clone())
        } else {
            let lists_only = message.param(2).is_empty();
            PendingReply::ModeChange { room: room.clone(), modes: modes.into(), lists_only }
        };
        self.query_room(room, reply, out);
    }

    /// Every user has the mode `i`, and no other.
    fn user_mode(&self, nick: &str, change: &str) -> Vec<String> {
        if !names::same(nick, &self.nick) {
            if self.directory.find(nick).is_none() {
                return vec![self.numeric(ERR_NOSUCHNICK, &[nick], "No such nick")];
            }
            let why = "The modes of others are their own";
            return vec![self.numeric(ERR_USERSDONTMATCH, &[], why)];
        }
        if change.is_empty() {
            return vec![self.bare(RPL_UMODEIS, &["+i"])];
        }
        let known = change.chars().all(|char| matches!(char, '+' | '-' | 'i'));
        let unknown = || self.numeric(ERR_UMODEUNKNOWNFLAG, &[], "There is no such mode");
        // The mode is there whatever the client asks for.
        if known { vec![self.bare(RPL_UMODEIS, &["+i"])] } else { vec![unknown()] }
    }

    pub(crate) fn send_modes(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(name);
        match outcome {
            Ok(Reply::Room { room }) => {
                let (modes, capacity) = modes(room);
                send(self.bare(RPL_CHANNELMODEIS, &[&channel, &modes, &capacity]), out);
                let created = (room.created.0 / 1000).to_string();
                send(self.bare(RPL_CREATIONTIME, &[&channel, &created]), out);
            }
            _ => self.report(RequestKind::Channel, "MODE", &channel, outcome, out),
        }
    }

    /// Lists are empty; all other modes follow from what the room is, so none can be changed.
    pub(crate) fn refuse_mode_change(
        &mut self,
        name: &str,
        modes: &str,
        lists_only: bool,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let channel = names::channel(name);
        if outcome.is_err() {
            return self.report(RequestKind::Channel, "MODE", &channel, outcome, out);
        }
        for mode in modes.chars().filter(|mode| !matches!(mode, '+' | '-')) {
            let line = match mode {
                'b' if lists_only => self.numeric(RPL_ENDOFBANLIST, &[&channel], "End of ban list"),
                'e' if lists_only => {
                    self.numeric(RPL_ENDOFEXCEPTLIST, &[&channel], "End of exception list")
                }
                'I' if lists_only => {
                    self.numeric(RPL_ENDOFINVITELIST, &[&channel], "End of invite list")
                }
                mode if CHANNEL_MODES.contains(mode) => match self.not_owner(name) {
                    Some(error) => error,
                    None => {
                        let why = "The modes of channels are what they are";
                        self.numeric(ERR_CHANOPRIVSNEEDED, &[&channel], why)
                    }
                },
                mode => {
                    let why = format!("is unknown mode char to me for {channel}");
                    self.numeric(ERR_UNKNOWNMODE, &[&mode.to_string()], &why)
                }
            };
            send(line, out);
        }
    }
}

/// Only occupants may post, only the owner sets the topic, and seats are limited. A closed room can
/// be joined by its members alone.
fn modes(room: &RoomView) -> (String, String) {
    let closed = if room.closed { "i" } else { "" };
    (format!("+{closed}lnt"), room.capacity.to_string())
}
