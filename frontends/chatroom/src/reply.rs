//! The result that every HTTP reply carries, and the form of a reply. `endpoints` and `refusal` both
//! use it, so it depends on neither.

use frontend_api::http::Response;
use schemars::JsonSchema;
use serde::Serialize;

/// The reason.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Res {
    #[serde(rename = "chatroom already exist")]
    ChatroomAlreadyExist,
    #[serde(rename = "full room")]
    FullRoom,
    #[serde(rename = "invalid room")]
    InvalidRoom,
    #[serde(rename = "invalid room_name")]
    InvalidRoomName,
    #[serde(rename = "invalid status")]
    InvalidStatus,
    #[serde(rename = "invalid user_name")]
    InvalidUserName,
    #[serde(rename = "invalid user_password")]
    InvalidUserPassword,
    #[serde(rename = "invalid user_tel")]
    InvalidUserTel,
    #[serde(rename = "key reused")]
    KeyReused,
    #[serde(rename = "missing parameters")]
    MissingParameters,
    #[serde(rename = "not allowed")]
    NotAllowed,
    #[serde(rename = "not signed in")]
    NotSignedIn,
    /// The gateway failed and does not know whether the request was carried out.
    #[serde(rename = "outcome unknown")]
    OutcomeUnknown,
    #[serde(rename = "password wrong")]
    PasswordWrong,
    #[serde(rename = "server busy")]
    ServerBusy,
    #[serde(rename = "server error")]
    ServerError,
    #[serde(rename = "slow down")]
    SlowDown,
    #[serde(rename = "user exist")]
    UserExist,
    #[serde(rename = "user not exist")]
    UserNotExist,
}

/// No cache may keep a reply: clients also send GET for requests that change something.
pub(crate) fn reply(body: &impl Serialize) -> Response {
    uncached(Response::json(200, body))
}

pub(crate) fn uncached(response: Response) -> Response {
    response.with_header("cache-control", "no-store")
}
