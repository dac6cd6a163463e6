//! `POST /room/send_message` (二.6): posts to a room, by a member.

use core_model::{Command, Outcome, Standing};
use frontend_api::http::{Ask, Digits, Endpoint, Params, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> =
    Endpoint { name: "send_message", methods: POST, path: "/room/send_message", decode, encode };

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    room_id: Option<Digits>,
    openid: Option<String>,
    /// The same as `openid`.
    open_id: Option<String>,
    /// Kept byte for byte.
    message: Option<String>,
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Ask, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    Ok(Ask::Call(Command::Post {
        room: parse::room(request.room_id)?,
        author: dialect.caller(&openid),
        text: parse::nonempty("message", request.message)?,
        standing: Standing::Member,
    }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
