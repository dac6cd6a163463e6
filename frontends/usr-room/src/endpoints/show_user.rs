//! `POST /usr/info` (一.2): a user, named by openid or as `@<handle>`.

use core_model::{Outcome, Query, Reply};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;

use super::POST;
use crate::{UsrRoom, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "show_user",
    methods: POST,
    path: "/usr/info",
    decode,
    encode,
    describe: |dialect| {
        let operation =
            Operation::of::<Request>("Shows a user, named by openid or as `@<handle>`.");
        dialect.replies_with_user(operation)
    },
};

parse::request! {
    #[schemars(extend("anyOf" = parse::EITHER_OPENID))]
    Request {
        /// The user to show; `@<handle>` is understood.
        openid,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    Ok(Action::Query(Query::User { user: dialect.named(&openid), caller: None }))
}

fn encode(dialect: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::User { user }) => dialect.user(user),
        Ok(_) => refusal::unexpected(),
        Err(refused) => refusal::refused(refused),
    }
}
