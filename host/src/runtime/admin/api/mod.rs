//! `/api/v1/`: the admin API, on axum.
//!
//! Each operation of [`crate::admin`] is a route. What needs nothing but the store runs on a blocking
//! thread; `sessions` and `frontends` act on the running gateway.

mod access;
mod backup;
mod cluster;
mod config;
mod frontend_detail;
mod frontends;
mod json;
mod live;
mod on_store;
mod parts;
mod playground;
mod plugins;
mod sessions;
mod shape;
mod store;
mod streamed;
mod tap;
mod watching;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use core_model::bounds;
use http_body_util::{BodyExt as _, Limited};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::admin::types::AuditEntry;
use crate::admin::{self, Endpoint, OnStore, Problem, Row, WrongPart};
use crate::runtime::net::state::GatewayState;
use crate::users::rfc3339;

use access::Denied;
pub(super) use access::{AdminPeer, COOKIE, Caller, by_hash, caller, check_page, check_way};
pub(super) use access::{cookie, has_token, unknown_host};
pub(super) use parts::read_json;
use parts::{Parts, read_path, read_query};

/// The path that all operations begin with.
pub(super) const ROOT: &str = "/api/v1/";

/// The media type of problem details (RFC 9457).
pub(super) const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

const BODY_BYTES_MAX: usize = 64 * 1024;

const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Of the type of a body, what a refusal shows.
const MEDIA_TYPE_CHARS_MAX: usize = 64;

/// What an operation acts on.
pub(super) struct Context {
    state: Arc<GatewayState>,
    /// The parameters of the path, in their order.
    path: Vec<String>,
    peer: AdminPeer,
    headers: HeaderMap,
}

impl Context {
    /// Whether the request would be admitted now: a stream outlasts tokens and sessions.
    fn is_still_admitted<E: Endpoint>(&self) -> bool {
        access::admit(&self.state, &self.peer, &self.headers, E::ROW.role).is_ok()
    }
}

/// An operation that acts on the running gateway.
trait OnGateway: Endpoint {
    fn run(
        cx: Context,
        query: Self::Query,
        body: Self::Body,
    ) -> impl Future<Output = Result<Self::Reply, Problem>> + Send;
}

/// Answers a request whose path begins with [`ROOT`].
pub(super) async fn answer(
    state: &Arc<GatewayState>,
    peer: AdminPeer,
    request: Request<Body>,
) -> Response {
    use hyper::service::Service as _;
    let router = hyper_util::service::TowerToHyperService::new(router(state, peer));
    match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// A route for each operation.
fn router(state: &Arc<GatewayState>, peer: AdminPeer) -> Router {
    let routes = Routes { router: Router::new(), state, peer };
    let routes = sessions::route(routes);
    let routes = frontends::route(routes);
    let routes = webhooks::route(routes);
    let routes = cluster::route(routes);
    let routes = config::route(routes);
    let routes = frontend_detail::route(routes);
    let routes = live::route(routes);
    let routes = plugins::route(routes);
    let routes = store::route(routes);
    let routes = tap::route(routes);
    let routes = watching::route(routes);
    let routes = playground::route(routes);
    let Routes { router, .. } = backup::route(on_store::route(routes));
    let unknown = || async {
        let detail = format!("there is no such path; {}", known_paths());
        refused(&Problem::new(404, "unknown", detail))
    };
    let wrong_method = |request: Request<Body>| async move {
        let detail = format!("{} is not a method of this path", request.method());
        refused(&Problem::new(405, "method", detail))
    };
    router.fallback(unknown).method_not_allowed_fallback(wrong_method)
}

fn known_paths() -> &'static str {
    "schemas/admin/openapi.json has all of them: `dragoman schema export`"
}

/// Routes that are being added to a router.
struct Routes<'a> {
    router: Router,
    state: &'a Arc<GatewayState>,
    peer: AdminPeer,
}

impl Routes<'_> {
    fn on_gateway<E: OnGateway>(self) -> Self {
        self.add::<E, _, _>(|cx, query, body| E::run(cx, query, body))
    }

    fn on_store<E: OnStore>(self) -> Self {
        self.add::<E, _, _>(on_store::run::<E>)
    }

    fn add<E, F, A>(self, run: F) -> Self
    where
        E: Endpoint,
        F: Fn(Context, E::Query, E::Body) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<E::Reply, Problem>> + Send,
    {
        self.raw::<E, _, _, _>(run, |reply| json(StatusCode::OK, "application/json", &reply))
    }

    /// A route whose reply becomes a response in its own way.
    fn raw<E, R, F, A>(
        self,
        run: F,
        respond: impl Fn(R) -> Response + Clone + Send + Sync + 'static,
    ) -> Self
    where
        E: Endpoint,
        R: Send,
        F: Fn(Context, E::Query, E::Body) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<R, Problem>> + Send,
    {
        let Self { router, state, peer } = self;
        let (gateway, caller) = (state.clone(), peer.clone());
        let handler = move |request: Request<Body>| async move {
            let mut log = Entry::begin(&E::ROW, &caller);
            let done = carry_out::<E, R, F, A>(gateway, &caller, request, run, &mut log).await;
            match done {
                Ok(reply) => {
                    log.end(None);
                    respond(reply)
                }
                Err(problem) => {
                    let response = refused(&problem);
                    log.end(Some(problem));
                    response
                }
            }
        };
        let method = E::ROW.method.parse::<hyper::Method>().expect("a method of the table");
        let method = MethodFilter::try_from(method).expect("a method that axum knows");
        let router = router.route(E::ROW.path, on(method, handler));
        Self { router, state, peer }
    }
}

async fn carry_out<E, R, F, A>(
    state: Arc<GatewayState>,
    peer: &AdminPeer,
    request: Request<Body>,
    run: F,
    log: &mut Entry,
) -> Result<R, Problem>
where
    E: Endpoint,
    F: Fn(Context, E::Query, E::Body) -> A + Send,
    A: Future<Output = Result<R, Problem>> + Send,
{
    log.admit(&state, access::admit(&state, peer, request.headers(), E::ROW.role))?;
    let parameters = read_path(&E::ROW, request.uri().path())?;
    let path: Vec<String> = parameters.iter().map(|(_, value)| value.clone()).collect();
    log.path.clone_from(&path);
    let headers = request.headers().clone();
    let query: E::Query = read_query(request.uri().query().unwrap_or_default())?;
    let body = read_body(request.into_body()).await?;
    check_media_type(&headers, &body)?;
    let body: E::Body = read_json(&body)?;
    log.note(&query, &body);
    let parts = Parts::of::<E>(&parameters, &query, &body);
    let done = run(Context { state, path, peer: peer.clone(), headers }, query, body).await;
    done.map_err(|problem| parts.locate(problem))
}

async fn read_body(body: Body) -> Result<Vec<u8>, Problem> {
    let body = Limited::new(body, BODY_BYTES_MAX).collect();
    match timeout(BODY_TIMEOUT, body).await {
        Err(_) => Err(Problem::new(408, "late", "the body took too long; send it again")),
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let detail = format!("the body is larger than {BODY_BYTES_MAX} bytes");
            let part = WrongPart::field([], detail.as_str());
            Err(Problem::new(413, "too-large", detail).with(part))
        }
        Ok(Err(error)) => Err(Problem::invalid(format!("the body did not arrive: {error}"))),
    }
}

/// Refuses a body of another type than JSON. JSON itself may come under any name: curl's is that of a
/// form.
fn check_media_type(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.map(|given| String::from_utf8_lossy(given.as_bytes()).into_owned());
    let Some(given) = given.filter(|given| !is_json(given)) else { return Ok(()) };
    if body.trim_ascii().is_empty() || json::read(body).is_ok() {
        return Ok(());
    }
    let given = bounds::cut(&given, MEDIA_TYPE_CHARS_MAX);
    let why = format!("the body is of the type {given:?}; send JSON, as application/json");
    Err(Problem::new(415, "media-type", why.as_str()).with(WrongPart::field([], why)))
}

fn is_json(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    name == "application/json" || name.ends_with("+json")
}

/// The entry of an operation in the audit log. There is none for a request of an unknown sender.
struct Entry {
    row: &'static str,
    is_audited: bool,
    /// Once it is known who made the request.
    state: Option<Arc<GatewayState>>,
    who: String,
    from: String,
    path: Vec<String>,
    with: Value,
}

impl Entry {
    fn begin(row: &Row, peer: &AdminPeer) -> Self {
        Self {
            row: row.name,
            is_audited: row.is_audited(),
            state: None,
            who: String::new(),
            from: peer.address.ip().to_canonical().to_string(),
            path: Vec::new(),
            with: Value::Null,
        }
    }

    fn admit(
        &mut self,
        state: &Arc<GatewayState>,
        admitted: Result<String, Denied>,
    ) -> Result<(), Problem> {
        let (who, done) = match admitted {
            Ok(who) => (Some(who), Ok(())),
            Err(Denied { who, problem }) => (who, Err(*problem)),
        };
        match who {
            Some(who) => (self.who, self.state) = (who, Some(state.clone())),
            // At this level: anyone who reaches the listener could fill the log.
            None => tracing::debug!(operation = self.row, from = self.from, "a denied request"),
        }
        done
    }

    fn note(&mut self, query: &impl Serialize, body: &impl Serialize) {
        if self.is_audited {
            let value = |part: Result<Value, _>| part.unwrap_or(Value::Null);
            let (query, body) = (serde_json::to_value(query), serde_json::to_value(body));
            self.with = admin::audit::shown(value(query), value(body));
        }
    }

    fn end(self, problem: Option<Problem>) {
        let (true, Some(state)) = (self.is_audited, self.state) else { return };
        let services = &state.services;
        let status = problem.as_ref().map_or(200, |problem| problem.status);
        tracing::info!(operation = self.row, who = self.who, status, "an operator's change");
        let entry = AuditEntry {
            id: 0,
            at: rfc3339(services.clock.now()),
            who: self.who,
            from: self.from,
            operation: self.row.to_owned(),
            path: self.path,
            with: self.with,
            status,
            problem: problem.map(|problem| problem.detail),
        };
        if let Err(error) = services.audit.append(entry) {
            let path = services.audit.path().display();
            tracing::error!("cannot write to the audit log {path}: {error}");
        }
    }
}

pub(super) fn json(
    status: StatusCode,
    content_type: &'static str,
    body: &impl Serialize,
) -> Response {
    let body = serde_json::to_vec(body).expect("a reply is plain data");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal as problem details.
pub(super) fn refused(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = json(status, PROBLEM_MEDIA_TYPE, problem);
    if status == StatusCode::UNAUTHORIZED {
        let how = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}
