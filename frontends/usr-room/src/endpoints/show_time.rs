//! `GET /time` (三.2), and `POST`: the time of the last change, and the current time.

use core_model::{Outcome, Query, Reply, Timestamp};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encode::SUCCESS;
use crate::refusal::Failure;
use crate::{UsrRoom, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "show_time",
    methods: &["GET", "POST"],
    path: "/time",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>("Returns the time of the last change and the current time.")
            .replies::<Times>()
            .replies::<Failure>()
    },
};

/// It has no fields.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {}

/// The same in both flavors.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Times {
    /// 1
    #[schemars(extend("const" = 1))]
    response_code: u8,
    /// The time of the newest message or change, in milliseconds since 1970; 0 before the first.
    last_time: Timestamp,
    /// Now, in milliseconds since 1970.
    server_time: Timestamp,
}

fn decode(_: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let Request {} = parse::read(params)?;
    Ok(Action::Query(Query::LastChange))
}

fn encode(_: &UsrRoom, params: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::LastChange { at }) => {
            let times = Times { response_code: SUCCESS, last_time: *at, server_time: params.now };
            // It is asked for again and again by GET.
            Response::json(200, &times).with_header("cache-control", "no-store")
        }
        Ok(_) => refusal::unexpected(),
        Err(refused) => refusal::refused(refused),
    }
}
