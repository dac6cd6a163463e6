//! The operator's own listener: /healthz, /readyz, /metrics, the pages at /api/, and what `dragoman user` asks.

mod api_page;
pub(crate) mod users;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::runtime::metrics;
use crate::runtime::net::listener::Held;
use crate::runtime::net::registry::Roster;
use crate::runtime::session::services::{Phase, Shared};

/// What stands in `/readyz` between the name of a front end and why it was taken down.
pub const IS_DOWN: &str = " is down: ";

/// The same where it is not as the configuration wants it, because that did not work.
pub const IS_KEPT: &str = " is as it was: ";

/// Serves a connection to its end. It works while the gateway drains: that is when it is asked.
pub(crate) async fn serve(stream: TcpStream, held: Held) {
    let mut phase = held.shared.phase.subscribe();
    let shared = held.shared.clone();
    let ends = stream.peer_addr().and_then(|peer| Ok((peer, stream.local_addr()?)));
    let local = ends.is_ok_and(|(peer, own)| users::is_local(peer, own));
    let service = service_fn(move |request| answer(shared.clone(), local, request));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).keep_alive(false).half_close(true);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // An error is the peer's: it sent no HTTP, or is gone.
        _ = connection.as_mut() => (),
        _ = phase.wait_for(|phase| *phase == Phase::Over) => (),
    }
}

async fn answer(
    shared: Arc<Shared>,
    local: bool,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if users::has(request.uri().path()) {
        return Ok(users::answer(&shared, local, request).await);
    }
    let (status, text) = match request.uri().path() {
        _ if request.method() != Method::GET && request.method() != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "GET it\n".into())
        }
        "/healthz" => health(&shared),
        "/readyz" => readiness(&shared),
        "/metrics" => {
            let healthy = shared.engine.failure().is_none();
            (StatusCode::OK, metrics::render(&shared.roster(), &shared.totals, healthy))
        }
        path => {
            if let Some(response) = api_page::answer(&shared, path, request.headers()) {
                return Ok(response);
            }
            (StatusCode::NOT_FOUND, "there are /healthz, /readyz, /metrics and /api/\n".into())
        }
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

fn health(shared: &Shared) -> (StatusCode, String) {
    match shared.engine.failure() {
        None => (StatusCode::OK, "ok\n".into()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("the engine has stopped: {why}\n")),
    }
}

/// Ready is who takes commands, is not about to stop, and listens wherever it should. A front end
/// that was taken down should not: the others are there as before.
fn readiness(shared: &Shared) -> (StatusCode, String) {
    let roster = shared.roster();
    let deaf: Vec<_> = roster
        .frontends
        .iter()
        .filter(|served| served.down().is_none() && !roster.listens(served))
        .map(|served| served.name.as_str())
        .collect();
    let (status, how) = match (shared.engine.failure(), shared.is_draining()) {
        (Some(why), _) => (UNREADY, format!("the engine has stopped: {why}")),
        (None, true) => (UNREADY, "draining".into()),
        (None, false) if !deaf.is_empty() => {
            (UNREADY, format!("not listening yet: {}", deaf.join(", ")))
        }
        (None, false) => (StatusCode::OK, "ready".into()),
    };
    (status, format!("{how}\n{}", notes(&roster)))
}

const UNREADY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// Which front ends were taken down, and which are not as the configuration wants them, a line
/// each.
fn notes(roster: &Roster) -> String {
    let served = roster.frontends.iter();
    let down = served.filter_map(|served| Some((&served.name, served.down()?)));
    let down = down.map(|(name, why)| format!("{name}{IS_DOWN}{}\n", why.replace('\n', " ")));
    let kept = roster.kept.iter().map(|(name, why)| format!("{name}{IS_KEPT}{why}\n"));
    down.chain(kept).collect()
}
