//! What rules work on: the batch, the current command, and the steps that several rules share.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{Event, Person, Refusal, RoomRef, RoomTag, UserRef};

use crate::cache::writer::WriterCache;
use crate::clock::Moment;
use crate::envelope::FrontendSettings;
use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::marks::Marks;
use crate::message_index;
use crate::rows::{Counters, RoomRow, UserRow, Who, pack};
use crate::rules_version::RULES;
use crate::state::{Batch, State};

/// One batch of commands: the tables, and what is written once at its end.
pub(crate) struct BatchContext<'t> {
    pub(crate) batch: Batch<'t>,
    pub(crate) counters: Counters,
    /// The times of the command before, in this run of the gateway.
    pub(super) last: Option<Moment>,
    /// Message ids to append, by stream.
    pub(super) appends: BTreeMap<u64, Vec<u64>>,
    /// Where the store stands in the log that it follows.
    pub(super) marks: Option<Marks>,
    /// Whether the entry that is being applied ends with a checkpoint.
    pub(super) ends_second: bool,
    /// Whether it had a tick that counts.
    pub(super) has_ticked: bool,
    /// Writes by `settle`, which no command counts as its own: they depend on how commands were
    /// grouped into batches.
    settling: u64,
    /// Buffer for the message row being packed.
    pub(super) row: Vec<u8>,
}

/// A batch whose commands have been carried out.
pub(crate) struct Finished<'t> {
    pub(crate) batch: Batch<'t>,
    pub(crate) counters: Counters,
    /// The times of the last command.
    pub(crate) last: Option<Moment>,
    pub(crate) marks: Option<Marks>,
}

/// The command being carried out.
pub(super) struct CommandContext<'a> {
    pub(super) request: Request,
    pub(super) frontend: &'a FrontendSettings,
    /// The peer's network.
    pub(super) address: Option<u128>,
    pub(super) events: Vec<Event>,
    /// What it made, each with the number of events before it.
    pub(super) made: Vec<(usize, Made)>,
    /// Whether it changed something that a client can read.
    pub(super) visible: bool,
}

/// What webhooks learn of and no session has to show.
#[derive(Clone, Copy)]
pub(super) enum Made {
    User(u64),
    Room(u32),
}

impl CommandContext<'_> {
    pub(super) fn note_made(&mut self, made: Made) {
        self.made.push((self.events.len(), made));
    }
}

impl<'t> BatchContext<'t> {
    pub(crate) fn new(batch: Batch<'t>, counters: Counters, last: Option<Moment>) -> Self {
        Self {
            batch,
            counters,
            last,
            marks: None,
            ends_second: false,
            has_ticked: false,
            appends: BTreeMap::new(),
            settling: 0,
            row: Vec::new(),
        }
    }

    /// The batch is of a log.
    pub(crate) fn following(mut self, marks: Marks) -> Self {
        self.batch.digesting(marks.digest);
        Self { last: marks.last, marks: Some(marks), ..self }
    }

    /// The version of the rules that is in force.
    pub(crate) fn rules(&self) -> u32 {
        self.marks.as_ref().map_or(RULES, |marks| marks.rules)
    }

    /// Whether any command has changed anything.
    pub(crate) fn has_changed(&self) -> bool {
        self.writes() > 0
    }

    /// A count that grows with every write of a command.
    pub(super) fn writes(&self) -> u64 {
        self.batch.writes() - self.settling
    }

    /// Writes what is written once per batch.
    pub(crate) fn finish(mut self) -> Result<Finished<'t>, StoreError> {
        self.settle()?;
        self.batch.counters_mut()?.insert(lookup::COUNTERS_KEY, pack(&self.counters).as_slice())?;
        let Self { mut batch, counters, last, mut marks, .. } = self;
        if let Some(marks) = &mut marks {
            marks.last = last;
            marks.digest = batch.digest().copied().unwrap_or_default();
        }
        Ok(Finished { batch, counters, last, marks })
    }

    /// Writes the pending appends, for commands that read streams.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        let written = self.batch.writes();
        for (stream, ids) in std::mem::take(&mut self.appends) {
            message_index::append(&mut self.batch, stream, &ids)?;
        }
        self.settling += self.batch.writes() - written;
        Ok(())
    }

    /// The account that `user` names. If a sliding token does, it is extended.
    pub(super) fn user(&mut self, cx: &CommandContext<'_>, user: &UserRef) -> Result<u64, Error> {
        let uid = lookup::user(&self.batch, cx.request, user)?;
        if let UserRef::Token(hash) = user {
            self.slide(cx.request.now, hash)?;
        }
        Ok(uid)
    }

    /// The account or guest that `user` names, likewise.
    pub(super) fn user_or_guest(
        &mut self,
        cx: &CommandContext<'_>,
        user: &UserRef,
    ) -> Result<Who, Error> {
        match user {
            UserRef::Token(_) => self.user(cx, user).map(Who::User),
            _ => lookup::user_or_guest(&self.batch, cx.request, user),
        }
    }

    pub(super) fn person(&self, who: &Who) -> Result<Arc<Person>, StoreError> {
        lookup::person_of(&self.batch, who)
    }

    /// The room; if `by` is given, only for its owner.
    pub(super) fn owned_room(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        by: Option<&UserRef>,
    ) -> Result<(u32, Arc<RoomRow>), Error> {
        let by = by.map(|by| self.user(cx, by)).transpose()?;
        let (id, row) = lookup::room(&self.batch, room, by)?;
        if by.is_some() && by != row.owner {
            return Err(Refusal::NotAllowed.into());
        }
        Ok((id, row))
    }

    pub(super) fn write_user(&mut self, uid: u64, row: &UserRow) -> Result<(), StoreError> {
        self.batch.users_mut()?.insert(uid, pack(row).as_slice())?;
        self.cached(|cache| cache.forget_person(uid));
        Ok(())
    }

    pub(super) fn write_room(&mut self, id: u32, row: &RoomRow) -> Result<(), StoreError> {
        self.batch.rooms_mut()?.insert(id, row.pack().as_slice())?;
        self.cached(|cache| cache.forget_room(id));
        Ok(())
    }

    pub(super) fn cached(&self, change: impl FnOnce(&mut WriterCache)) {
        if let Some(cache) = self.batch.writer_cache() {
            change(&mut cache.borrow_mut());
        }
    }

    /// Marks a room as active; it stays so.
    pub(super) fn activate(&mut self, id: u32) -> Result<(), StoreError> {
        let row = lookup::known_room(&self.batch, id)?;
        if !row.active {
            self.write_room(id, &RoomRow { active: true, ..RoomRow::clone(&row) })?;
        }
        Ok(())
    }

    pub(super) fn announce_population(
        &self,
        cx: &mut CommandContext<'_>,
        id: u32,
    ) -> Result<(), StoreError> {
        let row = lookup::known_room(&self.batch, id)?;
        let population = lookup::population(&self.batch, id, &row)?;
        cx.events.push(Event::PopulationChanged { room: row.tag(id), population });
        Ok(())
    }

    /// Refuses where every seat is taken.
    pub(super) fn check_capacity(&self, id: u32, row: &RoomRow) -> Result<(), Error> {
        if lookup::population(&self.batch, id, row)? >= row.capacity {
            return Err(Refusal::RoomFull.into());
        }
        Ok(())
    }

    /// Makes users durable members. The caller has checked the capacity.
    pub(super) fn add_members(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        uids: &[u64],
    ) -> Result<(), StoreError> {
        let row = lookup::known_room(&self.batch, id)?;
        let members = row.members + uids.len() as u32;
        self.write_room(id, &RoomRow { members, ..RoomRow::clone(&row) })?;
        uids.iter().try_for_each(|uid| self.add_member(cx, id, &row, *uid))
    }

    fn add_member(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
        uid: u64,
    ) -> Result<(), StoreError> {
        let place = self.counters.next_place;
        self.counters.next_place += 1;
        let newest = self.counters.next_message - 1;
        self.batch.members_mut()?.insert((id, uid), (place, newest))?;
        self.batch.member_rooms_mut()?.insert((uid, id), ())?;
        self.count_membership(uid, 1)?;
        let user = lookup::person(&self.batch, uid)?;
        cx.events.push(Event::Entered {
            room: row.tag(id),
            avatar: user.avatar.clone(),
            user,
            durable: true,
            opened: false,
            connection: None,
            elsewhere: self.is_seated(id, &Who::User(uid), None)?,
        });
        Ok(())
    }

    /// Ends a membership, if there is one.
    pub(super) fn remove_member(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        uid: u64,
    ) -> Result<bool, StoreError> {
        let row = lookup::known_room(&self.batch, id)?;
        let was_member = self.remove_membership(cx, id, &row, uid)?;
        if was_member {
            let members = row.members.saturating_sub(1);
            self.write_room(id, &RoomRow { members, ..RoomRow::clone(&row) })?;
        }
        Ok(was_member)
    }

    /// The same without the room's own count of members.
    pub(super) fn remove_membership(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
        uid: u64,
    ) -> Result<bool, StoreError> {
        if self.batch.members_mut()?.remove((id, uid))?.is_none() {
            return Ok(false);
        }
        self.batch.member_rooms_mut()?.remove((uid, id))?;
        self.cached(|cache| cache.forget_member(id, uid));
        self.count_membership(uid, -1)?;
        let user = lookup::person(&self.batch, uid)?;
        cx.events.push(Event::Left {
            room: row.tag(id),
            avatar: user.avatar.clone(),
            user,
            durable: true,
            connection: None,
            elsewhere: self.is_seated(id, &Who::User(uid), None)?,
            quit: false,
            reason: String::new(),
            by: None,
        });
        Ok(true)
    }

    /// Makes a user a durable member unless it is one. Refuses a full room.
    pub(super) fn join_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
        uid: u64,
    ) -> Result<(), Error> {
        if lookup::is_member(&self.batch, id, uid)? {
            return Ok(());
        }
        let who = Who::User(uid);
        let way_in = self.check_entrance(cx, (id, row), &who, None)?;
        self.check_capacity(id, row)?;
        self.check_memberships(uid, cx.frontend.quotas.memberships_per_user_max)?;
        self.add_members(cx, id, &[uid])?;
        self.use_up(id, &who, way_in)?;
        self.activate(id)?;
        self.announce_population(cx, id)?;
        Ok(())
    }
}

pub(super) fn tags(batch: &Batch<'_>, rooms: &[u32]) -> Result<Vec<RoomTag>, StoreError> {
    rooms.iter().map(|id| Ok(lookup::known_room(batch, *id)?.tag(*id))).collect()
}
