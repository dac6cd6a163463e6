//! `/console/session`: signing in to the console with a token, and out.
//!
//! A browser keeps the id of its session in a cookie that no script can read and that no page of
//! another site has it send. A change needs the header `X-Dragoman-Admin` besides, which a page of
//! another origin cannot send.

use std::time::Duration;

use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::admin::{Problem, hash_of};
use crate::runtime::admin::api::{self, AdminPeer, COOKIE, Caller};
use crate::runtime::net::console::SESSION_TTL;
use crate::runtime::net::state::GatewayState;
use crate::version::VERSION;

/// A token has 47 characters.
const BODY_BYTES_MAX: usize = 1024;

const BODY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
}

/// Who looks at the console.
#[derive(Serialize)]
struct Shown {
    /// As the audit log has it. `None`: a token is needed first.
    who: Option<String>,
    role: Option<&'static str>,
    needs_token: bool,
    /// Whether the browser has signed in with a token, and can sign out.
    signed_in: bool,
    /// `en` or `zh`, as the browser prefers.
    language: &'static str,
    version: &'static str,
    /// Whether there is a playground for this browser.
    playground: bool,
}

pub(super) async fn answer(
    state: &GatewayState,
    peer: &AdminPeer,
    request: Request<Incoming>,
) -> Response<Body> {
    let done = match *request.method() {
        Method::GET | Method::HEAD => show(state, peer, request.headers()),
        Method::POST => sign_in(state, peer, request).await,
        Method::DELETE => sign_out(state, peer, request.headers()),
        _ => {
            let problem = Problem::new(405, "method", "use GET, POST or DELETE");
            let refused = api::refused(&problem);
            return super::with(refused, &[(header::ALLOW, "GET, HEAD, POST, DELETE")]);
        }
    };
    done.unwrap_or_else(|problem| api::refused(&problem))
}

fn show(
    state: &GatewayState,
    peer: &AdminPeer,
    headers: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    let caller = match api::caller(state, peer, headers) {
        Ok(caller) => Some(caller),
        Err(problem) if problem.status == 401 => None,
        Err(problem) => return Err(problem),
    };
    let is_signed_in = || state.console.sessions.token(&api::cookie(headers)?);
    let shown = Shown {
        needs_token: caller.is_none(),
        role: caller.as_ref().map(|caller| caller.role.word()),
        who: caller.map(|caller| caller.who),
        signed_in: is_signed_in().is_some(),
        language: language(headers),
        version: VERSION,
        playground: peer.is_local && state.peek_registry().playground,
    };
    Ok(api::json(StatusCode::OK, "application/json", &shown))
}

async fn sign_in(
    state: &GatewayState,
    peer: &AdminPeer,
    request: Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    api::check_way(peer)?;
    api::check_page(peer, request.headers())?;
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = timeout(BODY_TIMEOUT, body).await.ok().and_then(Result::ok);
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let SignIn { token } = api::read_json(&body)
        .map_err(|_| Problem::invalid("the body is not {\"token\": \"dgm_…\"}"))?;
    let hash = hash_of(token.trim()).ok_or_else(|| {
        let what = "this is no token; they begin with dgm_, and `dragoman admin token create` makes \
                    one";
        Problem::new(401, "token", what)
    })?;
    let Caller { who, role } = api::by_hash(&state.services, &hash)?;
    let id = state.console.sessions.begin(hash).map_err(|error| {
        Problem::new(503, "random", format!("the system has no random numbers: {error}"))
    })?;
    tracing::info!(who, role = role.word(), "signed in to the console");
    Ok(with_cookie(&id, SESSION_TTL, peer))
}

fn sign_out(
    state: &GatewayState,
    peer: &AdminPeer,
    headers: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    api::check_way(peer)?;
    api::check_page(peer, headers)?;
    if let Some(id) = api::cookie(headers) {
        state.console.sessions.end(&id);
    }
    Ok(with_cookie("", Duration::ZERO, peer))
}

fn with_cookie(id: &str, ttl: Duration, peer: &AdminPeer) -> Response<Body> {
    let secure = if peer.is_encrypted { "; Secure" } else { "" };
    let secs = ttl.as_secs();
    let cookie =
        format!("{COOKIE}={id}; Path=/; Max-Age={secs}; HttpOnly; SameSite=Strict{secure}");
    let mut response = super::empty(StatusCode::NO_CONTENT);
    let cookie = HeaderValue::try_from(cookie).expect("a cookie of plain ASCII");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    super::with(response, &[(header::CACHE_CONTROL, "no-store")])
}

/// The first language of the browser that the console has.
fn language(headers: &HeaderMap) -> &'static str {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let mut languages = accepted.into_iter().flat_map(|value| value.split(','));
    let known = languages.find_map(|language| {
        let primary = language.trim().split(['-', ';']).next().unwrap_or_default();
        ["en", "zh"].into_iter().find(|known| primary.eq_ignore_ascii_case(known))
    });
    known.unwrap_or("en")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language_of_a_browser_is_taken() {
        for (accepted, expected) in [
            ("", "en"),
            ("de-DE,de;q=0.9", "en"),
            ("de-DE, zh-TW;q=0.8, en;q=0.5", "zh"),
            ("EN-us,zh", "en"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::try_from(accepted).unwrap());
            assert_eq!(language(&headers), expected, "{accepted}");
        }
    }
}
