//! The state machine all HTTP dialects share: route, decode, ask, encode.

use std::sync::Arc;

use core_model::{Outcome, Timestamp};
use serde_json::{Map, Value};

use crate::schema::About;

use super::{Action, Endpoint, HttpError, Params, Request, Response};
use crate::{Input, Outbox, Output, Peer, Route, Session, Subscribe};

/// A dialect that is a table of endpoints.
pub trait HttpDialect: Send + Sync + Sized + 'static {
    /// Its endpoints, at most one a path.
    fn endpoints(&self) -> &'static [Endpoint<Self>];

    /// A fault of HTTP in the dialect's form: status and body. The exchange adds the headers.
    fn fault(&self, fault: &HttpError) -> Response;

    /// What it says of itself in the schemas, beside its endpoints.
    fn about(&self) -> About;

    /// The routes its manifest declares.
    fn routes(&self) -> Vec<Route> {
        let route = |endpoint: &Endpoint<Self>| Route {
            path: endpoint.path.into(),
            methods: endpoint.methods.iter().map(|method| (*method).into()).collect(),
        };
        self.endpoints().iter().map(route).collect()
    }
}

/// A request that makes sense: whose it is, what it says, and what is to be asked.
type Decoded<D> = (&'static Endpoint<D>, Map<String, Value>, Action);

/// One HTTP exchange, from request to response.
pub struct Exchange<D: 'static> {
    dialect: Arc<D>,
    peer: Peer,
    state: State<D>,
}

enum State<D: 'static> {
    Idle,
    Asking(Box<Asked<D>>),
    Over,
}

/// What the answer is encoded with.
struct Asked<D: 'static> {
    endpoint: &'static Endpoint<D>,
    fields: Map<String, Value>,
    instead: Option<Response>,
}

impl<D: HttpDialect> Exchange<D> {
    pub fn new(dialect: Arc<D>, peer: &Peer) -> Self {
        Self { dialect, peer: peer.clone(), state: State::Idle }
    }

    fn begin(&self, now: Timestamp, request: &Request, out: &mut Outbox) -> State<D> {
        match self.decode(now, request) {
            Ok((endpoint, fields, action)) => {
                let mut instead = None;
                match action {
                    Action::Submit(command) => {
                        let key = request.header("idempotency-key").map(str::to_owned);
                        let (command, subscribe) = (Box::new(command), Subscribe::Nothing);
                        out.push(Output::Submit { command, subscribe, key, ack_only: false });
                    }
                    Action::Query(query) => out.query(query),
                    Action::QueryThenRespond(query, response) => {
                        out.query(query);
                        instead = Some(response);
                    }
                }
                State::Asking(Box::new(Asked { endpoint, fields, instead }))
            }
            Err(response) => {
                out.respond(response);
                State::Over
            }
        }
    }

    fn decode(&self, now: Timestamp, request: &Request) -> Result<Decoded<D>, Response> {
        let endpoint = self.route(request)?;
        let params = Params::of(&self.peer, request).map_err(|fault| self.fault(&fault))?.at(now);
        let action = (endpoint.decode)(&self.dialect, &params)?;
        Ok((endpoint, params.fields, action))
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

    fn fault(&self, fault: &HttpError) -> Response {
        let mut response = self.dialect.fault(fault);
        response.headers.extend(fault.headers.iter().cloned());
        response
    }

    fn encode(&self, now: Timestamp, asked: Asked<D>, outcome: &Outcome) -> Response {
        let Asked { endpoint, fields, instead } = asked;
        if let (Some(response), Ok(_)) = (instead, outcome) {
            return response;
        }
        let params = Params { peer: &self.peer, request: &NO_REQUEST, fields, now };
        (endpoint.encode)(&self.dialect, &params, outcome)
    }
}

/// In place of the request where the answer is encoded: what it said is in the fields.
static NO_REQUEST: Request = Request {
    method: String::new(),
    path: String::new(),
    query: String::new(),
    headers: Vec::new(),
    body: Vec::new(),
};

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
            (State::Asking(asked), Input::Answer(outcome)) => {
                out.respond(self.encode(now, *asked, outcome));
                State::Over
            }
            (state, _) => state,
        };
    }
}
