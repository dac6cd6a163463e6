//! Accounts.

use core_model::ExportedUser;
use redb::ReadableTable as _;

use super::{ImportBatch, Outcome, Taken};
use crate::lookalike;
use crate::message_index;
use crate::rows::{UserRow, unpack};
use crate::tables::Tables as _;

impl ImportBatch<'_, '_> {
    pub(super) fn user(&mut self, user: &ExportedUser) -> Outcome {
        let uid = self.uid(user.uid);
        let batch = &self.cx.batch;
        let row = batch.users()?.get(uid)?.map(|row| unpack::<UserRow>("users", row.value()));
        if let Some(row) = row.transpose()? {
            if row.handle == user.handle && row.created == user.created.0 {
                return Ok(Taken::There);
            }
            let why = format!("the uid {uid} is that of another user, {:?}", row.handle);
            return self.leave_out_user(uid, why);
        }
        let taken = batch.handles()?.get(user.handle.as_str())?.map(|taken| taken.value());
        if let Some(taken) = taken {
            let why = format!("the handle {:?} is that of uid {taken}", user.handle);
            return self.leave_out_user(uid, why);
        }
        for identity in &user.identities {
            let taken = batch.identities()?.get(identity.as_str())?.map(|taken| taken.value());
            if let Some(taken) = taken {
                let why = format!("the identity {identity:?} is that of uid {taken}");
                return self.leave_out_user(uid, why);
            }
        }
        self.add_user(uid, user)
    }

    fn add_user(&mut self, uid: u64, user: &ExportedUser) -> Outcome {
        let row = UserRow {
            handle: user.handle.clone(),
            name: user.name.clone(),
            avatar: user.avatar.clone(),
            sex: user.sex.clone(),
            preferences: user.preferences.clone(),
            identities: user.identities.clone(),
            info: user.info.clone(),
            created: user.created.0,
            password: user.password.clone(),
        };
        let batch = &mut self.cx.batch;
        batch.handles_mut()?.insert(row.handle.as_str(), uid)?;
        for key in lookalike::keys(&row.handle) {
            batch.lookalikes_mut()?.insert((key.as_str(), uid), ())?;
        }
        for identity in &row.identities {
            batch.identities_mut()?.insert(identity.as_str(), uid)?;
        }
        self.cx.write_user(uid, &row)?;
        self.cx.counters.next_uid = self.cx.counters.next_uid.max(uid + 1);
        self.note_removed(message_index::of_inbox(uid), user.removed_received)?;
        self.note_removed(message_index::of_outbox(uid), user.removed_sent)?;
        Ok(Taken::New)
    }
}
