//! Rooms and their members.

use core_model::{ExportedMember, ExportedRoom};
use redb::ReadableTable as _;

use super::super::expiry;
use super::{ImportBatch, Outcome, Taken};
use crate::message_index;
use crate::policy_row::PolicyRow;
use crate::rows::RoomRow;
use crate::tables::Tables as _;

impl ImportBatch<'_, '_> {
    pub(super) fn room(&mut self, room: &ExportedRoom) -> Outcome {
        let id = self.room_id("id", room.id.0)?;
        let row = self.cx.batch.rooms()?.get(id)?;
        let row = row.map(|row| RoomRow::unpack(row.value())).transpose()?;
        if let Some(row) = row {
            if row.name == room.name && row.created == room.created.0 {
                return Ok(Taken::There);
            }
            let why = format!("the room id {id} is that of another room, {:?}", row.name);
            return self.leave_out_room(id, why);
        }
        let taken = self.cx.batch.room_names()?.get(room.name.as_str())?;
        if let Some(taken) = taken.map(|taken| taken.value()) {
            let why = format!("the name {:?} is that of room {taken}", room.name);
            return self.leave_out_room(id, why);
        }
        let owner = match room.owner {
            None => None,
            Some(owner) => match self.known_user("owner", owner)? {
                Some(owner) => Some(owner),
                // Without its owner it would be everyone's.
                None => {
                    self.state.rooms_left_out.insert(id);
                    return Ok(Taken::LeftOut);
                }
            },
        };
        self.add_room(id, room, owner)
    }

    fn add_room(&mut self, id: u32, room: &ExportedRoom, owner: Option<u64>) -> Outcome {
        let row = RoomRow {
            name: room.name.clone(),
            title: room.title.clone(),
            section: room.section.clone(),
            description: room.description.clone(),
            owner,
            created: room.created.0,
            capacity: room.capacity,
            members: 0,
            active: room.active,
            closed: room.closed,
            opened: room.opened,
            app_code: room.app_code,
            info: room.info.clone(),
            policy: PolicyRow::from(room.policy),
        };
        let batch = &mut self.cx.batch;
        batch.room_names_mut()?.insert(row.name.as_str(), id)?;
        if let Some(owner) = owner {
            batch.owned_rooms_mut()?.insert((owner, id), ())?;
        }
        if room.ends_unused {
            batch.unowned_rooms_mut()?.insert(id, ())?;
            expiry::note_unowned_room(batch, self.cx.counters.now, id)?;
        }
        self.cx.list(id, &row)?;
        self.cx.write_room(id, &row)?;
        self.cx.counters.next_room = self.cx.counters.next_room.max(id + 1);
        self.note_removed(message_index::of_room(id), room.removed)?;
        Ok(Taken::New)
    }

    pub(super) fn member(&mut self, member: &ExportedMember) -> Outcome {
        let room = self.known_room("room", member.room)?;
        let user = self.known_user("user", member.user)?;
        let (Some(room), Some(uid)) = (room, user) else { return Ok(Taken::LeftOut) };
        if self.cx.batch.members()?.get((room, uid))?.is_some() {
            return Ok(Taken::There);
        }
        let since = match member.since.0 {
            0 => 0,
            since => since + self.state.id_offset,
        };
        self.reserve_message(since);
        let place = self.cx.counters.next_place;
        self.cx.counters.next_place += 1;
        self.cx.batch.members_mut()?.insert((room, uid), (place, since))?;
        self.cx.batch.member_rooms_mut()?.insert((uid, room), ())?;
        self.cx.count_membership(uid, 1)?;
        *self.joined.entry(room).or_default() += 1;
        Ok(Taken::New)
    }
}
