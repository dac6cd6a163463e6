//! `POST /room/section` (二.1): the open rooms of a section.

use core_model::{Outcome, RoomFilter};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response, TextOrNumber};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::encode::Nothing;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "list_section",
    methods: POST,
    path: "/room/section",
    decode,
    encode,
    describe: |dialect| {
        let operation = Operation::of::<Request>("Lists the open rooms of a section.");
        dialect.replies_with_rooms(operation, Nothing::Failure)
    },
};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    /// "" is the rooms without a section.
    #[schemars(required)]
    section: Option<TextOrNumber>,
}

fn decode(_: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let section = parse::required("section", request.section)?;
    Ok(Action::Query(super::rooms(RoomFilter::Section(section.0))))
}

fn encode(dialect: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::room_list(dialect, outcome, Nothing::Failure)
}
