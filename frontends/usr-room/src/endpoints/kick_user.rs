//! `POST /room/kick` (二.3): removes the named user. No caller is named: it is the app's own act.

use core_model::{Command, Outcome};
use frontend_api::http::{Ask, Digits, Endpoint, Params, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> =
    Endpoint { name: "kick_user", methods: POST, path: "/room/kick", decode, encode };

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    room_id: Option<Digits>,
    /// Whom to remove; `@<handle>` is understood.
    openid: Option<String>,
    /// The same as `openid`.
    open_id: Option<String>,
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Ask, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    let room = parse::room(request.room_id)?;
    Ok(Ask::Call(Command::Kick { room, user: dialect.named(&openid) }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
