//! The engine's refusals in this dialect's words.

use core_model::{Barrier, Refusal};
use frontend_api::http::Response;
use serde::Serialize;

use crate::reply::{Res, uncached};

pub(crate) const ILLEGAL_DATA: &str = "illegal data";
pub(crate) const ILLEGAL_TYPE: &str = "illegal type";
pub(crate) const INVALID_DATA: &str = "invalid data";
pub(crate) const INVALID_MESSAGE: &str = "invalid message";
pub(crate) const NULL_MESSAGE: &str = "null message";
pub(crate) const SLOW_DOWN: &str = "slow down";

/// A refusal as the `msg` of a WebSocket error.
pub(crate) fn message(refusal: &Refusal) -> &'static str {
    words(refusal).1
}

/// A refusal over HTTP: status 200 in the reply's own form, unless HTTP has a status for it.
pub(crate) fn response<R: Serialize>(refusal: &Refusal, reply: impl FnOnce(Res) -> R) -> Response {
    let (res, _) = words(refusal);
    let status = match res {
        Res::SlowDown => 429,
        Res::ServerBusy => 503,
        _ => 200,
    };
    let response = uncached(Response::json(status, &reply(res)));
    if status == 200 {
        return response;
    }
    response.with_header("retry-after", retry_after_s(refusal).to_string())
}

fn retry_after_s(refusal: &Refusal) -> u64 {
    if let Refusal::SlowDown { retry_after_ms } = refusal {
        retry_after_ms.div_ceil(1_000).max(1)
    } else {
        1
    }
}

/// `res` over HTTP, and `msg` over WebSocket. A new refusal does not compile until it has both.
fn words(refusal: &Refusal) -> (Res, &'static str) {
    match refusal {
        Refusal::Banned { .. } => (Res::NotAllowed, "banned"),
        Refusal::Barred { by: Barrier::Ban } => (Res::NotAllowed, "banned from room"),
        Refusal::Barred { by: Barrier::InviteOnly } => (Res::NotAllowed, "invite only"),
        Refusal::Barred { by: Barrier::Key } => (Res::NotAllowed, "room key needed"),
        Refusal::Barred { by: Barrier::Moderated } => (Res::NotAllowed, "room moderated"),
        Refusal::EmptyText => (Res::MissingParameters, NULL_MESSAGE),
        Refusal::HandleTaken | Refusal::IdentityTaken => (Res::UserExist, "user exist"),
        Refusal::Unsettled => (Res::OutcomeUnknown, "outcome unknown"),
        Refusal::Internal { .. } if refusal.is_outcome_unknown() => {
            (Res::OutcomeUnknown, "outcome unknown")
        }
        Refusal::Internal { .. } if refusal.is_sign_in_unavailable() => {
            (Res::ServerBusy, "server busy")
        }
        Refusal::Internal { .. } => (Res::ServerError, "server error"),
        Refusal::InvalidHandle { .. } => (Res::InvalidUserName, ILLEGAL_DATA),
        Refusal::InvalidIdentity { .. } => (Res::InvalidUserTel, ILLEGAL_DATA),
        Refusal::InvalidRoomName { .. } => (Res::InvalidRoomName, ILLEGAL_DATA),
        Refusal::KeyReused => (Res::KeyReused, "key reused"),
        Refusal::Muted { .. } => (Res::NotAllowed, "muted"),
        // No request of this dialect leads to one of these.
        Refusal::NotAllowed
        | Refusal::OwnerStays
        | Refusal::RoomNotPublic { .. }
        | Refusal::SelfAddressed
        | Refusal::TooFewMembers => (Res::NotAllowed, "not allowed"),
        Refusal::NotInRoom | Refusal::UnknownUser => (Res::UserNotExist, "user not exist"),
        Refusal::NotSignedIn | Refusal::TokenInvalid => (Res::NotSignedIn, "not signed in"),
        Refusal::Overloaded => (Res::ServerBusy, "server busy"),
        Refusal::QuotaExceeded { .. } => (Res::NotAllowed, "not allowed"),
        Refusal::RoomFull => (Res::FullRoom, "room full"),
        Refusal::RoomNameTaken => (Res::ChatroomAlreadyExist, "room exist"),
        Refusal::SlowDown { .. } => (Res::SlowDown, SLOW_DOWN),
        Refusal::TooLong { what, .. } if what == "password" => {
            (Res::InvalidUserPassword, ILLEGAL_DATA)
        }
        Refusal::TextTooLong { .. } | Refusal::TooLong { .. } | Refusal::UnknownMessage => {
            (Res::NotAllowed, ILLEGAL_DATA)
        }
        Refusal::UnknownRoom => (Res::InvalidRoom, "room not exist"),
        Refusal::WrongPassword => (Res::PasswordWrong, "password wrong"),
    }
}
