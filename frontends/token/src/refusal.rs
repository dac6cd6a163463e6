//! Maps every refusal to a result of this dialect.

use core_model::Refusal;

use crate::fields::Code;

/// The result for a refusal; the reason is the refusal's own text.
pub(crate) fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::HandleTaken | Refusal::IdentityTaken => Code::UserExist,
        Refusal::UnknownUser => Code::UserNotExist,
        Refusal::NotSignedIn => Code::NotLoggedIn,
        Refusal::TokenInvalid => Code::TokenInvalid,
        Refusal::UnknownRoom => Code::RoomNotExist,
        Refusal::RoomFull => Code::RoomFull,
        Refusal::NotInRoom => Code::NotInRoom,
        Refusal::EmptyText
        | Refusal::InvalidHandle { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::InvalidRoomName { .. }
        | Refusal::KeyReused
        | Refusal::RoomNameTaken
        | Refusal::SelfAddressed
        | Refusal::TextTooLong { .. }
        | Refusal::TooFewMembers
        | Refusal::TooLong { .. }
        | Refusal::UnknownMessage => Code::Argument,
        Refusal::SlowDown { .. } => Code::Limit,
        Refusal::Internal { .. } | Refusal::Overloaded | Refusal::Unsettled => Code::Server,
        Refusal::Banned { .. }
        | Refusal::Barred { .. }
        | Refusal::Muted { .. }
        | Refusal::NotAllowed
        | Refusal::OwnerStays
        // Waiting does not help, as it does with `Code::Limit`.
        | Refusal::QuotaExceeded { .. }
        | Refusal::RoomNotPublic { .. }
        | Refusal::WrongPassword => Code::Denied,
    }
}
