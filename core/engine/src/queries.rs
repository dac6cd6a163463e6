//! Queries: what each reads, and the reply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core_model::{
    Detail, Message, MessageId, Person, Query, Refusal, Reply, Roles, RoomFilter, RoomId, RoomRef,
    RoomView, Timestamp, TokenHash, UserRef, bounds,
};
use redb::ReadableTable;

use crate::bans;
use crate::cache::rows as row_cache;
use crate::error::{Error, StoreError};
use crate::excerpt;
use crate::lookup::{self, Request};
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::missed;
use crate::policy;
use crate::read_markers;
use crate::rows::{RoomRow, SeatRow, Who};
use crate::search;
use crate::state::State;

pub(crate) fn answer(tables: &impl State, request: Request, query: &Query) -> Result<Reply, Error> {
    let resolve = |caller: &Option<UserRef>| resolved(tables, request, caller);
    bounds::check_query(query)?;
    match query {
        Query::History { room, caller, before, after, limit } => {
            let (id, _) = lookup::room(tables, room, resolve(caller)?)?;
            let messages = history(tables, id, *before, *after, *limit as usize)?;
            Ok(Reply::Messages { messages })
        }
        Query::Missed { .. }
        | Query::Excerpt { .. }
        | Query::Conversations { .. }
        | Query::ReadMarker { .. } => about_conversations(tables, request, query),
        Query::LastChange => {
            Ok(Reply::LastChange { at: Timestamp(lookup::counters(tables)?.last_change) })
        }
        Query::Members { room, caller } => {
            let (id, _) = lookup::room(tables, room, resolve(caller)?)?;
            Ok(members(tables, id)?)
        }
        Query::Occupants { room, caller } => occupants_for(tables, request, room, resolve(caller)?),
        Query::Room { room, caller, detail } => {
            let (id, row) = lookup::room(tables, room, resolve(caller)?)?;
            Ok(Reply::Room { room: view(tables, id, &row, *detail)? })
        }
        Query::RoomIds { after, limit } => {
            Ok(Reply::RoomIds { rooms: ids_of_open_rooms(tables, after.0, *limit as usize)? })
        }
        Query::Rooms { filter: RoomFilter::Open, after, limit, detail }
            if *detail == Detail::default() =>
        {
            Ok(Reply::Rooms { rooms: listed(tables, after.0, *limit)? })
        }
        Query::Rooms { filter, after, limit, detail } => {
            let found = filtered(tables, request, filter, after.0, *limit as usize)?;
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
            match lookup::user_or_guest(tables, request, user)? {
                Who::User(uid) => Ok(Reply::User { user: lookup::user_view(tables, uid)? }),
                Who::Guest(_) => Err(Refusal::UnknownUser.into()),
            }
        }
    }
}

fn about_conversations(
    tables: &impl State,
    request: Request,
    query: &Query,
) -> Result<Reply, Error> {
    let resolve = |caller: &Option<UserRef>| resolved(tables, request, caller);
    match query {
        Query::Missed { room, caller, .. } => {
            missed::answer(tables, lookup::room(tables, room, resolve(caller)?)?.0, query)
        }
        Query::Excerpt { conversation, caller, part, limit } => {
            let caller = resolve(caller)?;
            excerpt::answer(tables, request, conversation, caller, *part, *limit as usize)
        }
        Query::Conversations { caller, rooms, from, to, limit } => {
            let caller = resolve(caller)?;
            excerpt::conversations(tables, caller, rooms, [*from, *to], *limit as usize)
        }
        Query::ReadMarker { user, conversation } => {
            let uid = lookup::user(tables, request, user)?;
            bans::check_user(tables, request, uid)?;
            let stream = read_markers::find(tables, request, uid, conversation)?;
            Ok(Reply::ReadMarker { at: read_markers::get(tables, uid, stream)? })
        }
        _ => unreachable!("called with a query about conversations"),
    }
}

fn resolved(
    tables: &impl State,
    request: Request,
    caller: &Option<UserRef>,
) -> Result<Option<u64>, Error> {
    let Some(caller) = caller else { return Ok(None) };
    let uid = lookup::user(tables, request, caller)?;
    bans::check_user(tables, request, uid)?;
    Ok(Some(uid))
}

/// The token that names the caller, if one does.
pub(crate) fn token(query: &Query) -> Option<&TokenHash> {
    let caller = match query {
        Query::History { caller, .. }
        | Query::Missed { caller, .. }
        | Query::Excerpt { caller, .. }
        | Query::Conversations { caller, .. }
        | Query::Members { caller, .. }
        | Query::Occupants { caller, .. }
        | Query::Room { caller, .. } => caller.as_ref(),
        Query::User { user, caller } => caller.as_ref().or(Some(user)),
        Query::ReadMarker { user, .. } => Some(user),
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

fn members(tables: &impl State, room: u32) -> Result<Reply, StoreError> {
    let members = persons(tables, lookup::members(tables, room)?)?;
    Ok(Reply::Members { members, roles: BTreeMap::new() })
}

fn occupants_for(
    tables: &impl State,
    request: Request,
    room: &RoomRef,
    caller: Option<u64>,
) -> Result<Reply, Error> {
    let (id, row) = lookup::room(tables, room, caller)?;
    check_inside(tables, request, id, &row, caller)?;
    Ok(occupants(tables, id, &row)?)
}

/// Refuses to show outsiders the people in a secret room.
fn check_inside(
    tables: &impl State,
    request: Request,
    room: u32,
    row: &RoomRow,
    caller: Option<u64>,
) -> Result<(), Error> {
    if !row.policy.secret {
        return Ok(());
    }
    if let Some(uid) = caller
        && (row.owner == Some(uid) || lookup::is_member(tables, room, uid)?)
    {
        return Ok(());
    }
    let own = (request.connection, 0)..=(request.connection, u64::MAX);
    for entry in tables.seats_by_connection()?.range(own)? {
        let (_, seat_id) = entry?.0.value();
        let seat = tables.seats()?.get(seat_id)?.ok_or(StoreError::Corrupt { table: "seats" })?;
        if SeatRow::unpack(seat.value())?.room == room {
            return Ok(());
        }
    }
    Err(Refusal::UnknownRoom.into())
}

fn occupants(tables: &impl State, room: u32, row: &RoomRow) -> Result<Reply, StoreError> {
    let members = lookup::members(tables, room)?;
    let known: BTreeSet<u64> = members.iter().copied().collect();
    let mut only_live = BTreeMap::new();
    let mut roles: BTreeMap<String, Roles> = BTreeMap::new();
    for entry in tables.seats_by_person()?.range((room, "", 0)..(room.saturating_add(1), "", 0))? {
        let (key, _) = entry?;
        let row =
            tables.seats()?.get(key.value().2)?.ok_or(StoreError::Corrupt { table: "seats" })?;
        let seat = SeatRow::unpack(row.value())?;
        if !seat.roles.is_empty() {
            let held = roles.entry(lookup::person_of(tables, &seat.who)?.handle.clone());
            let held = held.or_default();
            *held = held.and(seat.roles);
        }
        if seat.who.uid().is_none_or(|uid| !known.contains(&uid)) {
            let person = lookup::person_of(tables, &seat.who)?;
            only_live.insert(person.handle.clone(), person);
        }
    }
    let members = persons(tables, members)?;
    let members: Vec<_> = members.into_iter().chain(only_live.into_values()).collect();
    let is_owner = |person: &&Arc<Person>| person.uid.is_some_and(|uid| Some(uid.0) == row.owner);
    if let Some(owner) = members.iter().find(is_owner) {
        roles.entry(owner.handle.clone()).or_default().operator = true;
    }
    Ok(Reply::Members { members, roles })
}

/// The number of people in a room, each once.
fn people(tables: &impl State, room: u32, members: u32) -> Result<u32, StoreError> {
    let mut last = String::new();
    let mut only_live = 0;
    // A person's seats are beside each other.
    for entry in tables.seats_by_person()?.range((room, "", 0)..(room.saturating_add(1), "", 0))? {
        let (key, _) = entry?;
        let (_, person, seat_id) = key.value();
        if person == last {
            continue;
        }
        person.clone_into(&mut last);
        let row = tables.seats()?.get(seat_id)?.ok_or(StoreError::Corrupt { table: "seats" })?;
        let is_member = match SeatRow::unpack(row.value())?.who.uid() {
            Some(uid) if members > 0 => lookup::is_member(tables, room, uid)?,
            _ => false,
        };
        only_live += u32::from(!is_member);
    }
    Ok(members.saturating_add(only_live))
}

fn persons(tables: &impl State, uids: Vec<u64>) -> Result<Vec<Arc<Person>>, StoreError> {
    uids.into_iter().map(|uid| lookup::person(tables, uid)).collect()
}

fn history(
    tables: &impl State,
    room: u32,
    before: Option<MessageId>,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<Arc<Message>>, StoreError> {
    let stream = message_index::of_room(room);
    let mut reader = MessageReader::new(tables);
    if let Some(after) = after {
        let ids = message_index::oldest(tables, stream, after.0, limit)?;
        return Ok(reader.oldest_within(&ids, REPLY_BYTES_MAX)?.0);
    }
    let before = before.map_or(u64::MAX, |before| before.0);
    let ids = message_index::newest(tables, stream, before, limit)?;
    reader.newest_within(&ids, REPLY_BYTES_MAX)
}

/// Capacity that a list of rooms starts with.
const ROOMS_CAPACITY: usize = 64;

type Found = Vec<(u32, Arc<RoomRow>)>;

fn views(tables: &impl State, found: Found, detail: Detail) -> Result<Reply, Error> {
    Ok(Reply::Rooms { rooms: shown(tables, found, detail)? })
}

fn shown(
    tables: &impl State,
    found: Found,
    detail: Detail,
) -> Result<Vec<Arc<RoomView>>, StoreError> {
    found.into_iter().map(|(id, row)| view(tables, id, &row, detail)).collect()
}

fn view(
    tables: &impl State,
    id: u32,
    row: &RoomRow,
    detail: Detail,
) -> Result<Arc<RoomView>, StoreError> {
    let mut view = lookup::room_view(tables, id, row)?;
    if detail.members {
        let members = lookup::members(tables, id)?.into_iter();
        let members: Result<Vec<_>, _> =
            members.map(|uid| lookup::user_view(tables, uid)).collect();
        view.members = members?;
    }
    if detail.people {
        view.people = Some(people(tables, id, row.members)?);
    }
    if detail.messages > 0 {
        view.messages = history(tables, id, None, None, detail.messages as usize)?;
    }
    if detail.masks {
        view.masks = policy::masks(tables, id)?;
    }
    Ok(Arc::new(view))
}

/// A page of the list of open rooms, without details.
fn listed(tables: &impl State, after: u32, limit: u32) -> Result<Vec<Arc<RoomView>>, StoreError> {
    let read = || shown(tables, open_rooms(tables, after, limit as usize)?, Detail::default());
    match tables.room_lists() {
        Some(lists) => lists.page((after, limit), read),
        None => read(),
    }
}

fn open_rooms(tables: &impl State, after: u32, limit: usize) -> Result<Found, StoreError> {
    let mut found = Vec::with_capacity(limit.min(ROOMS_CAPACITY));
    let mut next = after.checked_add(1);
    while let Some(start) = next.take() {
        for entry in tables.rooms()?.range(start..)? {
            if found.len() >= limit {
                break;
            }
            let (id, row) = entry?;
            let row = row_cache::room(id.value(), row.value())?;
            if !row.is_listed() {
                // Any number of such rooms may follow.
                next = tables
                    .open_rooms()?
                    .range(id.value()..)?
                    .next()
                    .transpose()?
                    .map(|(id, _)| id.value());
                break;
            }
            found.push((id.value(), row));
        }
    }
    Ok(found)
}

fn ids_of_open_rooms(
    tables: &impl State,
    after: u32,
    limit: usize,
) -> Result<Vec<RoomId>, StoreError> {
    let Some(start) = after.checked_add(1) else { return Ok(Vec::new()) };
    let rows = tables.open_rooms()?.range(start..)?.take(limit);
    rows.map(|row| Ok(RoomId(row?.0.value()))).collect()
}

fn filtered(
    tables: &impl State,
    request: Request,
    filter: &RoomFilter,
    after: u32,
    limit: usize,
) -> Result<Found, Error> {
    let Some(start) = after.checked_add(1) else { return Ok(Vec::new()) };
    let ids: Vec<u32> = match filter {
        RoomFilter::Open => return Ok(open_rooms(tables, after, limit)?),
        RoomFilter::OwnedBy(user) => {
            let uid = lookup::user(tables, request, user)?;
            let rows = tables.owned_rooms()?.range((uid, start)..=(uid, u32::MAX))?;
            rows.take(limit).map(|row| Ok(row?.0.value().1)).collect::<Result<_, StoreError>>()?
        }
        RoomFilter::MemberOf(user) => {
            let uid = lookup::user(tables, request, user)?;
            let rows = tables.member_rooms()?.range((uid, start)..=(uid, u32::MAX))?;
            rows.take(limit).map(|row| Ok(row?.0.value().1)).collect::<Result<_, StoreError>>()?
        }
        RoomFilter::Section(section) => in_section(tables, section, start, limit)?,
        RoomFilter::PreferredBy(user) => {
            let uid = lookup::user(tables, request, user)?;
            let mut ids = BTreeSet::new();
            for section in lookup::known_user(tables, uid)?.preferences {
                ids.extend(in_section(tables, &section, start, limit)?);
            }
            ids.into_iter().take(limit).collect()
        }
    };
    Ok(rows(tables, ids)?)
}

fn in_section(
    tables: &impl State,
    section: &str,
    start: u32,
    limit: usize,
) -> Result<Vec<u32>, StoreError> {
    let rows = tables.sections()?.range((section, start)..=(section, u32::MAX))?;
    rows.take(limit).map(|row| Ok(row?.0.value().1)).collect()
}

fn rows(tables: &impl State, ids: Vec<u32>) -> Result<Found, StoreError> {
    ids.into_iter().map(|id| Ok((id, lookup::known_room(tables, id)?))).collect()
}

fn searched(
    tables: &impl State,
    text: Option<&str>,
    section: Option<&str>,
    description: Option<&str>,
    limit: usize,
) -> Result<Found, Error> {
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
        for id in in_section(tables, section, 0, search::POSTINGS_MAX)? {
            if found.len() >= limit {
                break;
            }
            let row = lookup::known_room(tables, id)?;
            if wanted(&row) {
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

/// The room of this name, a closed one too.
pub(crate) fn room_named(tables: &impl State, name: &str) -> Result<Option<RoomView>, Error> {
    match lookup::any_room(tables, &RoomRef::Name(name.to_owned())) {
        Ok((id, row)) => Ok(Some(lookup::room_view(tables, id, &row)?)),
        Err(Error::Refused(_)) => Ok(None),
        Err(fail) => Err(fail),
    }
}

/// The user that `user` names, with its password hash.
pub(crate) fn credential(
    tables: &impl State,
    request: Request,
    user: &UserRef,
) -> Result<Option<(u64, String)>, Error> {
    match lookup::user(tables, request, user) {
        Ok(uid) => Ok(Some((uid, lookup::known_user(tables, uid)?.password))),
        Err(Error::Refused(_)) => Ok(None),
        Err(fail) => Err(fail),
    }
}
