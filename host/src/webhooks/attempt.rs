//! One request to a receiver, and what its answer means.

use std::time::{Duration, Instant};

use bytes::Bytes;
use core_model::Timestamp;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode};
use tokio::time::timeout;

use super::body::Body;
use super::secret::signatures;
use super::settings::WebhookConfig;
use crate::outgoing::{self, HttpClient};

/// The body of an answer that is read: it is shown by `dragoman webhook test`, and means nothing.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How long that body may take once the status is there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest time that a receiver may ask to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// What a receiver has answered.
#[derive(Clone, Debug)]
pub struct Received {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Empty where it was too long or too slow.
    pub body: Bytes,
    pub took: Duration,
}

/// Why an event was not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttemptFailure {
    pub kind: FailureKind,
    /// A fragment in lower case.
    pub why: String,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureKind {
    /// The receiver has no address that may be connected to.
    Address,
    Connect,
    Timeout,
    /// The connection ended, or what came is no HTTP.
    Response,
    /// 3xx: redirects are not followed.
    Redirect,
    /// 410
    Gone,
    /// 429, and 503 with Retry-After.
    Throttled,
    /// 4xx
    ClientError,
    /// 5xx, and statuses that mean nothing here.
    ServerError,
}

impl FailureKind {
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Address, "address"),
        (Self::Connect, "connect"),
        (Self::Timeout, "timeout"),
        (Self::Response, "response"),
        (Self::Redirect, "redirect"),
        (Self::Gone, "gone"),
        (Self::Throttled, "throttled"),
        (Self::ClientError, "client_error"),
        (Self::ServerError, "server_error"),
    ];
}

impl Received {
    /// The failure that this answer is. `None`: the event was taken.
    pub fn failure(&self, now: Timestamp) -> Option<AttemptFailure> {
        if self.status.is_success() {
            return None;
        }
        let retry_after = retry_after(&self.headers, now);
        let kind = match self.status.as_u16() {
            300..400 => FailureKind::Redirect,
            410 => FailureKind::Gone,
            429 => FailureKind::Throttled,
            503 if retry_after.is_some() => FailureKind::Throttled,
            400..500 => FailureKind::ClientError,
            _ => FailureKind::ServerError,
        };
        let why = match kind {
            FailureKind::Redirect => {
                format!("answered {}; redirects are not followed", self.status)
            }
            _ => format!("answered {}", self.status),
        };
        Some(AttemptFailure { kind, why, retry_after })
    }
}

/// Sends an event once. `Err`: there is no answer.
pub async fn post(
    client: &HttpClient,
    webhook: &WebhookConfig,
    body: &Body,
    now: Timestamp,
) -> Result<Received, AttemptFailure> {
    let began = Instant::now();
    let fail = |kind, why| AttemptFailure { kind, why, retry_after: None };
    let request = request(webhook, body, now.0 / 1_000)
        .map_err(|why| fail(FailureKind::Response, why.to_string()))?;
    let response = timeout(webhook.timeout, client.send(request)).await.map_err(|_| {
        let ms = webhook.timeout.as_millis();
        fail(FailureKind::Timeout, format!("no answer within {ms} ms"))
    })?;
    let response = response.map_err(|failure| {
        let kind = match failure.kind {
            outgoing::FailureKind::Destination => FailureKind::Address,
            outgoing::FailureKind::Connect => FailureKind::Connect,
            outgoing::FailureKind::Response | outgoing::FailureKind::TooLong => {
                FailureKind::Response
            }
        };
        let advice = match kind {
            FailureKind::Address => "; set allow_private to allow it",
            _ => "",
        };
        fail(kind, format!("{}{advice}", failure.why))
    })?;
    let status = response.status();
    let headers = response.headers().clone();
    // The status is the answer: a body that does not come changes nothing.
    let read = timeout(ANSWER_TIMEOUT, outgoing::read_body(response, ANSWER_BYTES_MAX)).await;
    let body = read.ok().and_then(Result::ok).unwrap_or_default();
    Ok(Received { status, headers, body, took: began.elapsed() })
}

fn request(
    webhook: &WebhookConfig,
    body: &Body,
    timestamp: u64,
) -> hyper::http::Result<Request<Full<Bytes>>> {
    Request::post(webhook.url.as_str())
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, outgoing::USER_AGENT)
        .header("webhook-id", &body.id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signatures(&webhook.secrets, &body.id, timestamp, &body.json))
        .body(Full::new(body.json.clone()))
}

/// In seconds, or as a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let after = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
            Duration::from_millis(u64::try_from(date).ok()?.saturating_sub(now.0))
        }
    };
    Some(after.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, after: Option<&str>) -> Option<AttemptFailure> {
        let mut headers = HeaderMap::new();
        if let Some(after) = after {
            headers.insert(RETRY_AFTER, after.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let (body, took) = (Bytes::new(), Duration::ZERO);
        // Wed, 21 Oct 2015 07:27:50 GMT
        let now = Timestamp(1_445_412_470_000);
        Received { status, headers, body, took }.failure(now)
    }

    #[test]
    fn each_status_has_its_kind() {
        assert_eq!(failure(200, None), None);
        assert_eq!(failure(204, Some("5")), None);
        for (status, kind) in [
            (301, FailureKind::Redirect),
            (308, FailureKind::Redirect),
            (400, FailureKind::ClientError),
            (410, FailureKind::Gone),
            (429, FailureKind::Throttled),
            (500, FailureKind::ServerError),
            (503, FailureKind::ServerError),
        ] {
            assert_eq!(failure(status, None).map(|failure| failure.kind), Some(kind), "{status}");
        }
    }

    #[test]
    fn a_receiver_may_ask_for_a_pause_in_seconds_or_by_a_date() {
        let after =
            |text| failure(503, Some(text)).unwrap().retry_after.map(|after| after.as_secs());
        assert_eq!(after("7"), Some(7));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(10));
        assert_eq!(after("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        assert_eq!(after("999999999999"), Some(3_600));
        assert_eq!(after("soon"), None);
        assert_eq!(failure(503, Some("7")).unwrap().kind, FailureKind::Throttled);
    }
}
