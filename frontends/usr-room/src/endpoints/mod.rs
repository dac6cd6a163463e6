//! The table of endpoints.

mod add_room;
mod clear_messages;
mod complete_room;
mod complete_user;
mod delete_room;
mod join_room;
mod kick_user;
mod list_joined_rooms;
mod list_messages;
mod list_owned_rooms;
mod list_section;
mod log_in;
mod recommend_rooms;
mod search_rooms;
mod send_message;
mod show_time;
mod show_user;

use core_model::{Detail, Query, RoomFilter, RoomId};
use frontend_api::http::Endpoint;

use crate::UsrRoom;
pub(crate) use log_in::after_fetch;

/// Every endpoint: those of the document in its order, then those of the mini-program alone.
const ALL: [Endpoint<UsrRoom>; 17] = [
    complete_user::ENDPOINT,
    show_user::ENDPOINT,
    list_owned_rooms::ENDPOINT,
    list_joined_rooms::ENDPOINT,
    join_room::ENDPOINT,
    list_section::ENDPOINT,
    add_room::ENDPOINT,
    kick_user::ENDPOINT,
    delete_room::ENDPOINT,
    list_messages::ENDPOINT,
    send_message::ENDPOINT,
    search_rooms::ENDPOINT,
    show_time::ENDPOINT,
    log_in::ENDPOINT,
    recommend_rooms::ENDPOINT,
    clear_messages::ENDPOINT,
    complete_room::ENDPOINT,
];

/// How many of them the document has.
const OF_THE_DOCUMENT: usize = 13;

pub(crate) const DOCUMENT: &[Endpoint<UsrRoom>] = ALL.split_at(OF_THE_DOCUMENT).0;

pub(crate) const MINIPROGRAM: &[Endpoint<UsrRoom>] = &ALL;

const POST: &[&str] = &["POST"];

/// The most rooms in one list. The dialect has no pages, so the bound is far above what its
/// clients can show; it keeps one request from reading the whole store.
const ROOMS_MAX: u32 = 10_000;

/// The detail in which every list and search shows a room.
const WITH_MEMBERS: Detail = Detail { members: true, messages: 0, people: false, masks: false };

fn rooms(filter: RoomFilter) -> Query {
    Query::Rooms { filter, after: RoomId(0), limit: ROOMS_MAX, detail: WITH_MEMBERS }
}
