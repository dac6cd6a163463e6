//! Roles of live seats, and what they allow.

use std::sync::Arc;

use core_model::{Event, NewRoom, Refusal, Reply, Role, RoomRef, UserRef};

use super::context::{BatchContext, CommandContext};
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::rows::{RoomRow, SeatRow, Who};

impl BatchContext<'_> {
    /// The room; if `by` is given, only for its owner, or for an operator by a seat of this
    /// connection.
    pub(super) fn moderated_room(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        by: Option<&UserRef>,
    ) -> Result<(u32, Arc<RoomRow>), Error> {
        if let Some(by) = by {
            let who = self.user_or_guest(cx, by)?;
            if let Ok((id, row)) = lookup::room(&self.batch, room, who.uid())
                && self.is_operator(cx, id, &who)?
            {
                return Ok((id, row));
            }
        }
        self.owned_room(cx, room, by)
    }

    /// Another connection may use a guest's name, so the role counts for the seat's own alone.
    pub(super) fn is_operator(
        &self,
        cx: &CommandContext<'_>,
        room: u32,
        who: &Who,
    ) -> Result<bool, StoreError> {
        let seat = self.seat_of_connection(cx.request.connection, room, who)?;
        Ok(seat.is_some_and(|(_, seat)| seat.roles.operator))
    }

    /// Makes the room that a user is about to enter. Nothing may refuse the entrance afterwards.
    pub(super) fn make_room_to_enter(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        who: &Who,
    ) -> Result<(u32, Arc<RoomRow>), Error> {
        let Some(name) = room.name() else { return Err(Refusal::UnknownRoom.into()) };
        // A closed room has its name and is unknown.
        if lookup::any_room(&self.batch, room).is_ok() {
            return Err(Refusal::UnknownRoom.into());
        }
        if cx.frontend.room_capacity == 0 {
            return Err(Refusal::RoomFull.into());
        }
        self.check_seats(cx, self.counters.next_room, who)?;
        self.check_leases(cx, self.counters.next_room)?;
        let new = NewRoom { name: Some(name.to_owned()), insist: true, ..NewRoom::default() };
        if who.uid().is_none() {
            self.check_unowned_rooms(cx)?;
        }
        let id = self.make_room(cx, &new, who.uid(), 0)?;
        if who.uid().is_none() {
            self.count_unowned_room(cx, id)?;
        }
        Ok((id, lookup::known_room(&self.batch, id)?))
    }

    pub(super) fn set_role(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
        (role, held): (Role, bool),
        by: Option<&UserRef>,
    ) -> Result<Reply, Error> {
        let (id, row) = self.moderated_room(cx, room, by)?;
        let who = self.user_or_guest(cx, user)?;
        if role == Role::Operator && who.uid().is_some() && who.uid() == row.owner {
            return if held { Ok(Reply::Done) } else { Err(Refusal::OwnerStays.into()) };
        }
        let mut seats = self.seats_of_person(id, &who)?;
        seats.retain(|(_, seat)| seat.connection.is_some());
        if seats.is_empty() {
            return Err(Refusal::NotInRoom.into());
        }
        let by = by.map(|by| self.user_or_guest(cx, by)).transpose()?;
        let by = by.map(|by| self.person(&by)).transpose()?;
        let has = |seat: &SeatRow| seat.roles.with(role, true) == seat.roles;
        let is_change = seats.iter().any(|(_, seat)| has(seat)) != held;
        for (seat_id, seat) in seats.iter().filter(|(_, seat)| has(seat) != held) {
            self.write_seat(*seat_id, &seat.with_role(role, held))?;
        }
        if is_change {
            let (room, user) = (row.tag(id), self.person(&who)?);
            cx.events.push(Event::RoleChanged { room, user, role, held, by });
        }
        Ok(Reply::Done)
    }
}
