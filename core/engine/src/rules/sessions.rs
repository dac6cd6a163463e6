//! Sessions: signing in and out, and what is delivered to a session.

use std::sync::Arc;

use core_model::{Command, Credential, Delivery, Message, MessageId, Refusal, Reply};
use redb::ReadableTable;

use super::accounts::change_profile;
use super::context::{BatchContext, CommandContext, tags};
use super::expiry;
use super::tokens::drawn;
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::rows::{SessionRow, pack};
use crate::tables::Tables;

/// The stream number of a user's delivery cursor; no room and no inbox has it.
const DELIVERY: u64 = u64::MAX;

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
}
