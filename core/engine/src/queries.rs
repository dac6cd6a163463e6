//! What each query reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core_model::{
    Detail, Message, MessageId, Person, Query, Reply, RoomFilter, RoomId, RoomView, Timestamp,
    TokenHash, UserRef,
};
use redb::ReadableTable;

use crate::fail::Fail;
use crate::look::{self, Asker, MessageViews};
use crate::memo;
use crate::rows::{RoomRow, SeatRow, unpack};
use crate::search;
use crate::store::{StoreError, Tables};
use crate::stream;

pub(crate) fn answer(tables: &impl Tables, asker: Asker, query: &Query) -> Result<Reply, Fail> {
    let resolve = |caller: &Option<UserRef>| {
        caller.as_ref().map(|caller| look::user(tables, asker, caller)).transpose()
    };
    match query {
        Query::History { room, caller, before, after, limit } => {
            let (id, _) = look::room(tables, room, resolve(caller)?)?;
            let messages = history(tables, id, *before, *after, *limit as usize)?;
            Ok(Reply::Messages { messages })
        }
        Query::LastChange => {
            Ok(Reply::LastChange { at: Timestamp(look::counters(tables)?.last_change) })
        }
        Query::Members { room, caller } => {
            let (id, _) = look::room(tables, room, resolve(caller)?)?;
            let members = look::members(tables, id)?.into_iter();
            let members: Result<Vec<_>, _> = members.map(|uid| look::person(tables, uid)).collect();
            Ok(Reply::Members { members: members? })
        }
        Query::Occupants { room, caller } => {
            let (id, _) = look::room(tables, room, resolve(caller)?)?;
            Ok(Reply::Members { members: occupants(tables, id)? })
        }
        Query::Room { room, caller, detail } => {
            let (id, row) = look::room(tables, room, resolve(caller)?)?;
            Ok(Reply::Room { room: view(tables, id, &row, *detail)? })
        }
        Query::RoomIds { after, limit } => {
            let rooms = open_rooms(tables, after.0, *limit as usize)?;
            Ok(Reply::RoomIds { rooms: rooms.into_iter().map(|(id, _)| RoomId(id)).collect() })
        }
        Query::Rooms { filter: RoomFilter::Open, after, limit, detail }
            if *detail == Detail::default() =>
        {
            let read = || shown(tables, open_rooms(tables, after.0, *limit as usize)?, *detail);
            let rooms = match tables.lists() {
                Some(lists) => lists.page((after.0, *limit), read)?,
                None => read()?,
            };
            Ok(Reply::Rooms { rooms })
        }
        Query::Rooms { filter, after, limit, detail } => {
            let found = filtered(tables, asker, filter, after.0, *limit as usize)?;
            views(tables, found, *detail)
        }
        Query::SearchRooms { text, section, description, limit, detail } => {
            let found = searched(
                tables,
                text.as_deref(),
                section.as_deref(),
                description.as_deref(),
                *limit as usize,
            )?;
            views(tables, found, *detail)
        }
        Query::User { user, caller } => {
            resolve(caller)?;
            let uid = look::user(tables, asker, user)?;
            Ok(Reply::User { user: look::user_view(tables, uid)? })
        }
    }
}

/// The token by which the caller is named, if it is.
pub(crate) fn token(query: &Query) -> Option<&TokenHash> {
    let caller = match query {
        Query::History { caller, .. }
        | Query::Members { caller, .. }
        | Query::Occupants { caller, .. }
        | Query::Room { caller, .. } => caller.as_ref(),
        Query::User { user, caller } => caller.as_ref().or(Some(user)),
        Query::Rooms { filter, .. } => match filter {
            RoomFilter::OwnedBy(user)
            | RoomFilter::MemberOf(user)
            | RoomFilter::PreferredBy(user) => Some(user),
            RoomFilter::Open | RoomFilter::Section(_) => None,
        },
        Query::LastChange | Query::RoomIds { .. } | Query::SearchRooms { .. } => None,
    };
    match caller {
        Some(UserRef::Token(hash)) => Some(hash),
        _ => None,
    }
}

fn occupants(tables: &impl Tables, room: u32) -> Result<Vec<Arc<Person>>, StoreError> {
    let members = look::members(tables, room)?;
    let known: BTreeSet<u64> = members.iter().copied().collect();
    let mut only_live = BTreeMap::new();
    for entry in tables.seats_by_person()?.range((room, "", 0)..(room.saturating_add(1), "", 0))? {
        let (key, _) = entry?;
        let row =
            tables.seats()?.get(key.value().2)?.ok_or(StoreError::Corrupt { table: "seats" })?;
        let seat: SeatRow = unpack("seats", row.value())?;
        if seat.who.uid().is_none_or(|uid| !known.contains(&uid)) {
            let person = look::anyone(tables, &seat.who)?;
            only_live.insert(person.handle.clone(), person);
        }
    }
    let members: Result<Vec<_>, _> =
        members.into_iter().map(|uid| look::person(tables, uid)).collect();
    Ok(members?.into_iter().chain(only_live.into_values()).collect())
}

fn history(
    tables: &impl Tables,
    room: u32,
    before: Option<MessageId>,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<Arc<Message>>, StoreError> {
    let stream = stream::of_room(room);
    let ids = match after {
        Some(after) => stream::oldest(tables, stream, after.0, limit)?,
        None => {
            let before = before.map_or(u64::MAX, |before| before.0);
            stream::newest(tables, stream, before, limit)?
        }
    };
    MessageViews::new(tables).of(&ids)
}

/// For how many rooms a list has place before it must grow.
const ROOMS_AT_FIRST: usize = 64;

type Found = Vec<(u32, Arc<RoomRow>)>;

fn views(tables: &impl Tables, found: Found, detail: Detail) -> Result<Reply, Fail> {
    Ok(Reply::Rooms { rooms: shown(tables, found, detail)? })
}

fn shown(
    tables: &impl Tables,
    found: Found,
    detail: Detail,
) -> Result<Vec<Arc<RoomView>>, StoreError> {
    found.into_iter().map(|(id, row)| view(tables, id, &row, detail)).collect()
}

fn view(
    tables: &impl Tables,
    id: u32,
    row: &RoomRow,
    detail: Detail,
) -> Result<Arc<RoomView>, StoreError> {
    let mut view = look::room_view(tables, id, row)?;
    if detail.members {
        let members = look::members(tables, id)?.into_iter();
        let members: Result<Vec<_>, _> = members.map(|uid| look::user_view(tables, uid)).collect();
        view.members = members?;
    }
    if detail.messages > 0 {
        view.messages = history(tables, id, None, None, detail.messages as usize)?;
    }
    Ok(Arc::new(view))
}

fn open_rooms(tables: &impl Tables, after: u32, limit: usize) -> Result<Found, StoreError> {
    let mut found = Vec::with_capacity(limit.min(ROOMS_AT_FIRST));
    let Some(start) = after.checked_add(1) else { return Ok(found) };
    for entry in tables.rooms()?.range(start..)? {
        if found.len() >= limit {
            break;
        }
        let (id, row) = entry?;
        let row = memo::room(id.value(), row.value())?;
        if !row.closed {
            found.push((id.value(), row));
        }
    }
    Ok(found)
}

fn filtered(
    tables: &impl Tables,
    asker: Asker,
    filter: &RoomFilter,
    after: u32,
    limit: usize,
) -> Result<Found, Fail> {
    let Some(start) = after.checked_add(1) else { return Ok(Vec::new()) };
    let ids: Vec<u32> = match filter {
        RoomFilter::Open => return Ok(open_rooms(tables, after, limit)?),
        RoomFilter::OwnedBy(user) => {
            let uid = look::user(tables, asker, user)?;
            let rows = tables.owned_rooms()?.range((uid, start)..=(uid, u32::MAX))?;
            rows.take(limit).map(|row| Ok(row?.0.value().1)).collect::<Result<_, StoreError>>()?
        }
        RoomFilter::MemberOf(user) => {
            let uid = look::user(tables, asker, user)?;
            let rows = tables.member_rooms()?.range((uid, start)..=(uid, u32::MAX))?;
            rows.take(limit).map(|row| Ok(row?.0.value().1)).collect::<Result<_, StoreError>>()?
        }
        RoomFilter::Section(section) => in_section(tables, section, start, limit)?,
        RoomFilter::PreferredBy(user) => {
            let uid = look::user(tables, asker, user)?;
            let mut ids = BTreeSet::new();
            for section in look::known_user(tables, uid)?.preferences {
                ids.extend(in_section(tables, &section, start, limit)?);
            }
            ids.into_iter().take(limit).collect()
        }
    };
    Ok(rows(tables, ids)?)
}

fn in_section(
    tables: &impl Tables,
    section: &str,
    start: u32,
    limit: usize,
) -> Result<Vec<u32>, StoreError> {
    let rows = tables.sections()?.range((section, start)..=(section, u32::MAX))?;
    rows.take(limit).map(|row| Ok(row?.0.value().1)).collect()
}

fn rows(tables: &impl Tables, ids: Vec<u32>) -> Result<Found, StoreError> {
    ids.into_iter().map(|id| Ok((id, look::known_room(tables, id)?))).collect()
}

fn searched(
    tables: &impl Tables,
    text: Option<&str>,
    section: Option<&str>,
    description: Option<&str>,
    limit: usize,
) -> Result<Found, Fail> {
    let contained = description.map(search::fold);
    let wanted = |row: &RoomRow| {
        section.is_none_or(|section| row.section == section)
            && contained
                .as_ref()
                .is_none_or(|wanted| search::fold(&row.description).contains(wanted.as_str()))
    };
    if let Some(text) = text {
        return Ok(rows(tables, search::find(tables, text, limit, wanted)?)?);
    }
    if let Some(section) = section {
        let mut found = Vec::new();
        for id in in_section(tables, section, 0, usize::MAX)? {
            let row = look::known_room(tables, id)?;
            if found.len() < limit && wanted(&row) {
                found.push((id, row));
            }
        }
        return Ok(found);
    }
    match description {
        Some(description) => Ok(rows(tables, search::find(tables, description, limit, wanted)?)?),
        None => Ok(open_rooms(tables, 0, limit)?),
    }
}

/// The user meant by `user`, with its password's hash; for a sign-in's first half.
pub(crate) fn credential(
    tables: &impl Tables,
    asker: Asker,
    user: &UserRef,
) -> Result<Option<(u64, String)>, Fail> {
    match look::user(tables, asker, user) {
        Ok(uid) => Ok(Some((uid, look::known_user(tables, uid)?.password))),
        Err(Fail::Refused(_)) => Ok(None),
        Err(fail) => Err(fail),
    }
}
