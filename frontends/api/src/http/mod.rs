//! HTTP as plain data, and the one state machine that all HTTP dialects share: a table of
//! [`Endpoint`]s, played by [`Exchange`], a session that lives for one response.

mod exchange;
mod params;

use std::cell::RefCell;

use core_model::{Command, Outcome, Query};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::schema::Operation;
pub use exchange::{Exchange, HttpDialect};
pub use params::{Digits, Loose, Params, TextOrNumber};

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

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case("cookie"));
        cookies.flat_map(|(_, value)| value.split(';')).find_map(|pair| {
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

/// Bodies up to this length are written where the one before was, and so need not grow.
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

/// Something wrong on the level of HTTP, to be said in the dialect's form.
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

/// One endpoint of a dialect: everything about it in one place, as a row of a table.
pub struct Endpoint<D: 'static> {
    /// Its file, and its operation id in the schemas: `send_message`.
    pub name: &'static str,
    pub methods: &'static [&'static str],
    pub path: &'static str,
    /// The peer's words, as a command or query. An `Err` is the response to nonsense.
    pub decode: fn(&D, &Params<'_>) -> Result<Action, Response>,
    /// The engine's words, in the dialect.
    pub encode: fn(&D, &Params<'_>, &Outcome) -> Response,
    /// What it reads and writes, for the schemas: the types that `decode` and `encode` use.
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
