//! The part of the admin listener by which `dragoman user` reaches a gateway that runs.
//!
//! Who links an identity to a user decides who may be that user. So these paths are for programs
//! on this machine, and for nobody else: see [`admit`].

use std::net::{IpAddr, SocketAddr};

use core_model::Refusal;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::runtime::bounds::{ADMIN_BODY_BYTES_MAX, BODY_TIMEOUT};
use crate::runtime::session::services::Shared;
use crate::runtime::start::by_the_gateway;
use crate::users::wire::{
    ADMIN_HEADER, Change, LINK_PATH, NewPassword, PASSWORD_PATH, Refused, SHOW_PATH, STORE_HEADER,
    UNLINK_PATH, store_mark,
};
use crate::users::{Account, Act, Failure, Identity, UserAction};

/// A path, its method, and what is asked for by the query (GET) or the body (POST).
type Row = (&'static str, Method, fn(&[u8]) -> Result<UserAction, Fault>);

const PATHS: [Row; 4] = [
    (SHOW_PATH, Method::GET, show),
    (LINK_PATH, Method::POST, |body| change(body, Act::Link)),
    (UNLINK_PATH, Method::POST, |body| change(body, Act::Unlink)),
    (PASSWORD_PATH, Method::POST, set_password),
];

/// What is answered instead of an account.
struct Fault {
    status: StatusCode,
    error: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Fault {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), header: None }
    }
}

/// Whether a connection with these two ends is one within this machine, over loopback addresses;
/// on whichever address it is that is listened.
pub(crate) fn is_local(peer: SocketAddr, own: SocketAddr) -> bool {
    [peer, own].iter().all(|end| end.ip().to_canonical().is_loopback())
}

/// Whether a path is one of these.
pub(crate) fn has(path: &str) -> bool {
    PATHS.iter().any(|(known, ..)| *known == path)
}

/// Answers a request to one of these paths.
pub(crate) async fn answer(
    shared: &Shared,
    local: bool,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    match carry_out(shared, local, request).await {
        Ok(account) => json(StatusCode::OK, &account),
        Err(Fault { status, error, header }) => {
            let mut response = json(status, &Refused { error });
            response.headers_mut().extend(header);
            response
        }
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(body).expect("it has nothing that JSON lacks");
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn carry_out(
    shared: &Shared,
    local: bool,
    request: Request<Incoming>,
) -> Result<Account, Fault> {
    admit(shared, local, request.headers())?;
    let action = read(request).await?;
    let done = match action.command() {
        None => None,
        Some(command) => Some(by_the_gateway(shared, command).await),
    };
    let account = action.report(&shared.engine, shared.clock.now(), done).map_err(refused)?;
    let uid = account.uid;
    match &action.act {
        Act::Show => (),
        Act::Link(identity) => tracing::info!(uid, realm = identity.realm(), "linked"),
        Act::Unlink(identity) => tracing::info!(uid, realm = identity.realm(), "unlinked"),
        Act::SetPassword(_) => tracing::info!(uid, "the password was set"),
    }
    Ok(account)
}

/// Lets in who comes over loopback, sends a header that a web page cannot send here without a
/// preflight, and asks for no host by a name but localhost: a page whose own name was made to
/// point here would. Refused too: who means another store.
fn admit(shared: &Shared, local: bool, headers: &HeaderMap) -> Result<(), Fault> {
    let forbidden = |error: &str| Err(Fault::new(StatusCode::FORBIDDEN, error));
    if !local {
        return forbidden("this is answered over a loopback address only");
    }
    if !headers.contains_key(ADMIN_HEADER) {
        return forbidden("the header X-Dragoman-Admin is missing");
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_no_name) {
        return forbidden("the host asked for is neither an IP address nor localhost");
    }
    let Some(mark) = headers.get(STORE_HEADER) else { return Ok(()) };
    match store_mark(&shared.store) {
        Ok(own) if mark.as_bytes() == own.as_bytes() => Ok(()),
        _ => {
            let error = format!(
                "the gateway that listens here has another store open: {}",
                shared.store.display()
            );
            Err(Fault::new(StatusCode::MISDIRECTED_REQUEST, error))
        }
    }
}

fn is_no_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

async fn read(request: Request<Incoming>) -> Result<UserAction, Fault> {
    let path = PATHS.iter().find(|(path, ..)| *path == request.uri().path());
    let (_, method, action) = path.expect("it is looked for before");
    if request.method() != method {
        let allow = HeaderValue::from_str(method.as_str()).expect("a method has no odd bytes");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let header = Some((header::ALLOW, allow));
        return Err(Fault { header, ..Fault::new(status, format!("{method} it")) });
    }
    if method == Method::GET {
        return action(request.uri().query().unwrap_or_default().as_bytes());
    }
    let body = Limited::new(request.into_body(), ADMIN_BODY_BYTES_MAX).collect();
    let body = timeout(BODY_TIMEOUT, body).await.map_err(|_| wrong("the body does not come"))?;
    let body = body.map_err(|error| wrong(format!("the body cannot be read: {error}")))?;
    action(&body.to_bytes())
}

fn show(query: &[u8]) -> Result<UserAction, Fault> {
    let mut fields = form_urlencoded::parse(query);
    let who = fields.find_map(|(name, value)| (name == "who").then_some(value));
    let who = who.ok_or_else(|| wrong("who is missing"))?.parse().map_err(wrong)?;
    Ok(UserAction { who, act: Act::Show })
}

fn change(body: &[u8], act: fn(Identity) -> Act) -> Result<UserAction, Fault> {
    let change: Change = parse(body)?;
    let identity = change.identity.parse().map_err(wrong)?;
    Ok(UserAction { who: change.who.parse().map_err(wrong)?, act: act(identity) })
}

fn set_password(body: &[u8]) -> Result<UserAction, Fault> {
    let new: NewPassword = parse(body)?;
    let phc = new.hash.parse().map_err(|why| wrong(format!("hash: {why}")))?;
    Ok(UserAction { who: new.who.parse().map_err(wrong)?, act: Act::SetPassword(phc) })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| wrong(format!("the body is not what it should be: {error}")))
}

fn wrong(error: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, error)
}

fn refused(failure: Failure) -> Fault {
    let status = match &failure {
        Failure::Unknown(_) => StatusCode::NOT_FOUND,
        Failure::Taken { .. } | Failure::NotLinked { .. } => StatusCode::CONFLICT,
        Failure::Store(_) | Failure::Refused(Refusal::Overloaded) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Failure::Refused(_) => StatusCode::BAD_REQUEST,
    };
    Fault::new(status, failure.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_and_arrives_over_loopback_is_local() {
        let local = |peer: &str, own: &str| is_local(peer.parse().unwrap(), own.parse().unwrap());
        assert!(local("127.0.0.1:40000", "127.0.0.1:5090"));
        assert!(local("[::1]:40000", "[::1]:5090"));
        assert!(local("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:5090"));
        assert!(!local("10.0.0.7:40000", "10.0.0.5:5090"));
        assert!(!local("10.0.0.5:40000", "127.0.0.1:5090"));
        assert!(!local("127.0.0.1:40000", "10.0.0.5:5090"));
    }

    #[test]
    fn an_address_and_localhost_are_no_names() {
        for host in ["127.0.0.1", "127.0.0.1:5090", "[::1]", "[::1]:5090", "localhost:1"] {
            assert!(is_no_name(host), "{host}");
        }
        for host in ["", "example.org", "example.org:5090", "localhost.example.org", "a@b c"] {
            assert!(!is_no_name(host), "{host}");
        }
    }
}
