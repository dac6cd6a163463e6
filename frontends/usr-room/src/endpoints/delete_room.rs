//! `POST /room/delete` (二.4): deletes a room, by its owner. The mini-program may leave the caller
//! out: then it is the app's own act.

use core_model::{Command, Outcome};
use frontend_api::http::{Action, Digits, Endpoint, Params, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

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
                "Deletes a room: by its owner, or without a caller as the app's own act.",
            ),
        };
        operation.replies::<Done>().replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = parse::EITHER_OPENID))]
pub(crate) struct Request {
    #[schemars(required)]
    room_id: Option<Digits>,
    /// The caller's own.
    #[schemars(length(min = 1))]
    openid: Option<String>,
    /// The same as `openid`.
    #[schemars(length(min = 1))]
    open_id: Option<String>,
}

/// In flavor miniprogram.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct AppRequest {
    #[schemars(required)]
    room_id: Option<Digits>,
    /// The caller's own; may be left out.
    #[schemars(length(min = 1))]
    openid: Option<String>,
    /// The same as `openid`.
    #[schemars(length(min = 1))]
    open_id: Option<String>,
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Action, Response> {
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
