//! HTTP as plain data, and the state machine that all HTTP dialects share: [`Exchange`], a session
//! for one request, over a dialect's table of [`Endpoint`]s.

mod charset;
mod describe;
mod exchange;
mod fields;
mod params;

use core_model::{Command, Outcome, Query};

use crate::Fetch;
pub use crate::http_message::{HttpError, Request, Response};
use crate::schema::Operation;
pub use charset::Charset;
pub use exchange::{Exchange, HttpDialect};
pub use fields::{Digits, Loose, TextOrNumber, keeps_digits};
pub use params::{Params, ParamsError, RequestParams};

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

/// What a decoded request leads to.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one lives for the length of a call")]
pub enum Action {
    Submit(Command),
    Query(Query),
    /// Runs the query, then sends this response; if the query is refused, the refusal is encoded
    /// instead. For errors that rank below a check which only the engine can make.
    QueryThenRespond(Query, Response),
    /// Asks a server; [`HttpDialect::after_fetch`] says what its answer leads to.
    Fetch(Fetch),
}

#[deprecated = "use `Action`"]
pub type Ask = Action;

#[deprecated = "use `HttpError`"]
pub type Fault = HttpError;
