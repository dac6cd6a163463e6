//! `POST /room/delete` (二.4): deletes a room, by its owner. In flavor miniprogram the
//! caller is optional: without one, the app itself acts.

use core_model::{Command, Outcome};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;

use super::POST;
use crate::encode::Done;
use crate::refusal::Failure;
use crate::{Flavor, UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "delete_room",
    methods: POST,
    path: "/room/delete",
    decode,
    encode,
    describe: |dialect| {
        let operation = match dialect.flavor {
            Flavor::Document => Operation::of::<Request>("Deletes a room, by its owner."),
            Flavor::Miniprogram => Operation::of::<AppRequest>(
                "Deletes a room. With a caller, only the owner may; without one, the app itself acts.",
            ),
        };
        operation.replies::<Done>().replies::<Failure>()
    },
};

parse::request! {
    #[schemars(extend("anyOf" = parse::EITHER_OPENID))]
    Request {
        /// The caller.
        openid,
        #[schemars(required)]
        room_id: Option<Digits>,
    }
}

parse::request! {
    /// In flavor miniprogram.
    AppRequest {
        /// The caller; optional.
        openid,
        #[schemars(required)]
        room_id: Option<Digits>,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let (by, room_id) = match dialect.flavor {
        Flavor::Document => {
            let Request { room_id, openid, open_id } = parse::read(params)?;
            (Some(parse::openid(openid, open_id)?), room_id)
        }
        Flavor::Miniprogram => {
            let AppRequest { room_id, openid, open_id } = parse::read(params)?;
            (parse::openid_if_any(openid, open_id)?, room_id)
        }
    };
    let by = by.map(|openid| dialect.caller(&openid));
    Ok(Action::Submit(Command::DeleteRoom { room: parse::room(room_id)?, by }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
