//! `[auth.jwt]`: the keys of an issuer, and its tokens.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::ACCEPT;
use parking_lot::Mutex;

use super::client::AuthClient;
use crate::config::{JwtAuthConfig, KeySource, read_keys};
use crate::jwt::{Claims, Header, JWKS_BYTES_MAX, KeySet, TokenFault};
use crate::runtime::clock::Clock;

/// Between two attempts to read the keys: a token may name any key, so that clients could have them
/// read as often as they like.
const READ_PERIOD: Duration = Duration::from_secs(10);

/// How old keys may be that cannot be read again.
const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Issuer {
    pub(super) config: JwtAuthConfig,
    client: AuthClient,
    keys: Mutex<Option<Known>>,
    /// When the keys were last read or attempted. Locked during that, so that one task does it.
    last_attempt_ns: tokio::sync::Mutex<Option<u64>>,
}

#[derive(Clone)]
struct Known {
    set: Arc<KeySet>,
    read_at_ns: u64,
    /// Whether they are to be read again at the next use.
    is_outdated: bool,
}

/// Why a token proves nothing.
#[derive(Debug)]
pub(super) enum IssuerFault {
    Denied(String),
    /// There are no keys.
    Unavailable(String),
}

impl Issuer {
    pub(super) fn new(config: JwtAuthConfig) -> Self {
        let ca = match &config.keys {
            KeySource::Url { ca, .. } => ca.as_ref(),
            KeySource::File(_) => None,
        };
        let client = AuthClient::new(ca);
        Self {
            config,
            client,
            keys: Mutex::default(),
            last_attempt_ns: tokio::sync::Mutex::default(),
        }
    }

    /// Has the keys read again at the next use.
    pub(super) fn forget(&self) {
        if let Some(known) = &mut *self.keys.lock() {
            known.is_outdated = true;
        }
    }

    /// The claims of a token.
    pub(super) async fn verify(&self, token: &str, clock: &Clock) -> Result<Claims, IssuerFault> {
        let verifier = &self.config.verifier;
        let header = verifier.header(token).map_err(denied)?;
        let known = self.current(clock).await?;
        match self.try_with(token, &header, &known) {
            Err(TokenFault::UnknownKey) => (),
            verified => return verified.map_err(denied),
        }
        // The key may be new.
        let mut last_attempt_ns = self.last_attempt_ns.lock().await;
        let read = self.read(&mut last_attempt_ns, known.read_at_ns, clock).await;
        drop(last_attempt_ns);
        let known = match read {
            Ok(known) => known,
            Err(why) => {
                tracing::debug!("auth.jwt: a token names an unknown key: {why}");
                known
            }
        };
        self.try_with(token, &header, &known).map_err(denied)
    }

    fn try_with(&self, token: &str, header: &Header, known: &Known) -> Result<Claims, TokenFault> {
        self.config.verifier.verify(token, header, &known.set)
    }

    /// The keys, not older than `refresh` if they can be read.
    async fn current(&self, clock: &Clock) -> Result<Known, IssuerFault> {
        let known = self.keys.lock().clone();
        let age = |known: &Known| {
            Duration::from_nanos(clock.steady_ns().saturating_sub(known.read_at_ns))
        };
        let usable = known.as_ref().filter(|known| age(known) < STALE_MAX);
        if let Some(known) = usable
            && !known.is_outdated
            && age(known) < self.config.refresh
        {
            return Ok(known.clone());
        }
        let mut last_attempt_ns = match usable {
            // While another task reads them, these do.
            Some(known) => match self.last_attempt_ns.try_lock() {
                Ok(locked) => locked,
                Err(_) => return Ok(known.clone()),
            },
            None => self.last_attempt_ns.lock().await,
        };
        let before_ns = known.as_ref().map_or(0, |known| known.read_at_ns);
        match (self.read(&mut last_attempt_ns, before_ns, clock).await, usable) {
            (Ok(known), _) => Ok(known),
            (Err(_), Some(known)) => Ok(known.clone()),
            (Err(why), None) => Err(IssuerFault::Unavailable(why)),
        }
    }

    /// Reads the keys, unless another task has done so since `before_ns`, or it was attempted within
    /// [`READ_PERIOD`].
    async fn read(
        &self,
        last_attempt_ns: &mut Option<u64>,
        before_ns: u64,
        clock: &Clock,
    ) -> Result<Known, String> {
        let since = self
            .keys
            .lock()
            .clone()
            .filter(|known| known.read_at_ns > before_ns && !known.is_outdated);
        if let Some(known) = since {
            return Ok(known);
        }
        let now_ns = clock.steady_ns();
        let age = |at_ns: u64| Duration::from_nanos(now_ns.saturating_sub(at_ns));
        if last_attempt_ns.is_some_and(|at_ns| age(at_ns) < READ_PERIOD) {
            return Err("the keys were read, or could not be read, some seconds ago".into());
        }
        *last_attempt_ns = Some(now_ns);
        let set = self.read_source().await.inspect_err(|why| {
            tracing::warn!("auth.jwt: cannot read the issuer's keys: {why}");
        })?;
        let known = Known { set: Arc::new(set), read_at_ns: now_ns.max(1), is_outdated: false };
        *self.keys.lock() = Some(known.clone());
        Ok(known)
    }

    async fn read_source(&self) -> Result<KeySet, String> {
        match &self.config.keys {
            KeySource::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_keys(&path)).await;
                read.map_err(|error| error.to_string())?
            }
            KeySource::Url { url, .. } => {
                let request = Request::get(url.as_str())
                    .header(ACCEPT, "application/jwk-set+json, application/json")
                    .body(Full::new(Bytes::new()))
                    .map_err(|_| "the URL is too long, or not one")?;
                let timeout = self.config.timeout;
                let response = self.client.send(request, timeout, JWKS_BYTES_MAX).await?;
                match response.status().as_u16() {
                    200 => {
                        KeySet::parse(response.body()).map_err(|why| format!("the answer {why}"))
                    }
                    status => Err(format!("the answer has status {status} instead of 200")),
                }
            }
        }
    }
}

fn denied(fault: TokenFault) -> IssuerFault {
    IssuerFault::Denied(match fault {
        TokenFault::UnknownKey => "the token's key is not one of the issuer's".into(),
        TokenFault::Refused(why) => why,
    })
}
