//! Checks commands of a plugin for what no client can cause: fields that belong to the gateway,
//! and lifetimes that no dialect needs.
//!
//! Names, texts and limits are not checked here. They may come from a client, so that the engine
//! refuses them for linked and loaded dialects alike; a fault would close the session, and thirty
//! of them would stop the front end.

use core_model::{Command, Grant, NewUser, SeatKind, Secret};

/// The longest lifetime of a token, an address or a seat, in milliseconds: a hundred years.
const LIFETIME_MS_MAX: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;

/// The longest purpose of a token, in bytes.
const PURPOSE_BYTES_MAX: usize = 64;

/// Refused: what is wrong with it, as the end of a sentence that begins with "it".
pub(crate) fn command(command: &Command) -> Result<(), String> {
    match command {
        Command::Start { .. }
        | Command::EndRun { .. }
        | Command::Tick
        | Command::Acknowledge { .. }
        | Command::Disconnect { .. }
        | Command::Expire
        | Command::Prune { .. }
        | Command::DeclareWebhooks { .. }
        | Command::AdvanceWebhook { .. }
        | Command::Admin(_)
        | Command::SetOwner { .. } => {
            Err("emitted a command that only the gateway may submit".into())
        }
        Command::Register { user } => new_user(user),
        Command::SignIn { create, token, address, .. } => {
            create.as_ref().map_or(Ok(()), new_user)?;
            token.as_ref().map_or(Ok(()), grant)?;
            address.as_ref().map_or(Ok(()), |address| lifetime(address.ttl_ms))
        }
        Command::SetPassword { password, .. } => secret(password),
        Command::IssueToken { grant: issued, .. } => grant(issued),
        Command::Enter { seat, .. } | Command::Exit { seat, .. } => match seat {
            SeatKind::Connection => Ok(()),
            SeatKind::Lease { ttl_ms, grace_ms } => lifetime(*ttl_ms.max(grace_ms)),
        },
        Command::SignOut { .. }
        | Command::UpdateUser { .. }
        | Command::LinkIdentity { .. }
        | Command::UnlinkIdentity { .. }
        | Command::RefreshToken { .. }
        | Command::CreateRoom { .. }
        | Command::DeclareRoom { .. }
        | Command::UpdateRoom { .. }
        | Command::DeleteRoom { .. }
        | Command::ClearMessages { .. }
        | Command::Join { .. }
        | Command::Kick { .. }
        | Command::SetRole { .. }
        | Command::ChangePolicy { .. }
        | Command::DeleteMessage { .. }
        | Command::Post { .. }
        | Command::PostDirect { .. }
        | Command::Receive { .. }
        | Command::MarkRead { .. } => Ok(()),
    }
}

fn new_user(user: &NewUser) -> Result<(), String> {
    user.password.as_ref().map_or(Ok(()), secret)
}

/// A hash has parameters: verifying one of a plugin's choice could take any time and memory.
fn secret(secret: &Secret) -> Result<(), String> {
    match secret {
        Secret::Plain(_) | Secret::Sha256(_) => Ok(()),
        Secret::Hashed(_) => Err("emitted a hash of a password, which only the gateway may".into()),
    }
}

fn grant(grant: &Grant) -> Result<(), String> {
    if grant.hash.is_some() {
        return Err("emitted a hash of a token, which only the gateway may".into());
    }
    if grant.purpose.len() > PURPOSE_BYTES_MAX {
        return Err(format!("emitted a purpose of more than {PURPOSE_BYTES_MAX} bytes"));
    }
    lifetime(grant.ttl_ms)
}

fn lifetime(ms: u64) -> Result<(), String> {
    if ms <= LIFETIME_MS_MAX {
        return Ok(());
    }
    Err(format!("emitted a lifetime of {ms} ms, and at most {LIFETIME_MS_MAX} are allowed"))
}
