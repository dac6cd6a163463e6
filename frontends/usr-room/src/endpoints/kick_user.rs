//! `POST /room/kick` (二.3): removes the named user. No caller is named: it is the app's own act.

use core_model::{Command, Outcome};
use frontend_api::http::{Action, Digits, Endpoint, Params, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::encode::Done;
use crate::refusal::Failure;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "kick_user",
    methods: POST,
    path: "/room/kick",
    decode,
    encode,
    describe: |_| {
        let operation = Operation::of::<Request>(
            "Removes the named user from the room. No caller is named: it is the app's own act.",
        );
        operation.replies::<Done>().replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = parse::EITHER_OPENID))]
pub(crate) struct Request {
    #[schemars(required)]
    room_id: Option<Digits>,
    /// Whom to remove; `@<handle>` is understood.
    #[schemars(length(min = 1))]
    openid: Option<String>,
    /// The same as `openid`.
    #[schemars(length(min = 1))]
    open_id: Option<String>,
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    let room = parse::room(request.room_id)?;
    Ok(Action::Submit(Command::Kick { room, user: dialect.named(&openid) }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
