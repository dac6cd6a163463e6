//! What an operator can do to a user account, on the store itself and through a running gateway.

mod who;

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::str::FromStr;

use core_engine::{Engine, UserRecord};
use core_model::{
    Command, ConnectionId, Outcome, Query, Refusal, Reply, Secret, Timestamp, UserRef,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::password_hash::{Form, hash, is_hash};

pub use who::{Identity, Who};

/// An action on one user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserAction {
    pub who: Who,
    pub kind: ActionKind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ActionKind {
    Show,
    /// Links an identity; does nothing if the user has it already.
    Link(Identity),
    Unlink(Identity),
    /// Sets the password, and ends every sign-in by token or address.
    SetPassword(Phc),
}

/// The longest password, in bytes. Hashing takes time in proportion to the length.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// The hash of a password, as a PHC string. The password itself is never sent or stored.
#[derive(Clone, Eq, PartialEq)]
pub struct Phc(String);

impl Phc {
    /// Hashes a password of at least one character and at most [`PASSWORD_BYTES_MAX`] bytes, without
    /// control characters.
    pub fn of(password: &str) -> Result<Self, String> {
        if password.is_empty() {
            return Err("a password has at least one character".into());
        }
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(format!("a password has at most {PASSWORD_BYTES_MAX} bytes"));
        }
        if password.chars().any(char::is_control) {
            return Err("a password cannot have control characters".into());
        }
        hash(password, Form::Plain).map(Self).map_err(|refusal| refusal.to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Phc {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_hash(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("not an argon2id hash in PHC form".into())
        }
    }
}

impl fmt::Debug for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phc(…)")
    }
}

/// An account as an operator sees it, after the action.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Account {
    pub uid: u64,
    pub handle: String,
    /// The display name.
    pub name: String,
    /// `realm/subject`, in the order in which the operator linked them.
    pub identities: Vec<String>,
    /// When it was created: RFC 3339, in UTC.
    pub created: String,
    /// Whether the user has a connection.
    pub online: bool,
    /// Whether it has a password.
    pub password: bool,
    /// Why and until when it is banned as a user, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// Whether it was deleted, and is only there for messages to name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// A ban of a user.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Disabled {
    pub reason: String,
    /// RFC 3339, in UTC; absent: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    #[error("{}", unknown(.0))]
    Unknown(Who),
    #[error(
        "{identity} belongs to another user, uid {uid} (handle {handle:?}); to move it, unlink it \
         there first"
    )]
    Taken { identity: Identity, uid: u64, handle: String },
    #[error("{identity} is not linked to uid {uid} (handle {handle:?})")]
    NotLinked { identity: Identity, uid: u64, handle: String },
    #[error("there is no room with the name {0:?}")]
    UnknownRoom(String),
    #[error("the room {0:?} is closed, so it keeps an owner; give it to another user instead")]
    ClosedRoom(String),
    /// A field, parameter or cursor that is not what it should be.
    #[error("{0}")]
    Invalid(String),
    /// Something else than a user or a room does not exist.
    #[error("{0}")]
    Missing(String),
    /// Something stands in the way.
    #[error("{0}")]
    Conflict(String),
    #[error("{}", failed(.0))]
    Store(String),
    #[error("{}", refused(.0))]
    Refused(Refusal),
    /// About the field or parameter that has one of these names.
    #[error("{1}")]
    At(&'static [&'static str], Box<Failure>),
    /// Of a user or a room that does not exist, with the name of one that may have been meant.
    #[error("{0}; did you mean {1:?}?")]
    Near(Box<Failure>, String),
}

impl Failure {
    /// A refusal of the engine.
    pub fn of(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Internal { why } => Self::Store(why),
            refusal => Self::Refused(refusal),
        }
    }

    /// The failure as one about the field or parameter that has one of these names.
    pub fn at(self, names: &'static [&'static str]) -> Self {
        Self::At(names, Box::new(self))
    }

    /// A refusal of the engine to do something to a user.
    pub fn about(who: &Who, refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownUser => Self::Unknown(who.clone()),
            refusal => Self::of(refusal),
        }
    }
}

/// Identifies a store file independently of the path it is opened by.
pub fn store_mark(path: &Path) -> io::Result<String> {
    let metadata = path.metadata()?;
    Ok(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::HandleTaken | Refusal::IdentityTaken | Refusal::RoomNameTaken => {
            format!("{refusal}; choose another")
        }
        refusal => refusal.to_string(),
    }
}

/// What the engine says of its store may be a whole sentence.
fn failed(why: &str) -> String {
    if why.starts_with("the store ") { why.to_owned() } else { format!("the store failed: {why}") }
}

fn unknown(who: &Who) -> String {
    match who {
        Who::Uid(uid) => format!(
            "there is no user with the uid {uid}; a handle of digits is written @{uid}, a \
             telephone number tel/{uid}"
        ),
        Who::Handle(handle) => format!("there is no user with the handle {handle:?}"),
        Who::Identity(identity) => format!("there is no user with the identity {identity}"),
    }
}

impl UserAction {
    /// The command that carries it out, unless a query is enough.
    pub fn command(&self) -> Option<Command> {
        let user = self.who.user_ref();
        match &self.kind {
            ActionKind::Show => None,
            ActionKind::Link(identity) => {
                Some(Command::LinkIdentity { user, identity: identity.to_string() })
            }
            ActionKind::Unlink(identity) => {
                Some(Command::UnlinkIdentity { user, identity: identity.to_string() })
            }
            ActionKind::SetPassword(phc) => {
                let password = Secret::Hashed(phc.as_str().to_owned());
                Some(Command::SetPassword { user, password })
            }
        }
    }

    /// Explains the outcome of [`command`](Self::command), if it was refused.
    pub fn report<T: Send + 'static>(
        &self,
        engine: &Engine<T>,
        at: Timestamp,
        done: Option<Outcome>,
    ) -> Result<(), Failure> {
        match done {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(refusal)) => Err(self.explain(engine, at, refusal)),
        }
    }

    /// A refusal, with the users that it concerns.
    fn explain<T: Send + 'static>(
        &self,
        engine: &Engine<T>,
        at: Timestamp,
        refusal: Refusal,
    ) -> Failure {
        let person = |user| match ask(engine, at, user) {
            Ok(Reply::User { user }) => Some((user.person.uid?.0, user.person.handle.clone())),
            _ => None,
        };
        let explained = match (&refusal, &self.kind) {
            (Refusal::UnknownUser, _) => Some(Failure::Unknown(self.who.clone())),
            (Refusal::Internal { why }, _) => Some(Failure::Store(why.clone())),
            (Refusal::IdentityTaken, ActionKind::Link(identity)) => person(identity.user_ref())
                .map(|(uid, handle)| Failure::Taken { identity: identity.clone(), uid, handle }),
            (Refusal::InvalidIdentity { .. }, ActionKind::Unlink(identity)) => {
                person(self.who.user_ref()).map(|(uid, handle)| Failure::NotLinked {
                    identity: identity.clone(),
                    uid,
                    handle,
                })
            }
            _ => None,
        };
        explained.unwrap_or(Failure::Refused(refusal))
    }
}

fn ask<T: Send + 'static>(engine: &Engine<T>, at: Timestamp, user: UserRef) -> Outcome {
    engine.query(at, ConnectionId(0), &Query::User { user, caller: None }).outcome
}

/// The account of a record.
pub(crate) fn account(record: &UserRecord) -> Account {
    let UserRecord { user, has_password, ban } = record;
    let deleted = ban.as_ref().is_some_and(|ban| ban.deleted);
    let disabled = ban
        .as_ref()
        .filter(|_| !deleted)
        .map(|ban| Disabled { reason: ban.reason.clone(), until: ban.until.map(rfc3339) });
    Account {
        uid: user.person.uid.unwrap_or_default().0,
        handle: user.person.handle.clone(),
        name: user.person.name.clone(),
        identities: user.person.identities.clone(),
        created: rfc3339(user.created),
        online: user.online,
        password: *has_password,
        disabled,
        deleted,
    }
}

pub(crate) fn rfc3339(at: Timestamp) -> String {
    let at = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hashed_or_refused_with_a_reason() {
        let phc = Phc::of("tea for two").unwrap();
        assert!(phc.as_str().starts_with("$argon2id$"));
        assert_eq!(phc.as_str().parse(), Ok(phc.clone()));
        assert_eq!(format!("{phc:?}"), "Phc(…)");
        let too_long = "t".repeat(PASSWORD_BYTES_MAX + 1);
        for password in ["", "tea\tfor two", "tea\n", &too_long] {
            assert!(Phc::of(password).is_err(), "{password:?}");
        }
        assert!(Phc::of(&too_long[1..]).is_ok());
        for text in ["", "tea", "$argon2id$", "$2b$12$x", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$x"]
        {
            assert!(text.parse::<Phc>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_in_rfc_3339() {
        assert_eq!(rfc3339(Timestamp(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(Timestamp(1_763_685_346_120)), "2025-11-21T00:35:46.12Z");
        assert!(rfc3339(Timestamp(u64::MAX)).starts_with("9999-12-"));
    }
}
