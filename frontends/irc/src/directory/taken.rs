//! Nicks of guests that accounts get.

use std::collections::VecDeque;
use std::sync::Arc;

use core_model::{GUEST_PREFIX, Person, Timestamp};

use super::{Directory, Table};
use crate::names::fold;
use crate::peer_event::{PeerAction, PeerEvent, Wakes};

/// New accounts that are remembered: more than come into being while the engine answers one query.
const TAKEN_MAX: usize = 256;

/// Why the guest is disconnected.
const WHY: &str = "An account has this name: sign in with SASL or PASS";

/// The nicks that accounts have got of late.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// How many there have been.
    count: u64,
    /// The newest ones, folded; the newest last.
    newest: VecDeque<String>,
}

impl Taken {
    fn note(&mut self, folded: String) {
        if self.newest.len() == TAKEN_MAX {
            self.newest.pop_front();
        }
        self.newest.push_back(folded);
        self.count += 1;
    }

    /// Whether a nick is among those after the first `count`. Of more than are known, each may be.
    fn has_since(&self, count: u64, folded: &str) -> bool {
        let since = usize::try_from(self.count.saturating_sub(count)).unwrap_or(usize::MAX);
        since > self.newest.len() || self.newest.iter().rev().take(since).any(|it| it == folded)
    }
}

impl Directory {
    /// How many accounts have come into being. To be asked before the engine is asked whether an
    /// account has a nick.
    pub(crate) fn accounts_seen(&self) -> u64 {
        self.table().taken.count
    }

    /// An account has come into being. Takes the nick from the guest that has it.
    pub(crate) fn give_nick_to_account(&self, nick: &str) -> Wakes {
        let mut table = self.table();
        let folded = fold(nick);
        table.taken.note(folded.clone());
        table.refuse_guest(&folded)
    }

    /// Takes a nick from the guest that has it, because an account has got it.
    pub(crate) fn refuse_guest(&self, nick: &str) -> Wakes {
        self.table().refuse_guest(&fold(nick))
    }

    /// The same for a guest whose nick had no account when `accounts_seen` was so many, if one has
    /// come into being since.
    pub(crate) fn refuse_guest_if_taken_since(&self, count: u64, nick: &str) -> Wakes {
        let mut table = self.table();
        let folded = fold(nick);
        if table.taken.has_since(count, &folded) {
            return table.refuse_guest(&folded);
        }
        Wakes::default()
    }
}

impl Table {
    /// Disconnects the guest of a nick.
    fn refuse_guest(&mut self, folded: &str) -> Wakes {
        let guests = self.numbered(folded).filter(|(_, record)| record.presence.uid.is_none());
        let guests: Vec<u64> = guests.map(|(number, _)| number).collect();
        for number in &guests {
            if let Some(record) = self.record(*number) {
                record.is_refused = true;
            }
        }
        let action = PeerAction::Kill(WHY.into());
        let by = Person { handle: format!("{GUEST_PREFIX}gateway"), ..Person::default() };
        let event = PeerEvent { by: Arc::new(by), at: Timestamp(0), action };
        self.tell(guests, &event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nicks_that_accounts_have_got_of_late_are_known_and_others_may_be_any() {
        let mut taken = Taken::default();
        taken.note("zed".into());
        assert!(taken.has_since(0, "zed") && !taken.has_since(0, "yan"));
        assert!(!taken.has_since(1, "zed"), "it was asked about after that");
        (0..TAKEN_MAX).for_each(|nth| taken.note(format!("user-{nth}")));
        assert!(taken.has_since(0, "yan"), "more are gone by than are known");
        assert!(!taken.has_since(1, "yan") && taken.has_since(1, "user-0"));
    }
}
