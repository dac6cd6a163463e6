//! `POST /login` (flavor miniprogram): would exchange a login code for an openid at the vendor's
//! server. The gateway makes no requests of its own, so it refuses.

use core_model::Outcome;
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
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
            "Would exchange a login code for an openid at the vendor's server. The gateway makes no requests of its own, so it refuses.",
        );
        operation.replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    /// The login code that the vendor gave to the client.
    #[expect(dead_code, reason = "part of the request, though the gateway does not use it")]
    code: Option<String>,
}

fn decode(_: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let _: Request = parse::read(params)?;
    Err(not_configured())
}

fn encode(_: &UsrRoom, _: &Params<'_>, _: &Outcome) -> Response {
    not_configured()
}

fn not_configured() -> Response {
    refusal::failure("code exchange is not configured")
}
