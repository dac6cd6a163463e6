//! `POST /room/send_message` (二.6): posts to a room as a member.

use core_model::{Command, Outcome, PostRight};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;

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
        let operation = Operation::of::<Request>("Posts to a room as a member.");
        operation.replies::<Done>().replies::<Failure>()
    },
};

parse::request! {
    #[schemars(extend("anyOf" = parse::EITHER_OPENID))]
    Request {
        openid,
        #[schemars(required)]
        room_id: Option<Digits>,
        /// Kept byte for byte.
        #[schemars(required, length(min = 1))]
        message: Option<String>,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    Ok(Action::Submit(Command::Post {
        room: parse::room(request.room_id)?,
        author: dialect.caller(&openid),
        text: parse::nonempty("message", request.message)?,
        standing: PostRight::Member,
        notice: false,
    }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
