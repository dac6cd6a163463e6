//! KICK, INVITE and MODE: what a room of the engine has of them.

use core_model::{Command, Outcome, Refusal, Reply, RoomId, RoomRef, RoomView, UserRef};
use frontend_api::Outbox;

use crate::directory::Presence;
use crate::encode;
use crate::names;
use crate::notice::What;
use crate::numeric::*;
use crate::parse::Message;
use crate::pending::{PendingReply, Target};
use crate::refusal::RequestKind;
use crate::state::{IrcSession, members, send};

/// The longest reason of a KICK, PART or QUIT.
pub(crate) const REASON_BYTES_MAX: usize = 390;

/// The modes of channels that ISUPPORT and 004 announce.
const CHANNEL_MODES: &str = "beIilnot";

/// The mode of users that are bots: IRCv3 bot mode.
pub(crate) const BOT_MODE: &str = "B";

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

    /// Invites a user of irc to an open channel, which it may join without that as well. A closed
    /// room has members in place of invitations.
    pub(crate) fn send_invite(&mut self, target: &Target, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(&target.room);
        let Some(people) = members(outcome) else {
            return self.report(RequestKind::Channel, "INVITE", &channel, outcome, out);
        };
        let Some((room, joined)) = self.channel(&target.room) else {
            let why = "You're not on that channel";
            return send(self.numeric(ERR_NOTONCHANNEL, &[&channel], why), out);
        };
        let known = self.directory.find(&target.nick);
        let line = if people.iter().any(|it| names::same(&names::nick(it), &target.nick)) {
            let params = [target.nick.as_str(), &channel];
            self.numeric(ERR_USERONCHANNEL, &params, "is already on channel")
        } else if joined.closed {
            let why = "A closed room has no invitations: its owner adds members";
            self.numeric(ERR_UNKNOWNERROR, &["INVITE"], why)
        } else if let Some(known) = known {
            return self.invite_to(room, channel, known, out);
        } else {
            self.numeric(ERR_NOSUCHNICK, &[&target.nick], "No such nick")
        };
        send(line, out);
    }

    fn invite_to(&self, room: RoomId, channel: String, known: Presence, out: &mut Outbox) {
        send(self.numeric_of_invite(&known.nick, &channel), out);
        if let Some(away) = &known.away {
            send(self.numeric(RPL_AWAY, &[&known.nick], away), out);
        }
        let to = known.nick;
        let notice = self.my_notice(What::Invite { to: to.clone(), room, channel });
        let told = self.directory.tell_nick(&to, &notice);
        self.wake_all(told, out);
        if let Some(entry) = &self.entry {
            let told = entry.tell_room(room, &notice);
            self.wake_all(told, out);
        }
    }

    fn numeric_of_invite(&self, nick: &str, channel: &str) -> String {
        self.bare(RPL_INVITING, &[nick, channel])
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

    /// Every user has the mode `i`; a bot has `B` as well, which is the only one to change.
    fn user_mode(&self, nick: &str, change: &str) -> Vec<String> {
        if !names::same(nick, &self.nick) {
            if self.directory.find(nick).is_none() {
                return vec![self.numeric(ERR_NOSUCHNICK, &[nick], "No such nick")];
            }
            let why = "The modes of others are their own";
            return vec![self.numeric(ERR_USERSDONTMATCH, &[], why)];
        }
        let Some(entry) = &self.entry else { return Vec::new() };
        let was_bot = entry.is_bot();
        let modes = || if entry.is_bot() { "+Bi" } else { "+i" };
        if change.is_empty() {
            return vec![self.bare(RPL_UMODEIS, &[modes()])];
        }
        if !change.chars().all(|char| matches!(char, '+' | '-' | 'i' | 'B')) {
            return vec![self.numeric(ERR_UMODEUNKNOWNFLAG, &[], "There is no such mode")];
        }
        let mut adds = true;
        for char in change.chars() {
            match char {
                '+' | '-' => adds = char == '+',
                'B' => entry.set_bot(adds),
                // The mode is there whatever the client asks for.
                _ => (),
            }
        }
        match (was_bot, entry.is_bot()) {
            (false, true) => vec![self.my_line(&format!("MODE {} :+{BOT_MODE}", self.nick))],
            (true, false) => vec![self.my_line(&format!("MODE {} :-{BOT_MODE}", self.nick))],
            _ => vec![self.bare(RPL_UMODEIS, &[modes()])],
        }
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
