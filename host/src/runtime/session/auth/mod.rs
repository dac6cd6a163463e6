//! Other servers that know the users: the address of `[auth.http]`, which is asked about passwords,
//! and the issuer of `[auth.jwt]`, whose tokens are verified here.
//!
//! Both prove an identity, `http/<name>` or `jwt/<name>`, never a handle: the account that a
//! sign-in is for is the one that has the identity, or a new one.

mod answer_cache;
mod breaker;
mod client;
mod hook;
mod issuer;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use core_model::{NewUser, ProfileChanges, Refusal, Timestamp, UserRef};

use crate::auth_hook::{HookRequest, UserKind, kind_of, named};
use crate::config::AuthConfig;
use crate::jwt::{Claims, looks_like_token};
use crate::runtime::clock::Clock;
use crate::runtime::frontends::log_throttle::LogThrottle;
use crate::runtime::metrics::GatewayMetrics;
use crate::runtime::session::passwords::PASSWORD_BYTES_MAX;
use hook::{Hook, HookAnswer, HookFault};
use issuer::{Issuer, IssuerFault};

/// A token: some have groups and roles in them.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What a client says to be: longer than any name, number or address.
const USER_BYTES_MAX: usize = 512;

/// How long a failure of a server, once logged, is not logged again; and how many are remembered.
const FAILURE_QUIET: Duration = Duration::from_secs(60);
const FAILURE_KEYS_MAX: usize = 64;

/// The realms of identities that the two servers prove.
const HTTP: &str = "http/";
const JWT: &str = "jwt/";

/// As `[auth]` configures them.
pub(crate) struct ExternalAuth {
    config: AuthConfig,
    hook: Option<Hook>,
    issuer: Option<Issuer>,
    log: LogThrottle<String>,
}

/// A sign-in with a password, or a token in its place.
pub(crate) struct SignInAttempt<'a> {
    pub(crate) frontend: &'a str,
    pub(crate) address: IpAddr,
    pub(crate) user: &'a UserRef,
    /// The account that it names, if there is one.
    pub(crate) account: Option<Account>,
    pub(crate) credential: &'a str,
}

/// What is known here of an account.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) identities: Vec<String>,
    pub(crate) has_password: bool,
}

/// A user that one of the servers knows.
#[derive(Debug)]
pub(crate) struct ProvenUser {
    identity: String,
    handle: String,
    name: Option<String>,
    create: bool,
    /// When the token that proves it is no longer accepted.
    pub(crate) ends: Option<Timestamp>,
}

impl ProvenUser {
    /// The user, and the account to make if it has none. A handle that others have, or that looks
    /// like theirs, gets a number behind it.
    pub(crate) fn sign_in(self) -> (UserRef, Option<NewUser>) {
        let Self { identity, handle, name, create, ends: _ } = self;
        let user = UserRef::Identity(identity.clone());
        let new = NewUser {
            handle: Some(handle),
            insist: false,
            identities: vec![identity],
            password: None,
            profile: ProfileChanges { name, ..ProfileChanges::default() },
        };
        (user, create.then_some(new))
    }
}

impl ExternalAuth {
    pub(crate) fn new(config: AuthConfig) -> Self {
        Self {
            hook: config.http.clone().map(Hook::new),
            issuer: config.jwt.clone().map(Issuer::new),
            log: LogThrottle::new(FAILURE_QUIET, FAILURE_KEYS_MAX),
            config,
        }
    }

    /// After the configuration was read again: the same with nothing remembered, or a new one.
    pub(crate) fn renewed(this: &Arc<Self>, config: AuthConfig) -> Arc<Self> {
        if this.config != config {
            return Arc::new(Self::new(config));
        }
        this.hook.iter().for_each(Hook::forget);
        this.issuer.iter().for_each(Issuer::forget);
        this.clone()
    }

    /// Whether anything but the stored passwords decides.
    pub(crate) fn is_on(&self) -> bool {
        self.hook.is_some() || self.issuer.is_some() || !self.config.local_passwords
    }

    /// Whether tokens are accepted.
    pub(crate) fn accepts_tokens(&self) -> bool {
        self.issuer.is_some()
    }

    /// Checks a sign-in. `None`: the password that is stored decides.
    pub(crate) async fn check(
        &self,
        attempt: &SignInAttempt<'_>,
        clock: &Clock,
        metrics: &GatewayMetrics,
    ) -> Option<Result<ProvenUser, Refusal>> {
        let SignInAttempt { account, credential, .. } = attempt;
        if let Some(issuer) = self.issuer.as_ref().filter(|_| self.is_token(credential)) {
            return Some(self.check_token(issuer, attempt, clock).await);
        }
        let linked = account.as_ref().and_then(|account| subject(&account.identities, HTTP));
        let has_password = account.as_ref().is_some_and(|account| account.has_password);
        let is_local = self.config.local_passwords && has_password && linked.is_none();
        let asked = self.hook.as_ref().filter(|_| !is_local);
        match asked.zip(named(attempt.user, linked)) {
            Some((hook, (user, user_kind))) => {
                let request = HookRequest {
                    version: 1,
                    frontend: attempt.frontend,
                    user,
                    user_kind,
                    account: linked,
                    credential_kind: kind_of(credential),
                    credential,
                    peer_address: Some(attempt.address)
                        .filter(|address| !address.is_unspecified())
                        .map(|address| address.to_string()),
                };
                Some(self.ask(hook, &request, attempt.address, clock, metrics).await)
            }
            None if self.config.local_passwords && (self.hook.is_none() || linked.is_none()) => {
                None
            }
            None => Some(Err(Refusal::WrongPassword)),
        }
    }

    async fn ask(
        &self,
        hook: &Hook,
        request: &HookRequest<'_>,
        address: IpAddr,
        clock: &Clock,
        metrics: &GatewayMetrics,
    ) -> Result<ProvenUser, Refusal> {
        let is_too_long =
            request.user.len() > USER_BYTES_MAX || request.credential.len() > PASSWORD_BYTES_MAX;
        if is_too_long || !request.is_sound() {
            return Err(Refusal::WrongPassword);
        }
        match hook.ask(request, address, clock, metrics).await {
            Ok(HookAnswer::Allow { identity, handle, name }) => Ok(ProvenUser {
                handle: handle.unwrap_or_else(|| match request.user_kind {
                    UserKind::Handle => request.user.to_owned(),
                    UserKind::Tel | UserKind::Email | UserKind::Identity => identity.clone(),
                }),
                identity: format!("{HTTP}{identity}"),
                name,
                create: hook.config.create,
                ends: None,
            }),
            Ok(HookAnswer::Deny) => Err(Refusal::WrongPassword),
            Err(HookFault::Busy) => Err(Refusal::Overloaded),
            Err(HookFault::Unavailable(why)) => Err(self.unavailable("auth.http", why)),
        }
    }

    async fn check_token(
        &self,
        issuer: &Issuer,
        attempt: &SignInAttempt<'_>,
        clock: &Clock,
    ) -> Result<ProvenUser, Refusal> {
        let claims = self.verify(issuer, attempt.credential, clock).await?;
        let user = proven(issuer, &claims)?;
        let identities = attempt.account.as_ref().map(|account| account.identities.as_slice());
        let is_linked = identities.is_some_and(|identities| identities.contains(&user.identity));
        if !is_linked && !is_named(attempt.user, &user, &claims) {
            tracing::debug!("auth.jwt: a token is not one of the user that it came with");
            return Err(Refusal::WrongPassword);
        }
        Ok(user)
    }

    /// Whether a text is meant as a token, and tokens are accepted.
    pub(crate) fn is_token(&self, text: &str) -> bool {
        self.issuer.is_some() && text.len() <= TOKEN_BYTES_MAX && looks_like_token(text)
    }

    /// The identity that a token proves by itself.
    pub(crate) async fn identify(&self, token: &str, clock: &Clock) -> Result<String, Refusal> {
        let issuer = self.issuer.as_ref().ok_or(Refusal::WrongPassword)?;
        let claims = self.verify(issuer, token, clock).await?;
        proven(issuer, &claims).map(|user| user.identity)
    }

    async fn verify(&self, issuer: &Issuer, token: &str, clock: &Clock) -> Result<Claims, Refusal> {
        issuer.verify(token, clock).await.map_err(|fault| match fault {
            IssuerFault::Denied(why) => {
                tracing::debug!("auth.jwt: {why}");
                Refusal::WrongPassword
            }
            IssuerFault::Unavailable(why) => self.unavailable("auth.jwt", why),
        })
    }

    fn unavailable(&self, key: &str, why: String) -> Refusal {
        let why = format!("{key}: {why}");
        if self.log.admit(why.clone(), Instant::now()) {
            tracing::warn!("sign-ins fail: {why}");
        }
        Refusal::sign_in_unavailable(&why)
    }
}

/// The first identity of a realm, without it.
fn subject<'a>(identities: &'a [String], realm: &str) -> Option<&'a str> {
    identities.iter().find_map(|identity| identity.strip_prefix(realm))
}

/// The user of a token.
fn proven(issuer: &Issuer, claims: &Claims) -> Result<ProvenUser, Refusal> {
    let config = &issuer.config;
    let subject = claims.text(&config.claim).filter(|subject| {
        subject.len() <= USER_BYTES_MAX && !subject.chars().any(char::is_control)
    });
    let subject = subject.ok_or_else(|| {
        tracing::debug!("auth.jwt: a token has no claim {:?} that is a text", config.claim);
        Refusal::WrongPassword
    })?;
    Ok(ProvenUser {
        identity: format!("{JWT}{subject}"),
        handle: claims.text(&config.handle_claim).unwrap_or(subject).to_owned(),
        name: claims.text(&config.name_claim).map(str::to_owned),
        create: config.create,
        ends: Some(Timestamp(claims.expires_ms().saturating_add(config.verifier.leeway_s * 1_000))),
    })
}

/// Whether a client that gives a token names its user, or none: else its dialect would show one
/// user's data as another's.
fn is_named(named: &UserRef, user: &ProvenUser, claims: &Claims) -> bool {
    let subject = user.identity.strip_prefix(JWT).unwrap_or_default();
    let is_it = |named: &str| named == subject || named == user.handle;
    match named {
        UserRef::Handle(handle) => handle.is_empty() || is_it(handle),
        UserRef::Identity(identity) => match identity.split_once('/') {
            Some(("email", address)) => {
                let email = claims.text("email").map(str::to_lowercase);
                is_it(address) || email.as_deref() == Some(address)
            }
            Some(("tel", number)) => {
                let claimed = claims.text("phone_number").unwrap_or_default();
                let digits: String = claimed.chars().filter(char::is_ascii_digit).collect();
                is_it(number) || digits.trim_start_matches('0') == number
            }
            _ => false,
        },
        UserRef::Id(_)
        | UserRef::IdentityOrNew(_)
        | UserRef::Token(_)
        | UserRef::Session
        | UserRef::Claim(_) => false,
    }
}
