//! The handshake of a WebSocket (RFC 6455, section 4.2).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use frontend_api::http::HttpError;
use frontend_api::{Peer, Session};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;

use super::{Caller, Visit, convert};
use crate::runtime::fanout::framing::Wire;
use crate::runtime::frontends::instance::Served;
use crate::runtime::limits::Permit;
use crate::runtime::metrics::Limit;
use crate::runtime::net::connection::run;
use crate::runtime::net::listener::{Entrance, Held};
use crate::runtime::net::websocket::WebSocket;
use crate::runtime::session::driver::Conversation;
use crate::runtime::session::exchange::retry_later;

/// Whether a request wants to become a WebSocket.
pub(crate) fn is_wanted<T>(request: &Request<T>) -> bool {
    request.method() == Method::GET
        && has_token(request.headers(), &header::CONNECTION, "upgrade")
        && has_token(request.headers(), &header::UPGRADE, "websocket")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(wanted))
}

/// Answers the handshake, and serves the WebSocket in a task of its own.
pub(crate) fn accept(
    visit: &Arc<Visit>,
    entrance: &Entrance,
    caller: Caller,
    path: String,
    mut request: Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, HttpError> {
    let served = &entrance.served;
    let accepted = accept_key(&request)?;
    check_origin(served, caller, request.headers())?;
    let permit = visit.permit_for(served, caller)?;
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let upgrade = Some(convert::request(&parts, path, Vec::new()));
    let peer = Peer { upgrade, ..visit.peer(entrance, caller) };
    let session = open(served, &peer)?;
    served.counters.opened.add(1);
    let held = visit.held.clone();
    tokio::spawn(start(served.clone(), session, on_upgrade, permit, held));
    let mut response = hyper::Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    Ok(response)
}

/// Turns away web pages that the operator has not named: what the browser shows with a handshake,
/// a cookie or an address, is its user's, and not theirs.
fn check_origin(served: &Served, caller: Caller, headers: &HeaderMap) -> Result<(), HttpError> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    // A proxy may ask for another host than its client did.
    let forwarded = headers.get("x-forwarded-host").filter(|_| caller.proxied);
    if served.cors.may_connect(origin, forwarded.or(headers.get(header::HOST))) {
        return Ok(());
    }
    served.counters.refused(Limit::Guard);
    let origin = String::from_utf8_lossy(origin.as_bytes());
    Err(HttpError::new(403, format!("web pages of {origin} are not among those allowed here")))
}

fn accept_key(request: &Request<Incoming>) -> Result<HeaderValue, HttpError> {
    let headers = request.headers();
    if !is_wanted(request) {
        let fault = HttpError::new(426, "this address speaks WebSocket");
        return Err(fault.with_header("upgrade", "websocket").with_header("connection", "upgrade"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let fault = HttpError::new(426, "this WebSocket is of version 13");
        return Err(fault.with_header("sec-websocket-version", "13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    let key = key.ok_or_else(|| HttpError::new(400, "a WebSocket needs a Sec-WebSocket-Key"))?;
    let accepted = derive_accept_key(key.as_bytes());
    Ok(HeaderValue::try_from(accepted).expect("base64 is a header value"))
}

fn open(served: &Served, peer: &Peer) -> Result<Box<dyn Session>, HttpError> {
    catch_unwind(AssertUnwindSafe(|| served.frontend.open(peer))).map_err(|_| {
        served.panicked("opening a session");
        HttpError::new(503, "the gateway could not open a session")
    })
}

impl Visit {
    /// The connection's own place where it is one of this front end, else a new one.
    fn permit_for(&self, served: &Arc<Served>, caller: Caller) -> Result<Permit, HttpError> {
        let mut own = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        let permit = match own.take_if(|permit| permit.is_of(&served.census)) {
            Some(mut permit) => permit.readdress(caller.address, &served.limits).map(|()| permit),
            None => served.census.admit(Some(caller.address), &served.limits),
        };
        permit.map_err(|limit: Limit| {
            served.counters.refused(limit);
            retry_later(503, "too many connections", 1_000)
        })
    }
}

/// Waits until the connection is out of hyper's hands, and gives it to a task that holds nothing
/// of the handshake any more.
async fn start(
    served: Arc<Served>,
    session: Box<dyn Session>,
    on_upgrade: OnUpgrade,
    permit: Permit,
    held: Held,
) {
    // The peer went away during the handshake.
    let Ok(upgraded) = on_upgrade.await else { return };
    let Some((stream, part)) = into_stream(upgraded) else { return };
    let link = held.link(&served, Wire::WebSocket);
    let conversation = Conversation::new(held.shared.clone(), served.clone(), link, session);
    let socket = WebSocket::new(stream, part, &served.limits);
    drop(served);
    tokio::spawn(run(held, permit, socket, conversation));
}

/// The socket below, and what hyper read from it behind the handshake.
fn into_stream(upgraded: Upgraded) -> Option<(TcpStream, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf.to_vec()))
}
