//! Serves an HTTP connection.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use frontend_api::http::{HttpError, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::runtime::frontends::cors;
use crate::runtime::frontends::instance::{FrontendHandle, is_down_error};
use crate::runtime::limits::Permit;
use crate::runtime::metrics::Limit;
use crate::runtime::net::http::body::read_body;
use crate::runtime::net::http::caller::Caller;
use crate::runtime::net::http::connection::HttpConnection;
use crate::runtime::net::http::guard::{check_access, check_rate};
use crate::runtime::net::http::route::{Route, route};
use crate::runtime::net::http::{convert, upgrade, well_known};
use crate::runtime::net::listener::BoundListener;
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::exchange::{exchange, retry_later};

/// The head of an HTTP request. Enough for any cookie jar.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Serves a connection to its end, or until it is a WebSocket.
pub(crate) async fn serve(
    listener: Arc<BoundListener>,
    stream: TcpStream,
    remote: IpAddr,
    permit: Permit,
    state: Arc<GatewayState>,
) {
    let shutdown = listener.shutdown.clone();
    let handshake_timeout = handshake_timeout(&listener);
    let connection = Arc::new(HttpConnection::new(listener, remote, permit, state));
    let service = service_fn(move |request| handle(connection.clone(), request));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout((!handshake_timeout.is_zero()).then_some(handshake_timeout))
        .max_buf_size(HEAD_BYTES_MAX)
        .half_close(true);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        // An error is the peer's: it sent no HTTP, or is gone.
        _ = connection.as_mut() => return,
        () = shutdown.draining() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        biased;
        _ = connection.as_mut() => (),
        () = shutdown.stopping() => (),
    }
}

/// The longest of the front ends behind a listener; zero is no timeout.
fn handshake_timeout(listener: &BoundListener) -> Duration {
    let bindings = listener.bindings();
    let timeouts = || bindings.iter().map(|binding| binding.frontend.limits.handshake_timeout);
    if timeouts().any(|timeout| timeout.is_zero()) {
        return Duration::ZERO;
    }
    timeouts().max().unwrap_or_default()
}

async fn handle(
    connection: Arc<HttpConnection>,
    request: Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let path = convert::path(request.uri());
    let bindings = connection.listener.bindings();
    let route = route(&bindings, &path, upgrade::is_wanted(&request));
    let binding = route.binding.clone();
    let frontend = &binding.frontend;
    frontend.metrics.requests.add(1);
    let is_head = request.method() == Method::HEAD;
    let origin = request.headers().get(header::ORIGIN).cloned();
    let response = match answer(&connection, &route, &path, request).await {
        Ok(Answer::Frontend(response)) => response,
        Ok(Answer::Host(response)) => return Ok(response),
        Err(error) => convert::error(frontend, error),
    };
    let mut response = convert::response(frontend, response, is_head);
    frontend.cors.permit(origin.as_ref(), response.headers_mut());
    Ok(response)
}

enum Answer {
    Frontend(Response),
    /// An upgrade, or a CORS preflight.
    Host(hyper::Response<Full<Bytes>>),
}

async fn answer(
    connection: &Arc<HttpConnection>,
    route: &Route<'_>,
    path: &str,
    request: Request<Incoming>,
) -> Result<Answer, HttpError> {
    let Route { binding, document } = route;
    let frontend = &binding.frontend;
    check_serving(connection, frontend)?;
    if cors::is_preflight(request.method(), request.headers()) {
        return Ok(Answer::Host(preflight(route, path, request.headers())));
    }
    let state = &connection.state;
    let registry = state.registry();
    let caller = Caller::of(connection.remote, &registry, request.headers());
    let document = document.filter(|_| registry.well_known);
    drop(registry);
    check_access(frontend, caller, request.headers())?;
    let now_ns = state.services.clock.steady_ns();
    if let Some(name) = document {
        check_rate(frontend, caller, now_ns)?;
        return well_known::answer(frontend, request.method(), name).map(Answer::Frontend);
    }
    if binding.is_websocket() {
        return upgrade::accept(connection, binding, caller, path, request).map(Answer::Host);
    }
    check_rate(frontend, caller, now_ns)?;
    let (parts, body) = request.into_parts();
    let body = read_body(frontend, &parts.headers, body).await?;
    let request = convert::request(&parts, path.to_owned(), body);
    let peer = connection.peer(binding, caller);
    let response = exchange(&state.services, frontend, caller.address, &peer, &request).await;
    response.map(Answer::Frontend)
}

/// Refuses requests during shutdown, and to a front end that was taken down.
fn check_serving(connection: &HttpConnection, frontend: &FrontendHandle) -> Result<(), HttpError> {
    let refused = if connection.state.shutdown.is_draining() {
        retry_later(503, "the gateway is shutting down", 1_000)
    } else if connection.listener.shutdown.is_draining() {
        retry_later(503, "this address is no longer served", 1_000)
    } else if frontend.down().is_some() {
        is_down_error()
    } else {
        return Ok(());
    };
    frontend.metrics.note_refused(Limit::Draining);
    Err(refused)
}

fn preflight(route: &Route<'_>, path: &str, headers: &HeaderMap) -> hyper::Response<Full<Bytes>> {
    let mut methods = match route.document {
        Some(_) => well_known::METHODS.map(str::to_owned).to_vec(),
        None => route.binding.methods(path),
    };
    methods.push("OPTIONS".into());
    let mut response = hyper::Response::new(Full::default());
    *response.status_mut() = hyper::StatusCode::NO_CONTENT;
    let cors = &route.binding.frontend.cors;
    cors.permit_preflight(headers, &methods, response.headers_mut());
    response
}
