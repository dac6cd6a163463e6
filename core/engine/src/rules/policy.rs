//! What holds in a room beyond its members: who may enter it, find it, and post there.

use std::sync::Arc;

use core_model::{
    Barrier, Event, INVITATIONS_MAX, MASKS_MAX, MaskList, NewUser, Person, PolicyChange, Refusal,
    Reply, RoomRef, Uid, UserRef,
};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext};
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::policy;
use crate::policy_row::{ListId, MaskRow, PolicyRow};
use crate::rows::{RoomRow, Who, pack, unpack};
use crate::state::State as _;
use crate::tables::Tables;

/// A room with its id.
type Place<'a> = (u32, &'a RoomRow);

/// What lets a user enter.
#[derive(Clone, Copy)]
pub(super) enum WayIn {
    Open,
    /// An invitation, which entering uses up.
    Invitation,
}

impl BatchContext<'_> {
    pub(super) fn change_policy(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        change: &PolicyChange,
        by: Option<&UserRef>,
    ) -> Result<Reply, Error> {
        if let PolicyChange::Invited(user) = change {
            return self.invite(cx, room, user, by);
        }
        let (id, before) = self.moderated_room(cx, room, by)?;
        let by = by.map(|by| self.user_or_guest(cx, by)).transpose()?;
        let by = by.map(|by| self.person(&by)).transpose()?;
        let capacity_max = cx.frontend.room_capacity;
        self.change_policy_of(cx, (id, &before), change, by, capacity_max)
    }

    /// The changes of an operator of the gateway, in a room that may be closed.
    pub(super) fn set_policy(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        changes: &[PolicyChange],
    ) -> Result<Reply, Error> {
        for change in changes {
            if let PolicyChange::Invited(_) = change {
                return Err(Refusal::NotAllowed.into());
            }
            let (id, before) = lookup::any_room(&self.batch, room)?;
            self.change_policy_of(cx, (id, &before), change, None, u32::MAX)?;
        }
        Ok(Reply::Done)
    }

    fn change_policy_of(
        &mut self,
        cx: &mut CommandContext<'_>,
        (id, before): Place<'_>,
        change: &PolicyChange,
        by: Option<Arc<Person>>,
        capacity_max: u32,
    ) -> Result<Reply, Error> {
        let mut row = RoomRow::clone(before);
        let change = match change {
            PolicyChange::Capacity(capacity) => {
                let most = capacity_max.max(before.capacity).max(1);
                row.capacity = capacity.unwrap_or(capacity_max).clamp(1, most);
                PolicyChange::Capacity(Some(row.capacity))
            }
            PolicyChange::Mask { list, mask, held } => {
                let by = by.as_ref().map_or("", |by| by.handle.as_str());
                self.change_mask(cx, (id, &mut row), (*list, mask, *held), by)?;
                change.clone()
            }
            _ => {
                set(&mut row.policy, id, change);
                change.clone()
            }
        };
        if row.policy == before.policy && row.capacity == before.capacity {
            return Ok(Reply::Done);
        }
        if before.is_listed() && !row.is_listed() {
            self.unlist(id, before)?;
        }
        self.write_room(id, &row)?;
        if !before.is_listed() && row.is_listed() {
            self.list(id, &row)?;
        }
        cx.visible = true;
        cx.events.push(Event::PolicyChanged { room: row.tag(id), change, by });
        Ok(Reply::Done)
    }

    fn change_mask(
        &mut self,
        cx: &CommandContext<'_>,
        (id, row): (u32, &mut RoomRow),
        (list, mask, held): (MaskList, &str, bool),
        by: &str,
    ) -> Result<(), Error> {
        let list = ListId::from(list);
        let key = (id, list as u8, mask);
        let count = &mut row.policy.masks[list as usize];
        let is_held = self.batch.room_masks()?.get(key)?.is_some();
        match (is_held, held) {
            (false, true) => {
                if *count >= MASKS_MAX {
                    let what = "masks in the list".into();
                    return Err(Refusal::QuotaExceeded { what, max: MASKS_MAX }.into());
                }
                *count += 1;
                let row = MaskRow { by: by.to_owned(), at: cx.request.now };
                self.batch.room_masks_mut()?.insert(key, pack(&row).as_slice())?;
            }
            (true, false) => {
                *count -= 1;
                self.batch.room_masks_mut()?.remove(key)?;
            }
            _ => (),
        }
        self.cached(|cache| cache.forget_verdicts());
        Ok(())
    }

    pub(super) fn remove_masks_of_room(
        &mut self,
        id: u32,
        row: &RoomRow,
    ) -> Result<(), StoreError> {
        if row.policy.masks != [0; 4] {
            let own = (id, 0, "")..(id, u8::MAX, "");
            self.batch.room_masks_mut()?.retain_in(own, |_, _| false)?;
            self.cached(|cache| cache.forget_verdicts());
        }
        Ok(())
    }

    // Inviting.

    fn invite(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
        by: Option<&UserRef>,
    ) -> Result<Reply, Error> {
        let Some(by) = by else { return Err(Refusal::NotAllowed.into()) };
        let inviter = self.user_or_guest(cx, by)?;
        let (id, row) = lookup::room(&self.batch, room, inviter.uid())?;
        if !self.is_inside(cx, id, &inviter)? {
            return Err(Refusal::NotInRoom.into());
        }
        let may_moderate = inviter.uid().is_some() && inviter.uid() == row.owner
            || self.is_operator(cx, id, &inviter)?;
        if (row.policy.invite_only || row.closed) && !may_moderate {
            return Err(Refusal::NotAllowed.into());
        }
        let guest = self.user_or_guest(cx, user)?;
        if !may_moderate || !row.policy.guards_entrance() {
            return Ok(Reply::Done);
        }
        let mut row = RoomRow::clone(&row);
        let key = guest.key();
        let key = (id, ListId::Invited as u8, key.as_str());
        if self.batch.room_masks()?.get(key)?.is_none() {
            self.make_room_for_invitation(cx, id, &mut row)?;
            row.policy.masks[ListId::Invited as usize] += 1;
        }
        let by = self.person(&inviter)?.handle.clone();
        let invitation = pack(&MaskRow { by, at: cx.request.now });
        self.batch.room_masks_mut()?.insert(key, invitation.as_slice())?;
        self.write_room(id, &row)?;
        Ok(Reply::Done)
    }

    /// Forgets invitations that have expired, if there are as many as there may be. Refuses if none
    /// has.
    fn make_room_for_invitation(
        &mut self,
        cx: &CommandContext<'_>,
        id: u32,
        row: &mut RoomRow,
    ) -> Result<(), Error> {
        let count = &mut row.policy.masks[ListId::Invited as usize];
        if *count < INVITATIONS_MAX {
            return Ok(());
        }
        let invited = ListId::Invited as u8;
        let mut expired = Vec::new();
        for entry in self.batch.room_masks()?.range((id, invited, "")..(id, invited + 1, ""))? {
            let (key, row) = entry?;
            let MaskRow { at, .. } = unpack("room_masks", row.value())?;
            if policy::has_expired(at, cx.request.now) {
                expired.push(key.value().2.to_owned());
            }
        }
        for person in &expired {
            self.batch.room_masks_mut()?.remove((id, invited, person.as_str()))?;
        }
        *count -= expired.len() as u32;
        if expired.is_empty() {
            let what = "open invitations".into();
            return Err(Refusal::QuotaExceeded { what, max: INVITATIONS_MAX }.into());
        }
        Ok(())
    }

    fn is_invited(&self, cx: &CommandContext<'_>, id: u32, who: &Who) -> Result<bool, StoreError> {
        let key = who.key();
        let row = self.batch.room_masks()?.get((id, ListId::Invited as u8, key.as_str()))?;
        let Some(row) = row else { return Ok(false) };
        let MaskRow { at, .. } = unpack("room_masks", row.value())?;
        Ok(!policy::has_expired(at, cx.request.now))
    }

    // Entering and posting.

    /// Refuses an entrance that the policy does not allow. Members need neither a key nor an
    /// invitation.
    pub(super) fn check_entrance(
        &self,
        cx: &CommandContext<'_>,
        (id, row): Place<'_>,
        who: &Who,
        key: Option<&str>,
    ) -> Result<WayIn, Error> {
        let policy = &row.policy;
        let is_owner = who.uid().is_some() && who.uid() == row.owner;
        if !policy.guards_entrance() || is_owner || cx.request.connection == 0 {
            return Ok(WayIn::Open);
        }
        if self.seat_of_connection(cx.request.connection, id, who)?.is_some() {
            return Ok(WayIn::Open);
        }
        let is_invited = policy.has(ListId::Invited) && self.is_invited(cx, id, who)?;
        if is_invited {
            return Ok(WayIn::Invitation);
        }
        let person = self.person(who)?;
        let is_member = match who.uid() {
            Some(uid) => lookup::is_member(&self.batch, id, uid)?,
            None => false,
        };
        self.check_masks((id, row), &person, is_member)?;
        let is_key = |hash: [u8; 32]| key.is_some_and(|key| PolicyRow::key_hash(id, key) == hash);
        match policy.key {
            Some(hash) if !is_member && !is_key(hash) => {
                Err(Refusal::Barred { by: Barrier::Key }.into())
            }
            _ => Ok(WayIn::Open),
        }
    }

    fn check_masks(
        &self,
        (id, row): Place<'_>,
        person: &Person,
        is_member: bool,
    ) -> Result<(), Error> {
        if row.policy.has(ListId::Bans) && policy::is_banned(&self.batch, id, person)? {
            return Err(Refusal::Barred { by: Barrier::Ban }.into());
        }
        if row.policy.invite_only
            && !is_member
            && !policy::covers(&self.batch, id, MaskList::Invitation, person)?
        {
            return Err(Refusal::Barred { by: Barrier::InviteOnly }.into());
        }
        Ok(())
    }

    /// The same for an identity whose account is to be made: nothing may refuse it afterwards.
    pub(super) fn check_entrance_of_new(
        &self,
        cx: &CommandContext<'_>,
        (id, row): Place<'_>,
        user: &UserRef,
    ) -> Result<(), Error> {
        let (UserRef::IdentityOrNew(identity), true) = (user, row.policy.guards_entrance()) else {
            return Ok(());
        };
        if cx.request.connection == 0 {
            return Ok(());
        }
        let new = NewUser { identities: vec![identity.clone()], ..NewUser::default() };
        let (uid, handle) = self.choose_handle(&new)?;
        let person = Person { uid: Some(Uid(uid)), handle, ..Person::default() };
        self.check_masks((id, row), &person, false)?;
        match row.policy.key {
            Some(_) => Err(Refusal::Barred { by: Barrier::Key }.into()),
            None => Ok(()),
        }
    }

    /// A user has entered: its invitation is used up.
    pub(super) fn use_up(&mut self, id: u32, who: &Who, way_in: WayIn) -> Result<(), StoreError> {
        let WayIn::Invitation = way_in else { return Ok(()) };
        let key = who.key();
        let invited = ListId::Invited;
        if self.batch.room_masks_mut()?.remove((id, invited as u8, key.as_str()))?.is_some() {
            let mut row = RoomRow::clone(&*lookup::known_room(&self.batch, id)?);
            row.policy.masks[invited as usize] -= 1;
            self.write_room(id, &row)?;
        }
        Ok(())
    }

    /// Refuses a post that the policy does not allow.
    pub(super) fn check_voice(
        &self,
        cx: &CommandContext<'_>,
        (id, row): Place<'_>,
        who: &Who,
    ) -> Result<(), Error> {
        let policy = &row.policy;
        let is_owner = who.uid().is_some() && who.uid() == row.owner;
        if !policy.moderated && !policy.has(ListId::Bans) || is_owner || cx.request.connection == 0
        {
            return Ok(());
        }
        if self.has_role(cx, id, who)? {
            return Ok(());
        }
        if policy.moderated {
            return Err(Refusal::Barred { by: Barrier::Moderated }.into());
        }
        if self.is_banned(id, who)? {
            return Err(Refusal::Barred { by: Barrier::Ban }.into());
        }
        Ok(())
    }

    /// Whether a user holds a role: an account by any of its seats, a guest by this connection's,
    /// since others may use its name.
    fn has_role(&self, cx: &CommandContext<'_>, id: u32, who: &Who) -> Result<bool, StoreError> {
        match who {
            Who::User(_) => {
                let seats = self.seats_of_person(id, who)?;
                Ok(seats.iter().any(|(_, seat)| !seat.roles.is_empty()))
            }
            Who::Guest(_) => {
                let seat = self.seat_of_connection(cx.request.connection, id, who)?;
                Ok(seat.is_some_and(|(_, seat)| !seat.roles.is_empty()))
            }
        }
    }

    fn is_banned(&self, id: u32, who: &Who) -> Result<bool, StoreError> {
        let known = self.batch.writer_cache().and_then(|cache| cache.borrow().verdict(id, who));
        if let Some(known) = known {
            return Ok(known);
        }
        let verdict = policy::is_banned(&self.batch, id, &*self.person(who)?)?;
        self.cached(|cache| cache.keep_verdict(id, who, verdict));
        Ok(verdict)
    }

    /// Whether a user is in a room: by a seat of this connection, or as a member.
    fn is_inside(&self, cx: &CommandContext<'_>, id: u32, who: &Who) -> Result<bool, StoreError> {
        let is_member = match who.uid() {
            Some(uid) => lookup::is_member(&self.batch, id, uid)?,
            None => false,
        };
        Ok(is_member || self.seat_of_connection(cx.request.connection, id, who)?.is_some())
    }

    /// The room whose description `by` may change.
    pub(super) fn described_room(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        by: Option<&UserRef>,
    ) -> Result<(u32, Arc<RoomRow>), Error> {
        if let Some(by) = by
            && let Ok(who) = self.user_or_guest(cx, by)
            && let Ok((id, row)) = lookup::room(&self.batch, room, who.uid())
            && row.policy.open_topic
            && self.is_inside(cx, id, &who)?
        {
            return Ok((id, row));
        }
        self.moderated_room(cx, room, by)
    }
}

/// Applies a change that is only of the policy.
fn set(policy: &mut PolicyRow, room: u32, change: &PolicyChange) {
    match change {
        PolicyChange::Moderated(on) => policy.moderated = *on,
        PolicyChange::Secret(on) => policy.secret = *on,
        PolicyChange::InviteOnly(on) => policy.invite_only = *on,
        PolicyChange::OpenTopic(on) => policy.open_topic = *on,
        PolicyChange::OpenPosts(on) => policy.open_posts = *on,
        PolicyChange::Key(key) => {
            policy.key = key.as_deref().map(|key| PolicyRow::key_hash(room, key));
        }
        PolicyChange::Capacity(_) | PolicyChange::Mask { .. } | PolicyChange::Invited(_) => (),
    }
}
