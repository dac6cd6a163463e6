//! Rooms: making, changing, deleting them.

use std::collections::BTreeSet;
use std::sync::Arc;

use core_model::{
    Event, Expired, NewRoom, Person, Refusal, Reply, RoomChanges, RoomId, RoomRef, UserRef, bounds,
};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext, Made};
use super::names::{IDS_TRIED_MAX, first_free, suffixed};
use crate::chosen_name;
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::message_index;
use crate::read_markers;
use crate::removed;
use crate::rows::{RoomRow, Who};
use crate::search;
use crate::tables::Tables;

impl BatchContext<'_> {
    pub(super) fn create_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &NewRoom,
        owner: Option<&UserRef>,
        invited: Option<&[UserRef]>,
    ) -> Result<Reply, Error> {
        let known = match owner {
            Some(owner) => self.user_unless_new(cx, owner)?,
            None => None,
        };
        check_size(cx, room, invited.map_or(0, <[_]>::len))?;
        let mut others = BTreeSet::new();
        for user in invited.unwrap_or_default() {
            others.insert(self.user(cx, user)?);
        }
        if let Some(owner) = known {
            others.remove(&owner);
        }
        if invited.is_some() && others.is_empty() {
            return Err(Refusal::TooFewMembers.into());
        }
        let groups_max = cx.frontend.quotas.groups_per_user_max;
        others.iter().try_for_each(|uid| self.check_memberships(*uid, groups_max))?;
        if owner.is_none() {
            self.check_unowned_rooms(cx)?;
        }
        let new = owner.filter(|_| known.is_none());
        let owner = match new {
            Some(new) => {
                let members = others.len() + usize::from(!room.owner_absent);
                check_size(cx, room, members)?;
                self.choose_room_name(room)?;
                Some(self.make_identified_user(cx, new)?)
            }
            None => known,
        };
        let owning_member = owner.filter(|_| !room.owner_absent);
        let members: Vec<u64> = owning_member.into_iter().chain(others).collect();
        let id = self.make_room(cx, room, owner, members.len())?;
        if owner.is_none() {
            self.count_unowned_room(cx, id)?;
        }
        if invited.is_some() {
            self.announce_created(cx, id, owner, &members)?;
        }
        if !members.is_empty() {
            self.add_members(cx, id, &members)?;
            self.announce_population(cx, id)?;
        }
        if let (Some(_), Some(owner)) = (new, owner) {
            self.auto_join(cx, owner)?;
        }
        self.created(id)
    }

    fn announce_created(
        &self,
        cx: &mut CommandContext<'_>,
        id: u32,
        owner: Option<u64>,
        members: &[u64],
    ) -> Result<(), StoreError> {
        let room = lookup::known_room(&self.batch, id)?.tag(id);
        let owner = owner.map(|uid| lookup::person(&self.batch, uid)).transpose()?;
        let mut members = members.to_vec();
        members.sort_unstable();
        let members: Result<Vec<_>, _> =
            members.into_iter().map(|uid| lookup::person(&self.batch, uid)).collect();
        cx.events.push(Event::RoomCreated { room, owner, members: members? });
        Ok(())
    }

    pub(super) fn declare_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &NewRoom,
    ) -> Result<Reply, Error> {
        let name = room.name.clone().unwrap_or_default();
        let id = match lookup::any_room(&self.batch, &RoomRef::Name(name)) {
            Ok((id, row)) => {
                self.check_public(id, &row)?;
                self.batch.unowned_rooms_mut()?.remove(id)?;
                id
            }
            Err(Error::Refused(_)) => {
                let room = NewRoom { insist: true, ..room.clone() };
                self.make_room(cx, &room, None, 0)?
            }
            Err(fail) => return Err(fail),
        };
        self.created(id)
    }

    /// Refuses a room that a user owns, or that is closed, where one for everyone is meant.
    pub(super) fn check_public(&self, id: u32, row: &RoomRow) -> Result<(), Error> {
        if row.owner.is_none() && !row.closed {
            return Ok(());
        }
        let mut why = match row.owner {
            Some(owner) => format!("belongs to {}", lookup::person(&self.batch, owner)?.handle),
            None => "has no owner".to_owned(),
        };
        if row.closed {
            why.push_str(" and is closed");
        }
        Err(Refusal::RoomNotPublic { room: RoomId(id), why }.into())
    }

    fn created(&self, id: u32) -> Result<Reply, Error> {
        let row = lookup::known_room(&self.batch, id)?;
        Ok(Reply::RoomCreated { room: lookup::room_view(&self.batch, id, &row)? })
    }

    /// Makes a room that has seats for `members`, which the caller adds.
    pub(super) fn make_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &NewRoom,
        owner: Option<u64>,
        members: usize,
    ) -> Result<u32, Error> {
        check_size(cx, room, members)?;
        if let Some(owner) = owner {
            self.check_owned_rooms(cx, owner)?;
            self.check_memberships(owner, cx.frontend.quotas.memberships_per_user_max)?;
        }
        let (id, name) = self.choose_room_name(room)?;
        self.counters.next_room = id + 1;
        let row = RoomRow {
            name,
            title: title(room.name.as_deref().unwrap_or_default()),
            section: room.section.clone(),
            description: room.description.clone(),
            owner,
            created: cx.request.now,
            capacity: capacity(cx, room),
            closed: room.closed,
            app_code: room.app_code,
            info: room.info.clone().unwrap_or_default(),
            ..RoomRow::default()
        };
        self.batch.room_names_mut()?.insert(row.name.as_str(), id)?;
        if let Some(owner) = owner {
            self.batch.owned_rooms_mut()?.insert((owner, id), ())?;
        }
        self.list(id, &row)?;
        self.write_room(id, &row)?;
        cx.note_made(Made::Room(id));
        cx.visible = true;
        Ok(id)
    }

    /// A name that is free, and the id that goes with it: one that others have taken all names for
    /// is skipped.
    fn choose_room_name(&self, room: &NewRoom) -> Result<(u32, String), Error> {
        let wanted = room.name.as_deref().map(chosen_name::check_room_name);
        let free = |name: &str| -> Result<bool, StoreError> {
            Ok(self.batch.room_names()?.get(name)?.is_none())
        };
        let next = self.counters.next_room;
        let wanted = match wanted {
            Some(Ok(name)) if !room.closed && free(&name)? => return Ok((next, name)),
            Some(Ok(_)) if room.insist && !room.closed => return Err(Refusal::RoomNameTaken.into()),
            Some(Err(fault)) if room.insist => {
                return Err(Refusal::InvalidRoomName { why: fault.to_string() }.into());
            }
            Some(Err(_)) | None => None,
            // The name of a closed room would tell others that it exists.
            Some(Ok(name)) => Some(name),
        };
        for id in next..next.saturating_add(IDS_TRIED_MAX) {
            let base = match &wanted {
                Some(name) => suffixed(name, &format!("#{id}")),
                None => format!("room-{id}"),
            };
            if let Some(name) = first_free(&base, free)? {
                return Ok((id, name));
            }
        }
        Err(Refusal::RoomNameTaken.into())
    }

    /// Indexes an open room for lists and searches.
    pub(super) fn list(&mut self, id: u32, row: &RoomRow) -> Result<(), StoreError> {
        if !row.is_listed() {
            return Ok(());
        }
        self.batch.open_rooms_mut()?.insert(id, ())?;
        self.batch.sections_mut()?.insert((row.section.as_str(), id), ())?;
        search::insert(&mut self.batch, id, row)
    }

    pub(super) fn unlist(&mut self, id: u32, row: &RoomRow) -> Result<(), StoreError> {
        if !row.is_listed() {
            return Ok(());
        }
        self.batch.open_rooms_mut()?.remove(id)?;
        self.batch.sections_mut()?.remove((row.section.as_str(), id))?;
        search::remove(&mut self.batch, id, row)
    }

    /// Writes only those rows of the indexes that differ.
    fn relist(&mut self, id: u32, before: &RoomRow, row: &RoomRow) -> Result<(), StoreError> {
        if !row.is_listed() {
            return Ok(());
        }
        if before.section != row.section {
            self.batch.sections_mut()?.remove((before.section.as_str(), id))?;
            self.batch.sections_mut()?.insert((row.section.as_str(), id), ())?;
        }
        search::update(&mut self.batch, id, before, row)
    }

    pub(super) fn update_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        changes: &RoomChanges,
        by: Option<&UserRef>,
    ) -> Result<Reply, Error> {
        let (id, before) = match (&changes.name, &changes.section) {
            (None, None) => self.described_room(cx, room, by)?,
            _ => self.owned_room(cx, room, by)?,
        };
        let by = by.map(|by| self.user_or_guest(cx, by)).transpose()?;
        let by = by.map(|by| self.person(&by)).transpose()?;
        self.change_room(cx, id, &before, changes, by)
    }

    pub(super) fn change_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        before: &RoomRow,
        changes: &RoomChanges,
        by: Option<Arc<Person>>,
    ) -> Result<Reply, Error> {
        let RoomChanges { name, section, description } = changes;
        let mut row = before.clone();
        if let Some(name) = name {
            row.title = title(name);
        }
        for (field, change) in [(&mut row.section, section), (&mut row.description, description)] {
            if let Some(change) = change {
                field.clone_from(change);
            }
        }
        self.relist(id, before, &row)?;
        self.write_room(id, &row)?;
        cx.visible = true;
        cx.events.push(Event::RoomChanged { room: row.tag(id), changes: changes.clone(), by });
        Ok(Reply::Room { room: Arc::new(lookup::room_view(&self.batch, id, &row)?) })
    }

    pub(super) fn set_owner(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        owner: Option<&UserRef>,
    ) -> Result<Reply, Error> {
        let (id, before) = lookup::any_room(&self.batch, room)?;
        let owner = owner.map(|owner| self.user(cx, owner)).transpose()?;
        if before.closed && owner.is_none() {
            let why = "is closed, and so is for its members only".into();
            return Err(Refusal::RoomNotPublic { room: RoomId(id), why }.into());
        }
        let row = RoomRow { owner, ..RoomRow::clone(&before) };
        if let Some(former) = before.owner {
            self.batch.owned_rooms_mut()?.remove((former, id))?;
        }
        if let Some(owner) = owner {
            self.batch.owned_rooms_mut()?.insert((owner, id), ())?;
        }
        // From now on it is the operator's choice, so it does not end for having no owner.
        self.batch.unowned_rooms_mut()?.remove(id)?;
        self.write_room(id, &row)?;
        cx.visible = true;
        Ok(Reply::Room { room: Arc::new(lookup::room_view(&self.batch, id, &row)?) })
    }

    pub(super) fn delete_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        by: Option<&UserRef>,
    ) -> Result<Reply, Error> {
        let (id, row) = self.owned_room(cx, room, by)?;
        self.end_room(cx, id, &row)?;
        Ok(Reply::Done)
    }

    pub(super) fn end_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
    ) -> Result<(), StoreError> {
        let taken = lookup::population(&self.batch, id, row)?;
        for uid in lookup::members(&self.batch, id)? {
            self.remove_membership(cx, id, row, uid)?;
            self.batch.cursors_mut()?.remove((uid, message_index::of_room(id)))?;
            // Most members have none, and looking costs less than removing nothing.
            let marker = (uid, read_markers::of_room(id));
            if self.batch.cursors()?.get(marker)?.is_some() {
                self.batch.cursors_mut()?.remove(marker)?;
            }
        }
        self.write_room(id, &RoomRow { members: 0, ..row.clone() })?;
        self.remove_seats_of_room(cx, id)?;
        if taken > 0 {
            self.announce_population(cx, id)?;
        }
        self.settle()?;
        message_index::clear_for_good(&mut self.batch, message_index::of_room(id))?;
        self.remove_mutes_of_room(id)?;
        self.remove_masks_of_room(id, row)?;
        self.unlist(id, row)?;
        self.batch.unowned_rooms_mut()?.remove(id)?;
        self.batch.room_names_mut()?.remove(row.name.as_str())?;
        if let Some(owner) = row.owner {
            self.batch.owned_rooms_mut()?.remove((owner, id))?;
        }
        self.batch.rooms_mut()?.remove(id)?;
        self.cached(|cache| cache.forget_room(id));
        cx.events.push(Event::RoomDeleted { room: row.tag(id) });
        Ok(())
    }

    pub(super) fn clear_messages(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        by: Option<&UserRef>,
    ) -> Result<Reply, Error> {
        let (id, _) = self.owned_room(cx, room, by)?;
        self.settle()?;
        let stream = message_index::of_room(id);
        let newest = message_index::newest(&self.batch, stream, u64::MAX, 1)?;
        let Some(newest) = newest.first() else {
            return Ok(Reply::Pruned { messages: 0, expired: Expired::default(), next: None });
        };
        removed::note(&mut self.batch, stream, *newest)?;
        message_index::clear(&mut self.batch, stream)?;
        cx.visible = true;
        Ok(Reply::Done)
    }

    pub(super) fn join(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
    ) -> Result<Reply, Error> {
        let known = self.user_unless_new(cx, user)?;
        let (id, row) = lookup::room(&self.batch, room, known)?;
        match known {
            Some(uid) => self.join_room(cx, id, &row, uid)?,
            None => {
                self.check_entrance_of_new(cx, (id, &row), user)?;
                self.check_capacity(id, &row)?;
                let uid = self.make_identified_user(cx, user)?;
                self.join_room(cx, id, &row, uid)?;
                self.auto_join(cx, uid)?;
            }
        }
        Ok(Reply::Joined { room: row.tag(id) })
    }

    pub(super) fn kick(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
        by: Option<&UserRef>,
    ) -> Result<Reply, Error> {
        let moderated = by.map(|by| self.moderated_room(cx, room, Some(by))).transpose()?;
        let who = match self.user_or_guest(cx, user) {
            Err(Error::Refused(Refusal::UnknownUser)) => None,
            found => Some(found?),
        };
        // That the removed user may know of a closed room does not mean that the caller may.
        let (id, row) = match moderated {
            Some(moderated) => moderated,
            None => lookup::room(&self.batch, room, None)?,
        };
        let Some(who) = who else { return Ok(Reply::Done) };
        self.remove_from_room(cx, id, &row, &who)?;
        Ok(Reply::Done)
    }

    /// Removes a user from a room, closed or not. Refused for one who is not there: operators mistype
    /// names.
    pub(super) fn kick_from_any(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
    ) -> Result<Reply, Error> {
        let who = self.user_or_guest(cx, user)?;
        let (id, row) = lookup::any_room(&self.batch, room)?;
        match self.remove_from_room(cx, id, &row, &who)? {
            true => Ok(Reply::Done),
            false => Err(Refusal::NotInRoom.into()),
        }
    }

    /// Takes a person's membership and seats, and returns whether there were any. The owner stays.
    fn remove_from_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
        who: &Who,
    ) -> Result<bool, Error> {
        if who.uid().is_some() && who.uid() == row.owner {
            return Err(Refusal::OwnerStays.into());
        }
        let mut changed = match who {
            Who::User(uid) => self.remove_member(cx, id, *uid)?,
            Who::Guest(_) => false,
        };
        changed |= self.remove_seats_of_person(cx, id, who)?;
        if changed {
            self.announce_population(cx, id)?;
        }
        Ok(changed)
    }
}

fn capacity(cx: &CommandContext<'_>, room: &NewRoom) -> u32 {
    room.capacity.unwrap_or(cx.frontend.room_capacity)
}

/// Refuses a new room that has too few seats for its members.
fn check_size(cx: &CommandContext<'_>, room: &NewRoom, members: usize) -> Result<(), Refusal> {
    if members > capacity(cx, room) as usize { Err(Refusal::RoomFull) } else { Ok(()) }
}

/// A display name, cut to 64 characters: every list of rooms carries it, and searches index it.
fn title(name: &str) -> String {
    bounds::cut(name, bounds::TITLE_CHARS_MAX).to_owned()
}
