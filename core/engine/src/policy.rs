//! The lists of masks of rooms: look-ups.

use std::collections::BTreeMap;

use core_model::{MaskList, MaskView, Person, Roles, Timestamp, matches_mask};
use redb::ReadableTable;

use crate::error::StoreError;
use crate::policy_row::{ListId, MaskRow};
use crate::rows::{SeatRow, Who, unpack};
use crate::tables::Tables;

/// How long an invitation lasts: a day, in ms.
const INVITATION_MS: u64 = 24 * 60 * 60 * 1000;

/// Whether an invitation of this time is over.
pub(crate) fn has_expired(invited: u64, now: u64) -> bool {
    invited.saturating_add(INVITATION_MS) <= now
}

/// Every mask of a room, list by list.
pub(crate) fn masks(tables: &impl Tables, room: u32) -> Result<Vec<MaskView>, StoreError> {
    let mut found = Vec::new();
    for list in MaskList::ALL {
        let id = ListId::from(list) as u8;
        for entry in tables.room_masks()?.range((room, id, "")..(room, id + 1, ""))? {
            let (key, row) = entry?;
            let MaskRow { by, at } = unpack("room_masks", row.value())?;
            let mask = key.value().2.to_owned();
            found.push(MaskView { list, mask, by, at: Timestamp(at) });
        }
    }
    Ok(found)
}

/// Whether a list of a room covers a person.
pub(crate) fn covers(
    tables: &impl Tables,
    room: u32,
    list: MaskList,
    person: &Person,
) -> Result<bool, StoreError> {
    let id = ListId::from(list) as u8;
    for entry in tables.room_masks()?.range((room, id, "")..(room, id + 1, ""))? {
        if matches_mask(entry?.0.value().2, person) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a person is banned from a room: by a mask, without an exception.
pub(crate) fn is_banned(
    tables: &impl Tables,
    room: u32,
    person: &Person,
) -> Result<bool, StoreError> {
    Ok(covers(tables, room, MaskList::Ban, person)?
        && !covers(tables, room, MaskList::Exception, person)?)
}

/// The open invitations of a room, and who has invited.
pub(crate) fn invitations(
    tables: &impl Tables,
    room: u32,
    now: u64,
) -> Result<Vec<(Who, MaskRow)>, StoreError> {
    let list = ListId::Invited as u8;
    let mut found = Vec::new();
    for entry in tables.room_masks()?.range((room, list, "")..(room, list + 1, ""))? {
        let (key, row) = entry?;
        let row: MaskRow = unpack("room_masks", row.value())?;
        let who = Who::of_key(key.value().2).ok_or(StoreError::Corrupt { table: "room_masks" })?;
        if !has_expired(row.at, now) {
            found.push((who, row));
        }
    }
    Ok(found)
}

/// Those who hold a role in a room, by any of their seats.
pub(crate) fn roles(tables: &impl Tables, room: u32) -> Result<Vec<(Who, Roles)>, StoreError> {
    let mut found: BTreeMap<String, (Who, Roles)> = BTreeMap::new();
    for entry in tables.seats_by_person()?.range((room, "", 0)..(room + 1, "", 0))? {
        let (_, _, seat) = entry?.0.value();
        let Some(row) = tables.seats()?.get(seat)? else { continue };
        let SeatRow { who, roles, .. } = SeatRow::unpack(row.value())?;
        if !roles.is_empty() {
            let held = found.entry(who.key()).or_insert((who, Roles::default()));
            held.1 = held.1.and(roles);
        }
    }
    Ok(found.into_values().collect())
}
