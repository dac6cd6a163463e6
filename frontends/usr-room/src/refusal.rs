//! The engine's words for no, and HTTP's, in this dialect.

use core_model::Refusal;
use frontend_api::http::{HttpError, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::encode::FAILURE;

/// The reply to anything that was not done.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Failure {
    /// 0
    #[schemars(extend("const" = 0))]
    response_code: u8,
    /// The reason, for the client's developer.
    error: String,
}

/// Something that was not done; for the mini-program also that there is nothing to list, which it
/// is told without an `error`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Refused {
    /// 0
    #[schemars(extend("const" = 0))]
    response_code: u8,
    /// The reason, for the client's developer; absent where there is nothing to list.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// That there is nothing to list.
pub(crate) fn nothing() -> Response {
    Response::json(200, &Refused { response_code: FAILURE, error: None })
}

/// A failure of the dialect's own: HTTP went well, so the status is 200.
pub(crate) fn failure(reason: impl Into<String>) -> Response {
    said(200, reason)
}

/// A fault of HTTP. Whoever found it adds its headers.
pub(crate) fn fault(fault: &HttpError) -> Response {
    said(fault.status, fault.reason.as_str())
}

/// What the engine, or the host in its place, refused.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::SlowDown { retry_after_ms } => {
            said(429, refusal.to_string()).with_header("retry-after", seconds(*retry_after_ms))
        }
        Refusal::Overloaded => said(503, refusal.to_string()).with_header("retry-after", "1"),
        Refusal::Internal { why: _ } => unexpected(),
        Refusal::EmptyText
        | Refusal::HandleTaken
        | Refusal::IdentityTaken
        | Refusal::InvalidHandle { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::InvalidRoomName { .. }
        | Refusal::KeyReused
        | Refusal::NotAllowed
        | Refusal::NotInRoom
        | Refusal::NotSignedIn
        | Refusal::OwnerStays
        | Refusal::RoomFull
        | Refusal::RoomNameTaken
        | Refusal::SelfAddressed
        | Refusal::TextTooLong { .. }
        | Refusal::TokenInvalid
        | Refusal::TooFewMembers
        | Refusal::UnknownRoom
        | Refusal::UnknownUser
        | Refusal::WrongPassword => failure(refusal.to_string()),
    }
}

/// The gateway's own fault. What it was is for the operator's log, not for the peer.
pub(crate) fn unexpected() -> Response {
    failure("server error")
}

fn said(status: u16, reason: impl Into<String>) -> Response {
    Response::json(status, &Failure { response_code: FAILURE, error: reason.into() })
}

/// Whole seconds, rounded up: sooner would be too soon.
fn seconds(ms: u64) -> String {
    ms.div_ceil(1000).max(1).to_string()
}
