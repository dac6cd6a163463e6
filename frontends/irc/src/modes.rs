//! MODE. Operators and voices are roles of live seats; the other modes are the policy of the room.

use core_model::{Command, Outcome, Refusal, Reply, Role, RoomRef, RoomTag, UserRef};
use core_model::{Event, Recorded};
use frontend_api::Outbox;

use crate::names;
use crate::numeric::*;
use crate::occupants::Occupants;
use crate::parse::Message;
use crate::pending::{ModeChange, PendingReply, Target};
use crate::policy::{Wish, list_of, modes_of_room, takes_parameter};
use crate::refusal::RequestKind;
use crate::state::{IrcSession, send};

/// The modes of channels that 004 announces.
pub(crate) const CHANNEL_MODES: &str = "Ibeiklmnostv";

/// Those of them that have a parameter.
pub(crate) const PARAMETER_MODES: &str = "Ibeklov";

/// The kinds of modes, as ISUPPORT announces them: lists; with a parameter; with one only when set;
/// without.
pub(crate) const CHANMODES: &str = "Ibe,k,l,imnst";

/// The mode of users that are bots: IRCv3 bot mode.
pub(crate) const BOT_MODE: &str = "B";

/// The modes of users that 004 announces.
pub(crate) const USER_MODES: &str = "Biow";

/// The most letters of one MODE that are looked at: each may be a command.
const MODE_CHARS_MAX: usize = 24;

/// The most changes with a parameter by one MODE, as ISUPPORT announces it.
pub(crate) const CHANGES_MAX: usize = 4;

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

    /// Every user has the mode `i`. Bots declare `B`, readers of WALLOPS `w`; `o` can be given up.
    fn user_mode(&mut self, nick: &str, change: &str) -> Vec<String> {
        if !names::same(nick, &self.nick) {
            if self.directory.find(nick).is_none() {
                return vec![self.numeric(ERR_NOSUCHNICK, &[nick], "No such nick")];
            }
            let why = "The modes of others are their own";
            return vec![self.numeric(ERR_USERSDONTMATCH, &[], why)];
        }
        let before = self.user_modes();
        if change.is_empty() {
            return vec![self.bare(RPL_UMODEIS, &[&before])];
        }
        let is_known = |char: char| matches!(char, '+' | '-') || USER_MODES.contains(char);
        if !change.chars().all(is_known) {
            return vec![self.numeric(ERR_UMODEUNKNOWNFLAG, &[], "There is no such mode")];
        }
        let mut adds = true;
        for char in change.chars() {
            match char {
                '+' | '-' => adds = char == '+',
                char => self.set_user_mode(char, adds),
            }
        }
        let after = self.user_modes();
        let changes = changes(&before, &after);
        if changes.is_empty() {
            return vec![self.bare(RPL_UMODEIS, &[&after])];
        }
        vec![self.my_line(&format!("MODE {} :{changes}", self.nick))]
    }

    /// `i` is there whatever the client asks for, and `o` comes from OPER only.
    fn set_user_mode(&mut self, mode: char, adds: bool) {
        let Some(entry) = &self.entry else { return };
        match mode {
            'B' => entry.set_bot(adds),
            'w' => entry.set_wallops(adds),
            'o' if !adds => {
                entry.set_operator(false);
                self.operator = None;
            }
            _ => (),
        }
    }

    fn user_modes(&self) -> String {
        let known = self.entry.as_ref().and_then(|entry| entry.presence());
        let Some(known) = known else { return "+i".into() };
        let flags = [
            ('B', known.is_bot),
            ('i', true),
            ('o', known.is_operator),
            ('w', known.reads_wallops),
        ];
        let set = flags.iter().filter(|(_, is_set)| *is_set).map(|(mode, _)| *mode);
        std::iter::once('+').chain(set).collect()
    }

    pub(crate) fn send_modes(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(name);
        match outcome {
            Ok(Reply::Room { room }) => {
                let (modes, values) = modes_of_room(room);
                let mut params = vec![channel.as_str(), modes.as_str()];
                params.extend(values.iter().map(String::as_str));
                send(self.bare(RPL_CHANNELMODEIS, &params), out);
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
        let mut params = change.params.iter().map(String::as_str);
        let (mut adds, mut left) = (true, CHANGES_MAX);
        for mode in change.modes.chars().take(MODE_CHARS_MAX) {
            if let '+' | '-' = mode {
                adds = mode == '+';
                continue;
            }
            let takes = matches!(mode, 'o' | 'v') || takes_parameter(mode, adds);
            let param = if takes { params.next() } else { None };
            // Queries of lists need no privilege.
            if let (Some(list), None | Some("")) = (list_of(mode), param) {
                self.query_masks(&change.room, list, out);
                continue;
            }
            if !CHANNEL_MODES.contains(mode) {
                let line = self.unknown_mode(mode, &channel);
                self.say(vec![line], out);
                continue;
            }
            if let Some(error) = &error {
                return self.say(vec![error.clone()], out);
            }
            if takes && param.is_some() {
                if left == 0 {
                    continue;
                }
                left -= 1;
            }
            let error = self.change_mode(&change.room, (mode, adds), param, occupants, out);
            self.say(error.into_iter().collect(), out);
        }
    }

    /// Asks the engine for one change; the error if it cannot be asked for.
    fn change_mode(
        &mut self,
        room: &str,
        (mode, adds): (char, bool),
        param: Option<&str>,
        occupants: Occupants<'_>,
        out: &mut Outbox,
    ) -> Option<String> {
        let channel = names::channel(room);
        let role = match mode {
            'o' => Some(Role::Operator),
            'v' => Some(Role::Voice),
            _ => None,
        };
        if let Some(role) = role {
            return self.change_role(room, param?, (role, adds), occupants, out);
        }
        if mode == 'i' && self.channel(room).is_some_and(|(_, channel)| channel.closed) {
            let why = "Whether a room is closed is decided when it is made";
            return (!adds).then(|| self.numeric(ERR_CHANOPRIVSNEEDED, &[&channel], why));
        }
        match self.wish(&channel, (mode, adds), param) {
            Wish::Change(change) => self.change_policy(room, change, out),
            Wish::List(list) => self.query_masks(room, list, out),
            Wish::Error(error) => return Some(error),
            Wish::Nothing => (),
        }
        None
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

/// What differs between two sets of modes, `-` first.
fn changes(before: &str, after: &str) -> String {
    let only = |of: &str, but: &str, sign: &str| {
        let differing: String = of.chars().filter(|char| !but.contains(*char)).collect();
        if differing.is_empty() { String::new() } else { format!("{sign}{differing}") }
    };
    only(before, after, "-") + &only(after, before, "+")
}
