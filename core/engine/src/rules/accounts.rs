//! Accounts, sessions and tokens.

use std::sync::Arc;

use core_model::{
    AutoJoinFailure, Command, Credential, Delivery, Grant, Message, MessageId, NewUser,
    ProfileChanges, Refusal, Reply, RoomRef, Secret, TokenHash, UserRef, bounds, check_handle,
};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext, tags};
use super::expiry;
use super::names::{first_free, suffixed};
use super::quotas::Window;
use crate::error::{Error, StoreError};
use crate::lookalike;
use crate::lookup;
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::rows::{SessionRow, TokenRow, UserRow, pack, unpack};
use crate::tables::Tables;

/// The stream number of a user's delivery cursor; no room and no inbox has it.
const DELIVERY: u64 = u64::MAX;

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

    fn make_user(&mut self, cx: &mut CommandContext<'_>, user: &NewUser) -> Result<u64, Error> {
        let accounts_max = cx.frontend.quotas.accounts_per_address_per_hour_max;
        self.check_window(cx, Window::Accounts, accounts_max)?;
        for identity in &user.identities {
            self.check_identity(identity)?;
        }
        let uid = self.counters.next_uid;
        let handle = self.choose_handle(user, uid)?;
        let password = match &user.password {
            None => String::new(),
            Some(password) => hashed(password)?,
        };
        let mut row = UserRow {
            handle,
            name: display_name(user.handle.as_deref().unwrap_or_default()),
            identities: user.identities.clone(),
            created: cx.request.now,
            password,
            ..UserRow::default()
        };
        change_profile(&mut row, &user.profile);
        self.counters.next_uid += 1;
        self.batch.handles_mut()?.insert(row.handle.as_str(), uid)?;
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
        let wrong = |why: &str| Error::from(Refusal::InvalidIdentity { why: why.into() });
        if !identity
            .split_once('/')
            .is_some_and(|(realm, subject)| !realm.is_empty() && !subject.is_empty())
        {
            return Err(wrong("is not of the form realm/subject"));
        }
        if identity.len() > bounds::IDENTITY_BYTES_MAX {
            return Err(wrong("is too long"));
        }
        if self.batch.identities()?.get(identity)?.is_some() {
            return Err(Refusal::IdentityTaken.into());
        }
        Ok(())
    }

    fn choose_handle(&self, user: &NewUser, uid: u64) -> Result<String, Error> {
        let wanted = user.handle.as_deref().map(check_handle);
        let free = |handle: &str| -> Result<bool, StoreError> {
            Ok(lookup::uid_of_handle(&self.batch, handle)?.is_none())
        };
        let base = match wanted {
            Some(Ok(handle)) => {
                if free(&handle)? && !lookup::resembles_other_handle(&self.batch, &handle)? {
                    return Ok(handle);
                }
                if user.insist {
                    return Err(Refusal::HandleTaken.into());
                }
                suffixed(&handle, &format!("-{uid}"))
            }
            Some(Err(fault)) if user.insist => {
                return Err(Refusal::InvalidHandle { why: fault.to_string() }.into());
            }
            Some(Err(_)) | None => format!("user-{uid}"),
        };
        first_free(&base, free)
    }

    pub(super) fn sign_in(
        &mut self,
        cx: &mut CommandContext<'_>,
        command: &Command,
    ) -> Result<Reply, Error> {
        let Command::SignIn {
            user,
            credential,
            create,
            changes,
            session,
            delivery,
            token,
            address,
        } = command
        else {
            unreachable!("called with a SignIn")
        };
        if matches!(credential, Credential::Password(_)) {
            // The host checks passwords and passes on `Vouched`: this one was not checked.
            return Err(Refusal::WrongPassword.into());
        }
        token.as_ref().map(drawn).transpose()?;
        let uid = match (self.user(cx, user), create) {
            (Err(Error::Refused(Refusal::UnknownUser)), Some(new)) => self.make_user(cx, new)?,
            (found, _) => found?,
        };
        if !changes.is_empty() {
            let mut row = lookup::known_user(&self.batch, uid)?;
            change_profile(&mut row, changes);
            self.write_user(uid, &row)?;
            cx.visible = true;
        }
        if *session {
            self.replace_session(cx)?;
        }
        let skipped = self.auto_join(cx, uid)?;
        let backlog = if *session { self.begin_session(cx, uid, *delivery)? } else { Vec::new() };
        if let Some(grant) = token {
            self.store_token(cx, uid, grant)?;
        }
        if let Some(grant) = address {
            let until = cx.request.now.saturating_add(grant.ttl_ms);
            let address = grant.address.as_str();
            self.batch.addresses_mut()?.insert((address, uid), until)?;
            self.batch.addresses_by_user_mut()?.insert((uid, address), ())?;
            expiry::note_address(&mut self.batch, until, &grant.address, uid)?;
        }
        let rooms = if *session { lookup::rooms_of_member(&self.batch, uid)? } else { Vec::new() };
        let rooms = tags(&self.batch, &rooms)?;
        let user = lookup::user_view(&self.batch, uid)?;
        Ok(Reply::SignedIn { user, token: None, rooms, backlog, skipped })
    }

    /// Makes this connection a session of the user and returns the messages to deliver.
    fn begin_session(
        &mut self,
        cx: &CommandContext<'_>,
        uid: u64,
        delivery: Option<Delivery>,
    ) -> Result<Vec<Arc<Message>>, Error> {
        let mut backlog = Vec::new();
        if let Some(delivery) = delivery
            && !self.is_delivered_live(uid)?
        {
            backlog = self.backlog(uid, delivery.backlog_max as usize)?;
            let newest = self.counters.next_message - 1;
            self.batch.cursors_mut()?.insert((uid, DELIVERY), newest)?;
        }
        let row = SessionRow { uid, delivers: delivery.is_some() };
        let connection = cx.request.connection;
        self.batch.sessions_mut()?.insert(connection, pack(&row).as_slice())?;
        self.cached(|cache| cache.forget_session(connection));
        self.batch.sessions_by_user_mut()?.insert((uid, connection), ())?;
        self.count_presence(uid, 1)?;
        Ok(backlog)
    }

    pub(super) fn sign_out(&mut self, cx: &mut CommandContext<'_>) -> Result<Reply, Error> {
        self.replace_session(cx)?;
        Ok(Reply::Done)
    }

    pub(super) fn disconnect(
        &mut self,
        cx: &mut CommandContext<'_>,
        delivered: Option<MessageId>,
    ) -> Result<Reply, Error> {
        self.end_session(cx, delivered)?;
        Ok(Reply::Done)
    }

    /// Ends the session of a connection that stays open: messages on their way to it will arrive.
    fn replace_session(&mut self, cx: &mut CommandContext<'_>) -> Result<(), StoreError> {
        let newest = MessageId(self.counters.next_message - 1);
        self.end_session(cx, Some(newest))
    }

    /// Gives back the seats of this connection and ends its session, if it has any.
    fn end_session(
        &mut self,
        cx: &mut CommandContext<'_>,
        delivered: Option<MessageId>,
    ) -> Result<(), StoreError> {
        self.leave_seats_of_connection(cx)?;
        let connection = cx.request.connection;
        let Some(session) = lookup::session(&self.batch, connection)? else { return Ok(()) };
        self.batch.sessions_mut()?.remove(connection)?;
        self.cached(|cache| cache.forget_session(connection));
        self.batch.sessions_by_user_mut()?.remove((session.uid, connection))?;
        self.count_presence(session.uid, -1)?;
        if session.delivers
            && let Some(delivered) = delivered
        {
            let key = (session.uid, DELIVERY);
            // A message that does not exist yet cannot have been delivered.
            let delivered = delivered.0.min(self.counters.next_message - 1);
            let cursor = self.batch.cursors()?.get(key)?.map_or(0, |cursor| cursor.value());
            self.batch.cursors_mut()?.insert(key, cursor.max(delivered))?;
        }
        Ok(())
    }

    /// Changes the number of sessions and seats that make a user online.
    pub(super) fn count_presence(&mut self, uid: u64, change: i32) -> Result<(), StoreError> {
        let count = self.batch.presence()?.get(uid)?.map_or(0, |count| count.value());
        match count.saturating_add_signed(change) {
            0 => {
                self.batch.presence_mut()?.remove(uid)?;
            }
            count => {
                self.batch.presence_mut()?.insert(uid, count)?;
            }
        }
        Ok(())
    }

    /// Whether a session receives the user's messages as they are posted.
    fn is_delivered_live(&self, uid: u64) -> Result<bool, StoreError> {
        for row in self.batch.sessions_by_user()?.range((uid, 0)..=(uid, u64::MAX))? {
            let connection = row?.0.value().1;
            if lookup::session(&self.batch, connection)?.is_some_and(|session| session.delivers) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The newest undelivered messages: in the user's rooms since it joined them, and direct ones
    /// to and from the user.
    fn backlog(&mut self, uid: u64, limit: usize) -> Result<Vec<Arc<Message>>, StoreError> {
        self.settle()?;
        let cursor = self.batch.cursors()?.get((uid, DELIVERY))?.map_or(0, |id| id.value());
        let mut streams =
            vec![(message_index::of_inbox(uid), cursor), (message_index::of_outbox(uid), cursor)];
        for room in lookup::rooms_of_member(&self.batch, uid)? {
            let member = self.batch.members()?.get((room, uid))?;
            let since = member.map_or(0, |member| member.value().1);
            streams.push((message_index::of_room(room), cursor.max(since)));
        }
        let ids = message_index::newest_of(&self.batch, &streams, limit)?;
        MessageReader::new(&self.batch).newest_within(&ids, REPLY_BYTES_MAX)
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
        self.write_user(uid, &row)?;
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
        if !row.identities.iter().any(|linked| linked == identity) {
            self.check_identity(identity)?;
            if row.identities.len() >= bounds::IDENTITIES_MAX {
                let max = bounds::IDENTITIES_MAX as u32;
                let what = "identities of the user".into();
                return Err(Refusal::QuotaExceeded { what, max }.into());
            }
            row.identities.push(identity.to_owned());
            self.batch.identities_mut()?.insert(identity, uid)?;
            self.write_user(uid, &row)?;
            cx.visible = true;
        }
        Ok(Reply::User { user: lookup::user_view(&self.batch, uid)? })
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
        self.write_user(uid, &row)?;
        cx.visible = true;
        Ok(Reply::User { user: lookup::user_view(&self.batch, uid)? })
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

    /// Revokes every token and address of a user. Their rows in `expiries` stay and will find
    /// nothing to remove.
    fn revoke(&mut self, uid: u64) -> Result<(), StoreError> {
        let mut tokens = Vec::new();
        for row in self.batch.tokens_by_user()?.range((uid, &[0; 32])..=(uid, &[u8::MAX; 32]))? {
            tokens.push(*row?.0.value().1);
        }
        for hash in tokens {
            self.batch.tokens_mut()?.remove(&hash)?;
            self.batch.tokens_by_user_mut()?.remove((uid, &hash))?;
        }
        let mut addresses = Vec::new();
        for row in self.batch.addresses_by_user()?.range((uid, "")..(uid + 1, ""))? {
            addresses.push(row?.0.value().1.to_owned());
        }
        for address in addresses {
            self.batch.addresses_mut()?.remove((address.as_str(), uid))?;
            self.batch.addresses_by_user_mut()?.remove((uid, address.as_str()))?;
        }
        Ok(())
    }

    pub(super) fn issue_token(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
        grant: &Grant,
    ) -> Result<Reply, Error> {
        let uid = self.user(cx, user)?;
        self.store_token(cx, uid, grant)?;
        Ok(Reply::TokenIssued { token: String::new() })
    }

    fn store_token(
        &mut self,
        cx: &CommandContext<'_>,
        uid: u64,
        grant: &Grant,
    ) -> Result<(), Error> {
        let hash = drawn(grant)?;
        let expires = cx.request.now.saturating_add(grant.ttl_ms);
        let row = TokenRow { uid, expires, ttl_ms: grant.ttl_ms, sliding: grant.sliding };
        let former = self.batch.tokens_mut()?.insert(&hash.0, pack(&row).as_slice())?;
        let former = former.map(|row| unpack("tokens", row.value())).transpose()?;
        // A hash that is granted again belongs to the new user only.
        if let Some(TokenRow { uid, .. }) = former {
            self.batch.tokens_by_user_mut()?.remove((uid, &hash.0))?;
        }
        self.batch.tokens_by_user_mut()?.insert((uid, &hash.0), ())?;
        self.batch.expiries_mut()?.insert((expires, expiry::TOKEN, hash.0.as_slice()), ())?;
        self.trim_tokens(cx, uid, &hash.0)?;
        Ok(())
    }

    pub(super) fn refresh_token(
        &mut self,
        cx: &mut CommandContext<'_>,
        hash: &TokenHash,
    ) -> Result<Reply, Error> {
        self.slide(cx.request.now, hash)?;
        Ok(Reply::Done)
    }

    /// Extends a sliding token that is due for it.
    pub(super) fn slide(&mut self, now: u64, hash: &TokenHash) -> Result<(), StoreError> {
        let Some(row) = lookup::token(&self.batch, hash)? else { return Ok(()) };
        if !is_due(&row, now) {
            return Ok(());
        }
        let expires = now.saturating_add(row.ttl_ms);
        let expiries = self.batch.expiries_mut()?;
        expiries.remove((row.expires, expiry::TOKEN, hash.0.as_slice()))?;
        expiries.insert((expires, expiry::TOKEN, hash.0.as_slice()), ())?;
        let row = TokenRow { expires, ..row };
        self.batch.tokens_mut()?.insert(&hash.0, pack(&row).as_slice())?;
        Ok(())
    }

    /// Joins the rooms in the front end's `auto_join`.
    fn auto_join(
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
        Secret::Plain(_) => {
            let why = "a password reached the engine before it was hashed".into();
            Err(Refusal::Internal { why })
        }
    }
}

/// The token's hash; the host has drawn the token.
fn drawn(grant: &Grant) -> Result<TokenHash, Refusal> {
    grant.hash.ok_or_else(|| {
        let why = "a token reached the engine before it was drawn".into();
        Refusal::Internal { why }
    })
}

/// Whether a sixteenth of a sliding token's time has passed: it expires at most that much early,
/// and most uses are not a write.
pub(crate) fn is_due(row: &TokenRow, now: u64) -> bool {
    row.sliding && row.expires > now && row.expires - now < row.ttl_ms - row.ttl_ms / 16
}

/// A display name, cut to 256 characters: every message carries it.
fn display_name(name: &str) -> String {
    bounds::cut(name, bounds::DISPLAY_NAME_CHARS_MAX).to_owned()
}

fn change_profile(row: &mut UserRow, changes: &ProfileChanges) {
    let ProfileChanges { name, avatar, sex, preferences, info } = changes;
    if let Some(name) = name {
        row.name = display_name(name);
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
