//! Members and seats.

use std::collections::BTreeSet;

use core_model::{
    Command, ConnectionId, Event, MessageId, Outcome, Refusal, Reply, Roles, RoomRef, SeatKind,
    UserRef, normalize,
};

use super::{Lease, Reference, Seat, Who};

impl Reference {
    pub(super) fn add_member(&mut self, id: u32, uid: u64) {
        let newest = self.newest();
        let elsewhere = self.is_visible(id, &Who::User(uid), None);
        self.rooms.get_mut(&id).unwrap().members.push((uid, newest));
        let user = self.person(&Who::User(uid));
        self.events.push(Event::Entered {
            room: self.tag(id),
            avatar: user.avatar.clone(),
            user,
            durable: true,
            opened: false,
            connection: None,
            elsewhere,
        });
    }

    pub(super) fn remove_member(&mut self, id: u32, uid: u64) -> bool {
        if !self.is_member(id, uid) {
            return false;
        }
        self.rooms.get_mut(&id).unwrap().members.retain(|(member, _)| *member != uid);
        let user = self.person(&Who::User(uid));
        self.events.push(Event::Left {
            room: self.tag(id),
            avatar: user.avatar.clone(),
            user,
            durable: true,
            connection: None,
            elsewhere: self.is_visible(id, &Who::User(uid), None),
            quit: false,
            reason: String::new(),
            by: None,
        });
        true
    }

    /// Whether others see a person in a room, by a membership or a connected seat other than `but`.
    pub(super) fn is_visible(&self, id: u32, who: &Who, but: Option<u64>) -> bool {
        let member = match who {
            Who::User(uid) => self.is_member(id, *uid),
            Who::Guest(_) => false,
        };
        let seats = self.seats.iter();
        member
            || seats
                .filter(|seat| seat.room == id && seat.who == *who && Some(seat.number) != but)
                .any(|seat| seat.connection.is_some())
    }

    pub(super) fn join(&mut self, id: u32, uid: u64) -> Result<(), Refusal> {
        if self.is_member(id, uid) {
            return Ok(());
        }
        let who = Who::User(uid);
        let invited = self.check_entrance(id, &who, None)?;
        self.check_capacity(id)?;
        self.check_memberships(uid, self.frontend.quotas.memberships_per_user_max)?;
        self.add_member(id, uid);
        self.use_up(id, &who, invited);
        self.activate(id);
        self.announce_population(id);
        Ok(())
    }

    pub(super) fn kick(&mut self, room: &RoomRef, user: &UserRef, by: Option<&UserRef>) -> Outcome {
        let moderated = by.map(|by| self.moderated(room, Some(by))).transpose()?;
        let remover = by.map(|by| self.user_or_guest(by)).transpose()?;
        let remover = remover.map(|by| self.person(&by));
        let who = match self.user_or_guest(user) {
            Err(Refusal::UnknownUser) => None,
            found => Some(found?),
        };
        let uid = match who {
            Some(Who::User(uid)) => Some(uid),
            Some(Who::Guest(_)) | None => None,
        };
        let id = match moderated {
            Some(id) => id,
            None => self.room(room, None)?,
        };
        let Some(who) = who else { return Ok(Reply::Done) };
        if uid.is_some() && uid == self.rooms[&id].owner {
            return Err(Refusal::OwnerStays);
        }
        let mut changed = uid.is_some_and(|uid| self.remove_member(id, uid));
        let own = |seat: &&Seat| seat.room == id && seat.who == who;
        for seat in self.seats.iter().filter(own).cloned().collect::<Vec<_>>() {
            self.leave(&seat, None);
            changed = true;
        }
        self.events.retain(|event| !matches!(event, Event::PopulationChanged { .. }));
        if changed {
            self.announce_population(id);
        }
        for event in &mut self.events {
            if let Event::Left { by, .. } = event {
                by.clone_from(&remover);
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn enter(&mut self, command: &Command) -> Outcome {
        let Command::Enter { room, user, seat: kind, opens, avatar, create } = command else {
            unreachable!()
        };
        let kind = *kind;
        let live = kind == SeatKind::Connection;
        let mut operator = false;
        let (who, id) = match self.resolve_entrant(room, user, live) {
            Err(Refusal::UnknownRoom) if *create => {
                let who = self.user_or_guest(user)?;
                operator = self.make_room_of(room, &who)? && live;
                (who, self.any_room(room)?)
            }
            found => found?,
        };
        let invited = self.check_entrance(id, &who, room.key())?;
        let entered = self.enter_room(&who, id, kind, *opens, avatar.as_ref())?;
        self.use_up(id, &who, invited);
        if operator {
            self.seats.last_mut().unwrap().roles.operator = true;
        }
        if kind == SeatKind::Connection
            && let (UserRef::Claim(claim), Who::User(uid)) = (user, &who)
            && let (Some(address), true) = (&claim.address, claim.address_left_min_ms > 0)
            && let Some(until) = self.addresses.get_mut(&(address.clone(), *uid))
        {
            *until = (*until).min(self.now + claim.address_left_min_ms);
        }
        Ok(entered)
    }

    fn enter_room(
        &mut self,
        who: &Who,
        id: u32,
        kind: SeatKind,
        opens: bool,
        avatar: Option<&String>,
    ) -> Outcome {
        let seat = Seat {
            number: self.next_seat,
            room: id,
            who: who.clone(),
            avatar: avatar.cloned(),
            connection: None,
            lease: None,
            address: self.address,
            roles: Roles::default(),
        };
        if let SeatKind::Lease { ttl_ms, grace_ms } = kind {
            let lease = Some(Lease { ttl_ms, grace_ms, ends: self.steady + ttl_ms });
            return self.take_lease(Seat { lease, ..seat });
        }
        self.take_seat(Seat { connection: Some(self.connection), ..seat }, opens)
    }

    fn take_seat(&mut self, seat: Seat, opens: bool) -> Outcome {
        let Seat { room: id, connection, .. } = seat;
        let who = seat.who.clone();
        let avatar = seat.avatar.clone();
        if self.own_seat(id, &who).is_some() {
            return Ok(self.entered(id, &who, true));
        }
        let elsewhere = self.is_visible(id, &who, None);
        let waiting =
            |seat: &&mut Seat| seat.room == id && seat.who == who && seat.connection.is_none();
        let taken_up = match self.seats.iter_mut().find(waiting) {
            Some(waiting) => {
                waiting.connection = connection;
                waiting.avatar = seat.avatar;
                true
            }
            None => {
                self.check_capacity(id)?;
                self.check_names(id)?;
                self.check_guests(id, &who)?;
                self.next_seat += 1;
                self.seats.push(seat);
                false
            }
        };
        self.activate(id);
        let room = self.rooms.get_mut(&id).unwrap();
        let opened = opens && !room.opened;
        room.opened |= opens;
        let user = self.person(&who);
        self.events.push(Event::Entered {
            room: self.tag(id),
            avatar: avatar.unwrap_or_else(|| user.avatar.clone()),
            user,
            durable: false,
            opened,
            connection: connection.map(ConnectionId),
            elsewhere,
        });
        if !taken_up {
            self.announce_population(id);
        }
        Ok(self.entered(id, &who, false))
    }

    fn take_lease(&mut self, seat: Seat) -> Outcome {
        let id = seat.room;
        let who = seat.who.clone();
        let waiting =
            |seat: &&mut Seat| seat.room == id && seat.who == who && seat.connection.is_none();
        if let Some(renewed) = self.seats.iter_mut().find(waiting) {
            *renewed = Seat { number: renewed.number, ..seat };
            return Ok(self.entered(id, &who, true));
        }
        self.check_capacity(id)?;
        self.check_leases(id)?;
        self.next_seat += 1;
        self.seats.push(seat);
        self.activate(id);
        self.announce_population(id);
        Ok(self.entered(id, &who, false))
    }

    fn entered(&self, id: u32, who: &Who, again: bool) -> Reply {
        let cursor = MessageId(self.newest());
        Reply::Entered { room: self.room_view(id), user: self.person(who), again, cursor }
    }

    /// For a claimed name an unknown room is refused before a missing proof, and by a connection a
    /// full room is as well; otherwise it is the other way round.
    pub(super) fn resolve_entrant(
        &mut self,
        room: &RoomRef,
        user: &UserRef,
        live: bool,
    ) -> Result<(Who, u32), Refusal> {
        match self.user_or_guest(user) {
            Ok(who) => {
                let uid = if let Who::User(uid) = &who { Some(*uid) } else { None };
                let id = self.room(room, uid)?;
                Ok((who, id))
            }
            Err(refusal) => {
                if matches!(user, UserRef::Claim(_)) {
                    let id = self.room(room, None)?;
                    if live && refusal == Refusal::NotSignedIn {
                        self.check_capacity(id)?;
                    }
                }
                Err(refusal)
            }
        }
    }

    pub(super) fn own_seat(&self, id: u32, who: &Who) -> Option<Seat> {
        let connection = Some(self.connection);
        let own =
            |seat: &&Seat| seat.connection == connection && seat.room == id && seat.who == *who;
        self.seats.iter().find(own).cloned()
    }

    /// The seat that this connection took under a name.
    pub(super) fn seat_under(&self, id: u32, name: &str) -> Option<Seat> {
        let name = normalize(name);
        let as_user = self.uid_of_handle(&name).and_then(|uid| self.own_seat(id, &Who::User(uid)));
        as_user.or_else(|| self.own_seat(id, &Who::Guest(name)))
    }

    pub(super) fn exit(&mut self, room: &RoomRef, user: &UserRef) -> Outcome {
        let seat = self.seat_of_caller(room, user)?;
        self.leave(&seat, seat.lease.as_ref().map(|lease| lease.ttl_ms));
        Ok(Reply::Done)
    }

    pub(super) fn seat_of_caller(
        &mut self,
        room: &RoomRef,
        user: &UserRef,
    ) -> Result<Seat, Refusal> {
        if let UserRef::Claim(claim) = user {
            let id = self.any_room(room)?;
            let hidden = self.rooms[&id].closed;
            let missing = if hidden { Refusal::UnknownRoom } else { Refusal::NotInRoom };
            return self.seat_under(id, &claim.name).ok_or(missing);
        }
        let who = self.user_or_guest(user)?;
        let uid = if let Who::User(uid) = &who { Some(*uid) } else { None };
        let id = self.room(room, uid)?;
        self.own_seat(id, &who).ok_or(Refusal::NotInRoom)
    }

    pub(super) fn end_lease(&mut self, room: &RoomRef, user: &UserRef) -> Outcome {
        let (who, id) = self.resolve_entrant(room, user, false)?;
        let leases = self
            .seats
            .iter()
            .filter(|seat| seat.room == id && seat.who == who && seat.lease.is_some());
        let leases: Vec<Seat> = leases.cloned().collect();
        let unused = leases.iter().find(|seat| seat.connection.is_none());
        let seat = unused.or(leases.first()).ok_or(Refusal::NotInRoom)?;
        self.leave(seat, None);
        Ok(Reply::Done)
    }

    /// A seat loses its connection; then it waits for another, if it is a lease that may, or goes.
    pub(super) fn leave(&mut self, seat: &Seat, wait_ms: Option<u64>) {
        if let Some(connection) = seat.connection {
            let user = self.person(&seat.who);
            self.events.push(Event::Left {
                room: self.tag(seat.room),
                avatar: seat.avatar.clone().unwrap_or_else(|| user.avatar.clone()),
                user,
                durable: false,
                connection: Some(ConnectionId(connection)),
                elsewhere: self.is_visible(seat.room, &seat.who, Some(seat.number)),
                quit: false,
                reason: String::new(),
                by: None,
            });
        }
        match wait_ms {
            Some(wait_ms) => {
                let ends = self.steady + wait_ms;
                let kept = self.seats.iter_mut().find(|kept| kept.number == seat.number).unwrap();
                kept.connection = None;
                kept.roles = Roles::default();
                kept.lease.as_mut().unwrap().ends = ends;
            }
            None => {
                self.seats.retain(|kept| kept.number != seat.number);
                self.announce_population(seat.room);
            }
        }
    }

    /// Every connection ends, and then every lease.
    pub(super) fn start(&mut self) -> Reply {
        let seated = self.seats.iter().filter_map(|seat| seat.connection);
        let connections: BTreeSet<u64> = seated.chain(self.sessions.keys().copied()).collect();
        for connection in connections {
            self.connection = connection;
            self.end_session();
        }
        let mut leases = self.seats.clone();
        leases.sort_by_key(|seat| (seat.lease.as_ref().unwrap().ends, seat.number));
        leases.iter().for_each(|lease| self.leave(lease, None));
        self.keys.values_mut().for_each(|key| key.taken = None);
        self.runs += 1;
        Reply::Started { run: self.runs, is_done: true }
    }

    pub(super) fn expire(&mut self) {
        let ended = |seat: &&Seat| {
            let lease = seat.lease.as_ref();
            seat.connection.is_none() && lease.is_some_and(|lease| lease.ends <= self.steady)
        };
        let mut seats: Vec<Seat> = self.seats.iter().filter(ended).cloned().collect();
        seats.sort_by_key(|seat| (seat.lease.as_ref().unwrap().ends, seat.number));
        for seat in seats {
            self.leave(&seat, None);
        }
        let now = self.now;
        self.keys.retain(|_, key| key.ends > now);
        self.tokens.retain(|_, token| token.expires > now);
        self.end_unowned_rooms();
    }
}
