//! Writes the lines of an export.

use std::io;
use std::net::Ipv6Addr;

use core_model::{
    BanNetwork, Banned, CursorOf, EXPORT_VERSION, ExportEnd, ExportHeader, ExportRecord,
    ExportedBan, ExportedCursor, ExportedInvitation, ExportedMask, ExportedMember, ExportedMessage,
    ExportedMute, ExportedReadMark, ExportedRoom, ExportedUser, MaskList, MessageId, RoomId,
    Timestamp, Uid,
};
use redb::ReadableTable;

use super::{ExportSummary, corrupt};
use crate::backup::BackupError;
use crate::bans;
use crate::event_log;
use crate::lookup;
use crate::message_index;
use crate::policy_row::{ListId, MaskRow};
use crate::removed::{self, OWNER};
use crate::rows::{BanRow, Destination, MessageRow, RoomRow, UserRow, Who, unpack};
use crate::rules::CursorStream;
use crate::state::Snapshot;
use crate::tables::Tables as _;

/// Lines are given on when they have as many bytes.
const PIECE_BYTES: usize = 1 << 20;

/// Gives the lines of a snapshot to `sink` in pieces of about a megabyte. An error of the sink ends
/// the export.
pub(crate) fn write(
    snapshot: &Snapshot,
    sink: impl FnMut(Vec<u8>) -> io::Result<()>,
) -> Result<ExportSummary, BackupError> {
    let counters = lookup::counters(snapshot)?;
    let header = ExportHeader {
        version: EXPORT_VERSION,
        at: Timestamp(counters.now),
        next_uid: counters.next_uid,
        next_room: counters.next_room,
        next_message: counters.next_message,
    };
    let mut lines = Lines { sink, piece: Vec::new(), records: 0, bytes: 0 };
    lines.line(&ExportRecord::Export(header))?;
    users(snapshot, &mut lines)?;
    rooms(snapshot, &mut lines)?;
    members(snapshot, &mut lines)?;
    bans_and_mutes(snapshot, &mut lines)?;
    masks(snapshot, &mut lines)?;
    messages(snapshot, &mut lines)?;
    cursors(snapshot, &mut lines)?;
    let records = lines.records;
    lines.line(&ExportRecord::End(ExportEnd { records }))?;
    lines.flush()?;
    let newest_message = counters.next_message - 1;
    Ok(ExportSummary { records, bytes: lines.bytes, newest_message })
}

struct Lines<S> {
    sink: S,
    piece: Vec<u8>,
    records: u64,
    bytes: u64,
}

impl<S: FnMut(Vec<u8>) -> io::Result<()>> Lines<S> {
    fn record(&mut self, record: &ExportRecord) -> Result<(), BackupError> {
        self.records += 1;
        self.line(record)
    }

    fn line(&mut self, record: &ExportRecord) -> Result<(), BackupError> {
        serde_json::to_writer(&mut self.piece, record).expect("a record is plain data");
        self.piece.push(b'\n');
        if self.piece.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        self.bytes += self.piece.len() as u64;
        Ok((self.sink)(std::mem::take(&mut self.piece))?)
    }
}

type Written = Result<(), BackupError>;

fn users<S>(tables: &Snapshot, lines: &mut Lines<S>) -> Written
where
    S: FnMut(Vec<u8>) -> io::Result<()>,
{
    for row in tables.users()?.iter()? {
        let (uid, row) = row?;
        let uid = uid.value();
        let row: UserRow = unpack("users", row.value())?;
        let removed = |stream| removed::up_to(tables, stream).map(MessageId);
        lines.record(&ExportRecord::User(ExportedUser {
            uid: Uid(uid),
            handle: row.handle,
            name: row.name,
            created: Timestamp(row.created),
            identities: row.identities,
            password: row.password,
            avatar: row.avatar,
            sex: row.sex,
            preferences: row.preferences,
            info: row.info,
            removed_received: removed(message_index::of_inbox(uid))?,
            removed_sent: removed(message_index::of_outbox(uid))?,
        }))?;
    }
    Ok(())
}

fn rooms<S>(tables: &Snapshot, lines: &mut Lines<S>) -> Written
where
    S: FnMut(Vec<u8>) -> io::Result<()>,
{
    for row in tables.rooms()?.iter()? {
        let (id, row) = row?;
        let id = id.value();
        let row = RoomRow::unpack(row.value())?;
        lines.record(&ExportRecord::Room(ExportedRoom {
            id: RoomId(id),
            name: row.name,
            title: row.title,
            section: row.section,
            description: row.description,
            owner: row.owner.map(Uid),
            created: Timestamp(row.created),
            capacity: row.capacity,
            active: row.active,
            closed: row.closed,
            opened: row.opened,
            ends_unused: tables.unowned_rooms()?.get(id)?.is_some(),
            app_code: row.app_code,
            info: row.info,
            removed: MessageId(removed::up_to(tables, message_index::of_room(id))?),
            policy: (&row.policy).into(),
        }))?;
    }
    Ok(())
}

fn members<S>(tables: &Snapshot, lines: &mut Lines<S>) -> Written
where
    S: FnMut(Vec<u8>) -> io::Result<()>,
{
    for row in tables.rooms()?.iter()? {
        let id = row?.0.value();
        for uid in lookup::members(tables, id)? {
            let row = tables.members()?.get((id, uid))?.ok_or(corrupt("members"))?;
            let since = MessageId(row.value().1);
            let member = ExportedMember { room: RoomId(id), user: Uid(uid), since };
            lines.record(&ExportRecord::Member(member))?;
        }
    }
    Ok(())
}

fn bans_and_mutes<S>(tables: &Snapshot, lines: &mut Lines<S>) -> Written
where
    S: FnMut(Vec<u8>) -> io::Result<()>,
{
    for row in tables.bans()?.iter()? {
        let (key, row) = row?;
        let BanRow { reason, created, until, deleted } = unpack("bans", row.value())?;
        let (created, until) = (Timestamp(created), bans::until(until));
        let mut ban = ExportedBan { reason, created, until, deleted, ..ExportedBan::default() };
        match bans::target(key.value()).ok_or(corrupt("bans"))? {
            Banned::User(uid) => ban.user = Some(uid),
            Banned::Identity(identity) => ban.identity = Some(identity),
            Banned::Network(BanNetwork { bits, prefix }) => {
                ban.network = Some(format!("{}/{prefix}", Ipv6Addr::from(bits)));
            }
        }
        lines.record(&ExportRecord::Ban(ban))?;
    }
    for row in tables.mutes()?.iter()? {
        let (key, ends) = row?;
        let (room, user) = key.value();
        let (room, user, until) = (RoomId(room), Uid(user), bans::until(ends.value()));
        lines.record(&ExportRecord::Mute(ExportedMute { room, user, until }))?;
    }
    Ok(())
}

/// The lists of rooms, and their open invitations.
fn masks<S>(tables: &Snapshot, lines: &mut Lines<S>) -> Written
where
    S: FnMut(Vec<u8>) -> io::Result<()>,
{
    for row in tables.room_masks()?.iter()? {
        let (key, row) = row?;
        let (room, list, name) = key.value();
        let MaskRow { by, at } = unpack("room_masks", row.value())?;
        let (room, at) = (RoomId(room), Timestamp(at));
        if list == ListId::Invited as u8 {
            let (user, guest) = match Who::of_key(name).ok_or(corrupt("room_masks"))? {
                Who::User(uid) => (Some(Uid(uid)), None),
                Who::Guest(name) => (None, Some(name)),
            };
            let invitation = ExportedInvitation { room, user, guest, by, at };
            lines.record(&ExportRecord::Invitation(invitation))?;
            continue;
        }
        let list = MaskList::ALL.into_iter().find(|one| ListId::from(*one) as u8 == list);
        let list = list.ok_or(corrupt("room_masks"))?;
        let mask = ExportedMask { room, list, mask: name.to_owned(), by, at };
        lines.record(&ExportRecord::Mask(mask))?;
    }
    Ok(())
}

fn messages<S>(tables: &Snapshot, lines: &mut Lines<S>) -> Written
where
    S: FnMut(Vec<u8>) -> io::Result<()>,
{
    for row in tables.messages()?.iter()? {
        let (id, row) = row?;
        let id = id.value();
        let row = MessageRow::unpack(row.value())?;
        // Those of a cleared room are swept up later.
        if !event_log::exists(tables, id, &row)? {
            continue;
        }
        let (user, guest) = match row.author {
            Who::User(uid) => (Some(Uid(uid)), None),
            Who::Guest(name) => (None, Some(name)),
        };
        let (room, to) = match row.to {
            Destination::Room(room) => (Some(RoomId(room)), None),
            Destination::User(uid) => (None, Some(Uid(uid))),
        };
        let (id, at) = (MessageId(id), Timestamp(row.at));
        let (notice, text) = (row.notice, row.text);
        let message = ExportedMessage { id, at, user, guest, room, to, notice, text };
        lines.record(&ExportRecord::Message(message))?;
    }
    Ok(())
}

/// Cursors and marks; those of rooms that are gone are left out.
fn cursors<S>(tables: &Snapshot, lines: &mut Lines<S>) -> Written
where
    S: FnMut(Vec<u8>) -> io::Result<()>,
{
    let is_room = |room: RoomId| Ok::<_, BackupError>(tables.rooms()?.get(room.0)?.is_some());
    for row in tables.cursors()?.range((OWNER + 1, 0)..)? {
        let (key, value) = row?;
        let (uid, stream) = key.value();
        let (user, value) = (Uid(uid), value.value());
        let at = Timestamp(value);
        let record = match CursorStream::of(uid, stream).ok_or(corrupt("cursors"))? {
            CursorStream::Cursor(CursorOf::Room(room)) | CursorStream::ReadRoom(room)
                if !is_room(room)? =>
            {
                continue;
            }
            CursorStream::Cursor(of) => {
                ExportRecord::Cursor(ExportedCursor { user, of, message: MessageId(value) })
            }
            CursorStream::ReadRoom(room) => {
                ExportRecord::ReadMark(ExportedReadMark { user, room: Some(room), with: None, at })
            }
            CursorStream::ReadUser(with) => {
                ExportRecord::ReadMark(ExportedReadMark { user, room: None, with: Some(with), at })
            }
        };
        lines.record(&record)?;
    }
    Ok(())
}
