//! Sessions: signing in and out.

use core_model::{AddressGrant, Command, Credential, Delivery, Grant, MessageId, Refusal, Reply};
use redb::ReadableTable;

use super::accounts::change_profile;
use super::context::{BatchContext, CommandContext, tags};
use super::delivery::{self, Begun};
use super::expiry;
use super::tokens::drawn;
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::rows::{SessionRow, pack};
use crate::tables::Tables;

impl BatchContext<'_> {
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
            // The host checks passwords and passes on `Verified`: this one was not checked.
            return Err(Refusal::WrongPassword.into());
        }
        token.as_ref().map(drawn).transpose()?;
        let uid = match (self.user(cx, user), create) {
            (Err(Error::Refused(Refusal::UnknownUser)), Some(new))
                if *credential == Credential::Vouched =>
            {
                self.make_user(cx, new)?
            }
            (found, _) => found?,
        };
        self.check_verified(uid, credential)?;
        if *session {
            self.check_sessions(cx, uid)?;
        }
        if !changes.is_empty() {
            let mut row = lookup::known_user(&self.batch, uid)?;
            change_profile(&mut row, changes);
            self.write_user(uid, &row)?;
            cx.visible = true;
        }
        let former = if *session { self.end_session(cx)? } else { None };
        let skipped = self.auto_join(cx, uid)?;
        let Begun { backlog, cursor, gap } = if *session {
            self.begin_session(cx, uid, delivery.as_ref(), former)?
        } else {
            Begun::default()
        };
        let device = delivery.as_ref().map_or("", |delivery| &delivery.device);
        self.grant(cx, uid, (token.as_ref(), device), address.as_ref())?;
        let rooms = if *session { lookup::rooms_of_member(&self.batch, uid)? } else { Vec::new() };
        let rooms = tags(&self.batch, &rooms)?;
        let user = lookup::user_view(&self.batch, uid)?;
        Ok(Reply::SignedIn { user, token: None, rooms, backlog, cursor, gap, skipped })
    }

    /// Grants what a sign-in asks for.
    fn grant(
        &mut self,
        cx: &mut CommandContext<'_>,
        uid: u64,
        (token, device): (Option<&Grant>, &str),
        address: Option<&AddressGrant>,
    ) -> Result<(), Error> {
        if let Some(grant) = token {
            self.store_token(cx, uid, grant, device)?;
        }
        if let Some(grant) = address {
            let until = cx.request.now.saturating_add(grant.ttl_ms);
            let address = grant.address.as_str();
            self.batch.addresses_mut()?.insert((address, uid), until)?;
            self.batch.addresses_by_user_mut()?.insert((uid, address), ())?;
            expiry::note_address(&mut self.batch, until, &grant.address, uid)?;
            self.trim_addresses(uid, &grant.address)?;
        }
        Ok(())
    }

    /// Refuses a password that was checked against another than the one that is stored: between the
    /// check and the command it was changed, so that the former one opens the account no more.
    fn check_verified(&self, uid: u64, credential: &Credential) -> Result<(), Error> {
        if matches!(credential, Credential::Verified(_)) {
            let stored = lookup::known_user(&self.batch, uid)?.password;
            if stored.is_empty() || *credential != Credential::verified(&stored) {
                return Err(Refusal::WrongPassword.into());
            }
        }
        Ok(())
    }

    /// Makes this connection a session of the user. `former` is the session that it was before.
    pub(super) fn begin_session(
        &mut self,
        cx: &CommandContext<'_>,
        uid: u64,
        delivery: Option<&Delivery>,
        former: Option<SessionRow>,
    ) -> Result<Begun, Error> {
        let row = delivery::session(uid, delivery);
        let begun = match delivery {
            Some(delivery) => self.begin_delivery(&row, delivery, former)?,
            None => Begun::default(),
        };
        let connection = cx.request.connection;
        self.batch.sessions_mut()?.insert(connection, pack(&row).as_slice())?;
        self.cached(|cache| cache.forget_session(connection));
        self.batch.sessions_by_user_mut()?.insert((uid, connection), ())?;
        self.count_presence(uid, 1)?;
        Ok(begun)
    }

    pub(super) fn sign_out(&mut self, cx: &mut CommandContext<'_>) -> Result<Reply, Error> {
        self.end_session(cx)?;
        Ok(Reply::Done)
    }

    pub(super) fn disconnect(
        &mut self,
        cx: &mut CommandContext<'_>,
        delivered: Option<MessageId>,
    ) -> Result<Reply, Error> {
        if let (Some(session), Some(delivered)) = (self.end_session(cx)?, delivered) {
            self.move_cursor(&session, delivered)?;
        }
        Ok(Reply::Done)
    }

    /// Gives back the seats of this connection and ends its session, if it has any, and returns it.
    pub(super) fn end_session(
        &mut self,
        cx: &mut CommandContext<'_>,
    ) -> Result<Option<SessionRow>, StoreError> {
        self.leave_seats_of_connection(cx)?;
        let connection = cx.request.connection;
        let Some(session) = lookup::session(&self.batch, connection)? else { return Ok(None) };
        self.batch.sessions_mut()?.remove(connection)?;
        self.cached(|cache| cache.forget_session(connection));
        self.batch.sessions_by_user_mut()?.remove((session.uid, connection))?;
        self.count_presence(session.uid, -1)?;
        self.note_sent(&session)?;
        Ok(Some(session))
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
}
