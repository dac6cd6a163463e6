//! HTTP connections: hyper reads the requests, each becomes an exchange with the front end whose
//! path it is.

mod convert;
mod upgrade;
pub(crate) mod well_known;

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;

use frontend_api::http::{HttpError, Response};
use frontend_api::{Peer, Transport};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::runtime::bounds::{BODY_TIMEOUT, DISCARDED_BYTES_MAX, HEAD_BYTES_MAX, LINGER_TIMEOUT};
use crate::runtime::frontends::cors;
use crate::runtime::frontends::instance::{Served, out_of_order};
use crate::runtime::limits::Permit;
use crate::runtime::metrics::Limit;
use crate::runtime::net::listener::{Door, Entrance, Held};
use crate::runtime::session::exchange;
use crate::runtime::session::exchange::retry_later;
use crate::runtime::session::services::{Phase, Shared};

/// What all requests of one connection have in common.
struct Visit {
    door: Arc<Door>,
    remote: IpAddr,
    /// What a front end is told of the peer, where it comes from no proxy: made at the first request.
    direct: OnceLock<Peer>,
    /// The connection's place, for a WebSocket to take over.
    permit: Mutex<Option<Permit>>,
    held: Held,
}

/// Where a request comes from, as far as it is believed.
#[derive(Clone, Copy)]
struct Caller {
    address: IpAddr,
    proxied: bool,
}

/// Serves an HTTP connection to its end, or until it is a WebSocket.
pub(crate) async fn serve(
    door: Arc<Door>,
    stream: TcpStream,
    remote: IpAddr,
    permit: Permit,
    held: Held,
) {
    let (mut phase, mut door_phase) = (held.shared.phase.subscribe(), door.phase());
    let handshake_timeout = door.handshake_timeout();
    let permit = Mutex::new(Some(permit));
    let visit = Arc::new(Visit { door, remote, direct: OnceLock::new(), permit, held });
    let service = service_fn(move |request| handle(visit.clone(), request));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout((!handshake_timeout.is_zero()).then_some(handshake_timeout))
        .max_buf_size(HEAD_BYTES_MAX)
        .half_close(true);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    for next in [Phase::Draining, Phase::Over] {
        tokio::select! {
            biased;
            // An error is the peer's: it sent no HTTP, or is gone.
            _ = connection.as_mut() => return,
            _ = phase.wait_for(|phase| *phase >= next) => (),
            _ = door_phase.wait_for(|phase| *phase >= next) => (),
        }
        connection.as_mut().graceful_shutdown();
    }
}

async fn handle(
    visit: Arc<Visit>,
    request: Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let path = convert::path(request.uri());
    let entrance = visit.door.entrance(&path, upgrade::is_wanted(&request));
    let served = &entrance.served;
    served.counters.requests.add(1);
    let head = request.method() == Method::HEAD;
    let origin = request.headers().get(header::ORIGIN).cloned();
    let response = match visit.answer(&entrance, path, request).await {
        Ok(Answer::Plain(response)) => response,
        Ok(Answer::Whole(response)) => return Ok(response),
        Err(fault) => convert::fault(served, fault),
    };
    let mut response = convert::response(served, response, head);
    served.cors.permit(origin.as_ref(), response.headers_mut());
    Ok(response)
}

enum Answer {
    Plain(Response),
    /// One that is not a front end's: an upgrade, or a preflight.
    Whole(hyper::Response<Full<Bytes>>),
}

impl Visit {
    fn shared(&self) -> &Arc<Shared> {
        &self.held.shared
    }

    async fn answer(
        self: &Arc<Self>,
        entrance: &Entrance,
        path: String,
        request: Request<Incoming>,
    ) -> Result<Answer, HttpError> {
        let served = &entrance.served;
        if self.shared().is_draining() {
            served.counters.refused(Limit::Draining);
            return Err(retry_later(503, "the gateway is shutting down", 1_000));
        }
        if self.door.is_closing() {
            served.counters.refused(Limit::Draining);
            return Err(retry_later(503, "nobody is served at this address any more", 1_000));
        }
        if served.down().is_some() {
            served.counters.refused(Limit::Draining);
            return Err(out_of_order());
        }
        if cors::is_preflight(request.method(), request.headers()) {
            return Ok(Answer::Whole(preflight(entrance, &path, request.headers())));
        }
        let caller = self.caller(request.headers());
        admit(served, caller, request.headers())?;
        if let Some(name) = self.document(served, &path, &request) {
            self.pace(served, caller)?;
            return well_known::answer(served, request.method(), name).map(Answer::Plain);
        }
        if entrance.listener.transport == Transport::WebSocket {
            return upgrade::accept(self, entrance, caller, path, request).map(Answer::Whole);
        }
        self.pace(served, caller)?;
        let (parts, body) = request.into_parts();
        let body = read_body(served, &parts.headers, body).await?;
        let request = convert::request(&parts, path, body);
        let peer = self.known_peer(entrance, caller);
        let response = exchange::exchange(self.shared(), served, caller.address, &peer, &request);
        response.await.map(Answer::Plain)
    }

    /// The document of the front end that is asked for, if it is one, and they are served.
    fn document<'a>(
        &self,
        served: &Served,
        path: &'a str,
        request: &Request<Incoming>,
    ) -> Option<&'a str> {
        let wanted = self.shared().roster().well_known && !upgrade::is_wanted(request);
        well_known::document(served, path).filter(|_| wanted)
    }

    /// Who is at the other end: the last address that is not a trusted proxy's.
    fn caller(&self, headers: &HeaderMap) -> Caller {
        let direct = Caller { address: self.remote.to_canonical(), proxied: false };
        let roster = self.shared().roster();
        if !roster.trusts(self.remote) {
            return direct;
        }
        let forwarded = headers.get_all("x-forwarded-for").iter();
        let texts = forwarded.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
        let mut caller = direct;
        for text in texts.iter().rev().flat_map(|text| text.rsplit(',')) {
            let Ok(address) = text.trim().parse::<IpAddr>() else { break };
            caller = Caller { address: address.to_canonical(), proxied: true };
            if !roster.trusts(address) {
                break;
            }
        }
        caller
    }

    fn pace(&self, served: &Served, caller: Caller) -> Result<(), HttpError> {
        if served.limits.requests_per_s == 0 {
            return Ok(());
        }
        let now_ns = self.shared().clock.steady_ns();
        let request =
            served.paces.of(caller.address, now_ns, |pace| pace.request(now_ns, &served.limits));
        request.map_err(|retry_after_ms| {
            served.counters.refused(Limit::Requests);
            retry_later(429, "too many requests", retry_after_ms)
        })
    }

    /// The same as [`peer`](Self::peer), and mostly the one of the request before.
    fn known_peer(&self, entrance: &Entrance, caller: Caller) -> Cow<'_, Peer> {
        if !caller.proxied {
            let peer = self.direct.get_or_init(|| self.peer(entrance, caller));
            // Another front end may share the door.
            if peer.listener == entrance.listener.key {
                return Cow::Borrowed(peer);
            }
        }
        Cow::Owned(self.peer(entrance, caller))
    }

    fn peer(&self, entrance: &Entrance, caller: Caller) -> Peer {
        Peer {
            address: caller.address.to_string(),
            proxied: caller.proxied,
            private_listener: self.door.is_private(),
            listener: entrance.listener.key.clone(),
            upgrade: None,
        }
    }
}

/// The guard.
fn admit(served: &Served, caller: Caller, headers: &HeaderMap) -> Result<(), HttpError> {
    if !served.allows(caller.address) {
        served.counters.refused(Limit::Guard);
        let reason = format!("{} is not among the addresses allowed here", caller.address);
        return Err(HttpError::new(403, reason));
    }
    if !served.keys.admit(headers) {
        served.counters.refused(Limit::Guard);
        let reason = "an API key is needed: X-Api-Key, or Authorization: Bearer";
        return Err(HttpError::new(401, reason).with_header("www-authenticate", "Bearer"));
    }
    Ok(())
}

fn preflight(entrance: &Entrance, path: &str, headers: &HeaderMap) -> hyper::Response<Full<Bytes>> {
    let mut methods = match well_known::document(&entrance.served, path) {
        Some(_) => well_known::METHODS.map(str::to_owned).to_vec(),
        None => entrance.methods(path),
    };
    methods.push("OPTIONS".into());
    let mut response = hyper::Response::new(Full::default());
    *response.status_mut() = hyper::StatusCode::NO_CONTENT;
    entrance.served.cors.permit_preflight(headers, &methods, response.headers_mut());
    response
}

/// The body, whole. Refused: 413 over the limit, 408 too slow, 400 broken off.
async fn read_body(
    served: &Served,
    headers: &HeaderMap,
    mut body: Incoming,
) -> Result<Vec<u8>, HttpError> {
    let max = u64::from(served.limits.body_bytes_max);
    let declared = body.size_hint().lower();
    let mut bytes = Vec::with_capacity(usize::try_from(declared.min(max)).unwrap_or(0));
    let mut read = pin!(async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| HttpError::new(400, "the body breaks off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() as u64 + data.len() as u64 > max {
                return Ok(false);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(true)
    });
    let whole = match declared > max {
        true => Ok(false),
        // Mostly it is there, and no timer is needed.
        false => match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
            Poll::Ready(whole) => whole,
            Poll::Pending => timeout(BODY_TIMEOUT, read)
                .await
                .unwrap_or_else(|_| Err(HttpError::new(408, "the body does not come"))),
        },
    };
    if whole? {
        return Ok(bytes);
    }
    served.counters.refused(Limit::BodyBytes);
    if !headers.contains_key(header::EXPECT) {
        discard(body).await;
    }
    Err(HttpError::new(413, format!("the body is larger than {max} bytes")))
}

/// Reads the rest of a body that is too large, within reason: many clients read no response
/// before they have sent everything.
async fn discard(mut body: Incoming) {
    let read = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DISCARDED_BYTES_MAX {
                return;
            }
        }
    };
    // A client that takes longer gets its response in the middle.
    drop(timeout(LINGER_TIMEOUT, read).await);
}
