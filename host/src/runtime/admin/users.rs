//! The part of the admin listener by which `dragoman user`, `dragoman room` and `dragoman webhook`
//! reach a running gateway.
//!
//! Linking an identity to a user grants that user's account. So these paths are only for programs
//! on this machine: see [`admit`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use core_model::{Command, Outcome, Refusal};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use super::webhooks::{self, WebhookAction};
use crate::rooms::{RoomAction, RoomActionKind, RoomReport};
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::services::Services;
use crate::users::wire::{
    ADMIN_HEADER, Change, LINK_PATH, NewPassword, PASSWORD_PATH, ROOM_OWNER_PATH, ROOM_PATH,
    Refused, RoomOwner, SHOW_PATH, STORE_HEADER, UNLINK_PATH, store_mark,
};
use crate::users::{Account, ActionKind, Failure, Identity, UserAction};
use crate::webhooks::wire::{LIST_PATH, REPLAY_PATH, RESUME_PATH};

/// A user and an identity are at most 1 KiB each.
const BODY_BYTES_MAX: usize = 16 * 1024;

const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A path, its method, and how to parse its query (GET) or body (POST).
type Row = (&'static str, Method, fn(&[u8]) -> Result<Action, UsersError>);

const PATHS: [Row; 9] = [
    (SHOW_PATH, Method::GET, |query| show(query).map(Action::User)),
    (LINK_PATH, Method::POST, |body| change(body, ActionKind::Link).map(Action::User)),
    (UNLINK_PATH, Method::POST, |body| change(body, ActionKind::Unlink).map(Action::User)),
    (PASSWORD_PATH, Method::POST, |body| set_password(body).map(Action::User)),
    (ROOM_PATH, Method::GET, |query| show_room(query).map(Action::Room)),
    (ROOM_OWNER_PATH, Method::POST, |body| set_owner(body).map(Action::Room)),
    (LIST_PATH, Method::GET, |_| Ok(Action::Webhook(WebhookAction::List))),
    (REPLAY_PATH, Method::POST, |body| parse(body).map(WebhookAction::Replay).map(Action::Webhook)),
    (RESUME_PATH, Method::POST, |body| parse(body).map(WebhookAction::Resume).map(Action::Webhook)),
];

/// What a request asks for.
enum Action {
    User(UserAction),
    Room(RoomAction),
    Webhook(WebhookAction),
}

/// An error response.
struct UsersError {
    status: StatusCode,
    error: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl UsersError {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), header: None }
    }
}

/// Whether a connection with these two ends is over loopback addresses, whatever address the
/// listener is bound to.
pub(crate) fn is_local(peer: SocketAddr, own: SocketAddr) -> bool {
    [peer, own].iter().all(|end| end.ip().to_canonical().is_loopback())
}

/// Whether a path is one of these.
pub(crate) fn has_path(path: &str) -> bool {
    PATHS.iter().any(|(known, ..)| *known == path)
}

/// Answers a request to one of these paths.
pub(crate) async fn answer(
    state: &GatewayState,
    local: bool,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    match carry_out(state, local, request).await {
        Ok(report) => json(StatusCode::OK, &report),
        Err(UsersError { status, error, header }) => {
            let mut response = json(status, &Refused { error });
            response.headers_mut().extend(header);
            response
        }
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(body).expect("an account is serializable");
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
    state: &GatewayState,
    local: bool,
    request: Request<Incoming>,
) -> Result<Value, UsersError> {
    let services = &*state.services;
    admit(services, local, request.headers())?;
    let report = match read(request).await? {
        Action::User(action) => serde_json::to_value(on_user(services, &action).await?),
        Action::Room(action) => serde_json::to_value(on_room(services, &action).await?),
        Action::Webhook(action) => Ok(webhooks::carry_out(state, &action)
            .map_err(|(status, error)| UsersError::new(status, error))?),
    };
    Ok(report.expect("a report is plain data"))
}

async fn on_user(services: &Services, action: &UserAction) -> Result<Account, UsersError> {
    let done = submit(services, action.command()).await;
    let account = action.report(&services.engine, services.clock.now(), done).map_err(refused)?;
    let uid = account.uid;
    match &action.kind {
        ActionKind::Show => (),
        ActionKind::Link(identity) => tracing::info!(uid, realm = identity.realm(), "linked"),
        ActionKind::Unlink(identity) => tracing::info!(uid, realm = identity.realm(), "unlinked"),
        ActionKind::SetPassword(_) => tracing::info!(uid, "the password was set"),
    }
    Ok(account)
}

async fn on_room(services: &Services, action: &RoomAction) -> Result<RoomReport, UsersError> {
    let done = submit(services, action.command()).await;
    let room = action.report(&services.engine, done).map_err(refused)?;
    if let RoomActionKind::SetOwner(_) = &action.kind {
        tracing::info!(room = room.name, owner = room.owner, "the owner was set");
    }
    Ok(room)
}

async fn submit(services: &Services, command: Option<Command>) -> Option<Outcome> {
    Some(services.submit_internal(command?).await)
}

/// Admits requests over loopback with a header that a web page cannot send without a preflight, and
/// whose host is an IP address or localhost: a web page of a name that was made to resolve to this
/// machine sends that name. Refuses requests meant for another store.
fn admit(services: &Services, local: bool, headers: &HeaderMap) -> Result<(), UsersError> {
    let forbidden = |error: &str| Err(UsersError::new(StatusCode::FORBIDDEN, error));
    if !local {
        return forbidden("this is answered over a loopback address only");
    }
    if !headers.contains_key(ADMIN_HEADER) {
        return forbidden("the header X-Dragoman-Admin is missing");
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_address_or_localhost) {
        return forbidden("the host asked for is neither an IP address nor localhost");
    }
    let Some(mark) = headers.get(STORE_HEADER) else { return Ok(()) };
    match store_mark(&services.store) {
        Ok(own) if mark.as_bytes() == own.as_bytes() => Ok(()),
        _ => {
            let error = format!(
                "the gateway that listens here has another store open: {}",
                services.store.display()
            );
            Err(UsersError::new(StatusCode::MISDIRECTED_REQUEST, error))
        }
    }
}

fn is_address_or_localhost(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

async fn read(request: Request<Incoming>) -> Result<Action, UsersError> {
    let path = PATHS.iter().find(|(path, ..)| *path == request.uri().path());
    let (_, method, action) = path.expect("has_path was checked before");
    if request.method() != method {
        let allow =
            HeaderValue::from_str(method.as_str()).expect("a method is a valid header value");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let header = Some((header::ALLOW, allow));
        return Err(UsersError { header, ..UsersError::new(status, format!("use {method}")) });
    }
    if method == Method::GET {
        return action(request.uri().query().unwrap_or_default().as_bytes());
    }
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body =
        timeout(BODY_TIMEOUT, body).await.map_err(|_| wrong("the body did not arrive in time"))?;
    let body = body.map_err(|error| wrong(format!("the body cannot be read: {error}")))?;
    action(&body.to_bytes())
}

fn show(query: &[u8]) -> Result<UserAction, UsersError> {
    let who = field(query, "who")?.parse().map_err(wrong)?;
    Ok(UserAction { who, kind: ActionKind::Show })
}

fn show_room(query: &[u8]) -> Result<RoomAction, UsersError> {
    Ok(RoomAction { room: field(query, "room")?, kind: RoomActionKind::Show })
}

fn set_owner(body: &[u8]) -> Result<RoomAction, UsersError> {
    let RoomOwner { room, owner } = parse(body)?;
    let owner = owner.map(|owner| owner.parse()).transpose().map_err(wrong)?;
    Ok(RoomAction { room, kind: RoomActionKind::SetOwner(owner) })
}

/// A parameter of a query.
fn field(query: &[u8], name: &str) -> Result<String, UsersError> {
    let mut fields = query.split(|byte| *byte == b'&');
    let value = fields.find_map(|field| field.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    let value = value.ok_or_else(|| wrong(format!("the parameter `{name}` is missing")))?;
    form_text(value).ok_or_else(|| wrong(format!("the parameter `{name}` is not UTF-8")))
}

/// The text of a form's value. A lossy decoding would make different users one.
fn form_text(value: &[u8]) -> Option<String> {
    let spaced: Vec<u8> =
        value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Some(percent_decode(&spaced).decode_utf8().ok()?.into_owned())
}

fn change(body: &[u8], kind: fn(Identity) -> ActionKind) -> Result<UserAction, UsersError> {
    let change: Change = parse(body)?;
    let identity = change.identity.parse().map_err(wrong)?;
    Ok(UserAction { who: change.who.parse().map_err(wrong)?, kind: kind(identity) })
}

fn set_password(body: &[u8]) -> Result<UserAction, UsersError> {
    let new: NewPassword = parse(body)?;
    let phc = new.hash.parse().map_err(|why| wrong(format!("hash: {why}")))?;
    Ok(UserAction { who: new.who.parse().map_err(wrong)?, kind: ActionKind::SetPassword(phc) })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, UsersError> {
    serde_json::from_slice(body)
        .map_err(|error| wrong(format!("the body is not what it should be: {error}")))
}

fn wrong(error: impl Into<String>) -> UsersError {
    UsersError::new(StatusCode::BAD_REQUEST, error)
}

fn refused(failure: Failure) -> UsersError {
    let status = match &failure {
        Failure::Unknown(_) | Failure::UnknownRoom(_) => StatusCode::NOT_FOUND,
        Failure::Taken { .. } | Failure::NotLinked { .. } | Failure::ClosedRoom(_) => {
            StatusCode::CONFLICT
        }
        Failure::Store(_) | Failure::Refused(Refusal::Overloaded) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Failure::Refused(_) => StatusCode::BAD_REQUEST,
    };
    UsersError::new(status, failure.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_with_two_loopback_ends_are_local() {
        let local = |peer: &str, own: &str| is_local(peer.parse().unwrap(), own.parse().unwrap());
        assert!(local("127.0.0.1:40000", "127.0.0.1:5090"));
        assert!(local("[::1]:40000", "[::1]:5090"));
        assert!(local("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:5090"));
        assert!(!local("10.0.0.7:40000", "10.0.0.5:5090"));
        assert!(!local("10.0.0.5:40000", "127.0.0.1:5090"));
        assert!(!local("127.0.0.1:40000", "10.0.0.5:5090"));
    }

    #[test]
    fn a_user_is_shown_by_text_in_utf_8_only() {
        let shown = |query: &str| show(query.as_bytes()).map(|action| action.who.to_string());
        assert_eq!(shown("x=1&who=%E4%B8%AD+%2B").ok().as_deref(), Some("@中 +"));
        for query in ["", "who", "whom=ann", "who=%D6%D0", "who=%FF"] {
            assert_eq!(shown(query).map_err(|error| error.status), Err(StatusCode::BAD_REQUEST));
        }
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
