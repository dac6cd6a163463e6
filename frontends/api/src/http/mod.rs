//! HTTP as plain data, and the state machine that all HTTP dialects share: [`Exchange`], a session
//! for one request, over a dialect's table of [`Endpoint`]s.

mod charset;
mod describe;
mod exchange;
mod params;

use std::cell::RefCell;

use core_model::{Command, Outcome, Query};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::schema::Operation;
pub use charset::Charset;
pub use exchange::{Exchange, HttpDialect};
pub use params::{Digits, Loose, Params, ParamsError, RequestParams, TextOrNumber};

/// A request, whole.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Request {
    pub method: String,
    /// Percent-decoded where that gives UTF-8, without the query.
    pub path: String,
    /// Without the question mark, as it was sent.
    #[serde(default)]
    pub query: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The values of all headers of this name, in any case.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers_named("cookie");
        cookies.flat_map(|value| value.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        })
    }
}

/// A response, whole.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Response {
    pub status: u16,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub body: Vec<u8>,
}

/// The largest buffer that is kept for the next body.
const BODY_PLACE_MAX: usize = 65_536;

thread_local! {
    static BODY_PLACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Response {
    /// A JSON body, `application/json; charset=utf-8`.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let mut place = BODY_PLACE.take();
        place.clear();
        json::append(body, &mut place).expect("a reply is plain data with string keys");
        let bytes = place.as_slice().into();
        if place.capacity() <= BODY_PLACE_MAX {
            BODY_PLACE.set(place);
        }
        let content_type = ("content-type".into(), "application/json; charset=utf-8".into());
        Self { status, headers: vec![content_type], body: bytes }
    }

    /// A plain text body.
    pub fn text(status: u16, body: &str) -> Self {
        let content_type = ("content-type".into(), "text/plain; charset=utf-8".into());
        Self { status, headers: vec![content_type], body: body.as_bytes().to_vec() }
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// An error on the level of HTTP, which the dialect words.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Fault")]
pub struct HttpError {
    /// 400, 401, 403, 404, 405, 413, 415, 429 or 503.
    pub status: u16,
    /// A sentence for the client's developer.
    pub reason: String,
    /// Headers that belong to the status: `allow`, `retry-after`, `www-authenticate`.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

impl HttpError {
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), headers: Vec::new() }
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// One endpoint of a dialect, a row of its table.
///
/// ```
/// use std::sync::Arc;
///
/// use core_model::{Outcome, Query, Reply, Timestamp};
/// use frontend_api::http::{
///     Action, Endpoint, Exchange, HttpDialect, HttpError, Request, RequestParams, Response,
/// };
/// use frontend_api::schema::{About, Operation, Shape};
/// use frontend_api::{Input, Outbox, Output, Peer, Session};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// struct Clock;
///
/// const SHOW_CHANGE: Endpoint<Clock> = Endpoint {
///     name: "show_change",
///     methods: &["GET"],
///     path: "/change",
///     decode: |_, params: &RequestParams<'_>| {
///         let NoFields {} = params.read().map_err(|why| Response::text(400, &why))?;
///         Ok(Action::Query(Query::LastChange))
///     },
///     encode: |_, _, outcome: &Outcome| match outcome {
///         Ok(Reply::LastChange { at }) => Response::json(200, &Change { at: *at }),
///         Ok(_) | Err(_) => Response::text(500, "server error"),
///     },
///     describe: |_| Operation::of::<NoFields>("Shows the last change.").replies::<Change>(),
/// };
///
/// #[derive(Deserialize, JsonSchema)]
/// struct NoFields {}
///
/// #[derive(JsonSchema, Serialize)]
/// struct Change {
///     at: Timestamp,
/// }
///
/// impl HttpDialect for Clock {
///     fn endpoints(&self) -> &'static [Endpoint<Self>] {
///         &[SHOW_CHANGE]
///     }
///
///     fn fault(&self, fault: &HttpError) -> Response {
///         Response::text(fault.status, &fault.reason)
///     }
///
///     fn about(&self) -> About {
///         About { text: "A clock.", fault: Shape::of::<String>(), schemes: &[] }
///     }
/// }
///
/// let mut exchange = Exchange::new(Arc::new(Clock), &Peer::default());
/// let mut out = Outbox::default();
/// let path = "/change".into();
/// let request = Request { method: "GET".into(), path, ..Request::default() };
/// exchange.handle(Timestamp(0), Input::Request(&request), &mut out);
/// let answer = Ok(Reply::LastChange { at: Timestamp(7) });
/// exchange.handle(Timestamp(9), Input::Answer(&answer), &mut out);
/// let body = Response::json(200, &Change { at: Timestamp(7) });
/// assert!(out.drain().skip(1).eq([Output::Respond(body)]));
/// ```
pub struct Endpoint<D: 'static> {
    /// Its file, and its operation id in the schemas: `send_message`.
    pub name: &'static str,
    pub methods: &'static [&'static str],
    pub path: &'static str,
    /// Decodes the request into a command or query. An `Err` is the response to a request that
    /// makes no sense.
    pub decode: fn(&D, &RequestParams<'_>) -> Result<Action, Response>,
    /// Encodes the engine's answer.
    pub encode: fn(&D, &Params<'_>, &Outcome) -> Response,
    /// Describes what `decode` reads and `encode` writes, for the schemas.
    pub describe: fn(&D) -> Operation,
}

/// What a decoded request submits to the engine.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one lives for the length of a call")]
pub enum Action {
    Submit(Command),
    Query(Query),
    /// Runs the query, then sends this response; if the query is refused, the refusal is encoded
    /// instead. For errors that rank below a check which only the engine can make.
    QueryThenRespond(Query, Response),
}

#[deprecated = "use `Action`"]
pub type Ask = Action;

#[deprecated = "use `HttpError`"]
pub type Fault = HttpError;
