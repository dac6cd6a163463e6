//! The handshake of a WebSocket (RFC 6455, section 4.2).

use std::sync::Arc;

use frontend_api::Peer;
use frontend_api::http::HttpError;
use gateway_fanout::Framing;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::Permit;
use crate::runtime::metrics::Limit;
use crate::runtime::net::connection::run;
use crate::runtime::net::http::caller::Caller;
use crate::runtime::net::http::connection::HttpConnection;
use crate::runtime::net::http::convert;
use crate::runtime::net::listener::ListenerBinding;
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::websocket::WebSocket;
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::stream::StreamSession;

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
pub(super) fn accept(
    connection: &HttpConnection,
    binding: &ListenerBinding,
    caller: Caller,
    path: &str,
    mut request: Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, HttpError> {
    let frontend = &binding.frontend;
    let accepted = accept_key(&request)?;
    check_origin(frontend, caller, request.headers())?;
    let permit = connection.permit_for(frontend, caller)?;
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let upgrade = Some(convert::request(&parts, path.to_owned(), Vec::new()));
    let peer = Peer { upgrade, ..connection.peer(binding, caller) };
    let services = connection.state.services.clone();
    let driver = SessionDriver::open(services, frontend.clone(), &peer, caller.address)
        .map_err(|_| HttpError::new(503, "the gateway could not open a session"))?;
    frontend.metrics.opened.add(1);
    let state = connection.state.clone();
    connection.state.spawn(start(driver, on_upgrade, permit, state));
    Ok(switching_protocols(accepted))
}

fn switching_protocols(accepted: HeaderValue) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    response
}

/// Refuses web pages of origins that are not configured: the cookies and the address of a handshake
/// are the browser user's, not the page's.
fn check_origin(
    frontend: &FrontendHandle,
    caller: Caller,
    headers: &HeaderMap,
) -> Result<(), HttpError> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    // A proxy may ask for another host than its client did.
    let forwarded = headers.get("x-forwarded-host").filter(|_| caller.proxied);
    if frontend.cors.may_connect(origin, forwarded.or(headers.get(header::HOST))) {
        return Ok(());
    }
    frontend.metrics.note_refused(Limit::Guard);
    let origin = String::from_utf8_lossy(origin.as_bytes());
    Err(HttpError::new(403, format!("web pages of {origin} are not among those allowed here")))
}

fn accept_key(request: &Request<Incoming>) -> Result<HeaderValue, HttpError> {
    let headers = request.headers();
    if !is_wanted(request) {
        let error = HttpError::new(426, "this address speaks WebSocket");
        return Err(error.with_header("upgrade", "websocket").with_header("connection", "upgrade"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let error = HttpError::new(426, "this WebSocket is of version 13");
        return Err(error.with_header("sec-websocket-version", "13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    let key = key.ok_or_else(|| HttpError::new(400, "a WebSocket needs a Sec-WebSocket-Key"))?;
    let accepted = derive_accept_key(key.as_bytes());
    Ok(HeaderValue::try_from(accepted).expect("base64 is a header value"))
}

/// Waits until hyper has released the connection, and gives it to a task that holds nothing of the
/// handshake.
async fn start(
    driver: SessionDriver,
    on_upgrade: OnUpgrade,
    permit: Permit,
    state: Arc<GatewayState>,
) {
    // Fails if the peer went away during the handshake.
    let Ok(upgraded) = on_upgrade.await else { return };
    let Some((stream, read)) = into_stream(upgraded) else { return };
    let socket = WebSocket::new(stream, read, &driver.frontend.limits);
    state.spawn(run(permit, socket, StreamSession::new(driver, Framing::WebSocket)));
}

/// The socket, and what hyper read from it after the handshake.
fn into_stream(upgraded: Upgraded) -> Option<(TcpStream, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf.to_vec()))
}
