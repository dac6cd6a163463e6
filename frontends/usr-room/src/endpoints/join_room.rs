//! `POST /usr/join` (一.5): makes the caller a member, if it is not one yet.

use core_model::{Command, Outcome};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::{Operation, Source};

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
            Operation::of::<Request>("Makes the caller a member of the room, unless it is one.");
        let operation = operation.replies::<Done>().replies::<Failure>();
        operation.leads_to("send_message", THE_MEMBER)
    },
};

const THE_MEMBER: &[(&str, Source)] =
    &[("room_id", Source::Request("room_id")), ("openid", Source::Request("openid"))];

parse::request! {
    #[schemars(extend("anyOf" = parse::EITHER_OPENID))]
    Request {
        openid,
        #[schemars(required)]
        room_id: Option<Digits>,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    let room = parse::room(request.room_id)?;
    Ok(Action::Submit(Command::Join { room, user: dialect.caller_or_new(&openid) }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
