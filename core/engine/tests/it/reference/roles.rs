//! Roles of live seats.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{
    Command, Event, NewRoom, Outcome, Person, Refusal, Reply, Role, Roles, RoomRef, UserRef,
};

use super::{Reference, Seat, Who};

impl Reference {
    /// For the owner, or for an operator by a seat of this connection.
    pub(super) fn moderated(
        &mut self,
        room: &RoomRef,
        by: Option<&UserRef>,
    ) -> Result<u32, Refusal> {
        if let Some(by) = by {
            let who = self.user_or_guest(by)?;
            let uid = if let Who::User(uid) = &who { Some(*uid) } else { None };
            if let Ok(id) = self.room(room, uid)
                && self.own_seat(id, &who).is_some_and(|seat| seat.roles.operator)
            {
                return Ok(id);
            }
        }
        self.owned(room, by)
    }

    /// Makes an unknown room for the user that enters it, and tells whether its seat is an
    /// operator's.
    pub(super) fn make_room_of(&mut self, room: &RoomRef, who: &Who) -> Result<bool, Refusal> {
        let Some(name) = room.name() else { return Err(Refusal::UnknownRoom) };
        if self.any_room(room).is_ok() {
            return Err(Refusal::UnknownRoom);
        }
        let new = NewRoom { name: Some(name.to_owned()), insist: true, ..NewRoom::default() };
        match who {
            Who::User(uid) => {
                self.make_room(&new, Some(*uid), 0)?;
                Ok(false)
            }
            Who::Guest(_) => {
                self.check_unowned_rooms()?;
                let id = self.make_room(&new, None, 0)?;
                self.count_unowned_room(id);
                Ok(true)
            }
        }
    }

    pub(super) fn set_role(&mut self, command: &Command) -> Outcome {
        let Command::SetRole { room, user, role, held, by } = command else { unreachable!() };
        let id = self.moderated(room, by.as_ref())?;
        let who = self.user_or_guest(user)?;
        if *role == Role::Operator
            && let Who::User(uid) = &who
            && self.rooms[&id].owner == Some(*uid)
        {
            return if *held { Ok(Reply::Done) } else { Err(Refusal::OwnerStays) };
        }
        let by = by.as_ref().map(|by| self.user_or_guest(by)).transpose()?;
        let by = by.map(|by| self.person(&by));
        let connected =
            |seat: &Seat| seat.room == id && seat.who == who && seat.connection.is_some();
        let before: Vec<Roles> =
            self.seats.iter().filter(|seat| connected(seat)).map(|seat| seat.roles).collect();
        if before.is_empty() {
            return Err(Refusal::NotInRoom);
        }
        for seat in self.seats.iter_mut().filter(|seat| connected(seat)) {
            seat.roles = seat.roles.with(*role, *held);
        }
        let had = before.iter().any(|roles| match role {
            Role::Operator => roles.operator,
            Role::Voice => roles.voice,
        });
        if had != *held {
            let (room, user) = (self.tag(id), self.person(&who));
            self.events.push(Event::RoleChanged { room, user, role: *role, held: *held, by });
        }
        Ok(Reply::Done)
    }

    /// The roles of the people in a room, by handle.
    pub(crate) fn roles(&self, id: u32, people: &[Arc<Person>]) -> BTreeMap<String, Roles> {
        let mut roles = BTreeMap::new();
        for person in people {
            let owns = person.uid.is_some_and(|uid| self.rooms[&id].owner == Some(uid.0));
            let of_owner = Roles { operator: owns, ..Roles::default() };
            let seats = self.seats.iter().filter(|seat| seat.room == id);
            let own = seats.filter(|seat| self.person(&seat.who).handle == person.handle);
            let held = own.fold(of_owner, |held, seat| held.and(seat.roles));
            if !held.is_empty() {
                roles.insert(person.handle.clone(), held);
            }
        }
        roles
    }
}
