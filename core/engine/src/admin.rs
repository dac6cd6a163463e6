//! What operators read: more than any client may see, and never a secret.
//!
//! Each call reads one committed state, and a bounded part of it: a page that found less than its
//! limit may still have a successor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core_model::{
    AdminToken, Ban, Banned, ConnectionId, MaskView, Message, MessageId, Person, Refusal, Roles,
    RoomId, RoomRef, RoomTag, RoomView, Timestamp, TokenHash, Uid, UserRef, UserView,
};
use redb::ReadableTable;

use crate::bans;
use crate::cache::rows as row_cache;
use crate::engine::Engine;
use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::policy;
use crate::rows::{AdminTokenRow, BanRow, Destination, MessageRow, SeatRow, UserRow, Who, unpack};
use crate::search::fold;
use crate::state::Snapshot;
use crate::tables::Tables;

/// Rows that one page of a search looks at: some ten milliseconds' work.
const SEARCHED_MAX: usize = 10_000;

/// Names with one first letter that are looked at for one that was meant.
const NEAR_MAX: usize = 2_000;

/// A part of a list, and where the next part begins, if there may be one.
#[derive(Clone, Debug)]
pub struct AdminPage<T, C> {
    pub items: Vec<T>,
    pub next: Option<C>,
}

/// An account, as operators see it.
#[derive(Clone, Debug)]
pub struct UserRecord {
    pub user: UserView,
    pub has_password: bool,
    /// The ban of the user as such; those of its identities are not looked for.
    pub ban: Option<Ban>,
}

/// The people on a connection, and their rooms.
#[derive(Clone, Debug, Default)]
pub struct LiveConnection {
    /// The user that has signed in on it.
    pub user: Option<Arc<Person>>,
    /// The seats by this connection.
    pub seats: Vec<(RoomTag, Arc<Person>)>,
    /// Of a user without a seat by it: the rooms that the user is a durable member of, whose messages
    /// the connection gets.
    pub rooms: Vec<RoomTag>,
}

/// A user that may not post to a room.
#[derive(Clone, Debug)]
pub struct Muted {
    pub user: Arc<Person>,
    pub until: Option<Timestamp>,
}

/// What holds in a room.
#[derive(Clone, Debug)]
pub struct RoomPolicy {
    pub room: RoomView,
    /// Its lists, each by mask.
    pub masks: Vec<MaskView>,
    /// Those who may enter once, past bans, the key and `invite_only`.
    pub invited: Vec<Invited>,
    /// Those who hold a role by a seat. The owner, who is always an operator, is not among them
    /// unless it has been given one.
    pub roles: Vec<(Arc<Person>, Roles)>,
}

/// An invitation that was not used.
#[derive(Clone, Debug)]
pub struct Invited {
    pub user: Arc<Person>,
    /// The handle of the user that has invited it.
    pub by: String,
    pub at: Timestamp,
}

impl<T: Send + 'static> Engine<T> {
    /// The token of the admin API with this hash, if it has not expired.
    pub fn admin_token(
        &self,
        at: Timestamp,
        hash: &TokenHash,
    ) -> Result<Option<AdminToken>, Refusal> {
        self.read(|tables| {
            let row = tables.admin_tokens()?.get(&hash.0)?;
            let token = row.map(|row| admin_token(&hash.0, row.value())).transpose()?;
            Ok(token.filter(|token| token.expires.is_none_or(|expires| expires > at)))
        })
    }

    /// The tokens of the admin API, those that have expired too.
    pub fn admin_tokens(&self) -> Result<Vec<AdminToken>, Refusal> {
        self.read(|tables| {
            let mut tokens = Vec::new();
            for row in tables.admin_tokens()?.iter()? {
                let (hash, row) = row?;
                tokens.push(admin_token(hash.value(), row.value())?);
            }
            tokens.sort_by_key(|token| token.created);
            Ok(tokens)
        })
    }

    /// Bans in the order of users, identities and networks, those that have ended left out.
    pub fn bans(
        &self,
        at: Timestamp,
        after: Option<&Banned>,
        limit: usize,
    ) -> Result<Vec<Ban>, Refusal> {
        self.read(|tables| Ok(bans::list(tables, at.0, after, limit)?))
    }

    /// The ban of this target that has not ended.
    pub fn ban(&self, at: Timestamp, target: &Banned) -> Result<Option<Ban>, Refusal> {
        self.read(|tables| {
            let row = bans::of_key(tables, at.0, &bans::key(target))?;
            Ok(row.map(|row| ban_of(target.clone(), row)))
        })
    }

    /// The account that `user` names.
    pub fn user_record(&self, at: Timestamp, user: &UserRef) -> Result<UserRecord, Refusal> {
        self.read(|tables| {
            let uid = lookup::user(tables, request(at), user)?;
            Ok(user_record(tables, at, uid)?)
        })
    }

    /// Accounts with a greater uid; with `text`, those whose handle, display name or an identity
    /// contains it in any case.
    pub fn users(
        &self,
        at: Timestamp,
        after: Uid,
        text: Option<&str>,
        limit: usize,
    ) -> Result<AdminPage<UserRecord, Uid>, Refusal> {
        let wanted = text.map(fold);
        self.read(|tables| {
            let mut items = Vec::new();
            let mut last = None;
            for (looked_at, row) in tables.users()?.range(after.0.saturating_add(1)..)?.enumerate()
            {
                if items.len() >= limit || looked_at >= SEARCHED_MAX {
                    return Ok(AdminPage { items, next: last });
                }
                let (uid, row) = row?;
                let uid = uid.value();
                last = Some(Uid(uid));
                let row: UserRow = unpack("users", row.value())?;
                if wanted.as_deref().is_none_or(|wanted| has_text(&row, wanted)) {
                    items.push(user_record(tables, at, uid)?);
                }
            }
            Ok(AdminPage { items, next: None })
        })
    }

    /// Handles of accounts that begin like this one: one of them may have been meant.
    pub fn handles_near(&self, name: &str) -> Result<Vec<String>, Refusal> {
        self.read(|tables| {
            let handles = tables.handles()?;
            let mut near = Vec::new();
            for begin in begins(name) {
                for row in handles.range(begin.as_str()..)?.take(NEAR_MAX) {
                    let (handle, _) = row?;
                    if !handle.value().starts_with(&begin) {
                        break;
                    }
                    near.push(handle.value().to_owned());
                }
            }
            Ok(near)
        })
    }

    /// The same of names of rooms.
    pub fn room_names_near(&self, name: &str) -> Result<Vec<String>, Refusal> {
        self.read(|tables| {
            let names = tables.room_names()?;
            let mut near = Vec::new();
            for begin in begins(name) {
                for row in names.range(begin.as_str()..)?.take(NEAR_MAX) {
                    let (name, _) = row?;
                    if !name.value().starts_with(&begin) {
                        break;
                    }
                    near.push(name.value().to_owned());
                }
            }
            Ok(near)
        })
    }

    /// The people on each connection that has a session or a seat.
    pub fn live_connections(&self) -> Result<BTreeMap<ConnectionId, LiveConnection>, Refusal> {
        self.read(|tables| {
            let mut live: BTreeMap<ConnectionId, LiveConnection> = BTreeMap::new();
            for row in tables.sessions_by_user()?.iter()? {
                let (uid, connection) = row?.0.value();
                let user = lookup::person(tables, uid)?;
                live.entry(ConnectionId(connection)).or_default().user = Some(user);
            }
            for row in tables.seats()?.iter()? {
                let seat = SeatRow::unpack(row?.1.value())?;
                let Some(connection) = seat.connection else { continue };
                let room = lookup::known_room(tables, seat.room)?.tag(seat.room);
                let person = lookup::person_of(tables, &seat.who)?;
                live.entry(ConnectionId(connection)).or_default().seats.push((room, person));
            }
            for on in live.values_mut().filter(|on| on.seats.is_empty()) {
                let Some(Uid(uid)) = on.user.as_ref().and_then(|user| user.uid) else { continue };
                for room in lookup::rooms_of_member(tables, uid)? {
                    on.rooms.push(lookup::known_room(tables, room)?.tag(room));
                }
            }
            Ok(live)
        })
    }

    /// Rooms with a greater id, closed ones too; with `text`, those whose name or title contains it
    /// in any case.
    pub fn all_rooms(
        &self,
        after: RoomId,
        text: Option<&str>,
        limit: usize,
    ) -> Result<AdminPage<RoomView, RoomId>, Refusal> {
        let wanted = text.map(fold);
        self.read(|tables| {
            let mut items = Vec::new();
            let mut last = None;
            let Some(start) = after.0.checked_add(1) else {
                return Ok(AdminPage { items, next: None });
            };
            for (looked_at, row) in tables.rooms()?.range(start..)?.enumerate() {
                if items.len() >= limit || looked_at >= SEARCHED_MAX {
                    return Ok(AdminPage { items, next: last });
                }
                let (id, row) = row?;
                let id = id.value();
                last = Some(RoomId(id));
                let row = row_cache::room(id, row.value())?;
                let is_wanted = |wanted: &str| {
                    fold(&row.name).contains(wanted) || fold(&row.title).contains(wanted)
                };
                if wanted.as_deref().is_none_or(is_wanted) {
                    items.push(lookup::room_view(tables, id, &row)?);
                }
            }
            Ok(AdminPage { items, next: None })
        })
    }

    /// The room, closed or not.
    pub fn room(&self, room: &RoomRef) -> Result<RoomView, Refusal> {
        self.read(|tables| {
            let (id, row) = lookup::any_room(tables, room)?;
            Ok(lookup::room_view(tables, id, &row)?)
        })
    }

    /// The durable members of a room, closed or not, in the order of joining.
    pub fn members_of(&self, room: &RoomRef) -> Result<Vec<Arc<Person>>, Refusal> {
        self.read(|tables| {
            let (id, _) = lookup::any_room(tables, room)?;
            let uids = lookup::members(tables, id)?.into_iter();
            Ok(uids.map(|uid| lookup::person(tables, uid)).collect::<Result<_, StoreError>>()?)
        })
    }

    /// A room, closed or not, with what holds in it.
    pub fn policy_of(&self, at: Timestamp, room: &RoomRef) -> Result<RoomPolicy, Refusal> {
        self.read(|tables| {
            let (id, row) = lookup::any_room(tables, room)?;
            let mut invited = Vec::new();
            for (who, row) in policy::invitations(tables, id, at.0)? {
                let user = lookup::person_of(tables, &who)?;
                invited.push(Invited { user, by: row.by, at: Timestamp(row.at) });
            }
            let roles = policy::roles(tables, id)?.into_iter();
            let roles = roles.map(|(who, roles)| Ok((lookup::person_of(tables, &who)?, roles)));
            Ok(RoomPolicy {
                masks: policy::masks(tables, id)?,
                invited,
                roles: roles.collect::<Result<_, StoreError>>()?,
                room: lookup::room_view(tables, id, &row)?,
            })
        })
    }

    /// The muted users of a room, by uid.
    pub fn muted(&self, at: Timestamp, room: &RoomRef) -> Result<Vec<Muted>, Refusal> {
        self.read(|tables| {
            let (id, _) = lookup::any_room(tables, room)?;
            let mut muted = Vec::new();
            for row in tables.mutes()?.range((id, 0)..=(id, u64::MAX))? {
                let (key, ends) = row?;
                if ends.value() > at.0 {
                    let user = lookup::person(tables, key.value().1)?;
                    muted.push(Muted { user, until: bans::until(ends.value()) });
                }
            }
            Ok(muted)
        })
    }

    /// The newest messages of a room before one, closed or not, oldest first.
    pub fn messages_of_room(
        &self,
        room: &RoomRef,
        before: MessageId,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, Refusal> {
        self.read(|tables| {
            let (id, _) = lookup::any_room(tables, room)?;
            let stream = message_index::of_room(id);
            let ids = message_index::newest(tables, stream, before.0, limit)?;
            Ok(MessageReader::new(tables).newest_within(&ids, REPLY_BYTES_MAX)?)
        })
    }

    /// Messages that a user wrote, and direct messages to it, with greater ids, oldest first.
    pub fn messages_of_user(
        &self,
        uid: Uid,
        after: MessageId,
        limit: usize,
    ) -> Result<AdminPage<Arc<Message>, MessageId>, Refusal> {
        self.read(|tables| {
            let mut ids = Vec::new();
            let mut next = None;
            let rows = tables.messages()?.range(after.0.saturating_add(1)..)?;
            for (looked_at, row) in rows.enumerate() {
                if ids.len() >= limit || looked_at >= SEARCHED_MAX {
                    let items = MessageReader::new(tables).of(&ids)?;
                    return Ok(AdminPage { items, next });
                }
                let (id, row) = row?;
                next = Some(MessageId(id.value()));
                let row = MessageRow::unpack(row.value())?;
                if row.author == Who::User(uid.0) || row.to == Destination::User(uid.0) {
                    ids.push(id.value());
                }
            }
            Ok(AdminPage { items: MessageReader::new(tables).of(&ids)?, next: None })
        })
    }

    /// The rooms that a user is a durable member of, and those that it owns.
    pub fn rooms_of_user(&self, uid: Uid) -> Result<(Vec<RoomTag>, Vec<RoomTag>), Refusal> {
        self.read(|tables| {
            let tag = |id: u32| Ok::<_, StoreError>(lookup::known_room(tables, id)?.tag(id));
            let member = lookup::rooms_of_member(tables, uid.0)?;
            let member = member.into_iter().map(tag).collect::<Result<_, _>>()?;
            let owned = tables.owned_rooms()?.range((uid.0, 0)..=(uid.0, u32::MAX))?;
            let owned = owned.map(|row| tag(row?.0.value().1));
            Ok((member, owned.collect::<Result<_, StoreError>>()?))
        })
    }
}

pub(crate) fn request(at: Timestamp) -> Request {
    Request { now: at.0, steady: 0, connection: 0 }
}

fn admin_token(hash: &[u8; 32], row: &[u8]) -> Result<AdminToken, Error> {
    let AdminTokenRow { label, role, created, expires } = unpack("admin_tokens", row)?;
    let (hash, created) = (TokenHash(*hash), Timestamp(created));
    Ok(AdminToken { hash, label, role, created, expires: bans::until(expires) })
}

fn user_record(tables: &Snapshot, at: Timestamp, uid: u64) -> Result<UserRecord, StoreError> {
    let user = lookup::user_view(tables, uid)?;
    let has_password = !lookup::known_user(tables, uid)?.password.is_empty();
    let ban = bans::of_user(tables, at.0, uid)?;
    let ban = ban.map(|row| ban_of(Banned::User(Uid(uid)), row));
    Ok(UserRecord { user, has_password, ban })
}

fn ban_of(target: Banned, row: BanRow) -> Ban {
    let BanRow { reason, created, until, deleted } = row;
    Ban { target, reason, created: Timestamp(created), until: bans::until(until), deleted }
}

fn has_text(row: &UserRow, wanted: &str) -> bool {
    let texts = [&row.handle, &row.name].into_iter().chain(&row.identities);
    texts.into_iter().any(|text| fold(text).contains(wanted))
}

/// What names begin with that differ from this one in the case of the first letter, or not there.
fn begins(name: &str) -> BTreeSet<String> {
    let Some(first) = name.chars().next() else { return BTreeSet::new() };
    [first.to_string(), first.to_lowercase().collect(), first.to_uppercase().collect()].into()
}
