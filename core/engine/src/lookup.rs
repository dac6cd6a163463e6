//! Look-ups in a snapshot or a batch: rows, references, views.

use std::cell::RefCell;
use std::sync::Arc;

use core_model::{
    Claim, GUEST_PREFIX, NameFault, Person, Refusal, RoomRef, RoomView, Timestamp, TokenHash,
    UserRef, UserView, check_existing_handle, normalize,
};
use redb::ReadableTable;

use crate::cache::rows as row_cache;
use crate::cache::writer::WriterCache;
use crate::chosen_name;
use crate::error::{Error, StoreError};
use crate::lookalike;
use crate::rows::{Counters, RoomRow, SessionRow, TokenRow, UserRow, Who, unpack};
use crate::state::State;

/// The key of the one row of `counters`.
pub(crate) const COUNTERS_KEY: u8 = 0;

/// When a command or query came, and on which connection.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) now: u64,
    /// Steady time of this run of the gateway, ms; 0 for queries.
    pub(crate) steady: u64,
    pub(crate) connection: u64,
}

pub(crate) fn counters(tables: &impl State) -> Result<Counters, StoreError> {
    match tables.counters()?.get(COUNTERS_KEY)? {
        Some(row) => unpack("counters", row.value()),
        None => Ok(Counters::default()),
    }
}

// Users.

/// The row of a user that another row refers to.
pub(crate) fn known_user(tables: &impl State, uid: u64) -> Result<UserRow, StoreError> {
    Ok(known(tables, uid)?.row.clone())
}

fn known(tables: &impl State, uid: u64) -> Result<Arc<row_cache::User>, StoreError> {
    let row = tables.users()?.get(uid)?.ok_or(StoreError::Corrupt { table: "users" })?;
    row_cache::user(uid, row.value())
}

pub(crate) fn person(tables: &impl State, uid: u64) -> Result<Arc<Person>, StoreError> {
    if let Some(cache) = tables.writer_cache()
        && let Some(person) = cache.borrow().person(uid)
    {
        return Ok(person);
    }
    let person = Arc::clone(&known(tables, uid)?.person);
    if let Some(cache) = tables.writer_cache() {
        cache.borrow_mut().keep_person(uid, &person);
    }
    Ok(person)
}

pub(crate) fn person_of(tables: &impl State, who: &Who) -> Result<Arc<Person>, StoreError> {
    match who {
        Who::User(uid) => person(tables, *uid),
        Who::Guest(name) => Ok(Arc::new(Person {
            uid: None,
            handle: format!("{GUEST_PREFIX}{name}"),
            name: name.clone(),
            avatar: String::new(),
            identities: Vec::new(),
        })),
    }
}

pub(crate) fn user_view(tables: &impl State, uid: u64) -> Result<UserView, StoreError> {
    let known = known(tables, uid)?;
    let row_cache::User { row, person } = &*known;
    Ok(UserView {
        person: Arc::clone(person),
        created: Timestamp(row.created),
        online: tables.presence()?.get(uid)?.is_some(),
        sex: row.sex.clone(),
        preferences: row.preferences.clone(),
        info: row.info.clone(),
    })
}

/// The account that `user` names.
pub(crate) fn user(tables: &impl State, request: Request, user: &UserRef) -> Result<u64, Error> {
    match user_or_guest(tables, request, user)? {
        Who::User(uid) => Ok(uid),
        Who::Guest(_) => Err(match user {
            UserRef::Claim(_) => Refusal::NotSignedIn,
            _ => Refusal::UnknownUser,
        }
        .into()),
    }
}

/// The account or guest that `user` names.
pub(crate) fn user_or_guest(
    tables: &impl State,
    request: Request,
    user: &UserRef,
) -> Result<Who, Error> {
    let uid = match user {
        UserRef::Id(uid) => {
            let is_cached = |cache: &RefCell<WriterCache>| cache.borrow().person(uid.0).is_some();
            let is_known = tables.writer_cache().is_some_and(is_cached);
            (is_known || tables.users()?.get(uid.0)?.is_some()).then_some(uid.0)
        }
        UserRef::Handle(handle) => {
            if let Some(name) = handle.strip_prefix(GUEST_PREFIX) {
                return Ok(Who::Guest(existing_name(name)?));
            }
            uid_of_handle(tables, &normalize(handle))?
        }
        UserRef::Identity(identity) | UserRef::IdentityOrNew(identity) => {
            tables.identities()?.get(identity.as_str())?.map(|uid| uid.value())
        }
        UserRef::Token(hash) => {
            let uid = uid_of_token(tables, request.now, hash)?;
            return uid.map(Who::User).ok_or(Refusal::TokenInvalid.into());
        }
        UserRef::Session => {
            let uid = session(tables, request.connection)?.map(|session| session.uid);
            return uid.map(Who::User).ok_or(Refusal::NotSignedIn.into());
        }
        UserRef::Claim(claim) => return claimed(tables, request, claim),
    };
    uid.map(Who::User).ok_or(Refusal::UnknownUser.into())
}

fn claimed(tables: &impl State, request: Request, claim: &Claim) -> Result<Who, Error> {
    let name = existing_name(&claim.name)?;
    let Some(uid) = uid_of_handle(tables, &name)? else {
        let fault = chosen_name::check_handle(&name).err();
        if let Some(fault) = fault.filter(|fault| *fault != NameFault::MixedAlphabets) {
            return Err(invalid_handle(fault).into());
        }
        if !claim.guests || resembles_handle(tables, &name)? {
            return Err(Refusal::NotSignedIn.into());
        }
        return Ok(fault.map_or(Ok(Who::Guest(name)), |fault| Err(invalid_handle(fault)))?);
    };
    let by_token = match &claim.token {
        Some(hash) => uid_of_token(tables, request.now, hash)? == Some(uid),
        None => false,
    };
    let by_address = || -> Result<bool, StoreError> {
        let Some(address) = &claim.address else { return Ok(false) };
        let until = tables.addresses()?.get((address.as_str(), uid))?;
        let needed = request.now.saturating_add(claim.address_left_min_ms);
        Ok(until.is_some_and(|until| until.value() > needed))
    };
    if by_token || by_address()? { Ok(Who::User(uid)) } else { Err(Refusal::NotSignedIn.into()) }
}

/// A name under which an account or a guest may be found.
fn existing_name(name: &str) -> Result<String, Refusal> {
    check_existing_handle(name).map_err(invalid_handle)
}

fn invalid_handle(fault: NameFault) -> Refusal {
    Refusal::InvalidHandle { why: fault.to_string() }
}

/// Handles with one key that are looked at: more of them differ in case only.
const LOOKALIKES_MAX: usize = 32;

/// Whether a guest of this name could be taken for an account.
fn resembles_handle(tables: &impl State, name: &str) -> Result<bool, StoreError> {
    any_lookalike(tables, name, |handle| lookalike::is_confusable(handle, name))
}

/// Whether an account of this name could be taken for another. Handles are case-sensitive: those
/// that differ in case only may stand beside each other.
pub(crate) fn resembles_other_handle(tables: &impl State, name: &str) -> Result<bool, StoreError> {
    any_lookalike(tables, name, |handle| {
        lookalike::is_confusable(handle, name) && !lookalike::differ_in_case_only(handle, name)
    })
}

fn any_lookalike(
    tables: &impl State,
    name: &str,
    is_meant: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    for key in lookalike::keys(name) {
        let rows = tables.lookalikes()?.range((key.as_str(), 0)..=(key.as_str(), u64::MAX))?;
        for row in rows.take(LOOKALIKES_MAX) {
            let (_, uid) = row?.0.value();
            if is_meant(&known_user(tables, uid)?.handle) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

pub(crate) fn uid_of_handle(tables: &impl State, handle: &str) -> Result<Option<u64>, StoreError> {
    Ok(tables.handles()?.get(handle)?.map(|uid| uid.value()))
}

pub(crate) fn token(tables: &impl State, hash: &TokenHash) -> Result<Option<TokenRow>, StoreError> {
    tables.tokens()?.get(&hash.0)?.map(|row| TokenRow::unpack(row.value())).transpose()
}

fn uid_of_token(
    tables: &impl State,
    now: u64,
    hash: &TokenHash,
) -> Result<Option<u64>, StoreError> {
    Ok(token(tables, hash)?.filter(|row| row.expires > now).map(|row| row.uid))
}

pub(crate) fn session(
    tables: &impl State,
    connection: u64,
) -> Result<Option<SessionRow>, StoreError> {
    if let Some(cache) = tables.writer_cache()
        && let Some(session) = cache.borrow().session(connection)
    {
        return Ok(Some(session));
    }
    let Some(row) = tables.sessions()?.get(connection)? else { return Ok(None) };
    let session = unpack("sessions", row.value())?;
    if let Some(cache) = tables.writer_cache() {
        cache.borrow_mut().keep_session(connection, session);
    }
    Ok(Some(session))
}

// Rooms.

pub(crate) fn room_row(tables: &impl State, id: u32) -> Result<Option<Arc<RoomRow>>, StoreError> {
    if let Some(cache) = tables.writer_cache()
        && let Some(row) = cache.borrow().room(id)
    {
        return Ok(Some(row));
    }
    let Some(row) = tables.rooms()?.get(id)? else { return Ok(None) };
    let row = row_cache::room(id, row.value())?;
    if let Some(cache) = tables.writer_cache() {
        cache.borrow_mut().keep_room(id, &row);
    }
    Ok(Some(row))
}

/// The row of a room that another row refers to.
pub(crate) fn known_room(tables: &impl State, id: u32) -> Result<Arc<RoomRow>, StoreError> {
    room_row(tables, id)?.ok_or(StoreError::Corrupt { table: "rooms" })
}

/// The room that `room` names, closed or not.
pub(crate) fn any_room(tables: &impl State, room: &RoomRef) -> Result<(u32, Arc<RoomRow>), Error> {
    let id = match room {
        RoomRef::Id(id) => Some(id.0),
        RoomRef::Name(name) | RoomRef::Keyed { name, .. } => {
            tables.room_names()?.get(normalize(name).as_str())?.map(|id| id.value())
        }
    };
    let Some(id) = id else { return Err(Refusal::UnknownRoom.into()) };
    let row = room_row(tables, id)?.ok_or(Refusal::UnknownRoom)?;
    Ok((id, row))
}

/// The room that `room` names, if the caller may know of it.
pub(crate) fn room(
    tables: &impl State,
    room: &RoomRef,
    caller: Option<u64>,
) -> Result<(u32, Arc<RoomRow>), Error> {
    let (id, row) = any_room(tables, room)?;
    if row.closed {
        let member = match caller {
            Some(uid) => is_member(tables, id, uid)?,
            None => false,
        };
        if !member {
            return Err(Refusal::UnknownRoom.into());
        }
    }
    Ok((id, row))
}

pub(crate) fn is_member(tables: &impl State, room: u32, uid: u64) -> Result<bool, StoreError> {
    if let Some(cache) = tables.writer_cache()
        && cache.borrow().is_member(room, uid)
    {
        return Ok(true);
    }
    let member = tables.members()?.get((room, uid))?.is_some();
    if member && let Some(cache) = tables.writer_cache() {
        cache.borrow_mut().keep_member(room, uid);
    }
    Ok(member)
}

/// Seats taken: durable members and live seats.
pub(crate) fn population(tables: &impl State, id: u32, row: &RoomRow) -> Result<u32, StoreError> {
    let live = tables.seat_counts()?.get(id)?.map_or(0, |count| count.value());
    Ok(row.members.saturating_add(live))
}

/// A room's own fields, its owner and its population.
pub(crate) fn room_view(
    tables: &impl State,
    id: u32,
    row: &RoomRow,
) -> Result<RoomView, StoreError> {
    let population = population(tables, id, row)?;
    let owner = row.owner.map(|uid| person(tables, uid)).transpose()?;
    let mut view = row.view(id, population);
    view.owner = owner;
    Ok(view)
}

/// uids of a room's durable members, in the order of joining.
pub(crate) fn members(tables: &impl State, room: u32) -> Result<Vec<u64>, StoreError> {
    let mut members = Vec::new();
    for row in tables.members()?.range((room, 0)..=(room, u64::MAX))? {
        let (key, value) = row?;
        members.push((value.value().0, key.value().1));
    }
    members.sort_unstable();
    Ok(members.into_iter().map(|(_, uid)| uid).collect())
}

/// Ids of the rooms that a user is a durable member of.
pub(crate) fn rooms_of_member(tables: &impl State, uid: u64) -> Result<Vec<u32>, StoreError> {
    let rows = tables.member_rooms()?.range((uid, 0)..=(uid, u32::MAX))?;
    rows.map(|row| Ok(row?.0.value().1)).collect()
}
