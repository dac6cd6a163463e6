//! Reads messages by id, as clients see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{Message, MessageId, Person, Recipient, RoomTag, Timestamp, Uid};
use redb::ReadableTable;

use crate::cache::messages as message_cache;
use crate::error::StoreError;
use crate::lookup::{known_room, person_of};
use crate::rows::{Destination, MessageRow, Who};
use crate::state::State;

/// One look-up costs about as much as skipping this many rows of a range.
const SPREAD_MAX: u64 = 4;

/// Bytes of text in one reply. A thousand messages of 64 KiB each would be 64 MiB of memory, and
/// the writer would read them for as long.
pub(crate) const REPLY_BYTES_MAX: usize = 4 << 20;

/// Messages that are read before their bytes are counted.
const BLOCK: usize = 64;

/// Makes views of messages; remembers people and rooms, since they recur.
pub(crate) struct MessageReader<'a, T> {
    tables: &'a T,
    people: BTreeMap<Who, Arc<Person>>,
    rooms: BTreeMap<u32, RoomTag>,
    /// The previous message's author: usually this one's as well.
    last_person: Option<Arc<Person>>,
}

impl<'a, T: State> MessageReader<'a, T> {
    pub(crate) fn new(tables: &'a T) -> Self {
        Self { tables, people: BTreeMap::new(), rooms: BTreeMap::new(), last_person: None }
    }

    /// The messages with these ids, which ascend. Ids without a message are skipped.
    pub(crate) fn of(&mut self, ids: &[u64]) -> Result<Vec<Arc<Message>>, StoreError> {
        let mut messages = Vec::with_capacity(ids.len());
        let Some(store) = self.tables.store() else {
            self.read(ids, |message| messages.push(message))?;
            return Ok(messages);
        };
        let mut unknown = Vec::new();
        for id in ids {
            match message_cache::get(store, *id) {
                Some(message) => messages.push(self.refreshed(store, message)?),
                None => unknown.push(*id),
            }
        }
        if !unknown.is_empty() {
            self.read(&unknown, |message| {
                message_cache::keep(store, &message);
                messages.push(message);
            })?;
            messages.sort_unstable_by_key(|message| message.id);
        }
        Ok(messages)
    }

    /// The newest of these messages whose texts fit into `bytes_max`, and at least one.
    pub(crate) fn newest_within(
        &mut self,
        ids: &[u64],
        bytes_max: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let mut newest_first = Vec::with_capacity(ids.len().min(2 * BLOCK));
        let mut bytes = 0;
        for block in ids.rchunks(BLOCK) {
            for message in self.of(block)?.into_iter().rev() {
                bytes += message.text.len();
                if bytes > bytes_max && !newest_first.is_empty() {
                    newest_first.reverse();
                    return Ok(newest_first);
                }
                newest_first.push(message);
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    /// The oldest of these messages whose texts fit into `bytes_max`, and at least one; and whether
    /// these are all.
    pub(crate) fn oldest_within(
        &mut self,
        ids: &[u64],
        bytes_max: usize,
    ) -> Result<(Vec<Arc<Message>>, bool), StoreError> {
        let mut messages = Vec::with_capacity(ids.len().min(2 * BLOCK));
        let mut bytes = 0;
        for block in ids.chunks(BLOCK) {
            for message in self.of(block)? {
                bytes += message.text.len();
                if bytes > bytes_max && !messages.is_empty() {
                    return Ok((messages, false));
                }
                messages.push(message);
            }
        }
        Ok((messages, true))
    }

    /// Reads the messages that exist.
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

    /// One pass over the range that contains all ids, instead of a look-up for each.
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
        let at = Timestamp(row.at);
        let MessageRow { text, notice, .. } = row;
        Ok(Arc::new(Message { id: MessageId(id), at, author, to, text, notice }))
    }

    /// A cached message, with the current names of its author and recipient. A room's name never
    /// changes.
    fn refreshed(&mut self, store: u64, known: Arc<Message>) -> Result<Arc<Message>, StoreError> {
        let Message { id, at, author, to, text, notice } = &*known;
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
        let author = self.current(author)?;
        let text = text.clone();
        let refreshed = Arc::new(Message { id: *id, at: *at, author, to, text, notice: *notice });
        message_cache::keep(store, &refreshed);
        Ok(refreshed)
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

    /// The person as the store has it now.
    fn current(&mut self, person: &Arc<Person>) -> Result<Arc<Person>, StoreError> {
        match person.uid {
            Some(uid) => self.person(&Who::User(uid.0)),
            // A guest is nothing but a name.
            None => Ok(Arc::clone(person)),
        }
    }

    fn person(&mut self, who: &Who) -> Result<Arc<Person>, StoreError> {
        if let Some(person) = self.people.get(who) {
            return Ok(Arc::clone(person));
        }
        let person = person_of(self.tables, who)?;
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
