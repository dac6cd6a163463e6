//! Who may use a front end: addresses, API keys, and the rate of requests.

use frontend_api::http::HttpError;
use hyper::header::HeaderMap;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::Limit;
use crate::runtime::net::http::caller::Caller;
use crate::runtime::net::remote::Remote;
use crate::runtime::session::exchange::retry_later;

/// Checks `allow` and `api_keys`. A client with a certificate needs no key.
pub(super) fn check_access(
    frontend: &FrontendHandle,
    caller: Caller,
    remote: &Remote,
    headers: &HeaderMap,
) -> Result<(), HttpError> {
    if !frontend.allows(caller.address) {
        frontend.metrics.note_refused(Limit::Guard);
        let reason = format!("{caller} is not among the addresses allowed here");
        return Err(HttpError::new(403, reason));
    }
    if remote.certificate.is_none() && !frontend.api_keys.admit(headers) {
        frontend.metrics.note_refused(Limit::Guard);
        let reason = "an API key is needed: X-Api-Key, or Authorization: Bearer";
        return Err(HttpError::new(401, reason).with_header("www-authenticate", "Bearer"));
    }
    Ok(())
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
