//! `POST /login` (flavor miniprogram): would exchange a login code for an openid at the vendor's
//! server. The gateway calls nobody, so it says that it cannot.

use core_model::Outcome;
use frontend_api::http::{Action, Endpoint, Params, Response};
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
            "Would exchange a login code for an openid at the vendor's server. The gateway calls nobody, so it says that it cannot.",
        );
        operation.replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    /// What the vendor gave the client.
    #[expect(dead_code, reason = "it is of no use to the gateway, but part of the request")]
    code: Option<String>,
}

fn decode(_: &UsrRoom, params: &Params<'_>) -> Result<Action, Response> {
    let _: Request = parse::read(params)?;
    Err(not_configured())
}

fn encode(_: &UsrRoom, _: &Params<'_>, _: &Outcome) -> Response {
    not_configured()
}

fn not_configured() -> Response {
    refusal::failure("code exchange is not configured")
}
