//! Accounts: profiles, identities, passwords, and the rooms that a new user joins.

use core_model::{
    AutoJoinFailure, NameFault, NewUser, ProfileChanges, Refusal, Reply, RoomRef, Secret, UserRef,
    bounds,
};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext, Made};
use super::names::{IDS_TRIED_MAX, first_free, suffixed};
use super::quotas::Window;
use crate::chosen_name;
use crate::error::{Error, StoreError};
use crate::lookalike;
use crate::lookup;
use crate::rows::UserRow;
use crate::tables::Tables;

impl BatchContext<'_> {
    pub(super) fn register(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &NewUser,
    ) -> Result<Reply, Error> {
        let uid = self.make_user(cx, user)?;
        let skipped = self.auto_join(cx, uid)?;
        let user = lookup::user_view(&self.batch, uid)?;
        Ok(Reply::Registered { user, skipped })
    }

    pub(super) fn make_user(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &NewUser,
    ) -> Result<u64, Error> {
        let accounts_max = cx.frontend.quotas.accounts_per_address_per_hour_max;
        self.check_window(cx, Window::Accounts, accounts_max)?;
        let mut identities: Vec<String> = Vec::with_capacity(user.identities.len());
        for identity in &user.identities {
            self.check_identity(identity)?;
            // One that is given twice has one row, as one that is linked twice.
            if !identities.contains(identity) {
                identities.push(identity.clone());
            }
        }
        let (uid, handle) = self.choose_handle(user)?;
        let password = match &user.password {
            None => String::new(),
            Some(password) => hashed(password)?,
        };
        let mut row = UserRow {
            handle,
            name: user.handle.as_deref().and_then(display_name).unwrap_or_default(),
            identities,
            created: cx.request.now,
            password,
            ..UserRow::default()
        };
        change_profile(&mut row, &user.profile);
        self.counters.next_uid = uid + 1;
        self.batch.handles_mut()?.insert(row.handle.as_str(), uid)?;
        cx.note_made(Made::User(uid));
        for key in lookalike::keys(&row.handle) {
            self.batch.lookalikes_mut()?.insert((key.as_str(), uid), ())?;
        }
        for identity in &row.identities {
            self.batch.identities_mut()?.insert(identity.as_str(), uid)?;
        }
        self.write_user(uid, &row)?;
        self.count_in_window(cx, Window::Accounts, accounts_max)?;
        cx.visible = true;
        Ok(uid)
    }

    fn check_identity(&self, identity: &str) -> Result<(), Error> {
        bounds::check_identity(identity)
            .map_err(|why| Refusal::InvalidIdentity { why: why.into() })?;
        if self.batch.identities()?.get(identity)?.is_some() {
            return Err(Refusal::IdentityTaken.into());
        }
        Ok(())
    }

    /// A handle that is free, and the uid that goes with it: one that others have taken all handles
    /// for is skipped.
    pub(super) fn choose_handle(&self, user: &NewUser) -> Result<(u64, String), Error> {
        let wanted = user.handle.as_deref().map(chosen_name::check_handle);
        let free = |handle: &str| -> Result<bool, StoreError> {
            Ok(lookup::uid_of_handle(&self.batch, handle)?.is_none())
        };
        let next = self.counters.next_uid;
        let wanted = match wanted {
            Some(Ok(handle)) => {
                if free(&handle)? && !lookup::resembles_other_handle(&self.batch, &handle)? {
                    return Ok((next, handle));
                }
                if user.insist {
                    return Err(Refusal::HandleTaken.into());
                }
                Some(handle)
            }
            Some(Err(fault)) if user.insist => {
                let handle = core_model::normalize(user.handle.as_deref().unwrap_or_default());
                if fault == NameFault::MixedAlphabets
                    && lookup::resembles_other_handle(&self.batch, &handle)?
                {
                    return Err(Refusal::HandleTaken.into());
                }
                return Err(Refusal::InvalidHandle { why: fault.to_string() }.into());
            }
            Some(Err(_)) | None => None,
        };
        for uid in next..next.saturating_add(IDS_TRIED_MAX.into()) {
            let base = match &wanted {
                Some(handle) => suffixed(handle, &format!("-{uid}")),
                None => format!("user-{uid}"),
            };
            if let Some(handle) = first_free(&base, free)? {
                return Ok((uid, handle));
            }
        }
        Err(Refusal::HandleTaken.into())
    }

    /// The user; `None` for an identity that none has and that may be new. A command makes the user
    /// when nothing else can refuse it any more, and has it join its automatic rooms last, so that
    /// those take no place from what was asked for.
    pub(super) fn user_unless_new(
        &mut self,
        cx: &CommandContext<'_>,
        user: &UserRef,
    ) -> Result<Option<u64>, Error> {
        match (self.user(cx, user), user) {
            (Err(Error::Refused(Refusal::UnknownUser)), UserRef::IdentityOrNew(_)) => Ok(None),
            (found, _) => found.map(Some),
        }
    }

    /// Makes the user of an identity that [`user_unless_new`](Self::user_unless_new) did not find.
    pub(super) fn make_identified_user(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
    ) -> Result<u64, Error> {
        let UserRef::IdentityOrNew(identity) = user else {
            return Err(Refusal::UnknownUser.into());
        };
        let identities = vec![identity.clone()];
        self.make_user(cx, &NewUser { identities, ..NewUser::default() })
    }

    pub(super) fn update_user(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
        create: bool,
        changes: &ProfileChanges,
    ) -> Result<Reply, Error> {
        let uid = match (self.user(cx, user), user) {
            (Err(Error::Refused(Refusal::UnknownUser)), UserRef::Identity(identity)) if create => {
                let identities = vec![identity.clone()];
                let handle = changes.name.clone();
                let new = NewUser { handle, identities, ..NewUser::default() };
                let uid = self.make_user(cx, &new)?;
                self.auto_join(cx, uid)?;
                uid
            }
            (found, _) => found?,
        };
        let mut row = lookup::known_user(&self.batch, uid)?;
        change_profile(&mut row, changes);
        self.changed(cx, uid, &row)
    }

    fn changed(
        &mut self,
        cx: &mut CommandContext<'_>,
        uid: u64,
        row: &UserRow,
    ) -> Result<Reply, Error> {
        self.write_user(uid, row)?;
        cx.visible = true;
        Ok(Reply::User { user: lookup::user_view(&self.batch, uid)? })
    }

    pub(super) fn link_identity(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
        identity: &str,
    ) -> Result<Reply, Error> {
        let uid = self.user(cx, user)?;
        let mut row = lookup::known_user(&self.batch, uid)?;
        if row.identities.iter().any(|linked| linked == identity) {
            return Ok(Reply::User { user: lookup::user_view(&self.batch, uid)? });
        }
        self.check_identity(identity)?;
        if row.identities.len() >= bounds::IDENTITIES_MAX {
            let max = bounds::IDENTITIES_MAX as u32;
            let what = "identities of the user".into();
            return Err(Refusal::QuotaExceeded { what, max }.into());
        }
        row.identities.push(identity.to_owned());
        self.batch.identities_mut()?.insert(identity, uid)?;
        self.changed(cx, uid, &row)
    }

    pub(super) fn unlink_identity(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
        identity: &str,
    ) -> Result<Reply, Error> {
        let uid = self.user(cx, user)?;
        let mut row = lookup::known_user(&self.batch, uid)?;
        if !row.identities.iter().any(|linked| linked == identity) {
            let why = "is not linked to this user".into();
            return Err(Refusal::InvalidIdentity { why }.into());
        }
        row.identities.retain(|linked| linked != identity);
        self.batch.identities_mut()?.remove(identity)?;
        self.changed(cx, uid, &row)
    }

    pub(super) fn set_password(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
        password: &Secret,
    ) -> Result<Reply, Error> {
        let uid = self.user(cx, user)?;
        let password = hashed(password)?;
        let row = UserRow { password, ..lookup::known_user(&self.batch, uid)? };
        self.write_user(uid, &row)?;
        self.revoke(uid)?;
        Ok(Reply::User { user: lookup::user_view(&self.batch, uid)? })
    }

    /// Joins the rooms in the front end's `auto_join`.
    pub(super) fn auto_join(
        &mut self,
        cx: &mut CommandContext<'_>,
        uid: u64,
    ) -> Result<Vec<AutoJoinFailure>, Error> {
        let mut skipped = Vec::new();
        for name in &cx.frontend.auto_join {
            let joined = match lookup::any_room(&self.batch, &RoomRef::Name(name.clone())) {
                // The members of a closed room are its owner's choice.
                Ok((id, row)) if row.closed => self.check_public(id, &row),
                Ok((id, row)) => self.join_room(cx, id, &row, uid),
                Err(fail) => Err(fail),
            };
            match joined {
                Ok(()) => (),
                Err(Error::Refused(why)) => {
                    skipped.push(AutoJoinFailure { room: name.clone(), why })
                }
                Err(fail) => return Err(fail),
            }
        }
        Ok(skipped)
    }
}

/// The password's hash, which the host has computed.
fn hashed(password: &Secret) -> Result<String, Refusal> {
    match password {
        Secret::Hashed(hash) => Ok(hash.clone()),
        Secret::Plain(_) | Secret::Sha256(_) => {
            let why = "a password reached the engine before it was hashed".into();
            Err(Refusal::Internal { why })
        }
    }
}

/// A display name, cut to 256 characters: every message carries it. None for one that others would
/// take for a guest or for a handle: like such a handle it is not taken, and refuses nothing.
fn display_name(name: &str) -> Option<String> {
    let name = bounds::cut(name, bounds::DISPLAY_NAME_CHARS_MAX);
    (!chosen_name::is_reserved(name)).then(|| name.to_owned())
}

pub(super) fn change_profile(row: &mut UserRow, changes: &ProfileChanges) {
    let ProfileChanges { name, avatar, sex, preferences, info } = changes;
    if let Some(name) = name.as_deref().and_then(display_name) {
        row.name = name;
    }
    let fields = [(&mut row.avatar, avatar), (&mut row.sex, sex), (&mut row.info, info)];
    for (field, change) in fields {
        if let Some(change) = change {
            field.clone_from(change);
        }
    }
    if let Some(preferences) = preferences {
        row.preferences.clone_from(preferences);
    }
}
