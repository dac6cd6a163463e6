//! Who may use a front end: addresses, API keys, and the rate of requests.

use core_model::Refusal;
use frontend_api::http::HttpError;
use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::runtime::frontends::api_keys::{KeyCheck, bearer};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::Limit;
use crate::runtime::net::http::caller::Caller;
use crate::runtime::net::remote::Remote;
use crate::runtime::session::admission::identify;
use crate::runtime::session::exchange::retry_later;
use crate::runtime::session::services::Services;

/// Checks `allow`, `api_keys` and `jwt_subjects`. A client with a certificate needs no key. Returns
/// the identity that a JSON Web Token in the request proves.
pub(super) async fn check_access(
    services: &Services,
    frontend: &FrontendHandle,
    caller: Caller,
    remote: &Remote,
    headers: &HeaderMap,
) -> Result<Option<String>, HttpError> {
    if !frontend.allows(caller.address) {
        frontend.metrics.note_refused(Limit::Guard);
        let reason = format!("{caller} is not among the addresses allowed here");
        return Err(HttpError::new(403, reason));
    }
    let identity = token_identity(services, frontend, caller, headers).await?;
    let is_known = |identity: &String| frontend.token_identities.contains(identity);
    if remote.certificate.is_some() || identity.as_ref().is_some_and(is_known) {
        return Ok(identity);
    }
    let is_open = match frontend.api_keys.check(&frontend.name, headers) {
        KeyCheck::Shown => true,
        KeyCheck::Open => frontend.token_identities.is_empty(),
        KeyCheck::Refused => false,
    };
    if !is_open {
        frontend.metrics.note_refused(Limit::Guard);
        let reason = "an API key is needed: X-Api-Key, or Authorization: Bearer";
        return Err(HttpError::new(401, reason).with_header("www-authenticate", "Bearer"));
    }
    Ok(identity)
}

/// The identity of a valid token. A token that is not valid may be something else.
async fn token_identity(
    services: &Services,
    frontend: &FrontendHandle,
    caller: Caller,
    headers: &HeaderMap,
) -> Result<Option<String>, HttpError> {
    let shown = headers.get(AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?));
    let Some(token) = shown else { return Ok(None) };
    match identify(services, frontend, caller.counted_address(), token).await {
        Ok(identity) => Ok(identity),
        Err(Refusal::SlowDown { retry_after_ms }) => {
            Err(retry_later(429, "too many failed sign-ins", retry_after_ms))
        }
        Err(Refusal::WrongPassword) => Ok(None),
        Err(refusal) => Err(retry_later(503, &refusal.to_string(), 1_000)),
    }
}

/// Counts a request against the rate of its address.
pub(super) fn check_rate(
    frontend: &FrontendHandle,
    caller: Caller,
    now_ns: u64,
) -> Result<(), HttpError> {
    if frontend.limits.requests_per_s == 0 {
        return Ok(());
    }
    let counted = frontend
        .request_rates
        .with(caller.counted_address(), now_ns, |rates| rates.request(now_ns, &frontend.limits));
    counted.map_err(|retry_after_ms| {
        frontend.metrics.note_refused(Limit::Requests);
        retry_later(429, "too many requests", retry_after_ms)
    })
}
