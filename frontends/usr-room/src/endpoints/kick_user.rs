//! `POST /room/kick` (二.3): removes the named user. The request names no caller: the app itself acts.

use core_model::{Command, Outcome, Refusal, Reply};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;

use super::POST;
use crate::encode::Done;
use crate::refusal::Failure;
use crate::{Flavor, UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "kick_user",
    methods: POST,
    path: "/room/kick",
    decode,
    encode,
    describe: |_| {
        let operation = Operation::of::<Request>(
            "Removes the named user from the room. The request names no caller: the app itself acts.",
        );
        operation.replies::<Done>().replies::<Failure>()
    },
};

parse::request! {
    #[schemars(extend("anyOf" = parse::EITHER_OPENID))]
    Request {
        /// The user to remove; `@<handle>` is understood.
        openid,
        #[schemars(required)]
        room_id: Option<Digits>,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    let room = parse::room(request.room_id)?;
    Ok(Action::Submit(Command::Kick {
        room,
        user: dialect.named(&openid),
        by: None,
        reason: String::new(),
    }))
}

fn encode(dialect: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match (dialect.flavor, outcome) {
        // The page shows the button to owners too. The owner stays, and so does the room.
        (Flavor::Miniprogram, Err(Refusal::OwnerStays)) => encode::ack(&Ok(Reply::Done)),
        (Flavor::Document | Flavor::Miniprogram, outcome) => encode::ack(outcome),
    }
}
