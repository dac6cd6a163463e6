//! `/chatroom/list`: the open rooms and how many seats are taken. Document: chatroom, list.

use std::sync::Arc;

use core_model::{Detail, Outcome, Query, Reply as EngineReply, RoomFilter, RoomId, RoomView};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Failure, METHODS, Res, reply};
use crate::{Chatroom, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> = Endpoint {
    name: "list_rooms",
    methods: METHODS,
    path: "/chatroom/list",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>("Lists the open rooms, with the number of seats taken.")
            .replies::<Reply<'_>>()
            .replies::<Failure>()
    },
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Request {}

/// The rooms twice: the document's table and its example disagree, and clients of both exist.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "ListedRooms")]
pub struct Reply<'a> {
    pub room_list: Vec<ListedRoom<'a>>,
    pub rooms: Vec<Room<'a>>,
}

/// A room as the document's table has it, and, with `name`, as deployed servers sent it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ListedRoom<'a> {
    pub room_name: &'a str,
    pub name: &'a str,
    pub population: u32,
}

/// A room as the document's example has it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Room<'a> {
    pub name: &'a str,
    pub population: u32,
}

fn decode(dialect: &Chatroom, _: &RequestParams<'_>) -> Result<Action, Response> {
    Ok(Action::Query(Query::Rooms {
        filter: RoomFilter::Open,
        after: RoomId(0),
        limit: dialect.options.list_max,
        detail: Detail::default(),
    }))
}

fn encode(_: &Chatroom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(EngineReply::Rooms { rooms }) => reply(&listed(rooms)),
        Ok(_) => reply(&Failure { res: Res::ServerError }),
        Err(refusal) => refusal::response(refusal, Failure::of),
    }
}

fn listed(rooms: &[Arc<RoomView>]) -> Reply<'_> {
    let fields = rooms.iter().map(|room| (room.name.as_str(), room.population));
    let listed = |(name, population)| ListedRoom { room_name: name, name, population };
    Reply {
        room_list: fields.clone().map(listed).collect(),
        rooms: fields.map(|(name, population)| Room { name, population }).collect(),
    }
}
