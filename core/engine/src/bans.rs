//! Bans and mutes: the keys of the rows, and look-ups.
//!
//! Bans of users and of identities are enforced here, on every command and query in which the user
//! acts. Those of networks are enforced by the host, which knows the peers' addresses; the store only
//! keeps them.

use core_model::{Ban, BanNetwork, Banned, Command, Refusal, Timestamp, Uid, UserRef};
use redb::{ReadableTable, ReadableTableMetadata as _};

use crate::cache::writer::Restrictions;
use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::rows::{BanRow, unpack};
use crate::state::State;
use crate::tables::Tables;

const USER: u8 = b'u';
const IDENTITY: u8 = b'i';
const NETWORK: u8 = b'n';

/// The key of a ban: a letter, and the number, the identity, or the address and the prefix.
pub(crate) fn key(target: &Banned) -> Vec<u8> {
    match target {
        Banned::User(uid) => user_key(uid.0),
        Banned::Identity(identity) => identity_key(identity),
        Banned::Network(BanNetwork { bits, prefix }) => {
            [&[NETWORK], bits.to_be_bytes().as_slice(), &[*prefix]].concat()
        }
    }
}

fn user_key(uid: u64) -> Vec<u8> {
    [&[USER], uid.to_be_bytes().as_slice()].concat()
}

fn identity_key(identity: &str) -> Vec<u8> {
    [&[IDENTITY], identity.as_bytes()].concat()
}

/// The target of the row with this key.
pub(crate) fn target(key: &[u8]) -> Option<Banned> {
    let (kind, rest) = key.split_first()?;
    match *kind {
        USER => Some(Banned::User(Uid(u64::from_be_bytes(rest.try_into().ok()?)))),
        IDENTITY => Some(Banned::Identity(String::from_utf8(rest.to_vec()).ok()?)),
        NETWORK => {
            let (bits, prefix) = rest.split_first_chunk()?;
            let [prefix] = *prefix else { return None };
            let bits = u128::from_be_bytes(*bits);
            (prefix <= 128).then_some(Banned::Network(BanNetwork { bits, prefix }))
        }
        _ => None,
    }
}

/// A time as the store has it: the greatest for never.
pub(crate) fn ends(until: Option<Timestamp>) -> u64 {
    until.map_or(u64::MAX, |until| until.0)
}

/// The reverse of [`ends`].
pub(crate) fn until(ends: u64) -> Option<Timestamp> {
    (ends != u64::MAX).then_some(Timestamp(ends))
}

/// Bans after a key that have not ended, in the order of their keys, at most `limit`.
pub(crate) fn list(
    tables: &impl Tables,
    now: u64,
    after: Option<&Banned>,
    limit: usize,
) -> Result<Vec<Ban>, StoreError> {
    let after = after.map(key).unwrap_or_default();
    let mut found = Vec::new();
    for row in tables.bans()?.range(after.as_slice()..)? {
        if found.len() >= limit {
            break;
        }
        let (key, row) = row?;
        if key.value() == after {
            continue;
        }
        let corrupt = StoreError::Corrupt { table: "bans" };
        let target = target(key.value()).ok_or(corrupt)?;
        let BanRow { reason, created, until: ends, deleted } = unpack("bans", row.value())?;
        if ends > now {
            let created = Timestamp(created);
            found.push(Ban { target, reason, created, until: until(ends), deleted });
        }
    }
    Ok(found)
}

/// The ban of a user as such that has not ended.
pub(crate) fn of_user(
    tables: &impl Tables,
    now: u64,
    uid: u64,
) -> Result<Option<BanRow>, StoreError> {
    of_key(tables, now, &user_key(uid))
}

/// The ban with this key that has not ended.
pub(crate) fn of_key(
    tables: &impl Tables,
    now: u64,
    key: &[u8],
) -> Result<Option<BanRow>, StoreError> {
    let row = tables.bans()?.get(key)?;
    let row: Option<BanRow> = row.map(|row| unpack("bans", row.value())).transpose()?;
    Ok(row.filter(|row| row.until > now))
}

/// Whether anything has to be looked up at all.
pub(crate) fn restrictions(tables: &impl State) -> Result<Restrictions, StoreError> {
    let cache = tables.writer_cache();
    if let Some(known) = cache.and_then(|cache| cache.borrow().restrictions()) {
        return Ok(known);
    }
    let bans = !tables.bans()?.is_empty()?;
    let mutes = !tables.mutes()?.is_empty()?;
    let found = Restrictions { bans, mutes };
    if let Some(cache) = cache {
        cache.borrow_mut().keep_restrictions(found);
    }
    Ok(found)
}

/// Whether there is any ban. A snapshot has no cache, and only this to look at.
fn has_bans(tables: &impl State) -> Result<bool, StoreError> {
    match tables.writer_cache() {
        Some(_) => Ok(restrictions(tables)?.bans),
        None => Ok(!tables.bans()?.is_empty()?),
    }
}

/// Refuses a user that is banned, or has an identity that is.
pub(crate) fn check_user(tables: &impl State, request: Request, uid: u64) -> Result<(), Error> {
    if !has_bans(tables)? {
        return Ok(());
    }
    refuse(of_user(tables, request.now, uid)?)?;
    for identity in &lookup::person(tables, uid)?.identities {
        refuse(of_key(tables, request.now, &identity_key(identity))?)?;
    }
    Ok(())
}

/// Refuses a command in which a banned user acts, or that would give a banned identity to a new one.
pub(crate) fn check_command(
    tables: &impl State,
    request: Request,
    command: &Command,
) -> Result<(), Error> {
    // The gateway itself acts for operators.
    if request.connection == 0 || !has_bans(tables)? {
        return Ok(());
    }
    if let Some(user) = actor(command) {
        if let UserRef::Identity(identity) | UserRef::IdentityOrNew(identity) = user {
            refuse(of_key(tables, request.now, &identity_key(identity))?)?;
        }
        match lookup::user(tables, request, user) {
            Ok(uid) => check_user(tables, request, uid)?,
            // The command has its own way to refuse it.
            Err(Error::Refused(_)) => (),
            Err(fail) => return Err(fail),
        }
    }
    let new = match command {
        Command::Register { user } => Some(user),
        Command::SignIn { create, .. } => create.as_ref(),
        _ => None,
    };
    for identity in new.iter().flat_map(|new| &new.identities) {
        refuse(of_key(tables, request.now, &identity_key(identity))?)?;
    }
    Ok(())
}

fn refuse(ban: Option<BanRow>) -> Result<(), Refusal> {
    let Some(BanRow { reason, until: ends, .. }) = ban else { return Ok(()) };
    Err(Refusal::Banned { reason, until: until(ends) })
}

/// The user that acts in a command. A banned user may still leave and sign out.
fn actor(command: &Command) -> Option<&UserRef> {
    match command {
        Command::SignIn { user, .. }
        | Command::UpdateUser { user, .. }
        | Command::IssueToken { user, .. }
        | Command::Join { user, .. }
        | Command::Enter { user, .. }
        | Command::Receive { user, .. }
        | Command::MarkRead { user, .. } => Some(user),
        Command::Post { author, .. } | Command::PostDirect { author, .. } => Some(author),
        Command::CreateRoom { owner, .. } => owner.as_ref(),
        Command::UpdateRoom { by, .. }
        | Command::DeleteRoom { by, .. }
        | Command::ClearMessages { by, .. }
        | Command::Kick { by, .. }
        | Command::ChangePolicy { by, .. }
        | Command::DeleteMessage { by, .. }
        | Command::SetRole { by, .. } => by.as_ref(),
        Command::Register { .. }
        | Command::SignOut { .. }
        | Command::LinkIdentity { .. }
        | Command::UnlinkIdentity { .. }
        | Command::SetPassword { .. }
        | Command::RefreshToken { .. }
        | Command::DeclareRoom { .. }
        | Command::SetOwner { .. }
        | Command::Exit { .. }
        | Command::Acknowledge { .. }
        | Command::Start { .. }
        | Command::EndRun { .. }
        | Command::Tick
        | Command::Disconnect { .. }
        | Command::Expire
        | Command::Prune { .. }
        | Command::DeclareWebhooks { .. }
        | Command::AdvanceWebhook { .. }
        | Command::Admin(_) => None,
    }
}

/// Refuses a post of a muted user.
pub(crate) fn check_muted(
    tables: &impl State,
    request: Request,
    room: u32,
    uid: Option<u64>,
) -> Result<(), Error> {
    let Some(uid) = uid else { return Ok(()) };
    if !restrictions(tables)?.mutes {
        return Ok(());
    }
    match tables.mutes()?.get((room, uid))?.map(|ends| ends.value()) {
        Some(ends) if ends > request.now => Err(Refusal::Muted { until: until(ends) }.into()),
        _ => Ok(()),
    }
}
