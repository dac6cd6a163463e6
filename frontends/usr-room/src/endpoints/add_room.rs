//! `POST /room/add` (二.2): makes a room, with its owner as the first member.

use core_model::{Command, NewRoom, Outcome, Reply, RoomId};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response, TextOrNumber};
use frontend_api::schema::{Operation, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::POST;
use crate::encode::SUCCESS;
use crate::refusal::Failure;
use crate::{UsrRoom, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "add_room",
    methods: POST,
    path: "/room/add",
    decode,
    encode,
    describe: |_| {
        let operation =
            Operation::of::<Request>("Creates a room, with its owner as the first member.");
        let operation = operation.replies::<Added>().replies::<Failure>();
        let operation =
            operation.leads_to("join_room", THE_ROOM).leads_to("list_messages", THE_ROOM);
        let operation = operation.leads_to("send_message", ITS_OWNER);
        operation.leads_to("kick_user", THE_ROOM).leads_to("delete_room", ITS_OWNER)
    },
};

const THE_ROOM: &[(&str, Source)] = &[("room_id", Source::Reply("/room_id"))];
const ITS_OWNER: &[(&str, Source)] =
    &[("room_id", Source::Reply("/room_id")), ("openid", Source::Request("room_owner_id"))];

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    /// Need not be unique.
    name: Option<String>,
    section: Option<TextOrNumber>,
    description: Option<String>,
    /// The caller's openid.
    #[schemars(required, length(min = 1), extend("x-secret" = true))]
    room_owner_id: Option<String>,
}

/// The same in both flavors.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Added {
    /// 1
    #[schemars(extend("const" = 1))]
    response_code: u8,
    room_id: RoomId,
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let owner = parse::nonempty("room_owner_id", request.room_owner_id)?;
    let room = NewRoom {
        name: request.name.filter(|name| !name.is_empty()),
        section: request.section.unwrap_or_default().0,
        description: request.description.unwrap_or_default(),
        ..NewRoom::default()
    };
    let owner = Some(dialect.caller_or_new(&owner));
    Ok(Action::Submit(Command::CreateRoom { room, owner, members: None }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::RoomCreated { room }) => {
            Response::json(200, &Added { response_code: SUCCESS, room_id: room.id })
        }
        Ok(_) => refusal::unexpected(),
        Err(refused) => refusal::refused(refused),
    }
}
