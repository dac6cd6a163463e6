//! Rooms.

use std::collections::BTreeSet;
use std::sync::Arc;

use core_model::{
    Event, Expired, NameFault, NewRoom, Outcome, Refusal, Reply, RoomChanges, RoomId, RoomRef,
    UserRef, check_room_name, normalize,
};

use super::accounts::{counted, first};
use super::{Destination, Reference, Room, Seat, StoredMessage, Who};

impl Reference {
    pub(super) fn room_of_name(&self, name: &str) -> Option<u32> {
        self.rooms.iter().find(|(_, room)| room.name == name).map(|(id, _)| *id)
    }

    pub(super) fn any_room(&self, room: &RoomRef) -> Result<u32, Refusal> {
        let id = match room {
            RoomRef::Id(id) => self.rooms.contains_key(&id.0).then_some(id.0),
            RoomRef::Name(name) | RoomRef::Keyed { name, .. } => {
                self.room_of_name(&normalize(name))
            }
        };
        id.ok_or(Refusal::UnknownRoom)
    }

    pub(super) fn room(&self, room: &RoomRef, caller: Option<u64>) -> Result<u32, Refusal> {
        let id = self.any_room(room)?;
        let known = !self.rooms[&id].closed || caller.is_some_and(|uid| self.is_member(id, uid));
        if known { Ok(id) } else { Err(Refusal::UnknownRoom) }
    }

    pub(super) fn is_member(&self, id: u32, uid: u64) -> bool {
        self.rooms[&id].members.iter().any(|(member, _)| *member == uid)
    }

    pub(super) fn population(&self, id: u32) -> u32 {
        let live = self.seats.iter().filter(|seat| seat.room == id).count();
        (self.rooms[&id].members.len() + live) as u32
    }

    pub(super) fn check_capacity(&self, id: u32) -> Result<(), Refusal> {
        let full = self.population(id) >= self.rooms[&id].capacity;
        if full { Err(Refusal::RoomFull) } else { Ok(()) }
    }

    pub(super) fn activate(&mut self, id: u32) {
        self.rooms.get_mut(&id).unwrap().active = true;
    }

    pub(super) fn make_room(
        &mut self,
        new: &NewRoom,
        owner: Option<u64>,
        members: u32,
    ) -> Result<u32, Refusal> {
        let capacity = new.capacity.unwrap_or(self.frontend.room_capacity);
        if members > capacity {
            return Err(Refusal::RoomFull);
        }
        if let Some(owner) = owner {
            self.check_rooms_of(owner)?;
            self.check_memberships(owner, self.frontend.quotas.memberships_per_user_max)?;
        }
        let id = self.next_room;
        let free = |name: &str| self.room_of_name(name).is_none();
        let name = match new.name.as_deref().map(chosen_name) {
            Some(Ok(name)) if new.closed => counted(&format!("{name}#{id}"), free),
            Some(Ok(name)) if free(&name) => name,
            Some(Ok(_)) if new.insist => return Err(Refusal::RoomNameTaken),
            Some(Ok(name)) => counted(&format!("{name}#{id}"), free),
            Some(Err(_)) if new.insist => {
                return Err(Refusal::InvalidRoomName { why: String::new() });
            }
            Some(Err(_)) | None => counted(&format!("room-{id}"), free),
        };
        self.next_room += 1;
        self.rooms.insert(
            id,
            Room {
                name,
                title: first(64, new.name.as_deref().unwrap_or_default()),
                section: new.section.clone(),
                description: new.description.clone(),
                owner,
                created: self.now,
                capacity,
                active: false,
                closed: new.closed,
                opened: false,
                app_code: new.app_code,
                info: new.info.clone().unwrap_or_default(),
                rules: Default::default(),
                members: Vec::new(),
            },
        );
        self.visible = true;
        Ok(id)
    }

    pub(super) fn create_room(
        &mut self,
        new: &NewRoom,
        owner: Option<&UserRef>,
        invited: Option<&[UserRef]>,
    ) -> Outcome {
        let owner = owner.map(|owner| self.account(owner)).transpose()?;
        let capacity = new.capacity.unwrap_or(self.frontend.room_capacity);
        if invited.unwrap_or_default().len() > capacity as usize {
            return Err(Refusal::RoomFull);
        }
        let mut others = BTreeSet::new();
        for user in invited.unwrap_or_default() {
            others.insert(self.account(user)?);
        }
        others.retain(|uid| Some(*uid) != owner);
        if invited.is_some() && others.is_empty() {
            return Err(Refusal::TooFewMembers);
        }
        let groups_max = self.frontend.quotas.groups_per_user_max;
        others.iter().try_for_each(|uid| self.check_memberships(*uid, groups_max))?;
        if owner.is_none() {
            self.check_unowned_rooms()?;
        }
        let owning_member = owner.filter(|_| !new.owner_absent);
        let members: Vec<u64> = owning_member.into_iter().chain(others).collect();
        let id = self.make_room(new, owner, members.len() as u32)?;
        if owner.is_none() {
            self.count_unowned_room(id);
        }
        if invited.is_some() {
            let everyone: BTreeSet<u64> = members.iter().copied().collect();
            let everyone = everyone.into_iter().map(|uid| self.person(&Who::User(uid)));
            let event = Event::RoomCreated {
                room: self.tag(id),
                members: everyone.collect(),
                owner: owner.map(|uid| self.person(&Who::User(uid))),
            };
            self.events.push(event);
        }
        for uid in &members {
            self.add_member(id, *uid);
        }
        if !members.is_empty() {
            self.announce_population(id);
        }
        Ok(Reply::RoomCreated { room: self.room_view(id) })
    }

    pub(super) fn owned(&mut self, room: &RoomRef, by: Option<&UserRef>) -> Result<u32, Refusal> {
        let by = by.map(|by| self.account(by)).transpose()?;
        let id = self.room(room, by)?;
        if by.is_none() || by == self.rooms[&id].owner { Ok(id) } else { Err(Refusal::NotAllowed) }
    }

    pub(super) fn clear_messages(&mut self, room: &RoomRef, by: Option<&UserRef>) -> Outcome {
        let id = self.owned(room, by)?;
        let in_room = |message: &&StoredMessage| message.to == Destination::Room(id);
        if !self.messages.iter().any(|message| in_room(&message)) {
            return Ok(Reply::Pruned { messages: 0, expired: Expired::default(), next: None });
        }
        let gone = self.messages.iter().filter(in_room).map(|gone| gone.id).collect::<Vec<_>>();
        self.removed.entry((Some(id), 0)).or_default().extend(gone);
        self.messages.retain(|message| message.to != Destination::Room(id));
        self.visible = true;
        Ok(Reply::Done)
    }

    pub(super) fn delete_room(&mut self, id: u32) {
        let taken = self.population(id);
        for (uid, _) in self.rooms[&id].members.clone() {
            self.remove_member(id, uid);
        }
        let there = |seat: &&Seat| seat.room == id;
        for seat in self.seats.iter().filter(there).cloned().collect::<Vec<_>>() {
            self.leave(&seat, None);
        }
        // The population is published once, at the end.
        self.events.retain(|event| !matches!(event, Event::PopulationChanged { .. }));
        if taken > 0 {
            self.announce_population(id);
        }
        self.messages.retain(|message| message.to != Destination::Room(id));
        let room = self.tag(id);
        self.rooms.remove(&id);
        self.unowned.remove(&id);
        self.events.push(Event::RoomDeleted { room });
    }

    pub(super) fn declare_room(&mut self, room: &NewRoom) -> Outcome {
        let name = normalize(room.name.as_deref().unwrap_or_default());
        let id = match self.room_of_name(&name) {
            Some(id) => {
                self.check_public(id)?;
                self.unowned.remove(&id);
                id
            }
            None => {
                let room = NewRoom { insist: true, ..room.clone() };
                self.make_room(&room, None, 0)?
            }
        };
        Ok(Reply::RoomCreated { room: self.room_view(id) })
    }

    pub(super) fn update_room(
        &mut self,
        room: &RoomRef,
        changes: &RoomChanges,
        by: Option<&UserRef>,
    ) -> Outcome {
        let id = match (&changes.name, &changes.section) {
            (None, None) => self.described(room, by)?,
            _ => self.owned(room, by)?,
        };
        let by = by.map(|by| self.user_or_guest(by)).transpose()?;
        let by = by.map(|by| self.person(&by));
        let room = self.rooms.get_mut(&id).unwrap();
        if let Some(name) = &changes.name {
            room.title = first(64, name);
        }
        if let Some(section) = &changes.section {
            room.section.clone_from(section);
        }
        if let Some(description) = &changes.description {
            room.description.clone_from(description);
        }
        self.visible = true;
        let changes = changes.clone();
        self.events.push(Event::RoomChanged { room: self.tag(id), changes, by });
        Ok(Reply::Room { room: Arc::new(self.room_view(id)) })
    }

    pub(super) fn set_owner(&mut self, room: &RoomRef, owner: Option<&UserRef>) -> Outcome {
        let id = self.any_room(room)?;
        let owner = owner.map(|owner| self.account(owner)).transpose()?;
        if owner.is_none() && self.rooms[&id].closed {
            let why = "is closed, and so is for its members only".into();
            return Err(Refusal::RoomNotPublic { room: RoomId(id), why });
        }
        self.rooms.get_mut(&id).unwrap().owner = owner;
        self.unowned.remove(&id);
        self.visible = true;
        Ok(Reply::Room { room: Arc::new(self.room_view(id)) })
    }
}

/// The name of a new room, which has none of the forms of users and groups. The names that are generated
/// show only some of these.
fn chosen_name(name: &str) -> Result<String, NameFault> {
    let name = check_room_name(name)?;
    match name.rsplit_once('#') {
        _ if name.starts_with('@') => Err(NameFault::Reserved),
        Some((_, number)) if number.parse::<u32>().is_ok() => Err(NameFault::Numbered),
        _ => Ok(name),
    }
}
