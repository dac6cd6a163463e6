//! What is delivered to a session.
//!
//! A user's cursor is the id up to which messages are acknowledged. It moves only on what the peer of
//! a connection has shown to have. A session that begins gets everything after it, whether or not
//! another session of the user is still open: that one may be dead and not noticed yet.
//!
//! A front end limits how many messages of the time without a session it delivers. What a session was
//! sent before it was lost is not limited so: its peer would not know that some are missing.

mod expired;
mod owed;

use std::sync::Arc;

use core_model::{Delivery, Gap, Message, MessageId, Reply, Uid};
use redb::ReadableTable;
use sha2::{Digest, Sha256};

use super::context::{BatchContext, CommandContext};
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::missed;
use crate::removed;
use crate::rows::SessionRow;
use crate::tables::Tables;

pub(crate) use expired::Gone;
pub(crate) use owed::owed;

/// The stream number of the cursor that a user's sessions without a device share.
pub(super) const SHARED: u64 = u64::MAX;

/// The two highest bits mark the cursors of devices; no room, inbox or outbox has both.
pub(super) const DEVICE: u64 = 0b11 << 62;

/// The lowest bit of every cursor's stream. The stream without it has the id up to which the last
/// session was sent messages.
const CURSOR: u64 = 1;

/// [`SessionRow::delivery`] of a session that has no cursor, and of one that uses [`SHARED`].
const NO_DELIVERY: u64 = 0;
const SHARED_DELIVERY: u64 = 1;

/// Devices of a user with cursors of their own: more than a person has, few enough that one account
/// cannot fill the table.
const DEVICES_MAX: usize = 16;

/// Messages of lost sessions that are delivered again: more than the buffers of a connection and
/// its mailbox hold of common messages.
const IN_FLIGHT_MAX: usize = 8_192;

/// Bytes of text that are delivered: as much as such buffers hold.
const DELIVERY_BYTES_MAX: usize = 4 * REPLY_BYTES_MAX;

/// What a session begins with.
#[derive(Default)]
pub(super) struct Begun {
    pub(super) backlog: Vec<Arc<Message>>,
    /// The id up to which messages are acknowledged; none without delivery.
    pub(super) cursor: Option<MessageId>,
    /// What a device missed that is not in the backlog.
    pub(super) gap: Option<Gap>,
}

impl BatchContext<'_> {
    /// The messages to deliver to a session that begins. `former` is the session that its connection
    /// was before.
    pub(super) fn begin_delivery(
        &mut self,
        session: &SessionRow,
        delivery: &Delivery,
        former: Option<SessionRow>,
    ) -> Result<Begun, Error> {
        let streams = self.streams_to(session.uid, delivery.direct_only)?;
        let key = (session.uid, stream_of(session));
        let is_new = delivery.direct_only && self.batch.cursors()?.get(key)?.is_none();
        let begins = if is_new { Some(self.begin_reading(session, &streams)?) } else { None };
        let cursor = self.cursor(key.0, key.1)?;
        let has = MessageId(begins.unwrap_or(cursor));
        let mut begun = Begun { cursor: Some(has), ..Begun::default() };
        // The same session again was sent all of it, and its peer may yet acknowledge that.
        if former != Some(*session) && delivery.backlog_max > 0 {
            let sent = self.sent_up_to(session)?;
            let limit = delivery.backlog_max as usize;
            begun.backlog = self.backlog(&streams, cursor, sent, limit)?;
            if !delivery.device.is_empty() {
                let cursors = [cursor, cursor.max(sent)];
                begun.gap = missed::gap(&self.batch, &streams, cursors, &begun.backlog)?;
            }
        }
        Ok(begun)
    }

    /// Gives a reader that has acknowledged nothing yet its cursor: the newest id, so that what comes
    /// from now on in its rooms is missed if it does not arrive, or that before the first message that
    /// it is owed. Returns up to which id it has missed nothing in its rooms.
    fn begin_reading(
        &mut self,
        session: &SessionRow,
        streams: &[(u64, u64)],
    ) -> Result<u64, StoreError> {
        self.settle()?;
        let key = (session.uid, stream_of(session));
        // In a store of an earlier version a reader may have been sent messages, and have no cursor.
        let sent = self.cursor(key.0, key.1 & !CURSOR)?;
        let begins = if sent > 0 { sent } else { self.counters.next_message - 1 };
        let mut cursor = begins;
        for (stream, since) in streams {
            let first = message_index::oldest(&self.batch, *stream, *since, 1)?;
            let is_removed = removed::up_to(&self.batch, *stream)? > *since;
            let before = first.first().map_or(begins, |first| first - 1);
            cursor = cursor.min(if is_removed { *since } else { before });
        }
        self.batch.cursors_mut()?.insert(key, cursor)?;
        if session.delivery != SHARED_DELIVERY {
            self.forget_oldest_device(key)?;
        }
        Ok(begins)
    }

    pub(super) fn acknowledge(
        &mut self,
        cx: &CommandContext<'_>,
        user: Uid,
        message: MessageId,
        device: Option<&str>,
    ) -> Result<Reply, Error> {
        // A connection that has signed in as another user acknowledges nothing for that one.
        if let Some(session) = lookup::session(&self.batch, cx.request.connection)?
            && session.uid == user.0
        {
            // The session may be on another device by now, whose peer does not have the messages.
            let delivery = device.map_or(session.delivery, cursor_of);
            self.move_cursor(&SessionRow { delivery, ..session }, message)?;
        }
        Ok(Reply::Done)
    }

    /// Notes up to which id a session was sent messages that may not have arrived.
    pub(super) fn note_sent(&mut self, session: &SessionRow) -> Result<(), StoreError> {
        let newest = self.counters.next_message - 1;
        let stream = stream_of(session);
        if session.delivery != NO_DELIVERY && self.cursor(session.uid, stream)? < newest {
            self.batch.cursors_mut()?.insert((session.uid, stream & !CURSOR), newest)?;
        }
        Ok(())
    }

    /// The id up to which sessions with the same cursor were sent messages.
    fn sent_up_to(&self, session: &SessionRow) -> Result<u64, StoreError> {
        let uid = session.uid;
        for row in self.batch.sessions_by_user()?.range((uid, 0)..=(uid, u64::MAX))? {
            let connection = row?.0.value().1;
            if lookup::session(&self.batch, connection)? == Some(*session) {
                return Ok(self.counters.next_message - 1);
            }
        }
        self.cursor(uid, stream_of(session) & !CURSOR)
    }

    fn cursor(&self, uid: u64, stream: u64) -> Result<u64, StoreError> {
        Ok(self.batch.cursors()?.get((uid, stream))?.map_or(0, |cursor| cursor.value()))
    }

    /// Moves the cursor of a session forward.
    pub(super) fn move_cursor(
        &mut self,
        session: &SessionRow,
        to: MessageId,
    ) -> Result<(), StoreError> {
        if session.delivery == NO_DELIVERY {
            return Ok(());
        }
        let key = (session.uid, stream_of(session));
        // A message that does not exist yet cannot have been delivered.
        let to = if to.0 < self.counters.next_message { to.0 } else { 0 };
        let cursor = self.batch.cursors()?.get(key)?.map(|cursor| cursor.value());
        if cursor.unwrap_or(0) >= to {
            return Ok(());
        }
        self.batch.cursors_mut()?.insert(key, to)?;
        if cursor.is_none() && session.delivery != SHARED_DELIVERY {
            self.forget_oldest_device(key)?;
        }
        Ok(())
    }

    /// Forgets the device that is farthest behind, other than `but`, if there are too many.
    fn forget_oldest_device(&mut self, but: (u64, u64)) -> Result<(), StoreError> {
        let mut devices = Vec::new();
        for row in self.batch.cursors()?.range((but.0, DEVICE)..(but.0, SHARED))? {
            let (key, cursor) = row?;
            if key.value().1 & CURSOR != 0 {
                devices.push((cursor.value(), key.value()));
            }
        }
        if devices.len() > DEVICES_MAX {
            let oldest = devices.into_iter().filter(|(_, key)| *key != but).min();
            if let Some((_, (uid, stream))) = oldest {
                self.batch.cursors_mut()?.remove((uid, stream))?;
                self.batch.cursors_mut()?.remove((uid, stream & !CURSOR))?;
            }
        }
        Ok(())
    }

    /// The streams of the messages that a user may have, each with the id before its first: direct
    /// ones to and from the user, and those in its rooms since it joined them.
    fn streams_to(&self, uid: u64, direct_only: bool) -> Result<Vec<(u64, u64)>, StoreError> {
        let mut streams =
            vec![(message_index::of_inbox(uid), 0), (message_index::of_outbox(uid), 0)];
        if direct_only {
            return Ok(streams);
        }
        for room in lookup::rooms_of_member(&self.batch, uid)? {
            let member = self.batch.members()?.get((room, uid))?;
            streams.push((message_index::of_room(room), member.map_or(0, |it| it.value().1)));
        }
        Ok(streams)
    }

    /// The messages of streams after a cursor. Of those after `sent`, too, the newest `limit`.
    fn backlog(
        &mut self,
        streams: &[(u64, u64)],
        cursor: u64,
        sent: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        self.settle()?;
        let mut ids = Vec::new();
        if sent > cursor {
            let before = sent + 1;
            ids = message_index::newest_of(
                &self.batch,
                &after(streams, cursor),
                before,
                IN_FLIGHT_MAX,
            )?;
        }
        let missed = after(streams, cursor.max(sent));
        ids.extend(message_index::newest_of(&self.batch, &missed, u64::MAX, limit)?);
        MessageReader::new(&self.batch).newest_within(&ids, DELIVERY_BYTES_MAX)
    }
}

/// Whether a stream is that of the cursor which a user's sessions without a device share.
pub(crate) fn is_shared_cursor(stream: u64) -> bool {
    stream == SHARED
}

/// Whether a stream is that of the cursor of a device.
pub(crate) fn is_cursor_of_device(stream: u64) -> bool {
    stream & DEVICE == DEVICE && stream & CURSOR != 0 && stream != SHARED
}

/// Streams from an id on.
fn after(streams: &[(u64, u64)], from: u64) -> Vec<(u64, u64)> {
    streams.iter().map(|(stream, since)| (*stream, from.max(*since))).collect()
}

/// The row of a session, with its delivery if it asked for that.
pub(super) fn session(uid: u64, delivery: Option<&Delivery>) -> SessionRow {
    SessionRow { uid, delivery: delivery.map_or(NO_DELIVERY, |it| cursor_of(&it.device)) }
}

/// [`SessionRow::delivery`] of a session with delivery on a device.
fn cursor_of(device: &str) -> u64 {
    if device.is_empty() {
        return SHARED_DELIVERY;
    }
    let digest = Sha256::digest(device.as_bytes());
    let number = digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // Never `SHARED`.
    DEVICE | CURSOR | (number & !DEVICE).min(!DEVICE - 2)
}

/// The stream of the cursor of a session with delivery.
fn stream_of(session: &SessionRow) -> u64 {
    match session.delivery {
        SHARED_DELIVERY => SHARED,
        device => device,
    }
}
