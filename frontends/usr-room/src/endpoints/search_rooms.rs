//! `POST /search` (三.1): a `key` of digits is a room's id, any other is searched for in names and
//! descriptions. The mini-program also searches by `room_id`, `section` and `description`.

use core_model::{Detail, Outcome, Query, Refusal, Reply, RoomFilter, RoomId, RoomRef};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response, TextOrNumber};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{POST, WITH_MEMBERS};
use crate::encode::{Nothing, document, miniprogram};
use crate::refusal::{Failure, Refused};
use crate::{Flavor, UsrRoom, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "search_rooms",
    methods: POST,
    path: "/search",
    decode,
    encode,
    describe: |dialect| match dialect.flavor {
        Flavor::Document => {
            Operation::of::<Request>("Finds rooms by id, or by name and description.")
                .replies::<document::RoomList<'_>>()
                .replies::<Failure>()
        }
        Flavor::Miniprogram => Operation::of::<AppRequest>(
            "Finds rooms by id, by name and description, or by section. The result for \
             `room_id` is one object, not a list.",
        )
        .replies::<miniprogram::RoomList<'_>>()
        .replies::<miniprogram::RoomReply<'_>>()
        .replies::<Refused>(),
    },
};

/// The most rooms in a result.
const FOUND_MAX: u32 = 100;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Request {
    /// Digits: that room. Else: fuzzy over name and description, best first.
    #[schemars(required, length(min = 1))]
    key: Option<TextOrNumber>,
}

/// In flavor miniprogram.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = one_of_them()))]
pub(crate) struct AppRequest {
    /// Digits: that room. Else: fuzzy over name and description, best first.
    key: Option<TextOrNumber>,
    /// This room, as one object.
    room_id: Option<Digits>,
    /// Rooms of this section.
    section: Option<TextOrNumber>,
    /// Rooms whose description contains this; "" alone finds every open room.
    description: Option<String>,
}

/// For the schemas: an empty text is none.
fn one_of_them() -> Value {
    let text =
        |name: &str| json!({ "required": [name], "properties": { name: { "minLength": 1 } } });
    json!([text("key"), { "required": ["room_id"] }, text("section"), { "required": ["description"] }])
}

/// What to search for. The number is None where it is out of range.
enum Wanted {
    /// By `room_id`: one object, with its messages.
    One(Option<u32>),
    /// By a key of digits: a list.
    Number(Option<u32>),
    /// By an empty description.
    All,
    Text {
        text: Option<String>,
        section: Option<String>,
        description: Option<String>,
    },
}

fn wanted(dialect: &UsrRoom, params: &Params<'_>) -> Result<Wanted, Response> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut all = false;
    let (key, room_id, section, description) = match dialect.flavor {
        Flavor::Document => {
            let Request { key } = parse::read(params)?;
            (key, None, None, None)
        }
        Flavor::Miniprogram => {
            let AppRequest { key, room_id, section, description } = parse::read(params)?;
            all = key.is_none() && description.as_deref() == Some("");
            (key, room_id, given(section.map(|section| section.0)), given(description))
        }
    };
    let text = given(key.map(|key| key.0));
    match (room_id, text) {
        (Some(Digits(number)), _) => Ok(Wanted::One(number.try_into().ok())),
        (None, Some(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Wanted::Number(text.parse().ok()))
        }
        (None, None) if section.is_none() && all => Ok(Wanted::All),
        (None, None) if section.is_none() && description.is_none() => {
            Err(refusal::failure("key is missing or empty"))
        }
        (None, text) => Ok(Wanted::Text { text, section, description }),
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let query = match wanted(dialect, params)? {
        Wanted::One(Some(id)) => by_id(id, dialect.history),
        Wanted::Number(Some(id)) => by_id(id, 0),
        Wanted::All => super::rooms(RoomFilter::Open),
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
    Ok(Action::Query(query))
}

fn by_id(id: u32, messages: u32) -> Query {
    let room = RoomRef::Id(RoomId(id));
    let detail = Detail { members: true, messages, ..Detail::default() };
    Query::Room { room, caller: None, detail }
}

fn encode(dialect: &UsrRoom, params: &Params<'_>, outcome: &Outcome) -> Response {
    let one_object = match wanted(dialect, params) {
        Ok(Wanted::One(_)) => true,
        Ok(Wanted::All | Wanted::Number(_) | Wanted::Text { .. }) => false,
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
