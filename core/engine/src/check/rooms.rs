//! Rooms, their members, and the indexes of both.

use std::collections::{BTreeMap, BTreeSet};

use redb::ReadableTable;

use super::Report;
use super::accounts::counters;
use crate::error::StoreError;
use crate::policy_row::MaskRow;
use crate::rows::{RoomRow, unpack};
use crate::rules::UNOWNED_ROOM;
use crate::search;
use crate::tables::Tables;

fn room(tables: &impl Tables, id: u32) -> Result<Option<RoomRow>, StoreError> {
    tables.rooms()?.get(id)?.map(|row| RoomRow::unpack(row.value())).transpose()
}

pub(super) fn check_rooms(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let next_room = counters(tables)?.next_room;
    let mut rooms = 0;
    let mut open = 0;
    let mut owned = 0;
    for row in tables.rooms()?.iter()? {
        let (id, row) = row?;
        let id = id.value();
        rooms += 1;
        let Ok(room) = RoomRow::unpack(row.value()) else {
            report.fault(format!("room {id} cannot be read"));
            continue;
        };
        report.expect(id < next_room, || format!("room {id} is beyond the counter"));
        let found = tables.room_names()?.get(room.name.as_str())?.map(|found| found.value());
        report.expect(found == Some(id), || {
            format!("the room name {:?} leads to {found:?} instead of room {id}", room.name)
        });
        let members = tables.members()?.range((id, 0)..=(id, u64::MAX))?.count();
        report.expect(members == room.members as usize, || {
            format!("room {id} has {members} members and counts {}", room.members)
        });
        if room.is_listed() {
            open += 1;
            let is_listed = tables.sections()?.get((room.section.as_str(), id))?.is_some();
            report.expect(is_listed, || format!("room {id} is not listed in its section"));
            let is_listed = tables.open_rooms()?.get(id)?.is_some();
            report.expect(is_listed, || format!("room {id} is not listed among the open rooms"));
        }
        if let Some(owner) = room.owner {
            owned += 1;
            let is_known = tables.users()?.get(owner)?.is_some();
            report.expect(is_known, || format!("room {id} is owned by an unknown user {owner}"));
            let is_listed = tables.owned_rooms()?.get((owner, id))?.is_some();
            report.expect(is_listed, || format!("room {id} is not listed as its owner's"));
        }
    }
    report.expect_len("room_names", tables.room_names()?, rooms)?;
    report.expect_len("sections", tables.sections()?, open)?;
    report.expect_len("open_rooms", tables.open_rooms()?, open)?;
    report.expect_len("owned_rooms", tables.owned_rooms()?, owned)
}

/// The lists of masks of rooms: each is of a room, which counts it.
pub(super) fn check_masks(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let mut found: BTreeMap<u32, [u32; 4]> = BTreeMap::new();
    for row in tables.room_masks()?.iter()? {
        let (key, row) = row?;
        let (id, list, mask) = key.value();
        let is_read = unpack::<MaskRow>("room_masks", row.value()).is_ok();
        report.expect(is_read, || format!("the mask {mask:?} of room {id} cannot be read"));
        match found.entry(id).or_default().get_mut(usize::from(list)) {
            Some(count) => *count += 1,
            None => report.fault(format!("the mask {mask:?} of room {id} is in no list")),
        }
    }
    for row in tables.rooms()?.iter()? {
        let (id, row) = row?;
        let id = id.value();
        let Ok(room) = RoomRow::unpack(row.value()) else { continue };
        let found = found.remove(&id).unwrap_or_default();
        report.expect(found == room.policy.masks, || {
            format!("room {id} has {found:?} masks and counts {:?}", room.policy.masks)
        });
    }
    for id in found.keys() {
        report.fault(format!("the unknown room {id} has masks"));
    }
    Ok(())
}

/// Rooms that clients made without an owner: each is looked at again.
pub(super) fn check_unowned_rooms(
    tables: &impl Tables,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut ending = BTreeSet::new();
    for row in tables.expiries()?.iter()? {
        let (key, ()) = row.map(|(key, _)| (key, ()))?;
        let (_, kind, id) = key.value();
        if let (UNOWNED_ROOM, Ok(id)) = (kind, id.try_into()) {
            ending.insert(u32::from_be_bytes(id));
        }
    }
    for row in tables.unowned_rooms()?.iter()? {
        let id = row?.0.value();
        let has_owner = room(tables, id)?.is_none_or(|room| room.owner.is_some());
        report.expect(!has_owner, || format!("room {id} is no room without an owner"));
        report.expect(ending.contains(&id), || format!("room {id} without an owner never ends"));
    }
    Ok(())
}

pub(super) fn check_members(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let next_place = counters(tables)?.next_place;
    let mut members = 0;
    for row in tables.members()?.iter()? {
        let (key, row) = row?;
        let (id, uid) = key.value();
        members += 1;
        let is_known = tables.rooms()?.get(id)?.is_some() && tables.users()?.get(uid)?.is_some();
        report.expect(is_known, || format!("member {uid} of room {id}: one of them is unknown"));
        let is_listed = tables.member_rooms()?.get((uid, id))?.is_some();
        report.expect(is_listed, || format!("room {id} is not listed as its member {uid}'s"));
        let place = row.value().0;
        report.expect(place < next_place, || format!("member {uid} of room {id} has no place"));
    }
    report.expect_len("member_rooms", tables.member_rooms()?, members)?;
    let mut counts = 0;
    for row in tables.membership_counts()?.iter()? {
        let (uid, count) = row?;
        let uid = uid.value();
        let count = count.value();
        counts += u64::from(count);
        let found = tables.member_rooms()?.range((uid, 0)..=(uid, u32::MAX))?.count();
        report.expect(found == count as usize, || {
            format!("user {uid} is a member of {found} rooms and counts {count}")
        });
    }
    report.expect(counts == members, || format!("users count {counts} of {members} memberships"));
    Ok(())
}

pub(super) fn check_search(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let mut names = 0;
    let mut grams = 0;
    for row in tables.rooms()?.iter()? {
        let (id, row) = row?;
        let id = id.value();
        let Ok(room) = RoomRow::unpack(row.value()) else { continue };
        if !room.is_listed() {
            continue;
        }
        names += 1;
        let folded = search::folded_name(&room);
        let is_listed = tables.folded_names()?.get((folded.as_str(), id))?.is_some();
        report.expect(is_listed, || format!("room {id} is not found by its name"));
        for gram in search::grams_of_room(&room) {
            grams += 1;
            let is_listed = tables.grams()?.get((gram, id))?.is_some();
            report.expect(is_listed, || format!("room {id} is not found by all of its grams"));
        }
    }
    report.expect_len("folded_names", tables.folded_names()?, names)?;
    report.expect_len("grams", tables.grams()?, grams)?;
    let mut counts = 0;
    for row in tables.gram_counts()?.iter()? {
        let (gram, count) = row?;
        let gram = gram.value();
        let count = count.value();
        counts += u64::from(count);
        let found = tables.grams()?.range((gram, 0)..=(gram, u32::MAX))?.count();
        report.expect(found == count as usize, || {
            format!("a gram is in {found} rooms and counts {count}")
        });
    }
    report.expect(counts == grams, || format!("the grams count {counts} instead of {grams}"));
    Ok(())
}

/// Whether a room exists, for rows that refer to it.
pub(super) fn is_known(tables: &impl Tables, id: u32) -> Result<bool, StoreError> {
    Ok(room(tables, id)?.is_some())
}
