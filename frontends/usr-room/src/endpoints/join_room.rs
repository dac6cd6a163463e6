//! `POST /usr/join` (一.5): makes the caller a member, if it is none yet.

use core_model::{Command, Outcome};
use frontend_api::http::{Action, Digits, Endpoint, Params, Response};
use frontend_api::schema::{Operation, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::encode::Done;
use crate::refusal::Failure;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "join_room",
    methods: POST,
    path: "/usr/join",
    decode,
    encode,
    describe: |_| {
        let operation =
            Operation::of::<Request>("Makes the caller a member of the room, if it is none yet.");
        let operation = operation.replies::<Done>().replies::<Failure>();
        operation.leads_to("send_message", THE_MEMBER)
    },
};

const THE_MEMBER: &[(&str, Source)] =
    &[("room_id", Source::Request("room_id")), ("openid", Source::Request("openid"))];

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
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    let room = parse::room(request.room_id)?;
    Ok(Action::Submit(Command::Join { room, user: dialect.caller(&openid) }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
