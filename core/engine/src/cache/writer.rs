//! Rows that the writer has just used, decoded. Only the writer changes rows, so the cache stays
//! true by dropping each row that a command changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use core_model::Person;

use crate::rows::{RoomRow, SeatRow, SessionRow, Who};

/// Entries of each kind: a few megabytes at most. A full map is cleared.
const ENTRIES_MAX: usize = 16_384;

#[derive(Default)]
pub(crate) struct WriterCache {
    rooms: HashMap<u32, Arc<RoomRow>>,
    persons: HashMap<u64, Arc<Person>>,
    members: HashSet<(u32, u64)>,
    sessions: HashMap<u64, SessionRow>,
    /// Seats of each connection, with their ids.
    seats: HashMap<u64, Seats>,
    /// Whether there is any ban, and any mute.
    restrictions: Option<Restrictions>,
    /// Whether the masks of a room ban a person.
    verdicts: HashMap<(u32, String), bool>,
}

/// Whether there is any ban, and any mute: mostly there is none, and nothing to look up.
#[derive(Clone, Copy)]
pub(crate) struct Restrictions {
    pub(crate) bans: bool,
    pub(crate) mutes: bool,
}

pub(crate) type Seats = Arc<[(u64, SeatRow)]>;

impl WriterCache {
    pub(crate) fn restrictions(&self) -> Option<Restrictions> {
        self.restrictions
    }

    pub(crate) fn keep_restrictions(&mut self, restrictions: Restrictions) {
        self.restrictions = Some(restrictions);
    }

    pub(crate) fn forget_restrictions(&mut self) {
        self.restrictions = None;
    }

    pub(crate) fn verdict(&self, room: u32, who: &Who) -> Option<bool> {
        self.verdicts.get(&(room, who.key())).copied()
    }

    pub(crate) fn keep_verdict(&mut self, room: u32, who: &Who, is_banned: bool) {
        if self.verdicts.len() >= ENTRIES_MAX {
            self.verdicts.clear();
        }
        self.verdicts.insert((room, who.key()), is_banned);
    }

    /// Masks, or the name of a person, have changed.
    pub(crate) fn forget_verdicts(&mut self) {
        self.verdicts.clear();
    }

    pub(crate) fn room(&self, id: u32) -> Option<Arc<RoomRow>> {
        self.rooms.get(&id).cloned()
    }

    pub(crate) fn keep_room(&mut self, id: u32, row: &Arc<RoomRow>) {
        if self.rooms.len() >= ENTRIES_MAX {
            self.rooms.clear();
        }
        self.rooms.insert(id, Arc::clone(row));
    }

    pub(crate) fn forget_room(&mut self, id: u32) {
        self.rooms.remove(&id);
    }

    pub(crate) fn person(&self, uid: u64) -> Option<Arc<Person>> {
        self.persons.get(&uid).cloned()
    }

    pub(crate) fn keep_person(&mut self, uid: u64, person: &Arc<Person>) {
        if self.persons.len() >= ENTRIES_MAX {
            self.persons.clear();
        }
        self.persons.insert(uid, Arc::clone(person));
    }

    pub(crate) fn forget_person(&mut self, uid: u64) {
        self.forget_verdicts();
        self.persons.remove(&uid);
    }

    /// Whether the user is known to be a member. Absence is never cached.
    pub(crate) fn is_member(&self, room: u32, uid: u64) -> bool {
        self.members.contains(&(room, uid))
    }

    pub(crate) fn keep_member(&mut self, room: u32, uid: u64) {
        if self.members.len() >= ENTRIES_MAX {
            self.members.clear();
        }
        self.members.insert((room, uid));
    }

    /// The session, if cached. Absence is never cached.
    pub(crate) fn session(&self, connection: u64) -> Option<SessionRow> {
        self.sessions.get(&connection).copied()
    }

    pub(crate) fn keep_session(&mut self, connection: u64, row: SessionRow) {
        if self.sessions.len() >= ENTRIES_MAX {
            self.sessions.clear();
        }
        self.sessions.insert(connection, row);
    }

    pub(crate) fn forget_session(&mut self, connection: u64) {
        self.sessions.remove(&connection);
    }

    pub(crate) fn seats(&self, connection: u64) -> Option<Seats> {
        self.seats.get(&connection).cloned()
    }

    pub(crate) fn keep_seats(&mut self, connection: u64, seats: &Seats) {
        if self.seats.len() >= ENTRIES_MAX {
            self.seats.clear();
        }
        self.seats.insert(connection, Arc::clone(seats));
    }

    pub(crate) fn forget_seats(&mut self, connection: u64) {
        self.seats.remove(&connection);
    }

    /// Drops what ends with a run of the gateway.
    pub(crate) fn clear_run_state(&mut self) {
        self.sessions.clear();
        self.seats.clear();
    }

    pub(crate) fn forget_member(&mut self, room: u32, uid: u64) {
        self.members.remove(&(room, uid));
    }
}
