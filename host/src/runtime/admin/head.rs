//! What a request to an admin listener must be before anything looks at its path: the rules are those
//! of the dialects' listeners.

use std::time::Duration;

use frontend_api::http::{HttpError, Response};
use hyper::header::HOST;
use hyper::http::request::Parts;

use crate::admin::Problem;
use crate::runtime::admin::{api, is_probe};
use crate::runtime::net::http::{
    Activity, Deadlines, Rewording, TimedStream, check_head, check_one_host, is_known_host,
};
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::stream::Stream;

/// How long a client may take for the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The stream of a connection, with a deadline for its head and with problem details where hyper
/// answers by itself.
pub(super) fn watched(stream: Stream, activity: Activity) -> TimedStream {
    // A response may be a stream that a console follows for hours.
    let never = Duration::ZERO;
    let deadlines = Deadlines { head: HEAD_TIMEOUT, idle: never, stalled: never };
    TimedStream::new(stream, deadlines, activity).reworded(Rewording::new(|error| {
        let problem = problem(error);
        let body = serde_json::to_vec(&problem).expect("a problem is plain data");
        let media_type = ("content-type".into(), api::PROBLEM_MEDIA_TYPE.into());
        Response { status: problem.status, headers: vec![media_type], body }
    }))
}

/// Refuses a head that readers understand differently, and on a private listener a host that a page
/// of the internet may have: it can point its own name here, and read the answer. A probe says nothing
/// to a page, and no page has a token; the API has a stricter rule of its own.
pub(super) fn check(
    parts: &mut Parts,
    can_be_rebound: bool,
    state: &GatewayState,
) -> Result<(), Problem> {
    check_head(parts).map_err(problem)?;
    check_one_host(&parts.headers).map_err(problem)?;
    let path = parts.uri.path();
    if !can_be_rebound || is_probe(path) || path.starts_with(api::ROOT) {
        return Ok(());
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let known = state.peek_registry().admin_hosts.clone();
    let is_known = |host: &str| is_known_host(host, &known);
    let Some(host) = host.filter(|host| !is_known(host)) else { return Ok(()) };
    if api::has_token(state, &parts.headers) {
        return Ok(());
    }
    Err(api::unknown_host(host))
}

fn problem(error: HttpError) -> Problem {
    let word = match error.status {
        413 | 414 | 431 => "too-large",
        _ => "invalid",
    };
    Problem::new(error.status, word, error.reason)
}
