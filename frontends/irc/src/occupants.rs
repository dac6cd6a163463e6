//! The people in a channel, and the marks of their roles.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{Outcome, Person, Reply, Roles};

use crate::caps::Caps;
use crate::names;
use crate::state::IrcSession;

/// The people in a room, as an answer names them.
#[derive(Clone, Copy)]
pub(crate) struct Occupants<'a> {
    pub(crate) people: &'a [Arc<Person>],
    roles: &'a BTreeMap<String, Roles>,
}

impl<'a> Occupants<'a> {
    /// `None` if the room is unknown to the client.
    pub(crate) fn of(outcome: &'a Outcome) -> Option<Self> {
        match outcome {
            Ok(Reply::Members { members, roles }) => Some(Self { people: members, roles }),
            _ => None,
        }
    }

    /// The account with this nick, else the guest: one of another dialect may be called like an
    /// account that was made later.
    pub(crate) fn find(self, nick: &str) -> Option<&'a Arc<Person>> {
        let account = self.named(nick).find(|person| person.uid.is_some());
        account.or_else(|| self.named(nick).next())
    }

    /// The account and the guest with this nick.
    pub(crate) fn named<'n>(
        self,
        nick: &'n str,
    ) -> impl Iterator<Item = &'a Arc<Person>> + use<'a, 'n> {
        self.people.iter().filter(move |person| names::same(&names::nick(person), nick))
    }

    pub(crate) fn roles(self, person: &Person) -> Roles {
        self.roles.get(&person.handle).copied().unwrap_or_default()
    }
}

impl IrcSession {
    /// The marks before the nick of a user in a channel: the highest alone, or all of them if the
    /// client has `multi-prefix`.
    pub(crate) fn marks(&self, roles: Roles) -> &'static str {
        match (roles.operator, roles.voice) {
            (true, true) if self.has(Caps::MULTI_PREFIX) => "@+",
            (true, _) => "@",
            (false, true) => "+",
            (false, false) => "",
        }
    }
}
