//! `POST /search` (三.1): a `key` of digits is a room's id, any other is looked for in names and
//! descriptions. The mini-program also searches by `room_id`, `section` and `description`.

use core_model::{Detail, Outcome, Query, Refusal, Reply, RoomId, RoomRef};
use frontend_api::http::{Ask, Digits, Endpoint, Params, Response, TextOrNumber};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{POST, WITH_MEMBERS};
use crate::encode::{Nothing, miniprogram};
use crate::{Flavor, UsrRoom, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> =
    Endpoint { name: "search_rooms", methods: POST, path: "/search", decode, encode };

/// The most rooms that a search finds.
const FOUND_MAX: u32 = 100;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    /// Digits: that room. Else: fuzzy over name and description, best first.
    key: Option<TextOrNumber>,
    /// This very room, as one object. Flavor miniprogram only.
    room_id: Option<Digits>,
    /// Rooms of this very section. Flavor miniprogram only.
    section: Option<TextOrNumber>,
    /// Rooms whose description contains this. Flavor miniprogram only.
    description: Option<String>,
}

/// What is looked for. The number is None where no room can have it.
enum Wanted {
    /// By `room_id`: one object, with its messages.
    One(Option<u32>),
    /// By a key of digits: a list.
    Number(Option<u32>),
    Text {
        text: Option<String>,
        section: Option<String>,
        description: Option<String>,
    },
}

fn wanted(dialect: &UsrRoom, params: &Params<'_>) -> Result<Wanted, Response> {
    let request: Request = parse::read(params)?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let text = given(request.key.map(|key| key.0));
    let (room_id, section, description) = match dialect.flavor {
        Flavor::Document => (None, None, None),
        Flavor::Miniprogram => {
            let section = given(request.section.map(|section| section.0));
            (request.room_id, section, given(request.description))
        }
    };
    match (room_id, text) {
        (Some(Digits(number)), _) => Ok(Wanted::One(number.try_into().ok())),
        (None, Some(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Wanted::Number(text.parse().ok()))
        }
        (None, None) if section.is_none() && description.is_none() => {
            Err(refusal::failure("key is missing or empty"))
        }
        (None, text) => Ok(Wanted::Text { text, section, description }),
    }
}

fn decode(dialect: &UsrRoom, params: &Params<'_>) -> Result<Ask, Response> {
    let query = match wanted(dialect, params)? {
        Wanted::One(Some(id)) => by_id(id, dialect.history),
        Wanted::Number(Some(id)) => by_id(id, 0),
        Wanted::One(None) => return Err(Nothing::Failure.response()),
        Wanted::Number(None) => return Err(dialect.rooms(&[], Nothing::FailedList)),
        Wanted::Text { text, section, description } => Query::SearchRooms {
            text,
            section,
            description,
            limit: FOUND_MAX,
            detail: WITH_MEMBERS,
        },
    };
    Ok(Ask::Query(query))
}

fn by_id(id: u32, messages: u32) -> Query {
    let room = RoomRef::Id(RoomId(id));
    Query::Room { room, caller: None, detail: Detail { members: true, messages } }
}

fn encode(dialect: &UsrRoom, params: &Params<'_>, outcome: &Outcome) -> Response {
    let one_object = match wanted(dialect, params) {
        Ok(Wanted::One(_)) => true,
        Ok(Wanted::Number(_) | Wanted::Text { .. }) => false,
        Err(response) => return response,
    };
    match outcome {
        Ok(Reply::Room { room }) if one_object => {
            Response::json(200, &miniprogram::RoomReply::of(dialect, room))
        }
        Ok(Reply::Room { room }) => dialect.rooms(std::slice::from_ref(room), Nothing::FailedList),
        Ok(Reply::Rooms { rooms }) => dialect.rooms(rooms, Nothing::FailedList),
        Ok(_) => refusal::unexpected(),
        Err(Refusal::UnknownRoom) if one_object => Nothing::Failure.response(),
        Err(Refusal::UnknownRoom) => dialect.rooms(&[], Nothing::FailedList),
        Err(refused) => refusal::refused(refused),
    }
}
