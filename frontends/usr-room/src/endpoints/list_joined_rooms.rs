//! `POST /usr/roomlist2` (一.4): the rooms the caller is a member of, its own included.

use core_model::{Outcome, RoomFilter};
use frontend_api::http::{Ask, Endpoint, Params, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::encode::Nothing;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> =
    Endpoint { name: "list_joined_rooms", methods: POST, path: "/usr/roomlist2", decode, encode };

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    openid: Option<String>,
    /// The same as `openid`.
    open_id: Option<String>,
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Ask, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    Ok(Ask::Query(super::rooms(RoomFilter::MemberOf(dialect.caller(&openid)))))
}

fn encode(dialect: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::rooms_of_user(dialect, outcome, Nothing::Success)
}
