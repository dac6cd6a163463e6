//! `POST /usr/join` (一.5): makes the caller a member, if it is none yet.

use core_model::{Command, Outcome};
use frontend_api::http::{Ask, Digits, Endpoint, Params, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> =
    Endpoint { name: "join_room", methods: POST, path: "/usr/join", decode, encode };

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    room_id: Option<Digits>,
    openid: Option<String>,
    /// The same as `openid`.
    open_id: Option<String>,
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Ask, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    let room = parse::room(request.room_id)?;
    Ok(Ask::Call(Command::Join { room, user: dialect.caller(&openid) }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
