//! Takes the records of an export into the store.
//!
//! Ids are kept. A record that the store has already is passed over, so that an import may be
//! repeated, and goes on after a kill where it ended. A record whose id or name is another one's is a
//! conflict, and what refers to it is left out with it: else it would be attributed to a stranger.

mod cursor;
mod masks;
mod messages;
mod restrictions;
mod rooms;
mod users;

use std::collections::{BTreeMap, HashSet};

use core_model::{ExportHeader, ExportRecord, FieldFault};
use redb::ReadableTable as _;

use super::context::BatchContext;
use crate::error::StoreError;
use crate::message_index;
use crate::rows::RoomRow;
use crate::tables::Tables as _;

pub(crate) use cursor::CursorStream;

/// What became of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken {
    New,
    /// The store had it.
    There,
    /// Something else is in its place.
    Conflict(String),
    /// It refers to a record that is in conflict.
    LeftOut,
}

/// Why a record cannot be taken.
#[derive(Debug)]
pub(crate) enum RecordError {
    Field(FieldFault),
    Store(StoreError),
}

impl RecordError {
    fn field(field: &'static str, why: impl Into<String>) -> Self {
        Self::Field(FieldFault::new(field, why))
    }
}

impl From<FieldFault> for RecordError {
    fn from(fault: FieldFault) -> Self {
        Self::Field(fault)
    }
}

impl<E: Into<StoreError>> From<E> for RecordError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

type Outcome = Result<Taken, RecordError>;

/// What one import remembers between its batches.
#[derive(Default)]
pub(crate) struct ImportState {
    /// Added to every uid, room id and message id.
    id_offset: u64,
    /// Users and rooms that are in conflict.
    users_left_out: HashSet<u64>,
    rooms_left_out: HashSet<u32>,
    /// The id of the last message.
    last_message: u64,
}

impl ImportState {
    pub(crate) fn new(id_offset: u64) -> Self {
        Self { id_offset, ..Self::default() }
    }
}

/// Conflicts of users and rooms that are remembered.
const LEFT_OUT_MAX: usize = 1_000_000;

/// A batch of records.
pub(crate) struct ImportBatch<'a, 't> {
    pub(super) cx: BatchContext<'t>,
    pub(super) state: &'a mut ImportState,
    /// Members that rooms get, written once a batch.
    joined: BTreeMap<u32, u32>,
}

impl<'a, 't> ImportBatch<'a, 't> {
    pub(crate) fn new(cx: BatchContext<'t>, state: &'a mut ImportState) -> Self {
        Self { cx, state, joined: BTreeMap::new() }
    }

    pub(crate) fn take(&mut self, record: &ExportRecord) -> Outcome {
        record.check()?;
        match record {
            ExportRecord::Export(header) => self.header(header),
            ExportRecord::User(user) => self.user(user),
            ExportRecord::Room(room) => self.room(room),
            ExportRecord::Member(member) => self.member(member),
            ExportRecord::Ban(ban) => self.ban(ban),
            ExportRecord::Mute(mute) => self.mute(mute),
            ExportRecord::Mask(mask) => self.mask(mask),
            ExportRecord::Invitation(invitation) => self.invitation(invitation),
            ExportRecord::Message(message) => self.message(message),
            ExportRecord::Cursor(cursor) => self.cursor(cursor),
            ExportRecord::ReadMark(mark) => self.read_mark(mark),
            ExportRecord::End(_) => Ok(Taken::There),
        }
    }

    /// Writes what is written once a batch.
    pub(crate) fn finish(mut self) -> Result<BatchContext<'t>, StoreError> {
        for (id, joined) in std::mem::take(&mut self.joined) {
            let row = crate::lookup::known_room(&self.cx.batch, id)?;
            let members = row.members + joined;
            self.cx.write_room(id, &RoomRow { members, ..RoomRow::clone(&row) })?;
        }
        Ok(self.cx)
    }

    fn header(&mut self, header: &ExportHeader) -> Outcome {
        let offset = self.state.id_offset;
        let next_uid = if header.next_uid == 0 { 0 } else { header.next_uid + offset };
        let next_message = if header.next_message == 0 { 0 } else { header.next_message + offset };
        let next_room = match header.next_room {
            0 => 0,
            next => self.room_id("next_room", next)?,
        };
        let counters = &mut self.cx.counters;
        counters.next_uid = counters.next_uid.max(next_uid);
        counters.next_message = counters.next_message.max(next_message);
        counters.next_room = counters.next_room.max(next_room);
        counters.now = counters.now.max(header.at.0);
        counters.last_change = counters.last_change.max(header.at.0);
        Ok(Taken::There)
    }

    /// The uid of this store for one of the file.
    fn uid(&self, uid: core_model::Uid) -> u64 {
        uid.0 + self.state.id_offset
    }

    fn room_id(&self, field: &'static str, id: u32) -> Result<u32, RecordError> {
        let moved = u64::from(id) + self.state.id_offset;
        // One less, so that there is a next one.
        let moved = u32::try_from(moved).ok().filter(|id| *id < u32::MAX);
        moved.ok_or_else(|| RecordError::field(field, format!("is {id}: too great a room id")))
    }

    /// The user of the store that a field names; none for one that is left out.
    fn known_user(
        &self,
        field: &'static str,
        uid: core_model::Uid,
    ) -> Result<Option<u64>, RecordError> {
        let own = self.uid(uid);
        if self.state.users_left_out.contains(&own) {
            return Ok(None);
        }
        if self.cx.batch.users()?.get(own)?.is_none() {
            return Err(RecordError::field(field, format!("there is no user {uid} before it")));
        }
        Ok(Some(own))
    }

    /// The same for a room.
    fn known_room(
        &self,
        field: &'static str,
        id: core_model::RoomId,
    ) -> Result<Option<u32>, RecordError> {
        let own = self.room_id(field, id.0)?;
        if self.state.rooms_left_out.contains(&own) {
            return Ok(None);
        }
        if self.cx.batch.rooms()?.get(own)?.is_none() {
            return Err(RecordError::field(field, format!("there is no room {id} before it")));
        }
        Ok(Some(own))
    }

    fn leave_out_user(&mut self, uid: u64, why: String) -> Outcome {
        self.state.users_left_out.insert(uid);
        self.conflict("uid", why)
    }

    fn leave_out_room(&mut self, id: u32, why: String) -> Outcome {
        self.state.rooms_left_out.insert(id);
        self.conflict("id", why)
    }

    fn conflict(&self, field: &'static str, why: String) -> Outcome {
        let left_out = self.state.users_left_out.len() + self.state.rooms_left_out.len();
        if left_out > LEFT_OUT_MAX {
            return Err(RecordError::field(
                field,
                format!("{why}; more than {LEFT_OUT_MAX} users and rooms are in conflict"),
            ));
        }
        Ok(Taken::Conflict(why))
    }

    /// Notes that the messages of a stream up to this one were removed, and that their ids are not
    /// known.
    fn note_removed(&mut self, stream: u64, id: core_model::MessageId) -> Result<(), StoreError> {
        if id.0 == 0 {
            return Ok(());
        }
        let newest = id.0 + self.state.id_offset;
        self.reserve_message(newest);
        crate::removed::note_unknown(&mut self.cx.batch, stream, newest)
    }

    /// Has the next message get a greater id.
    fn reserve_message(&mut self, id: u64) {
        let counters = &mut self.cx.counters;
        counters.next_message = counters.next_message.max(id + 1);
    }

    /// The newest id that a stream lists, with those that are to be appended; 0 for none.
    fn newest_listed(&self, stream: u64) -> Result<u64, StoreError> {
        if let Some(pending) = self.cx.appends.get(&stream).and_then(|ids| ids.last()) {
            return Ok(*pending);
        }
        message_index::newest_listed(&self.cx.batch, stream)
    }
}
