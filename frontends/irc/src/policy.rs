//! MODE: what holds in a channel beyond roles, in the engine's terms of a policy.

use core_model::{
    Command, Detail, Event, MASK_BYTES_MAX, MaskList, Outcome, PolicyChange, Query,
    ROOM_KEY_BYTES_MAX, Recorded, Refusal, Reply, RoomId, RoomRef, RoomTag, RoomView,
};
use frontend_api::Outbox;

use crate::ban_mask;
use crate::names;
use crate::numeric::*;
use crate::pending::PendingReply;
use crate::refusal::RequestKind;
use crate::state::{IrcSession, send};

/// What a mode with its parameter asks for.
pub(crate) enum Wish {
    Change(PolicyChange),
    /// To read a list.
    List(MaskList),
    /// Nothing that can be done.
    Error(String),
    /// Nothing at all: a mode without the parameter that it needs.
    Nothing,
}

/// The list that a mode stands for.
pub(crate) fn list_of(mode: char) -> Option<MaskList> {
    match mode {
        'b' => Some(MaskList::Ban),
        'e' => Some(MaskList::Exception),
        'I' => Some(MaskList::Invitation),
        _ => None,
    }
}

fn letter(list: MaskList) -> char {
    match list {
        MaskList::Ban => 'b',
        MaskList::Exception => 'e',
        MaskList::Invitation => 'I',
    }
}

/// Whether a mode takes a parameter when it is set, or taken away.
pub(crate) fn takes_parameter(mode: char, adds: bool) -> bool {
    list_of(mode).is_some() || mode == 'k' || mode == 'l' && adds
}

impl IrcSession {
    /// What a mode asks for. `param` is absent for modes without one.
    pub(crate) fn wish(
        &self,
        channel: &str,
        (mode, adds): (char, bool),
        param: Option<&str>,
    ) -> Wish {
        if let Some(list) = list_of(mode) {
            return self.wish_of_list(channel, list, adds, param);
        }
        let change = match mode {
            'i' => PolicyChange::InviteOnly(adds),
            'm' => PolicyChange::Moderated(adds),
            'n' => PolicyChange::OpenPosts(!adds),
            's' => PolicyChange::Secret(adds),
            't' => PolicyChange::OpenTopic(!adds),
            'k' if !adds => PolicyChange::Key(None),
            'k' => match param {
                Some(key) if is_key(key) => PolicyChange::Key(Some(key.into())),
                Some(_) => return Wish::Error(self.wrong_key(channel)),
                None => return Wish::Nothing,
            },
            'l' if !adds => PolicyChange::Capacity(None),
            'l' => match param.map(|param| (param, param.parse())) {
                Some((_, Ok(seats))) if seats > 0 => PolicyChange::Capacity(Some(seats)),
                Some((param, _)) => {
                    let why = "A limit is a number from 1 on";
                    return Wish::Error(self.wrong_parameter(channel, 'l', param, why));
                }
                None => return Wish::Nothing,
            },
            _ => return Wish::Nothing,
        };
        Wish::Change(change)
    }

    fn wish_of_list(&self, channel: &str, list: MaskList, adds: bool, param: Option<&str>) -> Wish {
        let Some(param) = param.filter(|param| !param.is_empty()) else { return Wish::List(list) };
        let mask = ban_mask::parse(param, &self.options.server_name);
        match mask.filter(|mask| mask.len() <= MASK_BYTES_MAX && !param.contains(' ')) {
            Some(mask) => Wish::Change(PolicyChange::Mask { list, mask, held: adds }),
            None => {
                let mode = letter(list);
                Wish::Error(self.wrong_parameter(channel, mode, param, ban_mask::NO_MASK))
            }
        }
    }

    fn wrong_key(&self, channel: &str) -> String {
        let why = format!("A key has 1 to {ROOM_KEY_BYTES_MAX} bytes, no spaces and no commas");
        self.numeric(ERR_INVALIDKEY, &[channel], &why)
    }

    fn wrong_parameter(&self, channel: &str, mode: char, param: &str, why: &str) -> String {
        self.numeric(ERR_INVALIDMODEPARAM, &[channel, &mode.to_string(), param], why)
    }

    pub(crate) fn change_policy(&mut self, room: &str, change: PolicyChange, out: &mut Outbox) {
        let by = Some(self.actor());
        let secret = match change {
            PolicyChange::Secret(secret) => Some(secret),
            _ => None,
        };
        out.submit(Command::ChangePolicy { room: RoomRef::Name(room.into()), change, by });
        self.expect(PendingReply::PolicyChanged { room: room.into(), secret });
    }

    /// The event announces a change; the next line of the client may come before it.
    pub(crate) fn policy_changed(
        &mut self,
        room: &str,
        secret: Option<bool>,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let channel = names::channel(room);
        match outcome {
            Ok(_) => {
                let id = self.channel(room).map(|(id, _)| id);
                if let (Some(id), Some(secret)) = (id, secret) {
                    self.note_secret(id, secret);
                }
            }
            Err(refusal @ Refusal::QuotaExceeded { .. }) => {
                let why = refusal.to_string();
                send(self.numeric(ERR_BANLISTFULL, &[&channel, "beI"], &why), out);
            }
            Err(_) => self.report(RequestKind::Topic, "MODE", &channel, outcome, out),
        }
    }

    pub(crate) fn query_masks(&mut self, room: &str, list: MaskList, out: &mut Outbox) {
        let detail = Detail { masks: true, ..Detail::default() };
        let query = Query::Room { room: RoomRef::Name(room.into()), caller: self.caller(), detail };
        self.query(query, PendingReply::Masks { room: room.into(), list }, out);
    }

    pub(crate) fn send_masks(
        &self,
        name: &str,
        list: MaskList,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let channel = names::channel(name);
        let Ok(Reply::Room { room }) = outcome else {
            return self.report(RequestKind::Channel, "MODE", &channel, outcome, out);
        };
        let (entry, end, text) = match list {
            MaskList::Ban => (RPL_BANLIST, RPL_ENDOFBANLIST, "End of ban list"),
            MaskList::Exception => (RPL_EXCEPTLIST, RPL_ENDOFEXCEPTLIST, "End of exception list"),
            MaskList::Invitation => (RPL_INVITELIST, RPL_ENDOFINVITELIST, "End of invite list"),
        };
        for view in room.masks.iter().filter(|view| view.list == list) {
            let mask = ban_mask::shown(&view.mask);
            let by = view.by.strip_prefix(core_model::GUEST_PREFIX).unwrap_or(&view.by);
            let by =
                if by.is_empty() { self.options.server_name.clone() } else { names::nick_of(by) };
            let at = (view.at.0 / 1000).to_string();
            send(self.bare(entry, &[&channel, &mask, &by, &at]), out);
        }
        send(self.numeric(end, &[&channel], text), out);
    }

    fn note_secret(&mut self, room: RoomId, secret: bool) {
        if let Some(channel) = self.rooms.get_mut(&room) {
            channel.secret = secret;
            self.directory.note_secret(room, secret);
        }
    }

    /// A change of the policy, as a MODE.
    pub(crate) fn send_policy_change(
        &mut self,
        room: &RoomTag,
        recorded: &Recorded,
        out: &mut Outbox,
    ) {
        let Event::PolicyChanged { change, by, .. } = &recorded.event else { return };
        if !self.rooms.contains_key(&room.id) {
            return;
        }
        if let PolicyChange::Secret(secret) = change {
            self.note_secret(room.id, *secret);
        }
        let Some(modes) = modes_of(change) else { return };
        let rest = format!("MODE {} {modes}", names::channel(&room.name));
        let line = match by {
            Some(by) => self.line_by(by, &rest),
            None => format!(":{} {rest}", self.options.server_name),
        };
        send(line, out);
    }
}

/// What 324 shows of a room. Only the engine knows the hash of a key.
pub(crate) fn modes_of_room(room: &RoomView) -> (String, Vec<String>) {
    let policy = &room.policy;
    let flags = [
        ('i', room.closed || policy.invite_only),
        ('l', true),
        ('m', policy.moderated),
        ('n', !policy.open_posts),
        ('s', policy.secret),
        ('t', !policy.open_topic),
        ('k', policy.keyed),
    ];
    let set = flags.iter().filter(|(_, is_set)| *is_set).map(|(mode, _)| *mode);
    let mut params = vec![room.capacity.to_string()];
    if policy.keyed {
        params.push("*".into());
    }
    (set.fold("+".to_owned(), |modes, mode| modes + &mode.to_string()), params)
}

fn modes_of(change: &PolicyChange) -> Option<String> {
    let flag = |is_set: bool, mode: char| format!("{}{mode}", if is_set { '+' } else { '-' });
    Some(match change {
        PolicyChange::Moderated(on) => flag(*on, 'm'),
        PolicyChange::Secret(on) => flag(*on, 's'),
        PolicyChange::InviteOnly(on) => flag(*on, 'i'),
        PolicyChange::OpenTopic(open) => flag(!open, 't'),
        PolicyChange::OpenPosts(open) => flag(!open, 'n'),
        PolicyChange::Capacity(seats) => format!("+l {}", (*seats)?),
        PolicyChange::Key(Some(key)) => format!("+k {key}"),
        PolicyChange::Key(None) => "-k *".into(),
        PolicyChange::Mask { list, mask, held } => {
            format!("{} {}", flag(*held, letter(*list)), ban_mask::shown(mask))
        }
        PolicyChange::Invited(_) => return None,
    })
}

fn is_key(key: &str) -> bool {
    let is_sound = |char: char| !char.is_control() && !matches!(char, ' ' | ',');
    !key.is_empty()
        && key.len() <= ROOM_KEY_BYTES_MAX
        && !key.starts_with(':')
        && key.chars().all(is_sound)
}
