//! The admin listener: /healthz, /readyz, /metrics, /ledger, the pages at /api/, and the requests
//! of `dragoman user`, `dragoman room` and `dragoman webhook`.

mod api_page;
mod ledger;
mod prometheus;
mod users;
mod webhooks;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::config::{EndpointOptions, ListenAddress};
use crate::ledger::LEDGER_PATH;
use crate::runtime::net::accept::pause;
use crate::runtime::net::bind::{ListenSocket, bind};
use crate::runtime::net::listener::{BoundListener, ListenerKey};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::stream::Stream;

/// Separates, in `/readyz`, the name of a front end from why it was taken down.
pub const IS_DOWN: &str = " is down: ";

/// Separates, in `/readyz`, the name of a front end from why its new configuration is not in
/// effect.
pub const IS_KEPT: &str = " keeps its previous configuration: ";

/// The admin listener at this address. It keeps listening while the gateway drains.
pub(crate) fn listener(address: ListenAddress, state: &GatewayState) -> Arc<BoundListener> {
    let owner = Some(("admin".into(), "listen".into(), 0));
    let key = ListenerKey { address, only_v6: false, owner };
    let options = EndpointOptions::default();
    Arc::new(BoundListener::new(key, options, Vec::new(), state.shutdown.late_child()))
}

/// Opens the admin listener.
pub(crate) fn open(listener: &Arc<BoundListener>, state: &Arc<GatewayState>) -> io::Result<()> {
    let socket = bind(&listener.key.address, &listener.acceptance().options)?;
    listener.set_open(socket.local_address()?);
    state.spawn_background(accept(listener.clone(), socket, state.clone()));
    Ok(())
}

async fn accept(listener: Arc<BoundListener>, socket: ListenSocket, state: Arc<GatewayState>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = listener.shutdown.draining() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok(_) if state.has_drained() => break,
            Ok((Stream::Tcp(stream), _)) => state.spawn(serve(stream, state.clone())),
            Ok(_) => (),
            Err(error) => pause(&listener.key.address, &error).await,
        }
    }
    drop(socket);
    listener.set_closed();
}

/// Serves a connection to its end, also while the gateway drains.
async fn serve(stream: TcpStream, state: Arc<GatewayState>) {
    let shutdown = state.shutdown.clone();
    let ends = stream.peer_addr().and_then(|peer| Ok((peer, stream.local_addr()?)));
    let is_local = ends.is_ok_and(|(peer, own)| users::is_local(peer, own));
    let service = service_fn(move |request| answer(state.clone(), is_local, request));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).keep_alive(false).half_close(true);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // An error is the peer's: it sent no HTTP, or is gone.
        _ = connection.as_mut() => (),
        () = shutdown.stopping() => (),
    }
}

async fn answer(
    state: Arc<GatewayState>,
    is_local: bool,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let services = &state.services;
    if users::has_path(request.uri().path()) {
        return Ok(users::answer(&state, is_local, request).await);
    }
    let is_json = request.uri().path() == LEDGER_PATH;
    let (status, text) = match request.uri().path() {
        _ if request.method() != Method::GET && request.method() != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD\n".into())
        }
        "/healthz" => health(&state),
        "/readyz" => readiness(&state),
        "/metrics" => {
            let healthy = services.engine.problem().is_none();
            let registry = state.registry();
            let expiries = registry.certificate_expiries();
            let mut text = prometheus::render(&registry, &services.metrics, healthy, &expiries);
            prometheus::render_webhooks(&mut text, &state);
            (StatusCode::OK, text)
        }
        LEDGER_PATH => {
            let report = ledger::report(&state).await;
            let json = serde_json::to_string(&report).expect("a report is plain data");
            (StatusCode::OK, json)
        }
        path => {
            if let Some(response) = api_page::answer(&state.registry(), path, request.headers()) {
                return Ok(response);
            }
            (
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz, /metrics, /ledger and /api/\n".into(),
            )
        }
    };
    let mut response = Response::new(Full::new(text.into()));
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

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

fn health(state: &GatewayState) -> (StatusCode, String) {
    match state.services.engine.problem() {
        None => (StatusCode::OK, "ok\n".into()),
        Some(why) => (UNAVAILABLE, format!("the store has failed: {why}\n")),
    }
}

/// Ready: the engine accepts commands, no shutdown is in progress, and every enabled front end is
/// listening. One that was taken down does not count: the others still serve.
fn readiness(state: &GatewayState) -> (StatusCode, String) {
    let registry = state.registry();
    let frontends = registry.frontends.iter();
    let deaf = frontends.filter(|one| one.down().is_none() && !registry.is_listening(one));
    let deaf: Vec<_> = deaf.map(|frontend| frontend.name.as_str()).collect();
    let (status, verdict) = if let Some(why) = state.services.engine.problem() {
        (UNAVAILABLE, format!("the store has failed: {why}"))
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
