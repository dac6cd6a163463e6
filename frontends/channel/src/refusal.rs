//! Failures in the dialect's form: `{"code":n,"msg":<reason>}`.

use core_model::{Barrier, Refusal};
use frontend_api::http::{HttpError, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// What `code` says of a failure; 0 is success.
#[derive(Clone, Copy)]
pub(crate) enum Code {
    BadRequest = 1,
    NotSignedIn = 2,
    WrongNameOrPassword = 3,
    NameTaken = 4,
    PasswordsDiffer = 5,
    NoSuchUser = 6,
    NoSuchChannel = 7,
    NotAllowed = 8,
    ChannelFull = 9,
    SlowDown = 10,
    ServerError = 11,
}

/// Failure: `code` gives the reason to programs, `msg` to people.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Failure<'a> {
    /// 1 bad request, 2 not signed in, 3 wrong name or password, 4 name taken, 5 passwords
    /// differ, 6 no such user, 7 no such channel, 8 not allowed, 9 channel full, 10 slow down,
    /// 11 server error
    #[schemars(extend("enum" = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]))]
    code: u8,
    /// The reason, for people to read.
    msg: &'a str,
}

/// A failure of the domain: status 200, since clients read the body.
pub(crate) fn failure(code: Code, msg: &str) -> Response {
    failure_of_http(200, code, msg)
}

fn failure_of_http(status: u16, code: Code, msg: &str) -> Response {
    Response::json(status, &Failure { code: code as u8, msg })
}

/// A refusal by the engine.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    let reason = refusal.to_string();
    match refusal {
        Refusal::EmptyText
        | Refusal::InvalidHandle { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::InvalidRoomName { .. }
        | Refusal::KeyReused
        | Refusal::SelfAddressed
        | Refusal::TextTooLong { .. }
        | Refusal::TooFewMembers
        | Refusal::TooLong { .. }
        | Refusal::UnknownMessage => failure(Code::BadRequest, &reason),
        Refusal::NotSignedIn => not_signed_in(&reason),
        Refusal::TokenInvalid => not_signed_in("not signed in: the token is not valid"),
        Refusal::WrongPassword => wrong_name_or_password(),
        Refusal::HandleTaken | Refusal::IdentityTaken | Refusal::RoomNameTaken => {
            failure(Code::NameTaken, &reason)
        }
        Refusal::UnknownUser => failure(Code::NoSuchUser, &reason),
        Refusal::UnknownRoom => failure(Code::NoSuchChannel, "no such channel"),
        Refusal::Barred { by: Barrier::Ban } => {
            failure(Code::NotAllowed, "banned from this channel")
        }
        Refusal::Barred { by: Barrier::InviteOnly } => {
            failure(Code::NotAllowed, "this channel is for invited users")
        }
        Refusal::Barred { by: Barrier::Key } => failure(Code::NotAllowed, "this channel has a key"),
        Refusal::Barred { by: Barrier::Moderated } => {
            failure(Code::NotAllowed, "this channel is moderated")
        }
        Refusal::Banned { .. }
        | Refusal::Muted { .. }
        | Refusal::NotAllowed
        | Refusal::NotInRoom
        | Refusal::OwnerStays
        | Refusal::QuotaExceeded { .. }
        | Refusal::RoomNotPublic { .. } => failure(Code::NotAllowed, &reason),
        Refusal::RoomFull => failure(Code::ChannelFull, "the channel is full"),
        Refusal::SlowDown { retry_after_ms } => {
            retry_after(failure_of_http(429, Code::SlowDown, &reason), *retry_after_ms)
        }
        Refusal::Overloaded => retry_after(failure_of_http(503, Code::ServerError, &reason), 1000),
        Refusal::Internal { .. } if refusal.is_sign_in_unavailable() => {
            retry_after(failure_of_http(503, Code::ServerError, &reason), 1000)
        }
        Refusal::Unsettled => {
            let what = "repeat the request with the same Idempotency-Key";
            failure_of_http(503, Code::ServerError, &format!("{reason}; {what}"))
        }
        // The log has the cause; the client does not get it.
        Refusal::Internal { .. } => failure(Code::ServerError, &reason),
    }
}

/// `Retry-After` counts whole seconds.
fn retry_after(response: Response, ms: u64) -> Response {
    response.with_header("retry-after", ms.div_ceil(1000).max(1).to_string())
}

/// An error in the HTTP request itself.
pub(crate) fn fault(fault: &HttpError) -> Response {
    let code = match fault.status {
        401 => Code::NotSignedIn,
        403 => Code::NotAllowed,
        429 => Code::SlowDown,
        500.. => Code::ServerError,
        _ => Code::BadRequest,
    };
    failure_of_http(fault.status, code, &fault.reason)
}

/// A field that is missing, empty or of the wrong type.
pub(crate) fn bad_request(why: &str) -> Response {
    failure(Code::BadRequest, why)
}

pub(crate) fn not_signed_in(why: &str) -> Response {
    failure(Code::NotSignedIn, why)
}

/// One reply for both, so that a client cannot find out which names exist.
pub(crate) fn wrong_name_or_password() -> Response {
    failure(Code::WrongNameOrPassword, "wrong name or password")
}

/// Also for an answer of the wrong kind: the gateway's fault, not the client's.
pub(crate) fn server_error() -> Response {
    failure(Code::ServerError, "server error")
}
