//! `/chatroom/room`: takes a seat in a room ahead of the WebSocket, or gives it back. Document:
//! chatroom, entering and leaving.

use core_model::{
    Command, Detail, Outcome, Query, Reply as EngineReply, RoomRef, SeatKind, UserRef,
    check_existing_handle, check_existing_name,
};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Done, Failure, METHODS, Param, Res, present, read, reply};
use crate::words::{JoinChatroom, LeaveChatroom};
use crate::{Chatroom, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> = Endpoint {
    name: "visit_room",
    methods: METHODS,
    path: "/chatroom/room",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>("Takes a seat in a room ahead of the WebSocket, or gives it back.")
            .replies::<Done<JoinChatroom>>()
            .replies::<Done<LeaveChatroom>>()
            .replies::<Failure>()
    },
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Request {
    #[schemars(required, length(min = 1))]
    pub room_name: Option<Param>,
    #[schemars(required, length(min = 1))]
    pub user_name: Option<Param>,
    /// 1 to enter, 0 to leave.
    #[schemars(with = "u8", extend("enum" = [0, 1], "x-accepts" = json!({ "enum": ["0", "1"] })))]
    pub status: Option<Param>,
}

enum Status {
    Leave,
    Enter,
}

fn decode(dialect: &Chatroom, params: &RequestParams<'_>) -> Result<Action, Response> {
    ask(dialect, params).map_err(|res| reply(&Failure { res }))
}

fn ask(dialect: &Chatroom, params: &RequestParams<'_>) -> Result<Action, Res> {
    let request: Request = read(params);
    let [room, user, status] = present([request.room_name, request.user_name, request.status])?;
    let room =
        room.text().and_then(|room| check_existing_name(&room).ok()).ok_or(Res::InvalidRoom)?;
    let room = RoomRef::Name(room);
    Ok(match (parse_status(status), parse_user(user)) {
        (Ok(status), Ok(user)) => {
            let proof = dialect.proof(params.peer, params.request);
            let proof = match status {
                Status::Enter => proof,
                // The join has used up the fresh login, and the seat is to be given back.
                Status::Leave => proof.however_old(),
            };
            let user = dialect.claim(user, proof);
            Action::Submit(command(dialect, status, room, user))
        }
        (Err(res), _) | (Ok(_), Err(res)) => complain_of(room, res),
    })
}

fn command(dialect: &Chatroom, status: Status, room: RoomRef, user: UserRef) -> Command {
    let seat = SeatKind::Lease {
        ttl_ms: dialect.options.seat_ttl.0,
        grace_ms: dialect.options.seat_grace.0,
    };
    match status {
        Status::Enter => {
            Command::Enter { room, user, seat, opens: false, avatar: None, create: false }
        }
        Status::Leave => Command::Exit { room, user, seat, reason: String::new() },
    }
}

/// An unknown room takes precedence over every other error.
fn complain_of(room: RoomRef, res: Res) -> Action {
    let query = Query::Room { room, caller: None, detail: Detail::default() };
    Action::QueryThenRespond(query, reply(&Failure { res }))
}

fn parse_status(status: Param) -> Result<Status, Res> {
    match status.text().as_deref() {
        Some("0") => Ok(Status::Leave),
        Some("1") => Ok(Status::Enter),
        Some(_) | None => Err(Res::InvalidStatus),
    }
}

fn parse_user(user: Param) -> Result<String, Res> {
    user.text().and_then(|user| check_existing_handle(&user).ok()).ok_or(Res::InvalidUserName)
}

fn encode(_: &Chatroom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(EngineReply::Entered { .. }) => reply(&Done { res: JoinChatroom }),
        Ok(EngineReply::Done) => reply(&Done { res: LeaveChatroom }),
        Ok(_) => reply(&Failure { res: Res::ServerError }),
        Err(refusal) => refusal::response(refusal, Failure::of),
    }
}
