//! Every packet as it is on the WebSocket, fields in the document's order. Schemas are made from
//! these very types.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::words::{Error, Join, Leave, Msg, User};

/// Enters a room: who it is, and the room, in `data`. The gateway answers with a packet `user` to
/// everyone in the room, the one who joins included.
#[derive(Debug, JsonSchema)]
pub struct ClientJoin {
    pub r#type: Join,
    pub data: Given,
}

/// Leaves a room that was entered on this connection.
#[derive(Debug, JsonSchema)]
pub struct ClientLeave {
    pub r#type: Leave,
    pub data: Given,
}

/// Says something in a room that was entered on this connection.
#[derive(Debug, JsonSchema)]
pub struct ClientMsg {
    pub r#type: Msg,
    pub data: GivenMsg,
}

/// What a client says of who it is, and where.
#[derive(Debug, Eq, JsonSchema, PartialEq)]
pub struct Given {
    pub user: GivenUser,
    /// 1 to 64 characters, no control characters.
    #[schemars(length(min = 1))]
    pub room_name: String,
    /// Of no meaning here; "" does.
    pub msg: String,
}

/// What a client says, as whom, and where.
#[derive(Debug, Eq, JsonSchema, PartialEq)]
pub struct GivenMsg {
    pub user: GivenUser,
    /// 1 to 64 characters, no control characters.
    #[schemars(length(min = 1))]
    pub room_name: String,
    /// The text, kept byte for byte.
    #[schemars(length(min = 1))]
    pub msg: String,
}

/// Who a client says that it is.
#[derive(Debug, Eq, JsonSchema, PartialEq)]
pub struct GivenUser {
    /// 1 to 64 characters, no control characters, not beginning with `@` or `guest:`.
    #[schemars(length(min = 1))]
    pub user_name: String,
    /// What others see; the account's where there is none.
    #[schemars(extend("x-accepts" = json!({ "type": "null" })))]
    pub user_avatar: Option<String>,
}

/// Something went wrong: `data.msg` says what, the other fields are empty.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct ServerError<'a> {
    pub r#type: Error,
    pub data: Data<'a>,
}

/// Somebody said something.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ServerMsg<'a> {
    pub r#type: Msg,
    pub data: Data<'a>,
}

/// Somebody came or went.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ServerUser<'a> {
    pub r#type: User,
    pub data: Presence<'a>,
}

/// Who says what, and where.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Data<'a> {
    pub user: Person<'a>,
    pub room_name: &'a str,
    pub msg: &'a str,
}

/// Who came or went, and where.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Presence<'a> {
    pub user: Person<'a>,
    pub room_name: &'a str,
    pub msg: Coming,
}

/// Whether somebody came or went.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coming {
    /// It came, as the first ever to enter the room by WebSocket.
    Create,
    /// It came.
    Join,
    /// It went.
    Leave,
}

#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Person<'a> {
    pub user_name: &'a str,
    /// As given at the join, else the account's; "" where there is none.
    pub user_avatar: &'a str,
}
