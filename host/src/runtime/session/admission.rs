//! Checks on a command before the engine gets it: limits on messages, and passwords.

use core_model::{Command, Credential, NewUser, Refusal, SeatKind, Secret, UserRef};

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::RateLimiter;
use crate::runtime::metrics::Limit;
use crate::runtime::session::services::Services;

/// Checks a message against the limits of its front end.
pub(crate) fn check_message(
    frontend: &FrontendHandle,
    rates: &mut RateLimiter,
    now_ns: u64,
    command: &Command,
) -> Result<(), Refusal> {
    let (Command::Post { text, .. } | Command::PostDirect { text, .. }) = command else {
        return Ok(());
    };
    let chars_max = frontend.limits.text_chars_max;
    // A text has at least as many bytes as characters.
    let long = text.len() > chars_max as usize && text.chars().count() > chars_max as usize;
    if chars_max != 0 && long {
        frontend.metrics.note_refused(Limit::TextChars);
        return Err(Refusal::TextTooLong { chars_max });
    }
    rates.message(now_ns, &frontend.limits).map_err(|retry_after_ms| {
        frontend.metrics.note_refused(Limit::Messages);
        Refusal::SlowDown { retry_after_ms }
    })
}

/// Whether a command must go through the password pool before it is submitted.
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

/// Replaces the passwords in a command by hashes, or by the verified user. Refused: the password
/// is wrong, or the pool is full.
pub(crate) async fn settle_passwords(
    services: &Services,
    mut command: Box<Command>,
) -> Result<Box<Command>, Refusal> {
    match &mut *command {
        Command::Register { user } => hash(services, user).await?,
        Command::SignIn { user, credential, create, .. } => {
            if let Credential::Password(password) = credential {
                let password = std::mem::take(password);
                *user = verify(services, user, password).await?;
                *credential = Credential::Vouched;
            }
            if let Some(create) = create {
                hash(services, create).await?;
            }
        }
        Command::SetPassword { password, .. } => hash_secret(services, password).await?,
        _ => (),
    }
    Ok(command)
}

async fn hash(services: &Services, user: &mut NewUser) -> Result<(), Refusal> {
    match &mut user.password {
        Some(secret) => hash_secret(services, secret).await,
        None => Ok(()),
    }
}

async fn hash_secret(services: &Services, secret: &mut Secret) -> Result<(), Refusal> {
    if let Secret::Plain(password) = secret {
        *secret = Secret::Hashed(services.passwords.hash(std::mem::take(password)).await?);
    }
    Ok(())
}

/// The user, if the password is right. An unknown account, or one without a password, takes as
/// long as a wrong password.
async fn verify(services: &Services, user: &UserRef, password: String) -> Result<UserRef, Refusal> {
    let found = services.engine.credential(services.clock.now(), user)?;
    let phc = found.as_ref().map(|(_, phc)| phc.clone()).filter(|phc| !phc.is_empty());
    let is_right = services.passwords.verify(password, phc).await?;
    match found {
        Some((uid, _)) if is_right => Ok(UserRef::Id(uid)),
        Some(_) => Err(Refusal::WrongPassword),
        None => Err(Refusal::UnknownUser),
    }
}

/// Whether a command, if it succeeds, leaves something in the engine that lasts as long as the
/// connection.
pub(crate) fn needs_disconnect(command: &Command) -> bool {
    match command {
        Command::SignIn { session, .. } => *session,
        Command::Enter { seat, .. } => matches!(seat, SeatKind::Connection),
        _ => false,
    }
}
