//! The connections that are signed on, by nick: what this dialect knows of users beside the engine.
//!
//! The engine identifies a guest by name alone and does not know real names or away messages. This
//! table belongs to one front end; a session holds an entry for as long as it is signed on.

mod operators;
mod presence;
mod renaming;
mod tags;
mod taken;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core_model::{ConnectionId, Person, RoomId, Timestamp, Uid};

use crate::mask::matches_mask;
use crate::names::fold;
use crate::peer_event::{Inbox, PeerAction, PeerEvent, Wakes};

pub(crate) use presence::{Presence, TopicNote};
use tags::TagTable;
use taken::Taken;

/// The number of departed users that WHOWAS remembers.
const DEPARTED_MAX: usize = 100;

/// All entries. A nick has one entry for each connection of the account.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    table: Mutex<Table>,
    /// The number of entries of bots: with none, messages are sent without a look at the table.
    bots: AtomicUsize,
    /// The number of connections that have not signed on.
    unregistered: AtomicUsize,
    tags: TagTable,
}

/// The folded nick, and a number that no other entry has.
type Key = (String, u64);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    entries: BTreeMap<Key, Record>,
    /// The newest last.
    departed: VecDeque<Presence>,
    most: usize,
    rooms: BTreeMap<RoomId, Joined>,
    /// The folded and the own names of these rooms.
    room_names: BTreeSet<(String, String)>,
    /// The numbers of the entries that watch a nick, by its folded form.
    watchers: BTreeMap<String, BTreeSet<u64>>,
    keys: BTreeMap<u64, Key>,
    taken: Taken,
    /// The numbers of the entries of operators, and of those that read WALLOPS.
    operators: BTreeSet<u64>,
    wallops: BTreeSet<u64>,
}

/// A room that some entry has joined.
#[derive(Debug)]
struct Joined {
    name: String,
    /// Whether lists leave it out.
    secret: bool,
    /// The numbers of the entries.
    numbers: BTreeSet<u64>,
    /// Who has set the topic, if an entry has seen it.
    topic: Option<TopicNote>,
}

#[derive(Debug)]
struct Record {
    presence: Presence,
    /// `None` if the host cannot wake the session; it hears of nothing then.
    connection: Option<ConnectionId>,
    inbox: Inbox,
    rooms: BTreeSet<RoomId>,
    /// The watched nicks as the client wrote them, by their folded form.
    watched: BTreeMap<String, String>,
    /// Whether it is a guest whose nick an account has got: it is about to be disconnected.
    is_refused: bool,
}

/// The entry of one connection, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    directory: Arc<Directory>,
    key: Key,
}

/// Counts a connection that has not signed on, until this is dropped.
#[derive(Debug)]
pub(crate) struct Unregistered(Arc<Directory>);

impl Drop for Unregistered {
    fn drop(&mut self) {
        self.0.unregistered.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The numbers of LUSERS.
pub(crate) struct Counts {
    pub(crate) users: usize,
    pub(crate) unregistered: usize,
    pub(crate) most: usize,
    /// Rooms that users of irc have joined.
    pub(crate) rooms: usize,
    pub(crate) operators: usize,
}

impl Directory {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection. `None` where it is a guest whose nick another user has.
    pub(crate) fn enter(
        self: &Arc<Self>,
        presence: Presence,
        connection: Option<ConnectionId>,
    ) -> Option<Entry> {
        let mut table = self.table();
        let folded = fold(&presence.nick);
        if presence.uid.is_none() && table.of(&folded).next().is_some() {
            return None;
        }
        table.next += 1;
        let key = (folded, table.next);
        table.keys.insert(key.1, key.clone());
        let record = Record {
            presence,
            connection,
            inbox: Inbox::default(),
            rooms: BTreeSet::new(),
            watched: BTreeMap::new(),
            is_refused: false,
        };
        table.entries.insert(key.clone(), record);
        table.most = table.most.max(table.entries.len());
        Some(Entry { directory: Arc::clone(self), key })
    }

    /// The user of this nick: away only if all of its connections are.
    pub(crate) fn find(&self, nick: &str) -> Option<Presence> {
        let table = self.table();
        let mut found: Option<&Presence> = None;
        for record in table.of(&fold(nick)) {
            if found.is_none_or(|found| found.away.is_some()) {
                found = Some(&record.presence);
            }
        }
        found.cloned()
    }

    /// The users of this nick that have left, the newest first.
    pub(crate) fn departed(&self, nick: &str) -> Vec<Presence> {
        let folded = fold(nick);
        let table = self.table();
        table.departed.iter().rev().filter(|gone| fold(&gone.nick) == folded).cloned().collect()
    }

    /// The name of a room that users of irc have joined and that differs from this one in case at
    /// most; the same name comes before others.
    pub(crate) fn room_name(&self, name: &str) -> Option<String> {
        let table = self.table();
        let folded = fold(name);
        if table.room_names.contains(&(folded.clone(), name.to_owned())) {
            return Some(name.to_owned());
        }
        let mut names = table.room_names.range((folded.clone(), String::new())..);
        names.next().filter(|(other, _)| *other == folded).map(|(_, name)| name.clone())
    }

    /// Whether the user of this nick, with this account or none, has declared itself a bot.
    pub(crate) fn is_bot(&self, nick: &str, uid: Option<Uid>) -> bool {
        if self.bots.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let table = self.table();
        table.of(&fold(nick)).any(|record| record.presence.is_bot && record.presence.uid == uid)
    }

    pub(crate) fn counts(&self) -> Counts {
        let table = self.table();
        Counts {
            users: table.entries.len(),
            unregistered: self.unregistered.load(Ordering::Relaxed),
            most: table.most,
            rooms: table.rooms.len(),
            operators: table.operators.len(),
        }
    }

    pub(crate) fn add_unregistered(self: &Arc<Self>) -> Unregistered {
        self.unregistered.fetch_add(1, Ordering::Relaxed);
        Unregistered(Arc::clone(self))
    }

    /// The rooms that users of irc have joined, by id; secret ones if `is_own` says so.
    pub(crate) fn room_names(&self, most: usize, is_own: impl Fn(&RoomId) -> bool) -> Vec<String> {
        let table = self.table();
        let shown = table.rooms.iter().filter(|(id, joined)| !joined.secret || is_own(id));
        shown.take(most).map(|(_, joined)| joined.name.clone()).collect()
    }

    /// Notes whether a room is secret; each session in the room does.
    pub(crate) fn note_secret(&self, room: RoomId, secret: bool) {
        if let Some(joined) = self.table().rooms.get_mut(&room) {
            joined.secret = secret;
        }
    }

    /// Who has set this topic of a room, if a user of irc in it has seen that.
    pub(crate) fn topic_note(&self, room: RoomId, topic: &str) -> Option<TopicNote> {
        let table = self.table();
        let note = table.rooms.get(&room)?.topic.as_ref()?;
        (note.topic == topic).then(|| note.clone())
    }

    /// Notes who has set a topic; each session in the room does.
    pub(crate) fn note_topic(&self, room: RoomId, note: &TopicNote) {
        let mut table = self.table();
        if let Some(joined) = table.rooms.get_mut(&room)
            && joined.topic.as_ref().is_none_or(|former| former.at <= note.at)
        {
            joined.topic = Some(note.clone());
        }
    }

    fn forget_bot(&self, presence: &Presence) {
        if presence.is_bot {
            self.bots.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Tells all connections of a nick.
    pub(crate) fn tell_nick(&self, nick: &str, event: &PeerEvent) -> Wakes {
        let mut table = self.table();
        let folded = fold(nick);
        let numbers = table.numbered(&folded).filter(|(_, record)| !record.is_refused);
        let numbers: Vec<u64> = numbers.map(|(number, _)| number).collect();
        table.tell(numbers, event)
    }
}

impl Table {
    fn of<'a>(&'a self, folded: &str) -> impl Iterator<Item = &'a Record> + use<'a> {
        self.numbered(folded).map(|(_, record)| record).filter(|record| !record.is_refused)
    }

    /// The entries of a nick with their numbers, and those of guests that are refused.
    fn numbered<'a>(&'a self, folded: &str) -> impl Iterator<Item = (u64, &'a Record)> + use<'a> {
        let range = (folded.to_owned(), 0)..=(folded.to_owned(), u64::MAX);
        self.entries.range(range).map(|((_, number), record)| (*number, record))
    }

    fn numbers_of(&self, folded: &str) -> Vec<u64> {
        self.numbered(folded).map(|(number, _)| number).collect()
    }

    fn record(&mut self, number: u64) -> Option<&mut Record> {
        let key = self.keys.get(&number)?;
        self.entries.get_mut(key)
    }

    fn tell(&mut self, numbers: impl IntoIterator<Item = u64>, event: &PeerEvent) -> Wakes {
        let mut wakes = Wakes::default();
        for number in numbers {
            if let Some(record) = self.record(number)
                && let Some(connection) = record.connection
            {
                record.inbox.put(event.clone(), connection, &mut wakes);
            }
        }
        wakes
    }

    fn tell_watchers(&mut self, folded: &str, event: &PeerEvent) -> Wakes {
        let watchers = self.watchers.get(folded).cloned().unwrap_or_default();
        self.tell(watchers, event)
    }

    fn keep_departed(&mut self, presence: Presence) {
        if self.departed.len() == DEPARTED_MAX {
            self.departed.pop_front();
        }
        self.departed.push_back(presence);
    }

    /// The numbers of the entries in the rooms that this one has joined.
    fn neighbors(&self, key: &Key) -> BTreeSet<u64> {
        let rooms = self.entries.get(key).map(|record| &record.rooms).into_iter().flatten();
        let joined = rooms.filter_map(|room| self.rooms.get(room));
        joined.flat_map(|joined| joined.numbers.iter().copied()).collect()
    }

    fn leave_room(&mut self, room: RoomId, number: u64) {
        let Some(joined) = self.rooms.get_mut(&room) else { return };
        joined.numbers.remove(&number);
        if joined.numbers.is_empty() {
            self.room_names.remove(&(fold(&joined.name), joined.name.clone()));
            self.rooms.remove(&room);
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Presence> {
        let record = self.entries.remove(key)?;
        self.keys.remove(&key.1);
        self.operators.remove(&key.1);
        self.wallops.remove(&key.1);
        for room in &record.rooms {
            self.leave_room(*room, key.1);
        }
        for folded in record.watched.keys() {
            remove_from(&mut self.watchers, folded, key.1);
        }
        self.keep_departed(record.presence.clone());
        Some(record.presence)
    }
}

fn remove_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<u64>>, key: &K, number: u64) {
    if let Some(numbers) = index.get_mut(key) {
        numbers.remove(&number);
        if numbers.is_empty() {
            index.remove(key);
        }
    }
}

impl Entry {
    fn change(&self, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.directory.table().entries.get_mut(&self.key) {
            change(record);
        }
    }

    /// Tells those that watch the nick that it is in use, if this connection is its first.
    pub(crate) fn announce(&self, by: &Arc<Person>, at: Timestamp) -> Wakes {
        let mut table = self.directory.table();
        if table.numbers_of(&self.key.0).len() > 1 {
            return Wakes::default();
        }
        let event = PeerEvent { by: Arc::clone(by), at, action: PeerAction::Online };
        table.tell_watchers(&self.key.0, &event)
    }

    /// Removes the entry, and tells those that watch the nick if no other connection uses it.
    pub(crate) fn leave(self, by: &Arc<Person>, at: Timestamp) -> Wakes {
        let mut table = self.directory.table();
        let Some(presence) = table.remove(&self.key) else { return Wakes::default() };
        self.directory.forget_bot(&presence);
        if table.of(&self.key.0).next().is_some() {
            return Wakes::default();
        }
        let event =
            PeerEvent { by: Arc::clone(by), at, action: PeerAction::Offline(presence.nick) };
        table.tell_watchers(&self.key.0, &event)
    }

    /// Marks the connection as away or back. True if that changes what others see of the user.
    pub(crate) fn set_away(&self, away: Option<String>) -> bool {
        let seen = || self.directory.find(&self.key.0).and_then(|user| user.away);
        let before = seen();
        self.change(|record| record.presence.away = away);
        before != seen()
    }

    pub(crate) fn set_real_name(&self, real_name: &str) {
        self.change(|record| record.presence.real_name = real_name.to_owned());
    }

    pub(crate) fn set_bot(&self, is_bot: bool) {
        self.change(|record| {
            if is_bot && !record.presence.is_bot {
                self.directory.bots.fetch_add(1, Ordering::Relaxed);
            } else if !is_bot && record.presence.is_bot {
                self.directory.bots.fetch_sub(1, Ordering::Relaxed);
            }
            record.presence.is_bot = is_bot;
        });
    }

    pub(crate) fn join(&self, room: RoomId, name: &str) {
        let mut table = self.directory.table();
        if let Some(record) = table.entries.get_mut(&self.key) {
            record.rooms.insert(room);
            table.room_names.insert((fold(name), name.to_owned()));
            let numbers = BTreeSet::new();
            let name = name.to_owned();
            let new = || Joined { name, secret: false, numbers, topic: None };
            table.rooms.entry(room).or_insert_with(new).numbers.insert(self.key.1);
        }
    }

    pub(crate) fn part(&self, room: RoomId) {
        let mut table = self.directory.table();
        if let Some(record) = table.entries.get_mut(&self.key) {
            record.rooms.remove(&room);
            table.leave_room(room, self.key.1);
        }
    }

    /// Tells the other connections that have joined a room that this one has joined.
    pub(crate) fn tell_neighbors(&self, event: &PeerEvent) -> Wakes {
        let mut table = self.directory.table();
        let mut numbers = table.neighbors(&self.key);
        numbers.remove(&self.key.1);
        table.tell(numbers, event)
    }

    /// The users with such nicks, this one included, of those in the rooms that this connection has
    /// joined.
    pub(crate) fn neighbors(&self, mask: &str, most: usize) -> Vec<Presence> {
        let table = self.directory.table();
        let mut numbers = table.neighbors(&self.key);
        numbers.insert(self.key.1);
        let keys = numbers.iter().filter_map(|number| table.keys.get(number));
        let folded: BTreeSet<&str> = keys.map(|(folded, _)| folded.as_str()).collect();
        let fitting = folded.into_iter().filter(|folded| matches_mask(mask, folded));
        let found = fitting.filter_map(|folded| table.of(folded).next());
        found.take(most).map(|record| record.presence.clone()).collect()
    }

    /// Tells the other connections of the user.
    pub(crate) fn tell_own(&self, event: &PeerEvent) -> Wakes {
        let mut table = self.directory.table();
        let mut numbers = table.numbers_of(&self.key.0);
        numbers.retain(|number| *number != self.key.1);
        table.tell(numbers, event)
    }

    /// Tells the other connections in a room.
    pub(crate) fn tell_room(&self, room: RoomId, event: &PeerEvent) -> Wakes {
        let mut table = self.directory.table();
        let joined = table.rooms.get(&room);
        let mut numbers = joined.map(|joined| joined.numbers.clone()).unwrap_or_default();
        numbers.remove(&self.key.1);
        table.tell(numbers, event)
    }

    pub(crate) fn take_inbox(&self) -> Vec<PeerEvent> {
        let mut events = Vec::new();
        self.change(|record| events = record.inbox.take());
        events
    }

    /// Watches a nick; false if that would be more than `most`.
    pub(crate) fn watch(&self, nick: &str, most: usize) -> bool {
        let folded = fold(nick);
        let mut table = self.directory.table();
        let Some(record) = table.entries.get_mut(&self.key) else { return false };
        if record.watched.len() >= most && !record.watched.contains_key(&folded) {
            return false;
        }
        record.watched.insert(folded.clone(), nick.to_owned());
        table.watchers.entry(folded).or_default().insert(self.key.1);
        true
    }

    pub(crate) fn unwatch(&self, nick: &str) {
        let folded = fold(nick);
        let mut table = self.directory.table();
        if let Some(record) = table.entries.get_mut(&self.key) {
            record.watched.remove(&folded);
            remove_from(&mut table.watchers, &folded, self.key.1);
        }
    }

    pub(crate) fn watched(&self) -> Vec<String> {
        let table = self.directory.table();
        let record = table.entries.get(&self.key);
        record.map(|record| record.watched.values().cloned().collect()).unwrap_or_default()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let removed = self.directory.table().remove(&self.key);
        removed.iter().for_each(|presence| self.directory.forget_bot(presence));
    }
}

#[cfg(test)]
mod tests;
