//! Checks on a command before the engine gets it: limits on messages, and passwords.

use std::net::IpAddr;

use core_model::{
    AddressGrant, AdminCommand, Command, ConnectionId, Credential, Grant, NewUser, Outcome, Query,
    Refusal, Reply, RoomChanges, SeatKind, Secret, Timestamp, Uid, UserRef,
};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::password_hash::{Form, SALT_BYTES, Verdict};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::RateLimiter;
use crate::runtime::metrics::{Limit, SignInResult};
use crate::runtime::session::auth::{Account, SignInAttempt};
use crate::runtime::session::passwords::{PASSWORD_BYTES_MAX, PasswordCaller};
use crate::runtime::session::peer_log::PeerFault;
use crate::runtime::session::services::Services;
use crate::runtime::session::sign_in_guard::Attempt;

/// Bytes of an event beside its texts: names, room, time and framing, as most dialects send them.
const ENVELOPE_BYTES: u64 = 512;

/// The sender of a message, for its limits.
pub(crate) struct Sender<'a> {
    pub(crate) services: &'a Services,
    pub(crate) frontend: &'a FrontendHandle,
    /// The address that its bytes count for, whatever front ends and connections they come through.
    pub(crate) address: IpAddr,
    pub(crate) now_ns: u64,
}

/// Checks a message against the limits of its front end. `rates` are those of the connection or,
/// for HTTP, of the address.
pub(crate) fn check_message(
    sender: Sender<'_>,
    rates: &mut RateLimiter,
    command: &Command,
) -> Result<(), Refusal> {
    let Sender { frontend, now_ns, .. } = sender;
    let text = match command {
        Command::Post { text, .. } | Command::PostDirect { text, .. } => text,
        _ => return check_bytes(sender, announced_bytes(rates, command)),
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
    })?;
    check_bytes(sender, ENVELOPE_BYTES + rates.avatar_bytes + sent_bytes(text))
}

/// What a command that is no message has each of its listeners sent.
///
/// The end of a seat or membership is counted at its beginning: it may come without a command.
fn announced_bytes(rates: &mut RateLimiter, command: &Command) -> u64 {
    let texts = |texts: &[&Option<String>]| -> u64 {
        texts.iter().filter_map(|text| text.as_deref()).map(sent_bytes).sum()
    };
    match command {
        Command::Enter { avatar, .. } => {
            let bytes = avatar.as_deref().map_or(rates.avatar_bytes, sent_bytes);
            // Every message of the seat carries it.
            rates.avatar_bytes = rates.avatar_bytes.max(bytes);
            ENVELOPE_BYTES + 2 * bytes
        }
        Command::CreateRoom { members: Some(members), .. } => {
            2 * ENVELOPE_BYTES * members.len() as u64
        }
        Command::UpdateRoom { changes: RoomChanges { name, section, description }, .. } => {
            ENVELOPE_BYTES + texts(&[name, section, description])
        }
        Command::SetRole { .. } | Command::ChangePolicy { .. } | Command::DeleteMessage { .. } => {
            ENVELOPE_BYTES
        }
        Command::Kick { reason, .. }
        | Command::Exit { reason, .. }
        | Command::SignOut { reason } => sent_bytes(reason),
        _ => 0,
    }
}

/// The bytes that a command has had its listeners sent beyond those that were counted when it was
/// checked: the avatar of an account is known with the answer only.
pub(crate) fn uncounted_bytes(rates: &mut RateLimiter, outcome: &Outcome) -> u64 {
    let (avatar, times) = match outcome {
        Ok(Reply::Posted { message }) => (&message.author.avatar, 1),
        Ok(Reply::Entered { user, .. }) => (&user.avatar, 2),
        Ok(Reply::SignedIn { user, .. }) => (&user.person.avatar, 0),
        _ => return 0,
    };
    let bytes = sent_bytes(avatar);
    let more = bytes.saturating_sub(rates.avatar_bytes);
    rates.avatar_bytes += more;
    times * more
}

/// Counts bytes that were sent already: the next messages of the address wait for them.
pub(crate) fn count_bytes(sender: Sender<'_>, bytes: u64) {
    let Sender { services, frontend, address, now_ns } = sender;
    let owe = |rates: &mut RateLimiter| rates.owe_bytes(now_ns, bytes, &frontend.limits);
    services.byte_rates.with(address, now_ns, owe);
}

fn check_bytes(sender: Sender<'_>, bytes: u64) -> Result<(), Refusal> {
    let Sender { services, frontend, address, now_ns } = sender;
    if bytes == 0 || frontend.limits.bytes_per_s == 0 {
        return Ok(());
    }
    let take = |rates: &mut RateLimiter| rates.bytes(now_ns, bytes, &frontend.limits);
    services.byte_rates.with(address, now_ns, take).map_err(|retry_after_ms| {
        frontend.metrics.note_refused(Limit::Bytes);
        Refusal::SlowDown { retry_after_ms }
    })
}

/// Bytes of a text as JSON, which most dialects send: six for a control character.
fn sent_bytes(text: &str) -> u64 {
    let sent = |byte| match byte {
        b'"' | b'\\' => 2,
        ..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(sent).sum()
}

/// Whether a command must go through the password pool before it is submitted.
pub(crate) fn needs_passwords(command: &Command) -> bool {
    let is_clear = |secret: &Secret| matches!(secret, Secret::Plain(_) | Secret::Sha256(_));
    let is_new = |user: &NewUser| user.password.as_ref().is_some_and(is_clear);
    match command {
        Command::Register { user } => is_new(user),
        Command::SignIn { credential, create, .. } => {
            matches!(credential, Credential::Password(_)) || create.as_ref().is_some_and(is_new)
        }
        Command::SetPassword { password, .. } => is_clear(password),
        _ => false,
    }
}

/// Replaces the passwords in a command by hashes, or by the verified user. Refused: the password
/// is wrong, too many were, or the pool is full.
pub(crate) async fn settle_passwords(
    services: &Services,
    frontend: &FrontendHandle,
    address: IpAddr,
    mut command: Box<Command>,
    key: Option<&str>,
) -> Result<Box<Command>, Refusal> {
    let caller = Caller { services, frontend, address };
    match &mut *command {
        Command::Register { user } => {
            let salt = key.map(|key| caller.salt(key, user));
            caller.hash_new(user, salt).await?;
        }
        Command::SignIn { user, credential, create, token, address, .. } => {
            if let Credential::Password(password) = credential {
                let password = std::mem::take(password);
                let verified = caller.sign_in(user, password).await?;
                *user = verified.user;
                *credential = verified.credential;
                if let Some(ends) = verified.ends {
                    end_by(ends, services.clock.now(), token.as_mut(), address.as_mut());
                }
                if verified.create.is_some() {
                    *create = verified.create;
                }
            }
            if let Some(create) = create {
                caller.hash_new(create, None).await?;
            }
        }
        Command::SetPassword { password, .. } => caller.hash(password, None).await?,
        _ => (),
    }
    Ok(command)
}

/// A user whose password is right.
struct Verified {
    user: UserRef,
    credential: Credential,
    /// The account to make if there is none.
    create: Option<NewUser>,
    /// When what the sign-in grants ends at the latest.
    ends: Option<Timestamp>,
}

/// Has what a sign-in grants end with the token of the issuer.
fn end_by(
    ends: Timestamp,
    now: Timestamp,
    token: Option<&mut Grant>,
    address: Option<&mut AddressGrant>,
) {
    let left_ms = ends.0.saturating_sub(now.0);
    if let Some(grant) = token {
        grant.ttl_ms = grant.ttl_ms.min(left_ms);
        // A use would make it last longer.
        grant.sliding = false;
    }
    if let Some(grant) = address {
        grant.ttl_ms = grant.ttl_ms.min(left_ms);
    }
}

/// What is stored after an attempt to renew a hash.
enum Renewed {
    /// A hash that the password was checked against, or that was made of it.
    Stored(String),
    /// Another one, if the user is still there.
    Changed(Option<(Uid, String)>),
}

struct Caller<'a> {
    services: &'a Services,
    frontend: &'a FrontendHandle,
    address: IpAddr,
}

impl Caller<'_> {
    /// The salt of the password of an account that is made with an idempotency key. It is the same at
    /// a retry, so that the engine can tell a retry from a request with another password; it differs
    /// between accounts, and is as hard to foresee as the key.
    fn salt(&self, key: &str, user: &NewUser) -> [u8; SALT_BYTES] {
        let name = (&self.frontend.name, self.address, key, &user.handle, &user.identities);
        let name = serde_json::to_vec(&name).expect("names are plain data");
        let digest = Sha256::digest([b"salt of a registration: ".as_slice(), &name].concat());
        *digest.first_chunk().expect("a SHA-256 is longer")
    }

    async fn hash_new(
        &self,
        user: &mut NewUser,
        salt: Option<[u8; SALT_BYTES]>,
    ) -> Result<(), Refusal> {
        match &mut user.password {
            Some(secret) => self.hash(secret, salt).await,
            None => Ok(()),
        }
    }

    async fn hash(
        &self,
        secret: &mut Secret,
        salt: Option<[u8; SALT_BYTES]>,
    ) -> Result<(), Refusal> {
        let (password, form) = match secret {
            Secret::Plain(password) => (password, Form::Plain),
            Secret::Sha256(digest) => (digest, Form::Sha256),
            Secret::Hashed(_) => return Ok(()),
        };
        if password.len() > PASSWORD_BYTES_MAX {
            let limit = format!("{PASSWORD_BYTES_MAX} bytes");
            return Err(Refusal::TooLong { what: "password".into(), limit });
        }
        let password = std::mem::take(password);
        let caller = self.password_caller(None);
        let hashed = self.services.passwords.hash(caller, password, form, salt).await;
        *secret = Secret::Hashed(hashed.inspect_err(|refusal| self.note_overloaded(refusal))?);
        Ok(())
    }

    /// The user, if the password is right.
    async fn sign_in(&self, user: &UserRef, password: String) -> Result<Verified, Refusal> {
        let verified = self.verify(user, password).await;
        self.frontend.metrics.note_sign_in(match &verified {
            Ok(_) => SignInResult::Ok,
            Err(Refusal::WrongPassword) => SignInResult::WrongPassword,
            Err(Refusal::UnknownUser) => SignInResult::UnknownUser,
            Err(Refusal::SlowDown { .. }) => SignInResult::SlowDown,
            Err(refusal) if refusal.is_sign_in_unavailable() => SignInResult::Unavailable,
            Err(_) => SignInResult::Failed,
        });
        match &verified {
            Err(Refusal::WrongPassword) => self.note_fault("wrong password"),
            Err(Refusal::UnknownUser) => self.note_fault("unknown user"),
            Err(Refusal::SlowDown { .. }) => self.note_fault("too many failed sign-ins"),
            Ok(_) | Err(_) => (),
        }
        verified
    }

    async fn verify(&self, user: &UserRef, password: String) -> Result<Verified, Refusal> {
        let services = self.services;
        let found = services.engine.credential(services.clock.now(), user)?;
        let account = match &found {
            Some((uid, _)) => uid.to_string(),
            // A token that comes without a name is all that there is.
            None if matches!(user, UserRef::Handle(handle) if handle.is_empty())
                && services.external_auth().is_token(&password) =>
            {
                HEXLOWER.encode(&Sha256::digest(&password))
            }
            // A digest: the name may be as long as a request.
            None => HEXLOWER.encode(&Sha256::digest(format!("{user:?}"))),
        };
        let attempt = self.begin_attempt(&account)?;
        let verified = match self.verify_elsewhere(user, &found, &password).await {
            Some(verified) => verified,
            None => self.verify_stored(found, account, password).await,
        };
        let (guard, now_ns) = (&services.sign_in_guard, services.clock.steady_ns());
        match &verified {
            Err(Refusal::WrongPassword | Refusal::UnknownUser) => (),
            Err(refusal) if refusal.is_sign_in_unavailable() => guard.unanswered(&attempt, now_ns),
            _ => guard.succeeded(&attempt, now_ns),
        }
        verified.inspect_err(|refusal| self.note_overloaded(refusal))
    }

    /// What another server says of a password. `None`: the one that is stored decides.
    async fn verify_elsewhere(
        &self,
        user: &UserRef,
        found: &Option<(Uid, String)>,
        password: &str,
    ) -> Option<Result<Verified, Refusal>> {
        let services = self.services;
        let auth = services.external_auth();
        if !auth.is_on() {
            return None;
        }
        let account = match found {
            Some((uid, stored)) => match self.identities(*uid) {
                Ok(identities) => Some(Account { identities, has_password: !stored.is_empty() }),
                Err(refusal) => return Some(Err(refusal)),
            },
            None => None,
        };
        let frontend = self.frontend.name.as_str();
        let attempt =
            SignInAttempt { frontend, address: self.address, user, account, credential: password };
        let checked = auth.check(&attempt, &services.clock, &services.metrics).await?;
        Some(checked.map(|proven| {
            let ends = proven.ends;
            let (user, create) = proven.sign_in();
            Verified { user, credential: Credential::Vouched, create, ends }
        }))
    }

    fn identities(&self, uid: Uid) -> Result<Vec<String>, Refusal> {
        let services = self.services;
        let query = Query::User { user: UserRef::Id(uid), caller: None };
        let answered = services.engine.query(services.clock.now(), ConnectionId(0), &query);
        match answered.outcome? {
            Reply::User { user } => Ok(user.person.identities.clone()),
            reply => Err(Refusal::Internal { why: format!("a user is no {reply:?}") }),
        }
    }

    /// An unknown account, or one without a password, takes as long as a wrong password.
    async fn verify_stored(
        &self,
        mut found: Option<(Uid, String)>,
        account: String,
        password: String,
    ) -> Result<Verified, Refusal> {
        loop {
            let verdict = if password.len() > PASSWORD_BYTES_MAX {
                Verdict::Wrong
            } else {
                let stored = found.as_ref().map(|(_, stored)| stored.clone());
                let stored = stored.filter(|stored| !stored.is_empty());
                let caller = self.password_caller(Some(account.clone()));
                self.services.passwords.verify(caller, password.clone(), stored).await?
            };
            let (uid, stored) = match (found, verdict) {
                (None, _) => return Err(Refusal::UnknownUser),
                (Some(_), Verdict::Wrong) => return Err(Refusal::WrongPassword),
                (Some(known), Verdict::Right) => known,
                (Some((uid, former)), Verdict::Renew(renewed)) => {
                    match self.renew(uid, former, renewed).await? {
                        Renewed::Stored(stored) => (uid, stored),
                        Renewed::Changed(now) => {
                            found = now;
                            continue;
                        }
                    }
                }
            };
            let (user, credential) = (UserRef::Id(uid), Credential::verified(&stored));
            return Ok(Verified { user, credential, create: None, ends: None });
        }
    }

    /// Stores a hash of our own in place of one that another server made.
    async fn renew(&self, user: Uid, former: String, renewed: String) -> Result<Renewed, Refusal> {
        let ours = [former.clone(), renewed.clone()];
        let command = AdminCommand::RenewPassword { user, former, renewed };
        let done = self.services.submit_of_operator(Command::Admin(Box::new(command))).await;
        // The next sign-in tries it again.
        if let Err(refusal) = done {
            tracing::warn!(uid = user.0, "the hash of a password was not renewed: {refusal}");
        }
        let Services { engine, clock, .. } = self.services;
        let now = engine.credential(clock.now(), &UserRef::Id(user))?;
        Ok(match now {
            Some((_, stored)) if ours.contains(&stored) => Renewed::Stored(stored),
            // By another sign-in that renewed it first, or by a new password.
            changed => Renewed::Changed(changed),
        })
    }

    fn begin_attempt(&self, account: &str) -> Result<Attempt, Refusal> {
        let Services { sign_in_guard, clock, .. } = self.services;
        let attempt = sign_in_guard.begin(self.address, account, clock.steady_ns());
        attempt.map_err(|retry_after_ms| {
            self.frontend.metrics.note_refused(Limit::SignIns);
            Refusal::SlowDown { retry_after_ms }
        })
    }

    fn note_fault(&self, why: &str) {
        let log = &self.services.peer_log;
        log.note(&self.frontend.name, self.address, PeerFault::SignIn, why);
    }

    fn password_caller(&self, account: Option<String>) -> PasswordCaller {
        PasswordCaller { address: self.address, account }
    }

    fn note_overloaded(&self, refusal: &Refusal) {
        if *refusal == Refusal::Overloaded {
            self.frontend.metrics.note_refused(Limit::Overloaded);
        }
    }
}

/// The identity that a JSON Web Token proves. `None`: tokens are not accepted, or this is none.
/// Invalid ones count as failed sign-ins.
pub(crate) async fn identify(
    services: &Services,
    frontend: &FrontendHandle,
    address: IpAddr,
    token: &str,
) -> Result<Option<String>, Refusal> {
    let auth = services.external_auth();
    if !auth.is_token(token) {
        return Ok(None);
    }
    let caller = Caller { services, frontend, address };
    let account = HEXLOWER.encode(&Sha256::digest(token));
    let attempt = caller.begin_attempt(&account);
    let attempt = attempt.inspect_err(|_| caller.note_fault("too many failed sign-ins"))?;
    let identified = auth.identify(token, &services.clock).await;
    if matches!(identified, Err(Refusal::WrongPassword)) {
        caller.note_fault("a token that is not valid");
    } else {
        services.sign_in_guard.succeeded(&attempt, services.clock.steady_ns());
    }
    identified.map(Some)
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

#[cfg(test)]
mod tests;
