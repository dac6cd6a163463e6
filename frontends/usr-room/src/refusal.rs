//! Refusals of the engine and errors of HTTP in this dialect.

use core_model::Refusal;
use frontend_api::http::{HttpError, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// The `response_code` of a failure.
pub(crate) const FAILURE: u8 = 0;

/// The reply to a request that was refused.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Failure {
    /// 0
    #[schemars(extend("const" = 0))]
    response_code: u8,
    /// The reason, for the client's developer.
    error: String,
}

/// The reply to a request that was refused. For the mini-program also, without an `error`, the
/// reply if there is nothing to list.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Refused {
    /// 0
    #[schemars(extend("const" = 0))]
    response_code: u8,
    /// The reason, for the client's developer; absent if there is nothing to list.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The reply where there is nothing to list.
pub(crate) fn nothing() -> Response {
    Response::json(200, &Refused { response_code: FAILURE, error: None })
}

/// A failure of the dialect, with status 200.
pub(crate) fn failure(reason: impl Into<String>) -> Response {
    reply(200, reason)
}

/// An error of HTTP. The caller adds its headers.
pub(crate) fn fault(fault: &HttpError) -> Response {
    reply(fault.status, fault.reason.as_str())
}

/// A refusal of the engine or of the host.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::SlowDown { retry_after_ms } => {
            reply(429, refusal.to_string()).with_header("retry-after", seconds(*retry_after_ms))
        }
        Refusal::Overloaded => reply(503, refusal.to_string()).with_header("retry-after", "1"),
        // Its text has no cause: that is for the operator's log.
        Refusal::Internal { why: _ }
        | Refusal::Banned { .. }
        | Refusal::Barred { .. }
        | Refusal::EmptyText
        | Refusal::HandleTaken
        | Refusal::IdentityTaken
        | Refusal::InvalidHandle { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::InvalidRoomName { .. }
        | Refusal::KeyReused
        | Refusal::Muted { .. }
        | Refusal::NotAllowed
        | Refusal::NotInRoom
        | Refusal::NotSignedIn
        | Refusal::OwnerStays
        | Refusal::QuotaExceeded { .. }
        | Refusal::RoomFull
        | Refusal::RoomNameTaken
        | Refusal::RoomNotPublic { .. }
        | Refusal::SelfAddressed
        | Refusal::TextTooLong { .. }
        | Refusal::TokenInvalid
        | Refusal::TooFewMembers
        | Refusal::TooLong { .. }
        | Refusal::Unsettled
        | Refusal::UnknownMessage
        | Refusal::UnknownRoom
        | Refusal::UnknownUser
        | Refusal::WrongPassword => failure(refusal.to_string()),
    }
}

/// A fault of the gateway. The reason is for the operator's log, not for the peer.
pub(crate) fn unexpected() -> Response {
    failure("server error")
}

fn reply(status: u16, reason: impl Into<String>) -> Response {
    Response::json(status, &Failure { response_code: FAILURE, error: reason.into() })
}

/// Whole seconds, rounded up.
fn seconds(ms: u64) -> String {
    ms.div_ceil(1000).max(1).to_string()
}
