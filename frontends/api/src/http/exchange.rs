//! The state machine that all HTTP dialects share: route, decode, submit, encode.

use std::sync::Arc;

use core_model::{Outcome, Timestamp};
use serde_json::{Map, Value};

use crate::schema::About;

use super::{
    Action, Charset, Endpoint, HttpError, Params, ParamsError, Request, RequestParams, Response,
};
use crate::{Input, Outbox, Output, Peer, Route, RouteKind, Session, Subscribe};

/// A dialect that is a table of endpoints.
pub trait HttpDialect: Send + Sync + Sized + 'static {
    /// Its endpoints, at most one a path.
    fn endpoints(&self) -> &'static [Endpoint<Self>];

    /// The charset of queries, and of forms that do not name theirs.
    fn charset(&self) -> Charset {
        Charset::Utf8
    }

    /// Refuses a field that is not text in the charset, if the dialect has words of its own for
    /// that. None: an HTTP error 400 does it.
    fn not_text(&self, path: &str, field: &str) -> Option<Response> {
        let _ = (path, field);
        None
    }

    /// What the answer to an [`Action::Fetch`] leads to. It may note what it read in the fields of
    /// the request, for the endpoint's `encode`. The default words an HTTP error 503: a dialect
    /// that fetches has an order of its own.
    fn after_fetch(
        &self,
        path: &str,
        fields: &mut Map<String, Value>,
        outcome: &Outcome,
    ) -> Result<Action, Response> {
        let _ = (path, fields, outcome);
        Err(self.fault(&HttpError::new(503, "the gateway has no answer")))
    }

    /// Words an HTTP error: status and body. The exchange adds the error's headers.
    fn fault(&self, fault: &HttpError) -> Response;

    /// What the schemas say besides the endpoints.
    fn about(&self) -> About;

    /// The routes for its manifest.
    fn routes(&self) -> Vec<Route> {
        let route = |endpoint: &Endpoint<Self>| Route {
            path: endpoint.path.into(),
            methods: endpoint.methods.iter().map(|method| (*method).into()).collect(),
            kind: RouteKind::Operation,
        };
        self.endpoints().iter().map(route).collect()
    }
}

/// A request that makes sense: its endpoint, its parameters and what it submits.
type Decoded<D> = (&'static Endpoint<D>, Map<String, Value>, Action);

/// One HTTP exchange, from request to response.
pub struct Exchange<D: 'static> {
    dialect: Arc<D>,
    peer: Peer,
    state: State<D>,
}

enum State<D: 'static> {
    Idle,
    Waiting(Box<Pending<D>>),
    Over,
}

/// What is needed to go on with the answer.
struct Pending<D: 'static> {
    endpoint: &'static Endpoint<D>,
    fields: Map<String, Value>,
    next: Next,
}

/// What an answer leads to.
enum Next {
    /// The endpoint encodes it.
    Encode,
    /// This response, unless it is a refusal.
    Respond(Response),
    /// The dialect decides.
    AfterFetch,
}

impl<D: HttpDialect> Exchange<D> {
    pub fn new(dialect: Arc<D>, peer: &Peer) -> Self {
        Self { dialect, peer: peer.clone(), state: State::Idle }
    }

    fn begin(&self, now: Timestamp, request: &Request, out: &mut Outbox) -> State<D> {
        match self.decode(now, request) {
            Ok((endpoint, fields, action)) => {
                // An empty one, as of a variable that is not set, names no request.
                let key = request.header("idempotency-key").filter(|key| !key.is_empty());
                let key = key.map(str::to_owned);
                self.act(endpoint, fields, action, key, out)
            }
            Err(response) => {
                out.respond(response);
                State::Over
            }
        }
    }

    fn act(
        &self,
        endpoint: &'static Endpoint<D>,
        fields: Map<String, Value>,
        action: Action,
        key: Option<String>,
        out: &mut Outbox,
    ) -> State<D> {
        let mut next = Next::Encode;
        match action {
            Action::Submit(command) => out.push(Output::Submit {
                command: Box::new(command),
                subscribe: Subscribe::Nothing,
                key,
                ack_only: false,
            }),
            Action::Query(query) => out.query(query),
            Action::QueryThenRespond(query, response) => {
                out.query(query);
                next = Next::Respond(response);
            }
            Action::Fetch(fetch) => {
                out.push(Output::Fetch(fetch));
                next = Next::AfterFetch;
            }
        }
        State::Waiting(Box::new(Pending { endpoint, fields, next }))
    }

    fn go_on(
        &self,
        now: Timestamp,
        pending: Pending<D>,
        outcome: &Outcome,
        out: &mut Outbox,
    ) -> State<D> {
        let Pending { endpoint, mut fields, next } = pending;
        let response = match (next, outcome) {
            (Next::AfterFetch, outcome) => {
                match self.dialect.after_fetch(endpoint.path, &mut fields, outcome) {
                    Ok(action) => return self.act(endpoint, fields, action, None, out),
                    Err(response) => response,
                }
            }
            (Next::Respond(response), Ok(_)) => response,
            (Next::Respond(_) | Next::Encode, outcome) => {
                let params = Params { peer: &self.peer, fields, now };
                (endpoint.encode)(&self.dialect, &params, outcome)
            }
        };
        out.respond(response);
        State::Over
    }

    fn decode(&self, now: Timestamp, request: &Request) -> Result<Decoded<D>, Response> {
        let endpoint = self.route(request)?;
        let params = Params::in_charset(&self.peer, request, self.dialect.charset());
        let params = params.map_err(|error| self.unreadable(endpoint.path, error))?.at(now);
        let given = RequestParams { request, params };
        let action = (endpoint.decode)(&self.dialect, &given)?;
        Ok((endpoint, given.params.fields, action))
    }

    fn route(&self, request: &Request) -> Result<&'static Endpoint<D>, Response> {
        let mut endpoints = self.dialect.endpoints().iter();
        let Some(endpoint) = endpoints.find(|endpoint| endpoint.path == request.path) else {
            return Err(self.fault(&HttpError::new(404, format!("no such path: {}", request.path))));
        };
        let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
        if endpoint.methods.contains(&method) {
            return Ok(endpoint);
        }
        let allow = allow(endpoint.methods);
        if method == "OPTIONS" {
            return Err(Response { status: 204, ..Response::default() }.with_header("allow", allow));
        }
        let reason = format!("{} is not among the methods of {}: {allow}", method, endpoint.path);
        Err(self.fault(&HttpError::new(405, reason).with_header("allow", allow)))
    }

    fn unreadable(&self, path: &str, error: ParamsError) -> Response {
        if let ParamsError::NotText { field, .. } = &error
            && let Some(response) = self.dialect.not_text(path, field)
        {
            return response;
        }
        self.fault(&error.into())
    }

    fn fault(&self, fault: &HttpError) -> Response {
        let mut response = self.dialect.fault(fault);
        response.headers.extend(fault.headers.iter().cloned());
        response
    }
}

/// `GET, HEAD, OPTIONS, POST` for a table that says GET and POST.
fn allow(methods: &[&str]) -> String {
    let mut all = methods.to_vec();
    if methods.contains(&"GET") {
        all.push("HEAD");
    }
    all.push("OPTIONS");
    all.sort_unstable();
    all.join(", ")
}

impl<D: HttpDialect> Session for Exchange<D> {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        let state = std::mem::replace(&mut self.state, State::Over);
        self.state = match (state, input) {
            (State::Idle, Input::Request(request)) => self.begin(now, request, out),
            (State::Waiting(pending), Input::Answer(outcome)) => {
                self.go_on(now, *pending, outcome, out)
            }
            (state, _) => state,
        };
    }
}
