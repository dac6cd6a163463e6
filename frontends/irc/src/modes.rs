//! MODE: what a room of the engine has of it. Operators and voices are roles of live seats; the other
//! modes hold in every room.

use core_model::{Command, Outcome, Refusal, Reply, Role, RoomRef, RoomTag, UserRef};
use core_model::{Event, Recorded};
use frontend_api::Outbox;

use crate::names;
use crate::numeric::*;
use crate::occupants::Occupants;
use crate::parse::Message;
use crate::pending::{ModeChange, PendingReply, Target};
use crate::refusal::RequestKind;
use crate::state::{IrcSession, send};

/// The modes of channels that 004 announces: roles, and what 324 shows.
pub(crate) const CHANNEL_MODES: &str = "ilnotv";

/// Those of them that have a parameter.
pub(crate) const PARAMETER_MODES: &str = "lov";

/// What 324 shows, in the form of CHANMODES: the capacity, which has a parameter; that the room is
/// closed; that only occupants may post and only operators set the topic. None can be changed here.
pub(crate) const CHANMODES: &str = ",,l,int";

/// The modes that hold in every channel.
const FIXED_MODES: &str = "nt";

/// The mode of users that are bots: IRCv3 bot mode.
pub(crate) const BOT_MODE: &str = "B";

/// The most changes of roles by one MODE, as ISUPPORT announces it.
pub(crate) const ROLE_CHANGES_MAX: usize = 4;

impl IrcSession {
    pub(crate) fn mode(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let target = message.param(0);
        if !target.starts_with('#') {
            let lines = self.user_mode(target, message.param(1));
            return self.say(lines, out);
        }
        let Some(room) = self.room(target, out) else { return };
        let room = self.joined_name(room);
        let modes = message.param(1);
        if modes.is_empty() {
            return self.query_room(room.clone(), PendingReply::Mode(room), out);
        }
        let params = (2..message.given()).map(|at| message.param(at).to_owned()).collect();
        let query = self.occupants(&room);
        let change = ModeChange { room, modes: modes.into(), params };
        self.query(query, PendingReply::ModeChange(change), out);
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
                let closed = if room.closed { "i" } else { "" };
                let (modes, capacity) = (format!("+{closed}lnt"), room.capacity.to_string());
                send(self.bare(RPL_CHANNELMODEIS, &[&channel, &modes, &capacity]), out);
                let created = (room.created.0 / 1000).to_string();
                send(self.bare(RPL_CREATIONTIME, &[&channel, &created]), out);
            }
            _ => self.report(RequestKind::Channel, "MODE", &channel, outcome, out),
        }
    }

    /// Queries of lists need no privilege; the first change that the client may not make is the
    /// last one that is looked at.
    pub(crate) fn change_modes(
        &mut self,
        change: &ModeChange,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let channel = names::channel(&change.room);
        let Some(occupants) = Occupants::of(outcome) else {
            return self.report(RequestKind::Channel, "MODE", &channel, outcome, out);
        };
        let error = self.not_operator(&change.room, occupants);
        let mut params = change.params.iter();
        let (mut adds, mut roles_left) = (true, ROLE_CHANGES_MAX);
        for mode in change.modes.chars() {
            let role = match mode {
                '+' | '-' => {
                    adds = mode == '+';
                    continue;
                }
                'o' => Some(Role::Operator),
                'v' => Some(Role::Voice),
                _ => None,
            };
            let line = match (mode, &error) {
                // Clients ask for these lists on joining, whatever is announced.
                ('b' | 'e' | 'I', _) if params.len() == 0 => Some(self.end_of_list(mode, &channel)),
                _ if !CHANNEL_MODES.contains(mode) => Some(self.unknown_mode(mode, &channel)),
                (_, Some(error)) => return send(error.clone(), out),
                (_, None) => match (role, params.next()) {
                    (Some(role), Some(nick)) if roles_left > 0 => {
                        roles_left -= 1;
                        self.change_role(&change.room, nick, (role, adds), occupants, out)
                    }
                    (Some(_), _) => None,
                    // It holds already, and nothing is to be said of that.
                    (None, _) if adds && FIXED_MODES.contains(mode) => None,
                    (None, _) => Some(self.fixed_mode(mode, &channel)),
                },
            };
            line.into_iter().for_each(|line| send(line, out));
        }
    }

    /// The error for a client that is not in a channel, or not its operator.
    pub(crate) fn not_operator(&self, room: &str, occupants: Occupants<'_>) -> Option<String> {
        let channel = names::channel(room);
        if self.channel(room).is_none() {
            return Some(self.numeric(ERR_NOTONCHANNEL, &[&channel], "You're not on that channel"));
        }
        let why = "You're not an operator of the channel";
        (!occupants.roles(&self.me).operator)
            .then(|| self.numeric(ERR_CHANOPRIVSNEEDED, &[&channel], why))
    }

    fn unknown_mode(&self, mode: char, channel: &str) -> String {
        let why = format!("is unknown mode char to me for {channel}");
        self.numeric(ERR_UNKNOWNMODE, &[&mode.to_string()], &why)
    }

    fn fixed_mode(&self, mode: char, channel: &str) -> String {
        let why = match mode {
            'i' => "Whether a channel is closed is decided when it is made".into(),
            'l' => "The capacity of a channel cannot be changed over IRC".into(),
            _ => format!("The mode {mode} holds in every channel"),
        };
        self.numeric(ERR_CHANOPRIVSNEEDED, &[channel], &why)
    }

    /// All lists are empty.
    fn end_of_list(&self, mode: char, channel: &str) -> String {
        let (numeric, text) = match mode {
            'b' => (RPL_ENDOFBANLIST, "End of ban list"),
            'e' => (RPL_ENDOFEXCEPTLIST, "End of exception list"),
            _ => (RPL_ENDOFINVITELIST, "End of invite list"),
        };
        self.numeric(numeric, &[channel], text)
    }

    /// Changes the role of a user that is in the channel; the error for another.
    fn change_role(
        &mut self,
        room: &str,
        nick: &str,
        (role, held): (Role, bool),
        occupants: Occupants<'_>,
        out: &mut Outbox,
    ) -> Option<String> {
        let Some(person) = occupants.find(nick) else {
            if self.directory.find(nick).is_none() {
                return Some(self.numeric(ERR_NOSUCHNICK, &[nick], "No such nick"));
            }
            return Some(self.not_in_channel(nick, &names::channel(room)));
        };
        let user = UserRef::Handle(person.handle.clone());
        let by = Some(self.actor());
        out.submit(Command::SetRole { room: RoomRef::Name(room.into()), user, role, held, by });
        let target = Target { room: room.into(), nick: nick.into(), reason: String::new() };
        self.expect(PendingReply::RoleChanged(target));
        None
    }

    pub(crate) fn not_in_channel(&self, nick: &str, channel: &str) -> String {
        let why = "They are not on that channel";
        self.numeric(ERR_USERNOTINCHANNEL, &[nick, channel], why)
    }

    /// The event announces a change.
    pub(crate) fn role_changed(&mut self, target: &Target, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(&target.room);
        match outcome {
            Ok(_) => (),
            // A member of the room that has no live seat, which is what a role belongs to.
            Err(Refusal::NotInRoom) => send(self.not_in_channel(&target.nick, &channel), out),
            Err(Refusal::OwnerStays) => {
                let why = "The owner of a channel stays its operator";
                send(self.numeric(ERR_CHANOPRIVSNEEDED, &[&channel], why), out);
            }
            Err(_) => self.report(RequestKind::Topic, "MODE", &channel, outcome, out),
        }
    }

    pub(crate) fn send_role_change(&self, room: &RoomTag, recorded: &Recorded, out: &mut Outbox) {
        let Event::RoleChanged { user, role, held, by, .. } = &recorded.event else { return };
        if !self.rooms.contains_key(&room.id) {
            return;
        }
        let sign = if *held { '+' } else { '-' };
        let mode = match role {
            Role::Operator => 'o',
            Role::Voice => 'v',
        };
        let rest =
            format!("MODE {} {sign}{mode} {}", names::channel(&room.name), names::nick(user));
        let line = match by {
            Some(by) => self.line_by(by, &rest),
            None => format!(":{} {rest}", self.options.server_name),
        };
        send(line, out);
    }
}
