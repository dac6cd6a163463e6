//! Serves an HTTP connection.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use frontend_api::Peer;
use frontend_api::http::{HttpError, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;

use crate::runtime::frontends::cors;
use crate::runtime::frontends::instance::{FrontendHandle, is_down_error};
use crate::runtime::limits::Permit;
use crate::runtime::limits::memory_budget::Reservation;
use crate::runtime::metrics::Limit;
use crate::runtime::net::http::body::RequestBody;
use crate::runtime::net::http::caller::{Caller, forwarded_host};
use crate::runtime::net::http::connection::HttpConnection;
use crate::runtime::net::http::guard::{check_access, check_rate};
use crate::runtime::net::http::head::{HEAD_BYTES_MAX, check_head};
use crate::runtime::net::http::rewording::Rewording;
use crate::runtime::net::http::route::{Route, route};
use crate::runtime::net::http::site::{RequestSource, check_site};
use crate::runtime::net::http::timed_stream::{Activity, Deadlines, TimedStream};
use crate::runtime::net::http::{convert, upgrade, well_known};
use crate::runtime::net::listener::{BoundListener, ListenerBinding};
use crate::runtime::net::remote::Remote;
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::stream::Stream;
use crate::runtime::session::exchange::{self, exchange, retry_later, unread_error};
use crate::runtime::session::peer_log::PeerFault;
use crate::runtime::session::{tapped, unread};

/// How long a connection is kept between requests, unless `idle_timeout` says otherwise: longer
/// than the 60 s for which proxies keep theirs, so that the proxy closes first and never sends a
/// request into a connection that is being closed.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a client may take nothing of a response that waits for it.
const STALLED_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves a connection to its end, or until it is a WebSocket.
pub(crate) async fn serve(
    listener: Arc<BoundListener>,
    stream: Stream,
    remote: Remote,
    permit: Permit,
    state: Arc<GatewayState>,
) {
    let shutdown = listener.shutdown.clone();
    let counted = listener.clone();
    let _open = counted.open_http();
    let activity = Activity::default();
    let stream = TimedStream::new(stream, deadlines(&listener), activity.clone());
    let bindings = listener.bindings();
    let (services, client) = (state.services.clone(), remote.counted_address());
    let stream = stream.reworded(Rewording::new(move |error| {
        match bindings.first().map(|binding| &**binding) {
            Some(ListenerBinding { frontend, .. }) => {
                let (fault, why) = (PeerFault::Malformed, &error.reason);
                services.peer_log.note(&frontend.name, client, fault, why);
                if services.taps.is_open() {
                    tapped::refused(&services, frontend, client, None, &error);
                }
                convert::error(frontend, error)
            }
            None => Response::text(error.status, &error.reason),
        }
    }));
    let connection = Arc::new(HttpConnection::new(listener, remote, permit, state));
    let ended = connection.clone();
    let stream = stream.on_end(move || ended.release());
    let service = service_fn(move |request| {
        let connection = connection.clone();
        let activity = activity.clone();
        async move {
            activity.set_busy(true);
            let response = handle(&connection, request, &activity).await;
            activity.set_busy(false);
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    // The stream has the deadlines: hyper's own counts the time between requests as well.
    builder.header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX).half_close(true);
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

/// Of each kind the longest of the front ends behind a listener; zero is no timeout.
fn deadlines(listener: &BoundListener) -> Deadlines {
    let bindings = listener.bindings();
    let limits = || bindings.iter().map(|binding| &binding.frontend.limits);
    let has_no_timeout = limits().any(|limits| limits.handshake_timeout.is_zero());
    let head = limits().map(|limits| limits.handshake_timeout).max().unwrap_or_default();
    let idle = limits().map(|limits| limits.idle_timeout).max().unwrap_or_default();
    Deadlines {
        head: if has_no_timeout { Duration::ZERO } else { head },
        idle: if idle.is_zero() { KEEP_ALIVE_TIMEOUT } else { idle },
        stalled: STALLED_TIMEOUT,
    }
}

async fn handle(
    connection: &Arc<HttpConnection>,
    request: Request<Incoming>,
    activity: &Activity,
) -> hyper::Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let mut body = RequestBody::new(body, &parts.headers);
    let mut response = respond(connection, parts, &mut body).await;
    if let Some(hsts) = &connection.hsts {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    // Whatever refused the request: what is left of its body is not the head of the next one.
    let has_ended = body.finish().await;
    activity.note_body_end(body.end());
    if !has_ended {
        response.headers_mut().append(header::CONNECTION, HeaderValue::from_static("close"));
        activity.note_unread_body();
    }
    response
}

async fn respond(
    connection: &Arc<HttpConnection>,
    parts: Parts,
    body: &mut RequestBody,
) -> hyper::Response<Full<Bytes>> {
    let started = Instant::now();
    let path = convert::path(&parts.uri);
    let method = parts.method.clone();
    let bindings = connection.listener.peek_bindings();
    let route = route(&bindings, &path, upgrade::is_wanted(&parts));
    let response = respond_to(connection, &route, &path, parts, body).await;
    let binding = &route.binding;
    binding.frontend.metrics.http.note_response(response.status().as_u16());
    let took = started.elapsed();
    binding.operations.note(method.as_str(), &path, route.document.is_some(), took);
    response
}

async fn respond_to(
    connection: &Arc<HttpConnection>,
    route: &Route<'_>,
    path: &str,
    mut parts: Parts,
    body: &mut RequestBody,
) -> hyper::Response<Full<Bytes>> {
    let frontend = &route.binding.frontend;
    frontend.metrics.requests.add(1);
    let is_head = parts.method == Method::HEAD;
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let mut client = Client { address: connection.remote.counted_address(), has_session: false };
    let services = &connection.state.services;
    let tapped = services.taps.is_open().then(|| convert::request(&parts, path.into(), Vec::new()));
    let answered = match check_head(&mut parts) {
        Ok(()) => answer(connection, route, path, origin.as_ref(), parts, body, &mut client).await,
        Err(error) => Err(error),
    };
    let Client { address: client, has_session } = client;
    let response = match answered {
        Ok(Answer::Frontend(response, unread)) => {
            let why = "the dialect refused the request";
            note_fault(connection, frontend, client, response.status, why);
            (response, unread)
        }
        Ok(Answer::Host(response)) => return response,
        Err(error) => {
            note_fault(connection, frontend, client, error.status, &error.reason);
            if !has_session && services.taps.is_open() {
                let request = tapped.and_then(Result::ok);
                tapped::refused(services, frontend, client, request.as_ref(), &error);
            }
            (convert::error(frontend, error), None)
        }
    };
    let (response, unread) = response;
    let mut response = convert::response(frontend, response, is_head, unread);
    frontend.cors.permit(origin.as_ref(), response.headers_mut());
    response
}

/// Notes a response that says the client did something wrong.
fn note_fault(
    connection: &HttpConnection,
    frontend: &FrontendHandle,
    client: IpAddr,
    status: u16,
    why: &str,
) {
    if let Some(fault) = PeerFault::of_status(status) {
        connection.state.services.peer_log.note(&frontend.name, client, fault, why);
    }
}

enum Answer {
    /// With the memory for its body.
    Frontend(Response, Option<Reservation>),
    /// An upgrade, or a CORS preflight.
    Host(hyper::Response<Full<Bytes>>),
}

/// What becomes known of the sender of a request.
struct Client {
    /// The address that it counts for.
    address: IpAddr,
    /// Whether a session got the request.
    has_session: bool,
}

async fn answer(
    connection: &Arc<HttpConnection>,
    route: &Route<'_>,
    path: &str,
    origin: Option<&HeaderValue>,
    parts: Parts,
    body: &mut RequestBody,
    client: &mut Client,
) -> Result<Answer, HttpError> {
    let Route { binding, document } = route;
    let frontend = &binding.frontend;
    check_serving(connection, frontend)?;
    if cors::is_preflight(&parts.method, &parts.headers) {
        return Ok(Answer::Host(preflight(route, path, &parts.headers)));
    }
    if is_health_check(&parts.method, path) {
        return Ok(Answer::Host(no_content()));
    }
    let state = &connection.state;
    let registry = state.peek_registry();
    let from_trusted_proxy = registry.trusts(&connection.remote);
    let trusts = |address| registry.trusts_address(address);
    let caller = Caller::of(&connection.remote, from_trusted_proxy, &parts.headers, trusts);
    let forwarded_host =
        if from_trusted_proxy { forwarded_host(&parts.headers, trusts) } else { None };
    let forwarded_host = forwarded_host.as_deref();
    client.address = caller.counted_address();
    let can_be_rebound = connection.can_be_rebound;
    let for_page = binding.is_page(path);
    let source =
        RequestSource { caller, forwarded_host, from_trusted_proxy, can_be_rebound, for_page };
    let document = document.filter(|_| registry.well_known);
    drop(registry);
    let services = &state.services;
    let token_identity =
        check_access(services, frontend, caller, &connection.remote, &parts.headers).await?;
    let now_ns = state.services.clock.steady_ns();
    if let Some(name) = document {
        check_rate(frontend, caller, now_ns)?;
        return document_answer(connection, frontend, caller, &parts.method, name);
    }
    check_site(frontend, source, origin, &parts.headers, &connection.known_host)?;
    if binding.is_websocket_at(path) {
        if upgrade::is_wanted(&parts) && !body.has_ended() {
            return Err(HttpError::new(400, "the handshake of a WebSocket has no body"));
        }
        return upgrade::accept(connection, binding, caller, path, parts).map(Answer::Host);
    }
    check_rate(frontend, caller, now_ns)?;
    let body = body.read(frontend, &state.services.memory_budget, caller.address).await?;
    let request = convert::request(&parts, path.to_owned(), body)?;
    let peer = Peer { token_identity, ..connection.peer(binding, caller) };
    client.has_session = true;
    let answered = exchange(&state.services, frontend, client.address, &peer, &request).await;
    let exchange::Answer { mut response, unread } = answered?;
    if caller.secure {
        convert::secure_cookies(&mut response);
    }
    Ok(Answer::Frontend(response, unread))
}

/// A document of a front end, which takes memory until the peer has read it.
fn document_answer(
    connection: &HttpConnection,
    frontend: &FrontendHandle,
    caller: Caller,
    method: &Method,
    name: &str,
) -> Result<Answer, HttpError> {
    let registry = connection.state.registry();
    let response = well_known::answer(&registry, frontend, method, name)?;
    let (mut unread, bytes) = (None, response.body.len());
    let services = &connection.state.services;
    if unread::resize(&mut unread, services, caller.counted_address(), bytes).is_err() {
        frontend.metrics.note_refused(Limit::Unread);
        return Err(unread_error());
    }
    Ok(Answer::Frontend(response, unread))
}

fn no_content() -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::default());
    *response.status_mut() = hyper::StatusCode::NO_CONTENT;
    response
}

/// Refuses requests during shutdown, and to a front end that was taken down.
fn check_serving(connection: &HttpConnection, frontend: &FrontendHandle) -> Result<(), HttpError> {
    // A listener drains with the gateway, and each look takes a lock.
    let refused = if connection.listener.shutdown.is_draining() {
        let why = match connection.state.shutdown.is_draining() {
            true => "the gateway is shutting down",
            false => "this address is no longer served",
        };
        retry_later(503, why, 1_000)
    } else if frontend.down().is_some() {
        is_down_error()
    } else {
        return Ok(());
    };
    frontend.metrics.note_refused(Limit::Draining);
    Err(refused)
}

/// Whether a balancer asks whether it is served here, as HAProxy's `option httpchk` does. The answer
/// says nothing else, so it needs no credentials: the balancer has none.
fn is_health_check(method: &Method, path: &str) -> bool {
    *method == Method::OPTIONS && matches!(path, "/" | "*")
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
