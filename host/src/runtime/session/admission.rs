//! What a command goes through before the engine sees it: the limits on messages, and passwords
//! turned into hashes or into the certainty of who the caller is.

use core_model::{Command, Credential, NewUser, Refusal, SeatKind, Secret, UserRef};

use crate::runtime::frontends::instance::Served;
use crate::runtime::limits::Pace;
use crate::runtime::metrics::Limit;
use crate::runtime::session::services::Shared;

/// Checks a message against the limits of its front end.
pub(crate) fn check_message(
    served: &Served,
    pace: &mut Pace,
    now_ns: u64,
    command: &Command,
) -> Result<(), Refusal> {
    let (Command::Post { text, .. } | Command::PostDirect { text, .. }) = command else {
        return Ok(());
    };
    let chars_max = served.limits.text_chars_max;
    // A text has at least as many bytes as characters.
    let long = text.len() > chars_max as usize && text.chars().count() > chars_max as usize;
    if chars_max != 0 && long {
        served.counters.refused(Limit::TextChars);
        return Err(Refusal::TextTooLong { chars_max });
    }
    pace.message(now_ns, &served.limits).map_err(|retry_after_ms| {
        served.counters.refused(Limit::Messages);
        Refusal::SlowDown { retry_after_ms }
    })
}

/// Whether a command takes the password pool before it can be submitted.
pub(crate) fn needs_passwords(command: &Command) -> bool {
    let plain = |user: &NewUser| matches!(user.password, Some(Secret::Plain(_)));
    match command {
        Command::Register { user } => plain(user),
        Command::SignIn { credential, create, .. } => {
            matches!(credential, Credential::Password(_)) || create.as_ref().is_some_and(plain)
        }
        Command::SetPassword { password, .. } => matches!(password, Secret::Plain(_)),
        _ => false,
    }
}

/// Replaces every password in a command. Refused: the credential is wrong, or the pool is full.
pub(crate) async fn settle_passwords(
    shared: &Shared,
    mut command: Box<Command>,
) -> Result<Box<Command>, Refusal> {
    match &mut *command {
        Command::Register { user } => hash(shared, user).await?,
        Command::SignIn { user, credential, create, .. } => {
            if let Credential::Password(password) = credential {
                let password = std::mem::take(password);
                *user = verify(shared, user, password).await?;
                *credential = Credential::Vouched;
            }
            if let Some(create) = create {
                hash(shared, create).await?;
            }
        }
        Command::SetPassword { password, .. } => hash_secret(shared, password).await?,
        _ => (),
    }
    Ok(command)
}

async fn hash(shared: &Shared, user: &mut NewUser) -> Result<(), Refusal> {
    match &mut user.password {
        Some(secret) => hash_secret(shared, secret).await,
        None => Ok(()),
    }
}

async fn hash_secret(shared: &Shared, secret: &mut Secret) -> Result<(), Refusal> {
    if let Secret::Plain(password) = secret {
        *secret = Secret::Hashed(shared.passwords.hash(std::mem::take(password)).await?);
    }
    Ok(())
}

/// The user whose password it is. An account that does not exist, or has no password, takes as
/// long as a wrong password.
async fn verify(shared: &Shared, user: &UserRef, password: String) -> Result<UserRef, Refusal> {
    let found = shared.engine.credential(shared.clock.now(), user)?;
    let phc = found.as_ref().map(|(_, phc)| phc.clone()).filter(|phc| !phc.is_empty());
    let right = shared.passwords.verify(password, phc).await?;
    match found {
        Some((uid, _)) if right => Ok(UserRef::Id(uid)),
        Some(_) => Err(Refusal::WrongPassword),
        None => Err(Refusal::UnknownUser),
    }
}

/// Whether a command, if it succeeds, leaves something in the engine that ends with the
/// connection.
pub(crate) fn ties(command: &Command) -> bool {
    match command {
        Command::SignIn { session, .. } => *session,
        Command::Enter { seat, .. } => matches!(seat, SeatKind::Connection),
        _ => false,
    }
}
