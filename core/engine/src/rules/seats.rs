//! Live seats: entering and leaving, by a connection or on a lease.

use core_model::{
    Command, ConnectionId, Event, MessageId, Refusal, Reply, Roles, RoomRef, SeatKind, UserRef,
};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext};
use super::expiry;
use super::policy::WayIn;
use super::seat_rows::{seat, seats_in};
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::rows::{LeaseRow, RoomRow, SeatRow, Who};
use crate::tables::Tables as _;

/// What an entrance by a connection asks for.
struct Entrance<'a> {
    opens: bool,
    avatar: Option<&'a str>,
    roles: Roles,
}

impl BatchContext<'_> {
    pub(super) fn enter(
        &mut self,
        cx: &mut CommandContext<'_>,
        command: &Command,
    ) -> Result<Reply, Error> {
        let Command::Enter { room, user, seat, opens, avatar, create } = command else {
            unreachable!("called with an Enter")
        };
        let who = self.user_or_guest(cx, user);
        let found = self.room_to_enter(room, user, *seat, &who);
        let is_new = *create && matches!(found, Err(Error::Refused(Refusal::UnknownRoom)));
        let found = if is_new { None } else { Some(found?) };
        let who = who?;
        let way_in = match &found {
            Some((id, row)) => self.check_entrance(cx, (*id, row), &who, room.key())?,
            None => WayIn::Open,
        };
        let (id, row) = match found {
            Some(found) => found,
            None => self.make_room_to_enter(cx, room, &who)?,
        };
        let avatar = avatar.as_deref();
        match *seat {
            SeatKind::Connection => {
                let operator = is_new && who.uid().is_none();
                let roles = Roles { operator, ..Roles::default() };
                let entrance = Entrance { opens: *opens, avatar, roles };
                let reply = self.enter_by_connection(cx, id, &row, &who, entrance)?;
                self.use_up_address(cx, user, &who)?;
                self.use_up(id, &who, way_in)?;
                Ok(reply)
            }
            SeatKind::Lease { ttl_ms, grace_ms } => {
                let ends = cx.request.steady.saturating_add(ttl_ms);
                let lease = LeaseRow { ttl_ms, grace_ms, ends };
                let reply = self.enter_by_lease(cx, id, &row, &who, lease, avatar)?;
                self.use_up(id, &who, way_in)?;
                Ok(reply)
            }
        }
    }

    /// Shortens the grant of an address so that it does not suffice for another entrance.
    fn use_up_address(
        &mut self,
        cx: &CommandContext<'_>,
        user: &UserRef,
        who: &Who,
    ) -> Result<(), StoreError> {
        let (UserRef::Claim(claim), Some(uid)) = (user, who.uid()) else { return Ok(()) };
        let Some(address) = claim.address.as_deref().filter(|_| claim.address_left_min_ms > 0)
        else {
            return Ok(());
        };
        let left = cx.request.now.saturating_add(claim.address_left_min_ms);
        let until = self.batch.addresses()?.get((address, uid))?.map(|until| until.value());
        if until.is_some_and(|until| until > left) {
            self.batch.addresses_mut()?.insert((address, uid), left)?;
            // The row of the later time finds nothing to do.
            expiry::note_address(&mut self.batch, left, address, uid)?;
        }
        Ok(())
    }

    /// Finds the room and keeps the order of refusals: for a claimed name an unknown room comes
    /// before a missing proof, and so does a full room when entering by a connection.
    fn room_to_enter(
        &self,
        room: &RoomRef,
        user: &UserRef,
        seat: SeatKind,
        who: &Result<Who, Error>,
    ) -> Result<(u32, std::sync::Arc<RoomRow>), Error> {
        let unproven = match who {
            Ok(who) => return lookup::room(&self.batch, room, who.uid()),
            Err(Error::Refused(refusal)) => refusal.clone(),
            // The caller reports the store error.
            Err(Error::Store(_)) => return lookup::any_room(&self.batch, room),
        };
        if let UserRef::Claim(_) = user {
            let (id, row) = lookup::room(&self.batch, room, None)?;
            if seat == SeatKind::Connection && unproven == Refusal::NotSignedIn {
                self.check_capacity(id, &row)?;
            }
        }
        Err(unproven.into())
    }

    /// Takes a seat that time holds. A lease of the same person that no connection uses is renewed
    /// instead of a further seat.
    fn enter_by_lease(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
        who: &Who,
        lease: LeaseRow,
        avatar: Option<&str>,
    ) -> Result<Reply, Error> {
        let seat = SeatRow {
            room: id,
            who: who.clone(),
            avatar: avatar.map(str::to_owned),
            connection: None,
            lease: Some(lease),
            address: cx.address,
            roles: Roles::default(),
        };
        if let Some((seat_id, former)) =
            self.seat_of_person(id, who, |seat| seat.connection.is_none())?
        {
            self.end_waiting(seat_id, &former)?;
            self.write_seat(seat_id, &seat)?;
            self.begin_waiting(seat_id, &seat)?;
            return self.entered(id, who, true);
        }
        self.check_capacity(id, row)?;
        self.check_leases(cx, id)?;
        self.add_seat(&seat)?;
        self.activate(id)?;
        self.announce_population(cx, id)?;
        self.entered(id, who, false)
    }

    fn enter_by_connection(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
        who: &Who,
        Entrance { opens, avatar, roles }: Entrance<'_>,
    ) -> Result<Reply, Error> {
        let connection = cx.request.connection;
        if self.seat_of_connection(connection, id, who)?.is_some() {
            return self.entered(id, who, true);
        }
        let elsewhere = self.is_visible(id, who, None)?;
        let taken_up = self.seat_of_person(id, who, |seat| seat.connection.is_none())?;
        let fresh = taken_up.is_none();
        if let Some((seat_id, mut seat)) = taken_up {
            self.end_waiting(seat_id, &seat)?;
            seat.connection = Some(connection);
            seat.avatar = avatar.map(str::to_owned);
            self.write_seat(seat_id, &seat)?;
            self.connect_seat(seat_id, &seat)?;
        } else {
            self.check_capacity(id, row)?;
            self.check_seats(cx, id, who)?;
            self.add_seat(&SeatRow {
                room: id,
                who: who.clone(),
                avatar: avatar.map(str::to_owned),
                connection: Some(connection),
                lease: None,
                address: cx.address,
                roles,
            })?;
        }
        let opened = opens && !row.opened;
        if opened || !row.active {
            let opened = opened || row.opened;
            self.write_room(id, &RoomRow { opened, active: true, ..RoomRow::clone(row) })?;
        }
        let user = self.person(who)?;
        let avatar = avatar.map_or_else(|| user.avatar.clone(), str::to_owned);
        cx.events.push(Event::Entered {
            room: row.tag(id),
            user,
            avatar,
            durable: false,
            opened,
            connection: Some(ConnectionId(connection)),
            elsewhere,
        });
        if fresh {
            self.announce_population(cx, id)?;
        }
        self.entered(id, who, false)
    }

    /// The reply to a user that has entered.
    fn entered(&self, id: u32, who: &Who, again: bool) -> Result<Reply, Error> {
        let row = lookup::known_room(&self.batch, id)?;
        let room = lookup::room_view(&self.batch, id, &row)?;
        let cursor = MessageId(self.counters.next_message - 1);
        Ok(Reply::Entered { room, user: self.person(who)?, again, cursor })
    }

    pub(super) fn exit(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
        seat: SeatKind,
    ) -> Result<Reply, Error> {
        match seat {
            SeatKind::Connection => self.exit_by_connection(cx, room, user),
            SeatKind::Lease { .. } => self.exit_lease(cx, room, user),
        }
    }

    fn exit_by_connection(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
    ) -> Result<Reply, Error> {
        let found = match user {
            UserRef::Claim(claim) => {
                let (id, row) = lookup::any_room(&self.batch, room)?;
                let found = self.seat_claimed(cx.request.connection, id, &claim.name)?;
                if found.is_none() && row.closed {
                    return Err(Refusal::UnknownRoom.into());
                }
                found
            }
            _ => {
                let who = self.user_or_guest(cx, user)?;
                let (id, _) = lookup::room(&self.batch, room, who.uid())?;
                self.seat_of_connection(cx.request.connection, id, &who)?
            }
        };
        let (seat_id, seat) = found.ok_or(Refusal::NotInRoom)?;
        let wait_ms = seat.lease.map(|lease| lease.ttl_ms);
        if self.leave_seat(cx, seat_id, seat.clone(), wait_ms)? {
            self.announce_population(cx, seat.room)?;
        }
        Ok(Reply::Done)
    }

    fn exit_lease(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
    ) -> Result<Reply, Error> {
        let who = self.user_or_guest(cx, user);
        let (id, _) =
            self.room_to_enter(room, user, SeatKind::Lease { ttl_ms: 0, grace_ms: 0 }, &who)?;
        let who = who?;
        let unused = |seat: &SeatRow| seat.lease.is_some() && seat.connection.is_none();
        let found = match self.seat_of_person(id, &who, unused)? {
            Some(found) => Some(found),
            None => self.seat_of_person(id, &who, |seat| seat.lease.is_some())?,
        };
        let (seat_id, seat) = found.ok_or(Refusal::NotInRoom)?;
        self.leave_seat(cx, seat_id, seat, None)?;
        self.announce_population(cx, id)?;
        Ok(Reply::Done)
    }

    /// Gives back every seat of this connection; a lease waits for another connection.
    pub(super) fn leave_seats_of_connection(
        &mut self,
        cx: &mut CommandContext<'_>,
    ) -> Result<(), StoreError> {
        for (seat_id, seat) in self.seats_of_connection(cx.request.connection)?.iter().cloned() {
            let room = seat.room;
            let wait_ms = seat.lease.map(|lease| lease.grace_ms);
            if self.leave_seat(cx, seat_id, seat, wait_ms)? {
                self.announce_population(cx, room)?;
            }
        }
        Ok(())
    }

    pub(super) fn remove_seats_of_person(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: u32,
        who: &Who,
    ) -> Result<bool, StoreError> {
        let seats = self.seats_of_person(room, who)?;
        let any = !seats.is_empty();
        for (seat_id, seat) in seats {
            self.leave_seat(cx, seat_id, seat, None)?;
        }
        Ok(any)
    }

    pub(super) fn remove_seats_of_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: u32,
    ) -> Result<(), StoreError> {
        for (seat_id, seat) in
            seats_in(&self.batch, (room, "", 0)..(room.saturating_add(1), "", 0))?
        {
            self.leave_seat(cx, seat_id, seat, None)?;
        }
        Ok(())
    }

    /// Removes a lease that has ended. No connection used it, so only the population changes.
    pub(super) fn end_lease(
        &mut self,
        cx: &mut CommandContext<'_>,
        seat_id: u64,
    ) -> Result<(), StoreError> {
        let seat = seat(&self.batch, seat_id)?;
        let room = seat.room;
        self.leave_seat(cx, seat_id, seat, None)?;
        self.announce_population(cx, room)
    }

    /// Takes a seat from its connection, if it has one, and tells others. Then removes the seat, or
    /// lets its lease wait `wait_ms` for another connection. Returns whether it was removed.
    fn leave_seat(
        &mut self,
        cx: &mut CommandContext<'_>,
        seat_id: u64,
        mut seat: SeatRow,
        wait_ms: Option<u64>,
    ) -> Result<bool, StoreError> {
        // Another connection may take the lease up, as another person of that name.
        seat.roles = Roles::default();
        if let Some(connection) = seat.connection.take() {
            self.batch.seats_by_connection_mut()?.remove((connection, seat_id))?;
            self.cached(|cache| cache.forget_seats(connection));
            match seat.who.uid() {
                Some(uid) => self.count_presence(uid, -1)?,
                None => self.disconnect_guest(seat_id, &seat)?,
            }
            let user = self.person(&seat.who)?;
            let avatar = seat.avatar.clone().unwrap_or_else(|| user.avatar.clone());
            cx.events.push(Event::Left {
                room: lookup::known_room(&self.batch, seat.room)?.tag(seat.room),
                user,
                avatar,
                durable: false,
                connection: Some(ConnectionId(connection)),
                elsewhere: self.is_visible(seat.room, &seat.who, Some(seat_id))?,
                quit: false,
                reason: String::new(),
                by: None,
            });
        } else {
            self.end_waiting(seat_id, &seat)?;
        }
        if let (Some(lease), Some(wait_ms)) = (&mut seat.lease, wait_ms) {
            lease.ends = cx.request.steady.saturating_add(wait_ms);
            self.write_seat(seat_id, &seat)?;
            self.begin_waiting(seat_id, &seat)?;
            return Ok(false);
        }
        self.batch.seats_mut()?.remove(seat_id)?;
        self.batch.seats_by_person_mut()?.remove((seat.room, seat.who.key().as_str(), seat_id))?;
        self.count_seats(seat.room, -1)?;
        Ok(true)
    }
}
