//! `[auth.http]`: asks an address whether a credential is a user's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use core_model::bounds::SUBJECT_BYTES_MAX;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Request, Response, StatusCode};
use parking_lot::Mutex;

use super::answer_cache::AnswerCache;
use super::breaker::Breaker;
use super::client::AuthClient;
use crate::auth_hook::{HookReply, HookRequest, HookVerdict};
use crate::config::HttpAuthConfig;
use crate::runtime::clock::Clock;
use crate::runtime::limits::AddressPrefix;
use crate::runtime::metrics::{GatewayMetrics, HookResult};

/// Requests under way: each holds a socket for as long as the time-out.
const REQUESTS_MAX: usize = 64;

/// Of these, those of one address. A loopback address may be a proxy's, which stands for many.
const REQUESTS_PER_ADDRESS_MAX: usize = 8;
const REQUESTS_OF_LOOPBACK_MAX: usize = 48;

/// An answer: it has a few names.
const REPLY_BYTES_MAX: usize = 16 * 1024;

pub(super) struct Hook {
    pub(super) config: HttpAuthConfig,
    client: AuthClient,
    cache: Mutex<AnswerCache<HookAnswer>>,
    breaker: Mutex<Breaker>,
    under_way: Arc<Mutex<UnderWay>>,
}

/// What was answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum HookAnswer {
    Allow {
        /// The name that the server knows the user by.
        identity: String,
        handle: Option<String>,
        name: Option<String>,
    },
    Deny,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum HookFault {
    /// Too many are under way.
    Busy,
    /// The server failed, or has failed too often to be asked now.
    Unavailable(String),
}

#[derive(Default)]
struct UnderWay {
    all: usize,
    by_address: HashMap<AddressPrefix, usize>,
}

/// One request under way.
struct Turn {
    under_way: Arc<Mutex<UnderWay>>,
    address: AddressPrefix,
}

impl Hook {
    pub(super) fn new(config: HttpAuthConfig) -> Self {
        Self {
            client: AuthClient::new(config.ca.as_ref()),
            cache: Mutex::new(AnswerCache::new()),
            breaker: Mutex::default(),
            under_way: Arc::default(),
            config,
        }
    }

    /// Forgets what was answered.
    pub(super) fn forget(&self) {
        self.cache.lock().clear();
    }

    /// Asks, unless the same was answered of late.
    pub(super) async fn ask(
        &self,
        request: &HookRequest<'_>,
        address: IpAddr,
        clock: &Clock,
        metrics: &GatewayMetrics,
    ) -> Result<HookAnswer, HookFault> {
        let json = serde_json::to_vec(request).expect("texts are JSON");
        let key = self.cache.lock().key(&json);
        let cached = key.and_then(|key| self.cache.lock().get(&key, clock.steady_ns()));
        if let Some(answer) = cached {
            metrics.note_hook(HookResult::Cached);
            return Ok(answer);
        }
        let answered = self.ask_server(request, json, address, clock).await;
        metrics.note_hook(match &answered {
            Ok(HookAnswer::Allow { .. }) => HookResult::Allow,
            Ok(HookAnswer::Deny) => HookResult::Deny,
            Err(HookFault::Busy) => HookResult::Busy,
            Err(HookFault::Unavailable(_)) => HookResult::Failed,
        });
        if let (Ok(answer), Some(key)) = (&answered, key) {
            let ttl = match answer {
                HookAnswer::Allow { .. } => self.config.cache_ttl,
                HookAnswer::Deny => self.config.deny_ttl,
            };
            self.cache.lock().put(key, answer.clone(), clock.steady_ns(), nanos(ttl));
        }
        answered
    }

    async fn ask_server(
        &self,
        request: &HookRequest<'_>,
        json: Vec<u8>,
        address: IpAddr,
        clock: &Clock,
    ) -> Result<HookAnswer, HookFault> {
        let _turn = UnderWay::take(&self.under_way, address).ok_or(HookFault::Busy)?;
        if !self.breaker.lock().admit(clock.steady_ns()) {
            let why = "it has failed too often, and is asked again in some seconds";
            return Err(HookFault::Unavailable(why.into()));
        }
        let answer = self.send(json).await;
        let has_answered = answer.as_ref().is_ok_and(|answer| !is_failing(answer.status()));
        self.breaker.lock().note(has_answered, clock.steady_ns());
        let body = answer.and_then(body_of);
        body.and_then(|body| read(request, &body)).map_err(HookFault::Unavailable)
    }

    async fn send(&self, json: Vec<u8>) -> Result<Response<Bytes>, String> {
        let HttpAuthConfig { url, timeout, secret, .. } = &self.config;
        let mut request = Request::post(url.as_str())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json");
        if let Some(secret) = secret {
            request = request.header(&secret.name, &secret.value);
        }
        let request = request.body(Full::new(json.into()));
        let request = request.map_err(|_| "the URL is too long, or not one")?;
        self.client.send(request, *timeout, REPLY_BYTES_MAX).await
    }
}

/// Whether a server that answers with a status should be left alone. Other answers may be about the
/// one question: by them a user could keep all others out.
fn is_failing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn body_of(answer: Response<Bytes>) -> Result<Bytes, String> {
    match answer.status().as_u16() {
        200 => Ok(answer.into_body()),
        status @ 300..400 => {
            Err(format!("it answered with status {status}, and redirects are not followed"))
        }
        status => Err(format!("it answered with status {status} instead of 200")),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What an answer says of a request.
fn read(request: &HookRequest<'_>, reply: &[u8]) -> Result<HookAnswer, String> {
    let reply: HookReply = serde_json::from_slice(reply).map_err(|error| {
        if error.is_data() {
            // The message may quote the answer.
            "its answer has no \"result\" that is \"allow\" or \"deny\", or a field that is no text"
        } else {
            "its answer is not JSON"
        }
    })?;
    if reply.result == HookVerdict::Deny {
        return Ok(HookAnswer::Deny);
    }
    let identity = reply.identity.unwrap_or_else(|| request.default_identity());
    let has_control = identity.chars().any(char::is_control);
    if identity.is_empty() || identity.len() > SUBJECT_BYTES_MAX || has_control {
        return Err(format!(
            "its answer has an identity that is empty, longer than {SUBJECT_BYTES_MAX} bytes or \
             has control characters"
        ));
    }
    Ok(HookAnswer::Allow { identity, handle: reply.handle, name: reply.name })
}

impl UnderWay {
    fn take(this: &Arc<Mutex<Self>>, address: IpAddr) -> Option<Turn> {
        let max = match address.is_loopback() {
            true => REQUESTS_OF_LOOPBACK_MAX,
            false => REQUESTS_PER_ADDRESS_MAX,
        };
        let address = AddressPrefix::of(address);
        let mut under_way = this.lock();
        let of_address = under_way.by_address.get(&address).copied().unwrap_or(0);
        if under_way.all >= REQUESTS_MAX || of_address >= max {
            return None;
        }
        under_way.all += 1;
        under_way.by_address.insert(address, of_address + 1);
        Some(Turn { under_way: this.clone(), address })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock();
        under_way.all -= 1;
        if let Some(count) = under_way.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                under_way.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_a_part_of_the_requests_under_way() {
        let under_way = Arc::<Mutex<UnderWay>>::default();
        let take = |address: &str| UnderWay::take(&under_way, address.parse().unwrap());
        let of_one: Vec<_> =
            (0..REQUESTS_PER_ADDRESS_MAX).map(|_| take("192.0.2.1").expect("a turn")).collect();
        assert!(take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        let of_proxy: Vec<_> = std::iter::from_fn(|| take("127.0.0.1")).collect();
        assert_eq!(of_proxy.len(), REQUESTS_OF_LOOPBACK_MAX);
        assert!(take("192.0.2.2").is_some(), "there is room for others");
        drop((of_one, of_proxy));
        assert!(under_way.lock().by_address.is_empty() && under_way.lock().all == 0);
    }
}
