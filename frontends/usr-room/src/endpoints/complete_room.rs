//! `POST /room/complete` (flavor miniprogram): changes the given fields of a room. The
//! request names no caller: the app itself acts.

use core_model::{Command, Outcome, RoomChanges};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response, TextOrNumber};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::POST;
use crate::encode::Done;
use crate::refusal::Failure;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "complete_room",
    methods: POST,
    path: "/room/complete",
    decode,
    encode,
    describe: |_| {
        let operation = Operation::of::<Request>(
            "Changes the given fields of a room. The request names no caller: the app itself acts.",
        );
        operation.replies::<Done>().replies::<Failure>()
    },
};

/// Absent fields stay as they are.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    #[schemars(required)]
    room_id: Option<Digits>,
    name: Option<String>,
    section: Option<TextOrNumber>,
    description: Option<String>,
}

fn decode(_: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let changes = RoomChanges {
        name: request.name,
        section: request.section.map(|section| section.0),
        description: request.description,
    };
    Ok(Action::Submit(Command::UpdateRoom {
        room: parse::room(request.room_id)?,
        changes,
        by: None,
    }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
