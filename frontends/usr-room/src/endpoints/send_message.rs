//! `POST /room/send_message` (二.6): posts to a room, by a member.

use core_model::{Command, Outcome, PostRight};
use frontend_api::http::{Action, Digits, Endpoint, Params, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::encode::Done;
use crate::refusal::Failure;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "send_message",
    methods: POST,
    path: "/room/send_message",
    decode,
    encode,
    describe: |_| {
        let operation = Operation::of::<Request>("Posts to a room, by a member.");
        operation.replies::<Done>().replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = parse::EITHER_OPENID))]
pub(crate) struct Request {
    #[schemars(required)]
    room_id: Option<Digits>,
    #[schemars(length(min = 1))]
    openid: Option<String>,
    /// The same as `openid`.
    #[schemars(length(min = 1))]
    open_id: Option<String>,
    /// Kept byte for byte.
    #[schemars(required, length(min = 1))]
    message: Option<String>,
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    Ok(Action::Submit(Command::Post {
        room: parse::room(request.room_id)?,
        author: dialect.caller(&openid),
        text: parse::nonempty("message", request.message)?,
        standing: PostRight::Member,
    }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
