//! Who may ask for what: tokens with roles, browsers that signed in with one, and processes of this
//! machine without one.

use std::net::{IpAddr, SocketAddr};

use core_model::{AdminRole, TokenHash, bounds};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::uri::Authority;

use crate::admin::{ADMIN_HEADER, Problem, STORE_HEADER, hash_of, token_id};
use crate::runtime::net::http::is_named_host;
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::services::Services;
use crate::users::store_mark;

/// Who made a request over loopback without a token.
const LOCAL: &str = "local";

/// Of a host as a client sent it, what a refusal shows: names have at most 253.
const HOST_CHARS_MAX: usize = 255;

/// The cookie of a browser that has signed in to the console.
pub(in super::super) const COOKIE: &str = "dragoman_admin";

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The other end of a connection to the admin listener.
#[derive(Clone, Debug)]
pub(in super::super) struct AdminPeer {
    pub(in super::super) address: SocketAddr,
    /// Whether both ends have loopback addresses, whatever address the listener is bound to.
    pub(in super::super) is_local: bool,
    /// Whether the connection is encrypted.
    pub(in super::super) is_encrypted: bool,
}

impl AdminPeer {
    pub(in super::super) fn new(peer: SocketAddr, own: SocketAddr, is_encrypted: bool) -> Self {
        let is_local = [peer, own].iter().all(|end| end.ip().to_canonical().is_loopback());
        Self { address: peer, is_local, is_encrypted }
    }
}

/// A request that is not admitted.
#[derive(Debug)]
pub(in super::super) struct Denied {
    /// Who made it, if it has a token that is known but is not one of the role.
    pub(super) who: Option<String>,
    pub(in super::super) problem: Box<Problem>,
}

/// Who made a request, for the audit log, and what it may do.
#[derive(Clone, Debug)]
pub(in super::super) struct Caller {
    pub(in super::super) who: String,
    pub(in super::super) role: AdminRole,
}

impl From<Problem> for Denied {
    fn from(problem: Problem) -> Self {
        Self { who: None, problem: problem.into() }
    }
}

/// Whether a request has a token of any role, or comes from a browser that has signed in.
pub(in super::super) fn has_token(state: &GatewayState, headers: &HeaderMap) -> bool {
    let services = &state.services;
    let found = match bearer(headers) {
        Some(token) => by_token(services, token),
        None => match signed_in(state, headers) {
            Some(hash) => by_hash(services, &hash),
            None => return false,
        },
    };
    found.is_ok()
}

/// Admits a request with a token of the role, one of a browser that has signed in with such a token,
/// or one over loopback without a token. Returns who made it.
///
/// A request without a token needs a header that a web page cannot send without a preflight, and a
/// host that is an IP address, localhost or of `[admin] hosts`: a web page of a name that was made to
/// resolve to this machine sends that name. Refuses requests meant for another store.
pub(super) fn admit(
    state: &GatewayState,
    peer: &AdminPeer,
    headers: &HeaderMap,
    role: AdminRole,
) -> Result<String, Denied> {
    let Caller { who, role: has } = caller(state, peer, headers)?;
    if has < role {
        let (needed, has) = (role.word(), has.word());
        let problem = forbidden(&format!(
            "this needs the role {needed}, and the token has the role {has}; create one with \
             `dragoman admin token create --role {needed}`"
        ));
        return Err(Denied { who: Some(who), problem: problem.into() });
    }
    match check_store(&state.services, headers) {
        Ok(()) => Ok(who),
        Err(problem) => Err(Denied { who: Some(who), problem: problem.into() }),
    }
}

/// Finds out who makes a request, which may be anyone who may do anything at all.
pub(in super::super) fn caller(
    state: &GatewayState,
    peer: &AdminPeer,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    check_way(peer)?;
    if let Some(token) = bearer(headers) {
        return by_token(&state.services, token);
    }
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(unauthorized("send `Authorization: Bearer <token>`"));
    }
    if let Some(hash) = signed_in(state, headers) {
        check_page(peer, headers)?;
        return by_hash(&state.services, &hash);
    }
    if peer.is_encrypted {
        return Err(unauthorized("send `Authorization: Bearer <token>`"));
    }
    local(state, peer, headers)
}

/// Refuses what would send a token, or what it protects, over a network in clear.
pub(in super::super) fn check_way(peer: &AdminPeer) -> Result<(), Problem> {
    if peer.is_local || peer.is_encrypted {
        return Ok(());
    }
    Err(forbidden(
        "over an address that is not loopback the API is served with TLS only; set [admin] \
         tls_listen and tls, or ask over a loopback address",
    ))
}

/// Refuses what a page of another origin has a browser send: it cannot send the header without a
/// preflight, which the gateway never answers, and its browser says of which origin it is.
pub(in super::super) fn check_page(peer: &AdminPeer, headers: &HeaderMap) -> Result<(), Problem> {
    if !headers.contains_key(ADMIN_HEADER) {
        return Err(forbidden(
            "the header X-Dragoman-Admin is missing; send it, or a token of `dragoman admin token \
             create`",
        ));
    }
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let scheme = if peer.is_encrypted { "https" } else { "http" };
    let own = format!("{scheme}://{}", text(&header::HOST).unwrap_or_default());
    let is_foreign = text(&header::ORIGIN).is_some_and(|origin| !origin.eq_ignore_ascii_case(&own));
    let site = text(&SEC_FETCH_SITE);
    if is_foreign || site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(forbidden("a web page of another origin has sent this request"));
    }
    Ok(())
}

/// The token that the browser of a request has signed in with.
fn signed_in(state: &GatewayState, headers: &HeaderMap) -> Option<TokenHash> {
    state.console.sessions.token(&cookie(headers)?)
}

/// The id of the session of a browser.
pub(in super::super) fn cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = values.flat_map(|value| value.split(';'));
    cookies.find_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn by_token(services: &Services, token: &str) -> Result<Caller, Problem> {
    by_hash(services, &hash_of(token).ok_or_else(unknown)?)
}

/// The holder of a token, if it is known, not revoked and not expired.
pub(in super::super) fn by_hash(services: &Services, hash: &TokenHash) -> Result<Caller, Problem> {
    let found = services.engine.admin_token(services.clock.now(), hash);
    let found = found.map_err(|refusal| Problem::new(503, "store", refusal.to_string()))?;
    let found = found.ok_or_else(unknown)?;
    let who = format!("token {} {}", token_id(hash), found.label).trim_end().to_owned();
    Ok(Caller { who, role: found.role })
}

fn unknown() -> Problem {
    unauthorized("the token is unknown, revoked or expired")
}

/// A page can point its own name here; one that the operator has named is none of those.
pub(in super::super) fn unknown_host(host: &str) -> Problem {
    let host = bounds::cut(host, HOST_CHARS_MAX);
    forbidden(&format!(
        "the host asked for, {host:?}, may be the name of a web page of another site; ask by an IP \
         address or localhost, add the name to [admin] hosts, or send a token of `dragoman admin \
         token create`"
    ))
}

fn local(state: &GatewayState, peer: &AdminPeer, headers: &HeaderMap) -> Result<Caller, Problem> {
    check_page(peer, headers)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let known = state.peek_registry().admin_hosts.clone();
    let is_known = |host: &str| is_address_or_localhost(host) || is_named_host(host, &known);
    if !host.is_some_and(is_known) {
        return Err(unknown_host(host.unwrap_or_default()));
    }
    Ok(Caller { who: LOCAL.into(), role: AdminRole::Operator })
}

fn check_store(services: &Services, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(mark) = headers.get(STORE_HEADER) else { return Ok(()) };
    match store_mark(&services.store) {
        Ok(own) if mark.as_bytes() == own.as_bytes() => Ok(()),
        _ => {
            let store = services.store.display();
            let detail = format!("the gateway that listens here has another store open: {store}");
            Err(Problem::new(421, "other-store", detail))
        }
    }
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(403, "forbidden", detail)
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(401, "token", format!("{detail}; create one with `dragoman admin token create`"))
}

fn is_address_or_localhost(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_with_two_loopback_ends_are_local() {
        let local = |peer: &str, own: &str| {
            AdminPeer::new(peer.parse().unwrap(), own.parse().unwrap(), false).is_local
        };
        assert!(local("127.0.0.1:40000", "127.0.0.1:5090"));
        assert!(local("[::1]:40000", "[::1]:5090"));
        assert!(local("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:5090"));
        assert!(!local("10.0.0.7:40000", "10.0.0.5:5090"));
        assert!(!local("10.0.0.5:40000", "127.0.0.1:5090"));
        assert!(!local("127.0.0.1:40000", "10.0.0.5:5090"));
    }

    #[test]
    fn only_addresses_and_localhost_are_accepted_as_hosts() {
        for host in ["127.0.0.1", "127.0.0.1:5090", "[::1]", "[::1]:5090", "localhost:1"] {
            assert!(is_address_or_localhost(host), "{host}");
        }
        for host in ["", "example.org", "example.org:5090", "localhost.example.org", "a@b c"] {
            assert!(!is_address_or_localhost(host), "{host}");
        }
    }
}
