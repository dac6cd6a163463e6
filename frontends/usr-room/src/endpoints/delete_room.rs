//! `POST /room/delete` (二.4): deletes a room, by its owner. The mini-program may leave the caller
//! out: then it is the app's own act.

use core_model::{Command, Outcome};
use frontend_api::http::{Ask, Digits, Endpoint, Params, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::{Flavor, UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> =
    Endpoint { name: "delete_room", methods: POST, path: "/room/delete", decode, encode };

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    room_id: Option<Digits>,
    /// The caller's own. Flavor miniprogram: may be left out.
    openid: Option<String>,
    /// The same as `openid`.
    open_id: Option<String>,
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Ask, Response> {
    let request: Request = parse::read(params)?;
    let by = match dialect.flavor {
        Flavor::Document => Some(parse::openid(request.openid, request.open_id)?),
        Flavor::Miniprogram => parse::openid_if_any(request.openid, request.open_id)?,
    };
    let by = by.map(|openid| dialect.caller(&openid));
    Ok(Ask::Call(Command::DeleteRoom { room: parse::room(request.room_id)?, by }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
