//! Looking things up, in a snapshot or in a batch: rows, references, views.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{
    Claim, GUEST_PREFIX, Message, MessageId, Person, Recipient, Refusal, RoomRef, RoomTag,
    RoomView, Timestamp, TokenHash, Uid, UserRef, UserView, check_handle, normalize,
};
use redb::ReadableTable;

use crate::cache::Cache;
use crate::fail::Fail;
use crate::memo;
use crate::rows::{
    Counters, Destination, MessageRow, RoomRow, SessionRow, TokenRow, UserRow, Who, unpack,
};
use crate::store::{StoreError, Tables};

/// The key of the one row of `counters`.
pub(crate) const COUNTERS_KEY: u8 = 0;

/// Who asks, and when.
#[derive(Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) now: u64,
    pub(crate) connection: u64,
}

pub(crate) fn counters(tables: &impl Tables) -> Result<Counters, StoreError> {
    match tables.counters()?.get(COUNTERS_KEY)? {
        Some(row) => unpack("counters", row.value()),
        None => Ok(Counters::default()),
    }
}

// Users.

/// The row of a user that another row speaks of.
pub(crate) fn known_user(tables: &impl Tables, uid: u64) -> Result<UserRow, StoreError> {
    Ok(known(tables, uid)?.row.clone())
}

fn known(tables: &impl Tables, uid: u64) -> Result<Arc<memo::User>, StoreError> {
    let row = tables.users()?.get(uid)?.ok_or(StoreError::Corrupt { table: "users" })?;
    memo::user(uid, row.value())
}

pub(crate) fn person(tables: &impl Tables, uid: u64) -> Result<Arc<Person>, StoreError> {
    if let Some(cache) = tables.cache()
        && let Some(person) = cache.borrow().person(uid)
    {
        return Ok(person);
    }
    let person = Arc::clone(&known(tables, uid)?.person);
    if let Some(cache) = tables.cache() {
        cache.borrow_mut().keep_person(uid, &person);
    }
    Ok(person)
}

pub(crate) fn anyone(tables: &impl Tables, who: &Who) -> Result<Arc<Person>, StoreError> {
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

pub(crate) fn user_view(tables: &impl Tables, uid: u64) -> Result<UserView, StoreError> {
    let known = known(tables, uid)?;
    let memo::User { row, person } = &*known;
    Ok(UserView {
        person: Arc::clone(person),
        created: Timestamp(row.created),
        online: tables.presence()?.get(uid)?.is_some(),
        sex: row.sex.clone(),
        preferences: row.preferences.clone(),
        info: row.info.clone(),
    })
}

/// The account that is meant.
pub(crate) fn user(tables: &impl Tables, asker: Asker, user: &UserRef) -> Result<u64, Fail> {
    match anybody(tables, asker, user)? {
        Who::User(uid) => Ok(uid),
        Who::Guest(_) => Err(match user {
            UserRef::Claim(_) => Refusal::NotSignedIn,
            _ => Refusal::UnknownUser,
        }
        .into()),
    }
}

/// The account or guest that is meant.
pub(crate) fn anybody(tables: &impl Tables, asker: Asker, user: &UserRef) -> Result<Who, Fail> {
    let uid = match user {
        UserRef::Id(uid) => {
            let is_cached = |cache: &RefCell<Cache>| cache.borrow().person(uid.0).is_some();
            let is_known = tables.cache().is_some_and(is_cached);
            (is_known || tables.users()?.get(uid.0)?.is_some()).then_some(uid.0)
        }
        UserRef::Handle(handle) => {
            if let Some(name) = handle.strip_prefix(GUEST_PREFIX) {
                return Ok(Who::Guest(normalize(name)));
            }
            uid_of_handle(tables, &normalize(handle))?
        }
        UserRef::Identity(identity) => {
            tables.identities()?.get(identity.as_str())?.map(|uid| uid.value())
        }
        UserRef::Token(hash) => {
            let uid = uid_of_token(tables, asker.now, hash)?;
            return uid.map(Who::User).ok_or(Refusal::TokenInvalid.into());
        }
        UserRef::Session => {
            let uid = session(tables, asker.connection)?.map(|session| session.uid);
            return uid.map(Who::User).ok_or(Refusal::NotSignedIn.into());
        }
        UserRef::Claim(claim) => return claimed(tables, asker, claim),
    };
    uid.map(Who::User).ok_or(Refusal::UnknownUser.into())
}

fn claimed(tables: &impl Tables, asker: Asker, claim: &Claim) -> Result<Who, Fail> {
    let name = check_handle(&claim.name)
        .map_err(|fault| Refusal::InvalidHandle { why: fault.to_string() })?;
    let Some(uid) = uid_of_handle(tables, &name)? else {
        return if claim.guests { Ok(Who::Guest(name)) } else { Err(Refusal::NotSignedIn.into()) };
    };
    let by_token = match &claim.token {
        Some(hash) => uid_of_token(tables, asker.now, hash)? == Some(uid),
        None => false,
    };
    let by_address = || -> Result<bool, StoreError> {
        let Some(address) = &claim.address else { return Ok(false) };
        let until = tables.addresses()?.get((address.as_str(), uid))?;
        Ok(until.is_some_and(|until| until.value() > asker.now))
    };
    if by_token || by_address()? { Ok(Who::User(uid)) } else { Err(Refusal::NotSignedIn.into()) }
}

pub(crate) fn uid_of_handle(tables: &impl Tables, handle: &str) -> Result<Option<u64>, StoreError> {
    Ok(tables.handles()?.get(handle)?.map(|uid| uid.value()))
}

pub(crate) fn token(
    tables: &impl Tables,
    hash: &TokenHash,
) -> Result<Option<TokenRow>, StoreError> {
    tables.tokens()?.get(&hash.0)?.map(|row| unpack("tokens", row.value())).transpose()
}

fn uid_of_token(
    tables: &impl Tables,
    now: u64,
    hash: &TokenHash,
) -> Result<Option<u64>, StoreError> {
    Ok(token(tables, hash)?.filter(|row| row.expires > now).map(|row| row.uid))
}

pub(crate) fn session(
    tables: &impl Tables,
    connection: u64,
) -> Result<Option<SessionRow>, StoreError> {
    if let Some(cache) = tables.cache()
        && let Some(session) = cache.borrow().session(connection)
    {
        return Ok(Some(session));
    }
    let Some(row) = tables.sessions()?.get(connection)? else { return Ok(None) };
    let session = unpack("sessions", row.value())?;
    if let Some(cache) = tables.cache() {
        cache.borrow_mut().keep_session(connection, session);
    }
    Ok(Some(session))
}

// Rooms.

pub(crate) fn room_row(tables: &impl Tables, id: u32) -> Result<Option<Arc<RoomRow>>, StoreError> {
    if let Some(cache) = tables.cache()
        && let Some(row) = cache.borrow().room(id)
    {
        return Ok(Some(row));
    }
    let Some(row) = tables.rooms()?.get(id)? else { return Ok(None) };
    let row = memo::room(id, row.value())?;
    if let Some(cache) = tables.cache() {
        cache.borrow_mut().keep_room(id, &row);
    }
    Ok(Some(row))
}

/// The row of a room that another row speaks of.
pub(crate) fn known_room(tables: &impl Tables, id: u32) -> Result<Arc<RoomRow>, StoreError> {
    room_row(tables, id)?.ok_or(StoreError::Corrupt { table: "rooms" })
}

/// The room that is meant, closed or not.
pub(crate) fn any_room(tables: &impl Tables, room: &RoomRef) -> Result<(u32, Arc<RoomRow>), Fail> {
    let id = match room {
        RoomRef::Id(id) => Some(id.0),
        RoomRef::Name(name) => {
            tables.room_names()?.get(normalize(name).as_str())?.map(|id| id.value())
        }
    };
    let Some(id) = id else { return Err(Refusal::UnknownRoom.into()) };
    let row = room_row(tables, id)?.ok_or(Refusal::UnknownRoom)?;
    Ok((id, row))
}

/// The room that is meant, if the caller may know of it.
pub(crate) fn room(
    tables: &impl Tables,
    room: &RoomRef,
    caller: Option<u64>,
) -> Result<(u32, Arc<RoomRow>), Fail> {
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

pub(crate) fn is_member(tables: &impl Tables, room: u32, uid: u64) -> Result<bool, StoreError> {
    if let Some(cache) = tables.cache()
        && cache.borrow().is_member(room, uid)
    {
        return Ok(true);
    }
    let member = tables.members()?.get((room, uid))?.is_some();
    if member && let Some(cache) = tables.cache() {
        cache.borrow_mut().keep_member(room, uid);
    }
    Ok(member)
}

/// Seats taken: durable members and live seats.
pub(crate) fn population(tables: &impl Tables, id: u32, row: &RoomRow) -> Result<u32, StoreError> {
    let live = tables.seat_counts()?.get(id)?.map_or(0, |count| count.value());
    Ok(row.members.saturating_add(live))
}

/// A room's own fields, its owner and its population.
pub(crate) fn room_view(
    tables: &impl Tables,
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
pub(crate) fn members(tables: &impl Tables, room: u32) -> Result<Vec<u64>, StoreError> {
    let mut members = Vec::new();
    for row in tables.members()?.range((room, 0)..=(room, u64::MAX))? {
        let (key, value) = row?;
        members.push((value.value().0, key.value().1));
    }
    members.sort_unstable();
    Ok(members.into_iter().map(|(_, uid)| uid).collect())
}

/// Ids of the rooms of which a user is a durable member.
pub(crate) fn rooms_of_member(tables: &impl Tables, uid: u64) -> Result<Vec<u32>, StoreError> {
    let rows = tables.member_rooms()?.range((uid, 0)..=(uid, u32::MAX))?;
    rows.map(|row| Ok(row?.0.value().1)).collect()
}

// Messages.

/// How many times as many rows as are wanted may be passed over: a look-up costs as much as that.
const SPREAD_MAX: u64 = 4;

/// Makes views of messages; remembers who and where, since authors and rooms recur.
pub(crate) struct MessageViews<'a, T> {
    tables: &'a T,
    people: BTreeMap<Who, Arc<Person>>,
    rooms: BTreeMap<u32, RoomTag>,
    /// The author of the message before: mostly of this one too.
    last_person: Option<Arc<Person>>,
}

impl<'a, T: Tables> MessageViews<'a, T> {
    pub(crate) fn new(tables: &'a T) -> Self {
        let (people, rooms) = (BTreeMap::new(), BTreeMap::new());
        Self { tables, people, rooms, last_person: None }
    }

    /// The messages of these ids, which ascend, as a stream lists them.
    pub(crate) fn of(&mut self, ids: &[u64]) -> Result<Vec<Arc<Message>>, StoreError> {
        let mut messages = Vec::with_capacity(ids.len());
        let Some(store) = self.tables.store() else {
            self.read(ids, |message| messages.push(message))?;
            return Ok(messages);
        };
        let mut unknown = Vec::new();
        for id in ids {
            match memo::message(store, *id) {
                Some(message) => messages.push(self.renewed(store, message)?),
                None => unknown.push(*id),
            }
        }
        if !unknown.is_empty() {
            self.read(&unknown, |message| {
                memo::keep_message(store, &message);
                messages.push(message);
            })?;
            messages.sort_unstable_by_key(|message| message.id);
        }
        Ok(messages)
    }

    /// Reads those messages that exist.
    fn read(&mut self, ids: &[u64], found: impl FnMut(Arc<Message>)) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(()) };
        if last - first < SPREAD_MAX * ids.len() as u64 {
            self.read_close_together(ids, *first, *last, found)
        } else {
            self.read_one_by_one(ids, found)
        }
    }

    fn read_one_by_one(
        &mut self,
        ids: &[u64],
        mut found: impl FnMut(Arc<Message>),
    ) -> Result<(), StoreError> {
        for id in ids {
            if let Some(row) = self.tables.messages()?.get(*id)? {
                found(self.view(*id, MessageRow::unpack(row.value())?)?);
            }
        }
        Ok(())
    }

    /// By one pass over what lies between them too, instead of a look-up for each.
    fn read_close_together(
        &mut self,
        ids: &[u64],
        first: u64,
        last: u64,
        mut found: impl FnMut(Arc<Message>),
    ) -> Result<(), StoreError> {
        let mut wanted = ids.iter().copied().peekable();
        for row in self.tables.messages()?.range(first..=last)? {
            let (id, row) = row?;
            let id = id.value();
            while wanted.next_if(|wanted| *wanted < id).is_some() {}
            if wanted.next_if_eq(&id).is_some() {
                found(self.view(id, MessageRow::unpack(row.value())?)?);
            }
        }
        Ok(())
    }

    fn view(&mut self, id: u64, row: MessageRow) -> Result<Arc<Message>, StoreError> {
        let author = match (&row.author, &self.last_person) {
            (Who::User(uid), Some(last)) if last.uid == Some(Uid(*uid)) => Arc::clone(last),
            (who, _) => {
                let person = self.person(who)?;
                self.last_person.insert(person).clone()
            }
        };
        let to = match row.to {
            Destination::Room(room) => Recipient::Room(self.tag(room)?),
            Destination::User(uid) => Recipient::User(self.person(&Who::User(uid))?),
        };
        let (id, at) = (MessageId(id), Timestamp(row.at));
        Ok(Arc::new(Message { id, at, author, to, text: row.text }))
    }

    /// A message that was read before, with everyone as they are called now. A room keeps its
    /// name.
    fn renewed(&mut self, store: u64, known: Arc<Message>) -> Result<Arc<Message>, StoreError> {
        let Message { id, at, author, to, text } = &*known;
        let is_current = self.is_current(author)?
            && match to {
                Recipient::Room(_) => true,
                Recipient::User(person) => self.is_current(person)?,
            };
        if is_current {
            return Ok(known);
        }
        let to = match to {
            Recipient::Room(tag) => Recipient::Room(tag.clone()),
            Recipient::User(person) => Recipient::User(self.current(person)?),
        };
        let (author, text) = (self.current(author)?, text.clone());
        let renewed = Arc::new(Message { id: *id, at: *at, author, to, text });
        memo::keep_message(store, &renewed);
        Ok(renewed)
    }

    fn is_current(&mut self, person: &Arc<Person>) -> Result<bool, StoreError> {
        if self.last_person.as_ref().is_some_and(|last| Arc::ptr_eq(last, person)) {
            return Ok(true);
        }
        let is_current = self.current(person)? == *person;
        if is_current {
            self.last_person = Some(Arc::clone(person));
        }
        Ok(is_current)
    }

    /// Somebody as the store has it now.
    fn current(&mut self, person: &Arc<Person>) -> Result<Arc<Person>, StoreError> {
        match person.uid {
            Some(uid) => self.person(&Who::User(uid.0)),
            // All that there is of a guest is the name.
            None => Ok(Arc::clone(person)),
        }
    }

    fn person(&mut self, who: &Who) -> Result<Arc<Person>, StoreError> {
        if let Some(person) = self.people.get(who) {
            return Ok(Arc::clone(person));
        }
        let person = anyone(self.tables, who)?;
        self.people.insert(who.clone(), Arc::clone(&person));
        Ok(person)
    }

    fn tag(&mut self, room: u32) -> Result<RoomTag, StoreError> {
        if let Some(tag) = self.rooms.get(&room) {
            return Ok(tag.clone());
        }
        let tag = known_room(self.tables, room)?.tag(room);
        self.rooms.insert(room, tag.clone());
        Ok(tag)
    }
}
