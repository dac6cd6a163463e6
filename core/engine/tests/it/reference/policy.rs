//! What holds in a room beyond its members.

use std::collections::BTreeMap;

use core_model::{
    Barrier, Command, Event, MaskList, MaskView, Outcome, Person, Policy, PolicyChange, Refusal,
    Reply, RoomRef, Timestamp, UserRef, matches_mask,
};

use super::{Reference, Who};

const INVITATION_MS: u64 = 24 * 60 * 60 * 1000;

/// What holds in a room.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) policy: Policy,
    key: Option<String>,
    /// With the handle of the user that has added each, and when.
    masks: BTreeMap<(MaskList, String), (String, u64)>,
    /// Handles that may enter once, and since when.
    invited: BTreeMap<String, u64>,
}

impl Rules {
    pub(super) fn masks(&self) -> Vec<MaskView> {
        let view = |((list, mask), (by, at)): (&(MaskList, String), &(String, u64))| MaskView {
            list: *list,
            mask: mask.clone(),
            by: by.clone(),
            at: Timestamp(*at),
        };
        self.masks.iter().map(view).collect()
    }

    fn covers(&self, wanted: MaskList, person: &Person) -> bool {
        let mut masks = self.masks.keys().filter(|(list, _)| *list == wanted);
        masks.any(|(_, mask)| matches_mask(mask, person))
    }

    fn bans(&self, person: &Person) -> bool {
        self.covers(MaskList::Ban, person) && !self.covers(MaskList::Exception, person)
    }
}

impl Reference {
    pub(super) fn change_policy(&mut self, command: &Command) -> Outcome {
        let Command::ChangePolicy { room, change, by } = command else { unreachable!() };
        if let PolicyChange::Invited(user) = change {
            return self.invite(room, user, by.as_ref());
        }
        let id = self.moderated(room, by.as_ref())?;
        let by = by.as_ref().map(|by| self.user_or_guest(by)).transpose()?;
        let by = by.map(|by| self.person(&by));
        let (now, most) = (self.now, self.frontend.room_capacity);
        let room = self.rooms.get_mut(&id).unwrap();
        let before = (format!("{:?}", room.rules), room.capacity);
        let mut shown = change.clone();
        let policy = &mut room.rules.policy;
        match change {
            PolicyChange::Moderated(on) => policy.moderated = *on,
            PolicyChange::Secret(on) => policy.secret = *on,
            PolicyChange::InviteOnly(on) => policy.invite_only = *on,
            PolicyChange::OpenTopic(on) => policy.open_topic = *on,
            PolicyChange::OpenPosts(on) => policy.open_posts = *on,
            PolicyChange::Capacity(wanted) => {
                room.capacity = wanted.unwrap_or(most).max(1).min(most.max(room.capacity).max(1));
                shown = PolicyChange::Capacity(Some(room.capacity));
            }
            PolicyChange::Key(key) => {
                policy.keyed = key.is_some();
                room.rules.key.clone_from(key);
            }
            PolicyChange::Mask { list, mask, held: true } => {
                let by = by.as_ref().map_or(String::new(), |by| by.handle.clone());
                room.rules.masks.entry((*list, mask.clone())).or_insert((by, now));
            }
            PolicyChange::Mask { list, mask, held: false } => {
                room.rules.masks.remove(&(*list, mask.clone()));
            }
            PolicyChange::Invited(_) => unreachable!(),
        }
        if before != (format!("{:?}", room.rules), room.capacity) {
            let room = self.tag(id);
            self.visible = true;
            self.events.push(Event::PolicyChanged { room, change: shown, by });
        }
        Ok(Reply::Done)
    }

    fn invite(&mut self, room: &RoomRef, user: &UserRef, by: Option<&UserRef>) -> Outcome {
        let inviter = self.user_or_guest(by.ok_or(Refusal::NotAllowed)?)?;
        let uid = uid(&inviter);
        let id = self.room(room, uid)?;
        if !self.is_inside(id, &inviter) {
            return Err(Refusal::NotInRoom);
        }
        let operates = self.own_seat(id, &inviter).is_some_and(|seat| seat.roles.operator);
        let operates = operates || self.owns(id, &inviter);
        if (self.rooms[&id].rules.policy.invite_only || self.rooms[&id].closed) && !operates {
            return Err(Refusal::NotAllowed);
        }
        let guest = self.user_or_guest(user)?;
        if operates && self.guards_entrance(id) {
            let handle = self.person(&guest).handle.clone();
            let now = self.now;
            self.rooms.get_mut(&id).unwrap().rules.invited.insert(handle, now);
        }
        Ok(Reply::Done)
    }

    fn owns(&self, id: u32, who: &Who) -> bool {
        uid(who).is_some() && uid(who) == self.rooms[&id].owner
    }

    fn is_inside(&self, id: u32, who: &Who) -> bool {
        uid(who).is_some_and(|uid| self.is_member(id, uid)) || self.own_seat(id, who).is_some()
    }

    fn guards_entrance(&self, id: u32) -> bool {
        let rules = &self.rooms[&id].rules;
        let bans = rules.masks.keys().any(|(list, _)| *list == MaskList::Ban);
        rules.policy.invite_only || rules.key.is_some() || bans
    }

    /// Whether an invitation lets the user in.
    pub(super) fn check_entrance(
        &self,
        id: u32,
        who: &Who,
        key: Option<&str>,
    ) -> Result<bool, Refusal> {
        let barred = |by| Err(Refusal::Barred { by });
        let rules = &self.rooms[&id].rules;
        if !self.guards_entrance(id) || self.owns(id, who) || self.own_seat(id, who).is_some() {
            return Ok(false);
        }
        let person = self.person(who);
        let invited = rules.invited.get(&person.handle);
        if invited.is_some_and(|at| at + INVITATION_MS > self.now) {
            return Ok(true);
        }
        let is_member = uid(who).is_some_and(|uid| self.is_member(id, uid));
        if rules.bans(&person) {
            return barred(Barrier::Ban);
        }
        let is_exempt = is_member || rules.covers(MaskList::Invitation, &person);
        if rules.policy.invite_only && !is_exempt {
            return barred(Barrier::InviteOnly);
        }
        if !is_member && rules.key.is_some() && rules.key.as_deref() != key {
            return barred(Barrier::Key);
        }
        Ok(false)
    }

    pub(super) fn use_up(&mut self, id: u32, who: &Who, invited: bool) {
        if invited {
            let handle = self.person(who).handle.clone();
            self.rooms.get_mut(&id).unwrap().rules.invited.remove(&handle);
        }
    }

    pub(super) fn check_voice(&self, id: u32, who: &Who) -> Result<(), Refusal> {
        let rules = &self.rooms[&id].rules;
        let own = |seat: &&super::Seat| seat.room == id && seat.who == *who;
        let has_role = match who {
            Who::User(_) => self.seats.iter().filter(own).any(|seat| !seat.roles.is_empty()),
            Who::Guest(_) => self.own_seat(id, who).is_some_and(|seat| !seat.roles.is_empty()),
        };
        if self.owns(id, who) || has_role {
            return Ok(());
        }
        if rules.policy.moderated {
            return Err(Refusal::Barred { by: Barrier::Moderated });
        }
        if rules.bans(&self.person(who)) {
            return Err(Refusal::Barred { by: Barrier::Ban });
        }
        Ok(())
    }

    /// The room whose description `by` may change.
    pub(super) fn described(
        &mut self,
        room: &RoomRef,
        by: Option<&UserRef>,
    ) -> Result<u32, Refusal> {
        if let Some(by) = by
            && let Ok(who) = self.user_or_guest(by)
            && let Ok(id) = self.room(room, uid(&who))
            && self.rooms[&id].rules.policy.open_topic
            && self.is_inside(id, &who)
        {
            return Ok(id);
        }
        self.moderated(room, by)
    }

    /// Whether the people of a room are shown to this user, who has no seat there.
    pub(crate) fn shows_people(&self, id: u32, caller: Option<u64>) -> bool {
        let knows = |uid| self.owns(id, &Who::User(uid)) || self.is_member(id, uid);
        !self.rooms[&id].rules.policy.secret || caller.is_some_and(knows)
    }
}

fn uid(who: &Who) -> Option<u64> {
    match who {
        Who::User(uid) => Some(*uid),
        Who::Guest(_) => None,
    }
}
