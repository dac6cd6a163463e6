//! `/chatroom/create`: creates a room without an owner. Document: chatroom, create.

use core_model::{Command, NewRoom, Outcome, check_room_name};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::{Operation, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Done, Failure, METHODS, Param, Res, present, read, reply};
use crate::words::ChatroomCreateSuccessfully;
use crate::{Chatroom, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> = Endpoint {
    name: "create_room",
    methods: METHODS,
    path: "/chatroom/create",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>("Creates a room without an owner.")
            .replies::<Done<ChatroomCreateSuccessfully>>()
            .replies::<Failure>()
            .leads_to("visit_room", &[("room_name", Source::Request("room_name"))])
    },
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Request {
    #[schemars(required, length(min = 1))]
    pub room_name: Option<Param>,
}

fn decode(_: &Chatroom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let room = wanted(read(params)).map_err(|res| reply(&Failure { res }))?;
    Ok(Action::Submit(Command::CreateRoom { room, owner: None, members: None }))
}

fn wanted(request: Request) -> Result<NewRoom, Res> {
    let [name] = present([request.room_name])?;
    let name = name.text().and_then(|name| check_room_name(&name).ok());
    let name = name.ok_or(Res::InvalidRoomName)?;
    Ok(NewRoom { name: Some(name), insist: true, ..NewRoom::default() })
}

fn encode(_: &Chatroom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(_) => reply(&Done { res: ChatroomCreateSuccessfully }),
        Err(refusal) => refusal::response(refusal, Failure::of),
    }
}
