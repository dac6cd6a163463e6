//! The lists of masks of rooms: look-ups.

use core_model::{MaskList, MaskView, Person, Timestamp, matches_mask};
use redb::ReadableTable;

use crate::error::StoreError;
use crate::policy_row::{ListId, MaskRow};
use crate::rows::unpack;
use crate::tables::Tables;

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
