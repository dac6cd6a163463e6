//! `POST /login` (flavor miniprogram): exchanges a login code for an openid, as `code_exchange` says,
//! and tells whether a user has it.

use core_model::{Outcome, Query, Refusal, Reply};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::POST;
use crate::code_exchange::{self, Exchanged};
use crate::refusal::Failure;
use crate::{UsrRoom, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "log_in",
    methods: POST,
    path: "/login",
    decode,
    encode,
    describe: |_| {
        let operation = Operation::of::<Request>(
            "Exchanges a login code of the mini-program for an openid, if the operator has configured `code_exchange`.",
        );
        operation.replies::<LoggedIn>().replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    /// The login code that the vendor gave to the client; good for one exchange.
    #[schemars(required, length(min = 1))]
    code: Option<String>,
}

/// A code that was exchanged.
#[derive(JsonSchema, Serialize)]
pub(crate) struct LoggedIn<'a> {
    openid: &'a str,
    /// 0 no user has this openid yet, 1 one has
    #[schemars(extend("enum" = [0, 1]))]
    exist: u8,
}

/// The field in which the openid waits for the answer to the query.
const OPENID: &str = "openid";

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let code = parse::nonempty("code", request.code)?;
    let Some(exchange) = &dialect.code_exchange else {
        return Err(refusal::failure("code exchange is not configured"));
    };
    match exchange.exchange(code).map_err(refusal::failure)? {
        Exchanged::Known(openid) => Ok(find(dialect, &openid)),
        Exchanged::Ask(fetch) => Ok(Action::Fetch(fetch)),
    }
}

/// The server has answered.
pub(crate) fn after_fetch(
    dialect: &UsrRoom,
    fields: &mut Map<String, Value>,
    outcome: &Outcome,
) -> Result<Action, Response> {
    let openid = code_exchange::openid(outcome).map_err(refusal::failure)?;
    let action = find(dialect, &openid);
    fields.insert(OPENID.into(), openid.into());
    Ok(action)
}

fn find(dialect: &UsrRoom, openid: &str) -> Action {
    Action::Query(Query::User { user: dialect.caller(openid), caller: None })
}

fn encode(dialect: &UsrRoom, params: &Params<'_>, outcome: &Outcome) -> Response {
    let exist = match outcome {
        Ok(Reply::User { .. }) => 1,
        Ok(_) => return refusal::unexpected(),
        Err(Refusal::UnknownUser) => 0,
        Err(refused) => return refusal::refused(refused),
    };
    let text = |field: &str| params.fields.get(field).and_then(Value::as_str).unwrap_or_default();
    let known = dialect.code_exchange.as_ref().and_then(|exchange| exchange.known(text("code")));
    let openid = known.unwrap_or_else(|| text(OPENID));
    Response::json(200, &LoggedIn { openid, exist })
}
