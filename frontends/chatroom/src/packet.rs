//! Every packet as it is on the WebSocket, fields in the document's order. Schemas are made from
//! these very types.

use core_model::{MessageId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::words::{CaughtUp, Error, Gap, Join, Leave, Msg, Posted, User};

/// Enters a room. The gateway answers with a packet `user` to everyone in the room, the sender
/// included.
#[derive(Debug, JsonSchema)]
pub struct ClientJoin {
    pub r#type: Join,
    pub data: GivenJoin,
}

/// Leaves a room that was entered on this connection.
#[derive(Debug, JsonSchema)]
pub struct ClientLeave {
    pub r#type: Leave,
    pub data: Given,
}

/// Posts a text to a room that was entered on this connection.
#[derive(Debug, JsonSchema)]
pub struct ClientMsg {
    pub r#type: Msg,
    pub data: GivenMsg,
}

/// The user as the client names it, and the room.
#[derive(Debug, Eq, JsonSchema, PartialEq)]
pub struct Given {
    pub user: GivenUser,
    /// 1 to 64 characters, no control characters.
    #[schemars(length(min = 1))]
    pub room_name: String,
    /// Not used here; may be "".
    pub msg: String,
}

/// The user as the client names it, the room, and what the client has of its messages.
#[derive(Debug, Eq, JsonSchema, PartialEq)]
pub struct GivenJoin {
    pub user: GivenUser,
    /// 1 to 64 characters, no control characters.
    #[schemars(length(min = 1))]
    pub room_name: String,
    /// Not used here; may be "".
    pub msg: String,
    /// The `id` of the newest message of the room that the client has; 0 for none. The client then
    /// receives what it missed, and every message on this connection has its `id`. 9007199254740991,
    /// the largest number there may be: nothing of the past.
    #[schemars(
        range(max = 9_007_199_254_740_991u64),
        extend("x-accepts" = json!({
            "anyOf": [{ "type": "null" }, { "type": "string", "pattern": "^[0-9]{1,15}$" }]
        }))
    )]
    pub since: Option<u64>,
}

/// The text that a client posts, its author, and the room.
#[derive(Debug, Eq, JsonSchema, PartialEq)]
pub struct GivenMsg {
    pub user: GivenUser,
    /// 1 to 64 characters, no control characters.
    #[schemars(length(min = 1))]
    pub room_name: String,
    /// The text, kept byte for byte.
    #[schemars(length(min = 1))]
    pub msg: String,
    /// A name of the client's for this message, 1 to 200 bytes: the text is posted once, however
    /// often it is sent with it within a day, and each time a packet `posted` is the answer.
    #[schemars(
        length(min = 1, max = 200),
        extend("x-accepts" = json!({
            "anyOf": [{ "type": "null" }, { "type": "integer", "minimum": 0 }]
        }))
    )]
    pub client_id: Option<String>,
}

/// The user as the client names it; the gateway checks the name.
#[derive(Debug, Eq, JsonSchema, PartialEq)]
pub struct GivenUser {
    /// 1 to 64 characters, no control characters, not beginning with `@` or `guest:`.
    #[schemars(length(min = 1))]
    pub user_name: String,
    /// The avatar that others see; absent: the account's.
    #[schemars(extend("x-accepts" = json!({ "type": "null" })))]
    pub user_avatar: Option<String>,
}

/// An error: `data.msg` gives the reason, the other fields are empty.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct ServerError<'a> {
    pub r#type: Error,
    pub data: Data<'a>,
}

/// A user posted a text.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ServerMsg<'a> {
    pub r#type: Msg,
    pub data: Said<'a>,
}

/// Messages that the client has missed and does not receive: there were too many, or they were
/// removed. `data.msg` says so in words. Only after a join with `since`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ServerGap<'a> {
    pub r#type: Gap,
    pub data: Missing<'a>,
}

/// The client has every message of the room up to this `id`: what it missed has come, and the rest
/// follows as it is posted. Once after each join with `since`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ServerCaughtUp<'a> {
    pub r#type: CaughtUp,
    pub data: Current<'a>,
}

/// The text with this `client_id` is posted. Only to the connection that sent it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ServerPosted<'a> {
    pub r#type: Posted,
    pub data: Kept<'a>,
}

/// A user entered or left a room.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ServerUser<'a> {
    pub r#type: User,
    pub data: Presence<'a>,
}

/// The author, the room and the text.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Said<'a> {
    pub user: Person<'a>,
    pub room_name: &'a str,
    pub msg: &'a str,
    /// Unique in the gateway, increasing, below 2^53. Only on a connection that has joined with
    /// `since`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// When it was accepted, ms since 1970. Only on such a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

/// The room, and where the missing messages are. `user` is empty.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Missing<'a> {
    pub user: Person<'a>,
    pub room_name: &'a str,
    pub msg: &'a str,
    /// The missing messages are newer than this one.
    pub after: MessageId,
    /// They are older than this one.
    pub before: MessageId,
    /// How many; absent where that is not known any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// The room, and up to which message the client has all. `user` and `msg` are empty.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Current<'a> {
    pub user: Person<'a>,
    pub room_name: &'a str,
    pub msg: &'a str,
    pub id: MessageId,
}

/// The room, and which message the text has become. `user` and `msg` are empty.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Kept<'a> {
    pub user: Person<'a>,
    pub room_name: &'a str,
    pub msg: &'a str,
    pub client_id: &'a str,
    pub id: MessageId,
}

/// The fields of an error.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Data<'a> {
    pub user: Person<'a>,
    pub room_name: &'a str,
    pub msg: &'a str,
}

/// The user that entered or left, and the room.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Presence<'a> {
    pub user: Person<'a>,
    pub room_name: &'a str,
    pub msg: Coming,
}

/// Whether the user entered or left.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coming {
    /// It entered, as the first ever to enter the room by WebSocket.
    Create,
    /// It entered.
    Join,
    /// It left.
    Leave,
}

#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Person<'a> {
    pub user_name: &'a str,
    /// As given at the join, else the account's; "" where there is none.
    pub user_avatar: &'a str,
}
