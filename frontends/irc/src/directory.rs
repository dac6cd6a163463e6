//! The connections that are signed on, by nick: what this dialect knows of users beside the engine.
//!
//! The engine identifies a guest by name alone and does not know real names or away messages. This
//! table belongs to one front end; a session holds an entry for as long as it is signed on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core_model::{Timestamp, Uid};

use crate::names::fold;

/// The number of departed users that WHOWAS remembers.
const DEPARTED_MAX: usize = 100;

/// A user that is signed on, as one of its connections describes it.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    pub(crate) nick: String,
    /// `None` for a guest.
    pub(crate) uid: Option<Uid>,
    pub(crate) real_name: String,
    /// Why the user is away, if it is.
    pub(crate) away: Option<String>,
    pub(crate) signed_on: Timestamp,
}

/// All entries. A nick has one entry for each connection of the account.
#[derive(Debug, Default)]
pub(crate) struct Directory(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    entries: BTreeMap<(String, u64), Presence>,
    /// The newest last.
    departed: VecDeque<Presence>,
    most: usize,
}

/// The entry of one connection, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    directory: Arc<Directory>,
    key: (String, u64),
}

/// The numbers of LUSERS.
pub(crate) struct Counts {
    pub(crate) users: usize,
    pub(crate) most: usize,
}

impl Directory {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection. `None` where it is a guest whose nick another user has.
    pub(crate) fn enter(self: &Arc<Self>, presence: Presence) -> Option<Entry> {
        let mut table = self.table();
        let folded = fold(&presence.nick);
        if presence.uid.is_none() && table.of(&folded).next().is_some() {
            return None;
        }
        table.next += 1;
        let key = (folded, table.next);
        table.entries.insert(key.clone(), presence);
        table.most = table.most.max(table.entries.len());
        Some(Entry { directory: Arc::clone(self), key })
    }

    /// The user of this nick: away only if all of its connections are.
    pub(crate) fn find(&self, nick: &str) -> Option<Presence> {
        let table = self.table();
        let mut found: Option<&Presence> = None;
        for presence in table.of(&fold(nick)) {
            if found.is_none_or(|found| found.away.is_some()) {
                found = Some(presence);
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

    pub(crate) fn counts(&self) -> Counts {
        let table = self.table();
        Counts { users: table.entries.len(), most: table.most }
    }
}

impl Table {
    fn of<'a>(&'a self, folded: &str) -> impl Iterator<Item = &'a Presence> + use<'a> {
        let range = (folded.to_owned(), 0)..=(folded.to_owned(), u64::MAX);
        self.entries.range(range).map(|(_, presence)| presence)
    }
}

impl Entry {
    pub(crate) fn set_away(&self, away: Option<String>) {
        if let Some(presence) = self.directory.table().entries.get_mut(&self.key) {
            presence.away = away;
        }
    }

    /// Gives a guest another nick; false where another user has it.
    pub(crate) fn rename(&mut self, nick: &str) -> bool {
        let folded = fold(nick);
        let mut table = self.directory.table();
        if folded != self.key.0 && table.of(&folded).next().is_some() {
            return false;
        }
        if let Some(mut presence) = table.entries.remove(&self.key) {
            table.keep_departed(presence.clone());
            presence.nick = nick.to_owned();
            self.key.0 = folded;
            table.entries.insert(self.key.clone(), presence);
        }
        true
    }
}

impl Table {
    fn keep_departed(&mut self, presence: Presence) {
        if self.departed.len() == DEPARTED_MAX {
            self.departed.pop_front();
        }
        self.departed.push_back(presence);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut table = self.directory.table();
        if let Some(presence) = table.entries.remove(&self.key) {
            table.keep_departed(presence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(nick: &str, uid: Option<u64>) -> Presence {
        Presence {
            nick: nick.into(),
            uid: uid.map(Uid),
            real_name: nick.to_uppercase(),
            away: None,
            signed_on: Timestamp(0),
        }
    }

    #[test]
    fn a_nick_has_one_guest_at_a_time_in_either_case() {
        let directory = Arc::new(Directory::default());
        let zed = directory.enter(presence("zed", None)).unwrap();
        assert!(directory.enter(presence("Zed", None)).is_none());
        let mut yan = directory.enter(presence("yan", None)).unwrap();
        assert!(!yan.rename("ZED"));
        drop(zed);
        assert!(yan.rename("ZED"));
        assert_eq!(directory.find("zed").unwrap().real_name, "YAN");
        let gone: Vec<String> = directory.departed("zed").into_iter().map(|it| it.nick).collect();
        assert_eq!(gone, ["zed"]);
        assert_eq!(directory.counts().users, 1);
    }

    #[test]
    fn an_account_is_away_if_all_its_connections_are() {
        let directory = Arc::new(Directory::default());
        let one = directory.enter(presence("ann", Some(1))).unwrap();
        let other = directory.enter(presence("ann", Some(1))).unwrap();
        assert!(directory.enter(presence("ann", None)).is_none());
        one.set_away(Some("tea".into()));
        assert_eq!(directory.find("ann").unwrap().away, None);
        other.set_away(Some("tea".into()));
        assert_eq!(directory.find("ann").unwrap().away.as_deref(), Some("tea"));
    }

    #[test]
    fn a_bounded_number_of_departed_users_is_remembered() {
        let directory = Arc::new(Directory::default());
        for nth in 0..300 {
            drop(directory.enter(presence(&format!("guest-{nth}"), None)));
        }
        assert!(directory.departed("guest-199").is_empty());
        assert_eq!(directory.departed("guest-200").len(), 1);
    }
}
