//! `POST /user/info` checks whether a user of this name exists.

use core_model::{Outcome, Query, Reply, UserRef};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Named, Success, required, signed_in, success};
use crate::refusal::Failure;
use crate::{Channel, refusal};

pub(super) const ENDPOINT: Endpoint<Channel> = Endpoint {
    name: "show_user",
    methods: &["POST"],
    path: "/user/info",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>("Checks whether a user of this name exists, in any dialect.")
            .for_users()
            .replies::<Success<Named>>()
            .replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The handle.
    #[schemars(required, length(min = 1))]
    name: Option<String>,
}

fn decode(_: &Channel, params: &RequestParams<'_>) -> Result<Action, Response> {
    signed_in(params, |caller, Request { name }| {
        let user = UserRef::Handle(required("name", name)?);
        Ok(Action::Query(Query::User { user, caller: Some(caller) }))
    })
}

fn encode(_: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::User { user }) => success(Named { name: &user.person.handle }),
        Ok(_) => refusal::server_error(),
        Err(refusal) => refusal::refused(refusal),
    }
}
