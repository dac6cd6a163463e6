//! A connection gets another nick, as a guest or as the account that it has signed in to.

use std::sync::Arc;

use core_model::{Person, Timestamp};

use super::{Entry, Table};
use crate::names::fold;
use crate::peer_event::{PeerAction, PeerEvent, Wakes};

impl Entry {
    /// Gives a guest another nick; `None` where another user has it.
    pub(crate) fn rename(&mut self, nick: &str, by: &Arc<Person>, at: Timestamp) -> Option<Wakes> {
        let directory = Arc::clone(&self.directory);
        let mut table = directory.table();
        let folded = fold(nick);
        if folded != self.key.0 && table.of(&folded).next().is_some() {
            return None;
        }
        Some(self.change_user(&mut table, nick, by, at))
    }

    /// Makes the connection that of another user, who has an account.
    pub(crate) fn become_user(&mut self, nick: &str, user: &Arc<Person>, at: Timestamp) -> Wakes {
        let directory = Arc::clone(&self.directory);
        self.change_user(&mut directory.table(), nick, user, at)
    }

    /// Tells those that watch the nicks, if this was the last connection of the one, and is the first
    /// of the other.
    fn change_user(
        &mut self,
        table: &mut Table,
        nick: &str,
        user: &Arc<Person>,
        at: Timestamp,
    ) -> Wakes {
        let Some(mut record) = table.entries.remove(&self.key) else { return Wakes::default() };
        table.keep_departed(record.presence.clone());
        let former = std::mem::replace(&mut record.presence.nick, nick.to_owned());
        record.presence.uid = user.uid;
        let former_folded = std::mem::replace(&mut self.key.0, fold(nick));
        let is_first = table.of(&self.key.0).next().is_none();
        table.keys.insert(self.key.1, self.key.clone());
        table.entries.insert(self.key.clone(), record);
        let was_last = table.of(&former_folded).next().is_none();
        let mut wakes = Wakes::default();
        if former_folded == self.key.0 {
            return wakes;
        }
        let mut tell = |folded: &str, action| {
            let event = PeerEvent { by: Arc::clone(user), at, action };
            wakes.connections.extend(table.tell_watchers(folded, &event).connections);
        };
        if was_last {
            tell(&former_folded, PeerAction::Offline(former));
        }
        if is_first {
            tell(&self.key.0, PeerAction::Online);
        }
        wakes
    }
}
