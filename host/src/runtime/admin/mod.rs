//! The admin listeners: /healthz, /readyz, /metrics, /ledger, the pages at /api/, the console at
//! /console/, and the admin API below /api/v1/. One is plain; the other is encrypted, and its requests need a token.

mod api;
mod api_page;
mod console;
mod head;
mod ledger;
mod maskers;
mod observer;
mod prometheus;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::admin::Problem;
use crate::config::{EndpointOptions, ListenAddress};
use crate::ledger::LEDGER_PATH;
use crate::runtime::net::accept::pause;
use crate::runtime::net::bind::{ListenSocket, bind};
use crate::runtime::net::handshake::shake_hands;
use crate::runtime::net::http::{Activity, HEAD_BYTES_MAX};
use crate::runtime::net::listener::{BoundListener, ListenerKey};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::remote::Remote;
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::stream::Stream;
use crate::tls::Tls;
use api::AdminPeer;

/// Separates, in `/readyz`, the name of a front end from why it was taken down.
pub const IS_DOWN: &str = " is down: ";

/// Separates, in `/readyz`, the name of a front end from why its new configuration is not in
/// effect.
pub const IS_KEPT: &str = " keeps its previous configuration: ";

/// Connections to one admin listener: each is a file descriptor.
const CONNECTIONS_MAX: usize = 256;

/// How long a client may take for the handshake of TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The admin listener at this address. It keeps listening while the gateway drains.
pub(crate) fn listener(address: ListenAddress, state: &GatewayState) -> Arc<BoundListener> {
    with_options("listen", address, EndpointOptions::default(), state)
}

/// The encrypted admin listener at this address.
pub(crate) fn tls_listener(
    address: ListenAddress,
    tls: &Arc<Tls>,
    state: &GatewayState,
) -> Arc<BoundListener> {
    with_options("tls_listen", address, tls_options(tls), state)
}

/// How connections of the encrypted admin listener are accepted.
pub(crate) fn tls_options(tls: &Arc<Tls>) -> EndpointOptions {
    EndpointOptions {
        tls: Some(tls.clone()),
        protocol: Some("http/1.1"),
        ..EndpointOptions::default()
    }
}

fn with_options(
    key: &str,
    address: ListenAddress,
    options: EndpointOptions,
    state: &GatewayState,
) -> Arc<BoundListener> {
    let owner = Some(("admin".into(), key.into(), 0));
    let key = ListenerKey { address, only_v6: false, owner };
    Arc::new(BoundListener::new(key, options, Vec::new(), state.shutdown.late_child()))
}

/// Opens the admin listener.
pub(crate) fn open(listener: &Arc<BoundListener>, state: &Arc<GatewayState>) -> io::Result<()> {
    let socket = bind(&listener.key.address, &listener.acceptance().options)?;
    listener.set_open(socket.local_address()?, None);
    state.spawn_background(accept(listener.clone(), socket, state.clone()));
    Ok(())
}

async fn accept(listener: Arc<BoundListener>, socket: ListenSocket, state: Arc<GatewayState>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            biased;
            () = listener.shutdown.draining() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok(_) if state.has_drained() => break,
            Ok((stream, remote)) => {
                // Over the limit it is closed.
                let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
                let served = serve(listener.clone(), stream, remote, state.clone());
                state.spawn(async {
                    served.await;
                    drop(permit);
                });
            }
            Err(error) => pause(&state, &listener.key.address, &error).await,
        }
    }
    drop(socket);
    listener.set_closed();
}

/// Serves a connection to its end, also while the gateway drains.
async fn serve(
    listener: Arc<BoundListener>,
    stream: Stream,
    mut remote: Remote,
    state: Arc<GatewayState>,
) {
    let shutdown = state.shutdown.clone();
    let Stream::Tcp(tcp) = &stream else { return };
    let ends = tcp.peer_addr().and_then(|peer| Ok((peer, tcp.local_addr()?)));
    // An error: the peer is gone.
    let Ok((peer, own)) = ends else { return };
    let (stream, is_encrypted) = match listener.acceptance().tls.clone() {
        None => (stream, false),
        Some(tls) => {
            let shared = (&state.handshakes, &*state.challenges);
            let shaken = shake_hands(stream, tls, shared, &mut remote);
            match timeout(HANDSHAKE_TIMEOUT, shaken).await {
                Ok(Ok(stream)) => (stream, true),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    };
    let peer = AdminPeer::new(peer, own, is_encrypted);
    let can_be_rebound = listener.is_private() && listener.acceptance().is_plain();
    let activity = Activity::default();
    let stream = head::watched(stream, activity.clone());
    let service = service_fn(move |request| {
        // The only request of its connection, which has no deadline from here on: it may be a stream.
        activity.set_busy(true);
        let (state, peer, activity) = (state.clone(), peer.clone(), activity.clone());
        async move {
            let response = answer(state, peer, can_be_rebound, request).await;
            // The body of a request that was refused by its head may still arrive.
            activity.note_unread_body();
            response
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX);
    builder.keep_alive(false).half_close(true);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // An error is the peer's: it sent no HTTP, or is gone.
        _ = connection.as_mut() => (),
        () = shutdown.stopping() => (),
    }
}

async fn answer(
    state: Arc<GatewayState>,
    peer: AdminPeer,
    can_be_rebound: bool,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (mut parts, body) = request.into_parts();
    if let Err(problem) = head::check(&mut parts, can_be_rebound, &state) {
        return Ok(api::refused(&problem));
    }
    let request = Request::from_parts(parts, body);
    if request.uri().path().starts_with(api::ROOT) {
        return Ok(api::answer(&state, peer, request.map(Body::new)).await);
    }
    if console::serves(&state, request.uri().path()) {
        return Ok(console::answer(&state, &peer, request).await);
    }
    if !is_open(&peer, request.uri().path()) && !api::has_token(&state, request.headers()) {
        let what = "this listener needs a token: send `Authorization: Bearer <token>`, from \
                    `dragoman admin token create`";
        return Ok(api::refused(&Problem::new(401, "token", what)));
    }
    let is_json = request.uri().path() == LEDGER_PATH;
    let (status, text) = match request.uri().path() {
        _ if request.method() != Method::GET && request.method() != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD\n".into())
        }
        "/healthz" => health(&state),
        "/readyz" => readiness(&state),
        "/metrics" => (StatusCode::OK, prometheus::render(&state)),
        LEDGER_PATH => {
            let report = ledger::report(&state).await;
            let json = serde_json::to_string(&report).expect("a report is plain data");
            (StatusCode::OK, json)
        }
        path => {
            if let Some(response) = api_page::answer(&state.registry(), path, request.headers()) {
                return Ok(response.map(Body::new));
            }
            (
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz, /metrics, /ledger, /api/ and /console/\n".into(),
            )
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let content_type = if is_json {
        "application/json; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(response)
}

/// Whether a path needs no token: those that watch whether the gateway runs never do.
fn is_open(peer: &AdminPeer, path: &str) -> bool {
    !peer.is_encrypted || is_probe(path)
}

/// Whether a path says only whether the gateway runs.
fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

fn health(state: &GatewayState) -> (StatusCode, String) {
    match state.services.engine.problem() {
        None => (StatusCode::OK, "ok\n".into()),
        Some(why) => (UNAVAILABLE, format!("the store has failed: {why}\n")),
    }
}

/// Ready: the engine accepts commands, the log of the cluster has this gateway's, no shutdown is in progress, and every enabled front end is
/// listening. One that was taken down does not count: the others still serve.
fn readiness(state: &GatewayState) -> (StatusCode, String) {
    let registry = state.registry();
    let frontends = registry.frontends.iter();
    let deaf = frontends.filter(|one| one.down().is_none() && !registry.is_listening(one));
    let deaf: Vec<_> = deaf.map(|frontend| frontend.name.as_str()).collect();
    let (status, verdict) = if let Some(why) = state.services.engine.problem() {
        (UNAVAILABLE, format!("the store has failed: {why}"))
    } else if state.services.is_cut_off() && !state.shutdown.is_draining() {
        let cluster = state.services.cluster.as_ref();
        let why = cluster.and_then(|cluster| cluster.node.problem());
        let why = why.unwrap_or_else(|| "it does not answer".into());
        (UNAVAILABLE, format!("cut off from the log of the cluster: {}", why.replace('\n', " ")))
    } else if state.shutdown.is_draining() {
        (UNAVAILABLE, "draining".into())
    } else if !deaf.is_empty() {
        (UNAVAILABLE, format!("not listening yet: {}", deaf.join(", ")))
    } else {
        (StatusCode::OK, "ready".into())
    };
    (status, format!("{verdict}\n{}", notes(&registry)))
}

/// A line for each front end that was taken down or whose new configuration is not in effect.
fn notes(registry: &FrontendRegistry) -> String {
    let frontends = registry.frontends.iter();
    let down = frontends.filter_map(|frontend| Some((&frontend.name, frontend.down()?)));
    let down = down.map(|(name, why)| format!("{name}{IS_DOWN}{}\n", why.replace('\n', " ")));
    let kept = registry.kept.iter().map(|(name, why)| format!("{name}{IS_KEPT}{why}\n"));
    down.chain(kept).collect()
}
