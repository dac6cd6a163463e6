//! Lists of masks of rooms, and invitations.

use core_model::{ExportedInvitation, ExportedMask, INVITATIONS_MAX, MASKS_MAX, Timestamp};
use redb::ReadableTable as _;

use super::{ImportBatch, Outcome, Taken};
use crate::lookup;
use crate::policy_row::{ListId, MaskRow};
use crate::rows::{RoomRow, Who, pack};
use crate::tables::Tables as _;

impl ImportBatch<'_, '_> {
    pub(super) fn mask(&mut self, mask: &ExportedMask) -> Outcome {
        let Some(room) = self.known_room("room", mask.room)? else { return Ok(Taken::LeftOut) };
        let place = (room, ListId::from(mask.list), mask.mask.as_str());
        self.listed(place, (&mask.by, mask.at), MASKS_MAX)
    }

    pub(super) fn invitation(&mut self, invitation: &ExportedInvitation) -> Outcome {
        let Some(room) = self.known_room("room", invitation.room)? else {
            return Ok(Taken::LeftOut);
        };
        let who = match (invitation.user, &invitation.guest) {
            (Some(uid), _) => match self.known_user("user", uid)? {
                Some(uid) => Who::User(uid),
                None => return Ok(Taken::LeftOut),
            },
            (None, guest) => Who::Guest(guest.clone().unwrap_or_default()),
        };
        let key = who.key();
        let place = (room, ListId::Invited, key.as_str());
        self.listed(place, (&invitation.by, invitation.at), INVITATIONS_MAX)
    }

    /// Adds a row to a list of a room, which counts it.
    fn listed(
        &mut self,
        (room, list, name): (u32, ListId, &str),
        (by, at): (&str, Timestamp),
        max: u32,
    ) -> Outcome {
        let key = (room, list as u8, name);
        if self.cx.batch.room_masks()?.get(key)?.is_some() {
            return Ok(Taken::There);
        }
        let mut row = RoomRow::clone(&*lookup::known_room(&self.cx.batch, room)?);
        let count = &mut row.policy.masks[list as usize];
        if *count >= max {
            return Ok(Taken::Conflict(format!("room {room} has {max} of them already")));
        }
        *count += 1;
        let mask = pack(&MaskRow { by: by.to_owned(), at: at.0 });
        self.cx.batch.room_masks_mut()?.insert(key, mask.as_slice())?;
        self.cx.write_room(room, &row)?;
        Ok(Taken::New)
    }
}
