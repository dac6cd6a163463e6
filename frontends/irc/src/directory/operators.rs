//! The operators of the gateway, and those who read what operators tell.

use std::collections::BTreeSet;

use super::{Directory, Entry, Presence};
use crate::mask::matches_mask;
use crate::peer_event::{PeerEvent, Wakes};

impl Directory {
    /// Tells the operators, and all who read WALLOPS.
    pub(crate) fn tell_operators(&self, event: &PeerEvent) -> Wakes {
        let mut table = self.table();
        let numbers = &table.operators | &table.wallops;
        table.tell(numbers, event)
    }

    /// The operators with such nicks.
    pub(crate) fn operators(&self, mask: &str, most: usize) -> Vec<Presence> {
        let table = self.table();
        let keys = table.operators.iter().filter_map(|number| table.keys.get(number));
        let fitting = keys.filter(|(folded, _)| matches_mask(mask, folded));
        let found = fitting.filter_map(|key| table.entries.get(key));
        found.take(most).map(|record| record.presence.clone()).collect()
    }
}

impl Entry {
    pub(crate) fn set_operator(&self, is_operator: bool) {
        let mut table = self.directory.table();
        set_member(&mut table.operators, self.key.1, is_operator);
        if let Some(record) = table.entries.get_mut(&self.key) {
            record.presence.is_operator = is_operator;
        }
    }

    pub(crate) fn set_wallops(&self, reads: bool) {
        let mut table = self.directory.table();
        set_member(&mut table.wallops, self.key.1, reads);
        if let Some(record) = table.entries.get_mut(&self.key) {
            record.presence.reads_wallops = reads;
        }
    }

    /// What the table has of this connection.
    pub(crate) fn presence(&self) -> Option<Presence> {
        self.directory.table().entries.get(&self.key).map(|record| record.presence.clone())
    }
}

fn set_member(set: &mut BTreeSet<u64>, number: u64, is_member: bool) {
    if is_member {
        set.insert(number);
    } else {
        set.remove(&number);
    }
}
