//! The handshake of a WebSocket (RFC 6455, section 4.2).

use std::sync::Arc;

use frontend_api::Peer;
use frontend_api::http::HttpError;
use gateway_fanout::Framing;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::runtime::limits::Permit;
use crate::runtime::limits::memory_budget::Reservation;
use crate::runtime::net::connection::run;
use crate::runtime::net::http::caller::Caller;
use crate::runtime::net::http::connection::HttpConnection;
use crate::runtime::net::http::convert;
use crate::runtime::net::http::timed_stream::TimedStream;
use crate::runtime::net::listener::ListenerBinding;
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::stream::Stream;
use crate::runtime::net::websocket::WebSocket;
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::stream::StreamSession;

/// Whether a request wants to become a WebSocket.
pub(crate) fn is_wanted(request: &Parts) -> bool {
    request.method == Method::GET
        && has_token(&request.headers, &header::CONNECTION, "upgrade")
        && has_token(&request.headers, &header::UPGRADE, "websocket")
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
    request: Parts,
) -> Result<hyper::Response<Full<Bytes>>, HttpError> {
    let frontend = &binding.frontend;
    let accepted = accept_key(&request)?;
    let protocol = offered_protocol(&request.headers);
    let upgrade = Some(convert::request(&request, path.to_owned(), Vec::new())?);
    let peer = Peer { upgrade, ..connection.peer(binding, caller) };
    let services = connection.state.services.clone();
    let address = caller.counted_address();
    let driver = SessionDriver::open_stream(services, frontend.clone(), peer, address)
        .map_err(|_| HttpError::new(503, "the gateway could not open a session"))?;
    // The last that may fail: a refused handshake must leave the connection counted.
    let permit = connection.permit_for(frontend, caller)?;
    let on_upgrade = hyper::upgrade::on(Request::from_parts(request, ()));
    let state = connection.state.clone();
    let reservation = state.services.memory_budget.reservation(caller.address);
    connection.state.spawn(start(driver, on_upgrade, permit, reservation, state));
    Ok(switching_protocols(accepted, protocol))
}

/// The first subprotocol that the client offers. No dialect has subprotocols of its own, and a
/// browser fails a handshake in which the server takes none of those that the page named.
fn offered_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let first = offered.split(',').map(str::trim).find(|protocol| !protocol.is_empty())?;
    HeaderValue::from_str(first).ok()
}

fn switching_protocols(
    accepted: HeaderValue,
    protocol: Option<HeaderValue>,
) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    if let Some(protocol) = protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

fn accept_key(request: &Parts) -> Result<HeaderValue, HttpError> {
    let headers = &request.headers;
    if !is_wanted(request) {
        let error = HttpError::new(426, "this address speaks WebSocket");
        return Err(error.with_header("upgrade", "websocket").with_header("connection", "upgrade"));
    }
    // RFC 9110, section 7.8: Upgrade in a request of HTTP/1.0 has no meaning. Answering it would
    // open a connection that the proxy in front closes at once.
    if request.version < Version::HTTP_11 {
        let reason = "a WebSocket needs HTTP/1.1 (nginx: proxy_http_version 1.1)";
        return Err(HttpError::new(426, reason).with_header("upgrade", "websocket"));
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
    reservation: Reservation,
    state: Arc<GatewayState>,
) {
    // Fails if the peer went away during the handshake.
    let Ok(upgraded) = on_upgrade.await else { return };
    let Some((stream, read)) = into_stream(upgraded) else { return };
    let socket = WebSocket::new(stream, read, &driver.frontend.limits, reservation);
    state.spawn(run(permit, socket, StreamSession::new(driver, Framing::WebSocket)));
}

/// The socket, and what hyper read from it after the handshake.
fn into_stream(upgraded: Upgraded) -> Option<(Stream, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<TimedStream>>().ok()?;
    Some((parts.io.into_inner().into_inner(), parts.read_buf.to_vec()))
}
