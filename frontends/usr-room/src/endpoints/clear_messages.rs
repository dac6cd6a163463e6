//! `POST /room/clear_message` (flavor miniprogram): removes a room's messages, in every dialect.
//! With a caller, only the owner may; without one, the app itself acts.

use core_model::{Command, Outcome, Reply};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;

use super::POST;
use crate::encode::Done;
use crate::refusal::Refused;
use crate::{UsrRoom, encode, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "clear_messages",
    methods: POST,
    path: "/room/clear_message",
    decode,
    encode,
    describe: |_| {
        let operation = Operation::of::<Request>(
            "Removes a room's messages, in every dialect. With a caller, only the owner may; without one, the app itself acts.",
        );
        operation.replies::<Done>().replies::<Refused>()
    },
};

parse::request! {
    Request {
        /// The caller; optional.
        openid,
        #[schemars(required)]
        room_id: Option<Digits>,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let by = parse::openid_if_any(request.openid, request.open_id)?;
    let by = by.map(|openid| dialect.caller(&openid));
    Ok(Action::Submit(Command::ClearMessages { room: parse::room(request.room_id)?, by }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        // Deployed: nothing was there to remove.
        Ok(Reply::Pruned { messages: 0, .. }) => refusal::nothing(),
        outcome => encode::ack(outcome),
    }
}
