//! Maps the engine's refusals to the dialect's numbers and reasons.

use core_model::{Barrier, Refusal};

/// The number of a refusal in the replies that have one.
pub(crate) struct States {
    /// `state` of code 5: 1 server error, 2 email taken.
    pub(crate) register: u8,
    /// `state` of code 7: 1 wrong account or password, 2 server error.
    pub(crate) login: u8,
    /// `status` of code 11, if code 11 reports it instead of code 18: 3 no such account.
    pub(crate) account: Option<u8>,
}

pub(crate) fn states(refusal: &Refusal) -> States {
    match refusal {
        Refusal::IdentityTaken => States { register: 2, login: 2, account: None },
        Refusal::UnknownUser => States { register: 1, login: 1, account: Some(3) },
        Refusal::Banned { .. } | Refusal::InvalidIdentity { .. } | Refusal::WrongPassword => {
            States { register: 1, login: 1, account: None }
        }
        Refusal::Barred { .. }
        | Refusal::EmptyText
        | Refusal::HandleTaken
        | Refusal::Internal { .. }
        | Refusal::InvalidHandle { .. }
        | Refusal::InvalidRoomName { .. }
        | Refusal::KeyReused
        | Refusal::Muted { .. }
        | Refusal::NotAllowed
        | Refusal::NotInRoom
        | Refusal::NotSignedIn
        | Refusal::Overloaded
        | Refusal::OwnerStays
        | Refusal::QuotaExceeded { .. }
        | Refusal::RoomFull
        | Refusal::RoomNameTaken
        | Refusal::RoomNotPublic { .. }
        | Refusal::SelfAddressed
        | Refusal::SlowDown { .. }
        | Refusal::TextTooLong { .. }
        | Refusal::TokenInvalid
        | Refusal::TooFewMembers
        | Refusal::TooLong { .. }
        | Refusal::Unsettled
        | Refusal::UnknownMessage
        | Refusal::UnknownRoom => States { register: 1, login: 2, account: None },
    }
}

/// The reason, as `details` of code 5, 7 or 18 or `msg` of code 9.
pub(crate) fn details(refusal: &Refusal) -> String {
    match refusal {
        Refusal::IdentityTaken => "the email is taken".into(),
        // Internal errors go to the operator's log, not to the client.
        Refusal::Internal { .. } => refusal.to_string(),
        Refusal::NotInRoom => "not a member of the group".into(),
        Refusal::NotSignedIn => "not logged in".into(),
        Refusal::RoomFull => "the group is full".into(),
        Refusal::SlowDown { retry_after_ms } => {
            format!("slow down: try again in {retry_after_ms} ms")
        }
        Refusal::TooFewMembers => "a group needs at least one other member".into(),
        Refusal::UnknownRoom => "no such group".into(),
        Refusal::UnknownUser => "no such account".into(),
        Refusal::Barred { by: Barrier::Ban } => "banned from this group".into(),
        Refusal::Barred { by: Barrier::InviteOnly } => "this group is for invited users".into(),
        Refusal::Barred { by: Barrier::Key } => "this group has a key".into(),
        Refusal::Barred { by: Barrier::Moderated } => "this group is moderated".into(),
        Refusal::Banned { .. }
        | Refusal::EmptyText
        | Refusal::HandleTaken
        | Refusal::InvalidHandle { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::InvalidRoomName { .. }
        | Refusal::KeyReused
        | Refusal::Muted { .. }
        | Refusal::NotAllowed
        | Refusal::Overloaded
        | Refusal::OwnerStays
        | Refusal::QuotaExceeded { .. }
        | Refusal::RoomNameTaken
        | Refusal::RoomNotPublic { .. }
        | Refusal::SelfAddressed
        | Refusal::TextTooLong { .. }
        | Refusal::TokenInvalid
        | Refusal::TooLong { .. }
        | Refusal::Unsettled
        | Refusal::UnknownMessage
        | Refusal::WrongPassword => refusal.to_string(),
    }
}
