//! Refusals of the engine as numerics.

use core_model::{Barrier, Refusal};

use crate::numeric::*;

/// The kind of a request, as far as its refusals depend on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RequestKind {
    /// Joining, leaving or querying a channel, or querying a user.
    Channel,
    /// Posting to a channel.
    Post,
    /// Posting to one user.
    PostDirect,
    /// Changing a topic.
    Topic,
}

/// A refusal as it is sent.
pub(crate) struct Report {
    pub(crate) numeric: Numeric,
    /// The parameter before the text.
    pub(crate) about: About,
    pub(crate) text: String,
}

/// What a numeric is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum About {
    Nothing,
    Verb,
    Target,
}

pub(crate) fn report(request: RequestKind, refusal: &Refusal) -> Report {
    let (numeric, about) = numeric(request, refusal);
    Report { numeric, about, text: text(request, refusal) }
}

fn numeric(request: RequestKind, refusal: &Refusal) -> (Numeric, About) {
    match refusal {
        Refusal::Banned { .. } => (ERR_YOUREBANNEDCREEP, About::Nothing),
        Refusal::Barred { by } => (numeric_of_barrier(request, *by), About::Target),
        Refusal::EmptyText => (ERR_NOTEXTTOSEND, About::Nothing),
        Refusal::HandleTaken => (ERR_NICKNAMEINUSE, About::Target),
        Refusal::InvalidHandle { .. } => (ERR_ERRONEUSNICKNAME, About::Target),
        Refusal::InvalidRoomName { .. } => (ERR_BADCHANMASK, About::Target),
        Refusal::Muted { .. } => (ERR_CANNOTSENDTOCHAN, About::Target),
        Refusal::NotAllowed => (ERR_CHANOPRIVSNEEDED, About::Target),
        Refusal::NotInRoom => match request {
            RequestKind::Post | RequestKind::PostDirect => (ERR_CANNOTSENDTOCHAN, About::Target),
            RequestKind::Channel | RequestKind::Topic => (ERR_NOTONCHANNEL, About::Target),
        },
        Refusal::NotSignedIn => match request {
            RequestKind::Channel | RequestKind::Post => (ERR_NEEDREGGEDNICK, About::Target),
            RequestKind::PostDirect => (ERR_NONONREG, About::Target),
            RequestKind::Topic => (ERR_CHANOPRIVSNEEDED, About::Target),
        },
        Refusal::Overloaded | Refusal::SlowDown { .. } => (RPL_TRYAGAIN, About::Verb),
        Refusal::RoomFull => (ERR_CHANNELISFULL, About::Target),
        Refusal::SelfAddressed => (ERR_CANNOTSENDTOCHAN, About::Target),
        Refusal::TextTooLong { .. } | Refusal::TooLong { .. } => (ERR_INPUTTOOLONG, About::Nothing),
        Refusal::UnknownRoom => (ERR_NOSUCHCHANNEL, About::Target),
        Refusal::UnknownUser => (ERR_NOSUCHNICK, About::Target),
        Refusal::TokenInvalid | Refusal::WrongPassword => (ERR_PASSWDMISMATCH, About::Nothing),
        Refusal::IdentityTaken
        | Refusal::Internal { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::KeyReused
        | Refusal::OwnerStays
        | Refusal::QuotaExceeded { .. }
        | Refusal::RoomNameTaken
        | Refusal::RoomNotPublic { .. }
        | Refusal::TooFewMembers
        | Refusal::Unsettled
        | Refusal::UnknownMessage => (ERR_UNKNOWNERROR, About::Verb),
    }
}

fn numeric_of_barrier(request: RequestKind, barrier: Barrier) -> Numeric {
    match barrier {
        _ if request == RequestKind::Post => ERR_CANNOTSENDTOCHAN,
        Barrier::Ban => ERR_BANNEDFROMCHAN,
        Barrier::InviteOnly => ERR_INVITEONLYCHAN,
        Barrier::Key => ERR_BADCHANNELKEY,
        Barrier::Moderated => ERR_CANNOTSENDTOCHAN,
    }
}

/// The reason as a text.
pub(crate) fn text(request: RequestKind, refusal: &Refusal) -> String {
    match refusal {
        // The cause is for the operator's log, not for a client.
        Refusal::Internal { .. } if refusal.is_sign_in_unavailable() => {
            sentence(&refusal.to_string())
        }
        Refusal::Internal { .. } if !refusal.is_outcome_unknown() => "Server error".into(),
        Refusal::Internal { .. } => refusal.to_string(),
        Refusal::Barred { by: Barrier::Ban } => "You are banned from the channel".into(),
        Refusal::Barred { by: Barrier::InviteOnly } => "The channel is for invited users".into(),
        Refusal::Barred { by: Barrier::Key } => "The channel has a key (+k)".into(),
        Refusal::Barred { by: Barrier::Moderated } => "The channel is moderated".into(),
        Refusal::NotAllowed => "You're not an operator of the channel".into(),
        Refusal::NotInRoom => "You're not on that channel".into(),
        Refusal::NotSignedIn => match request {
            RequestKind::Channel | RequestKind::Post => {
                "Sign in to be there under that name".into()
            }
            RequestKind::PostDirect => "Guests cannot send private messages".into(),
            RequestKind::Topic => "You're not an operator of the channel".into(),
        },
        Refusal::RoomFull => "The channel is full".into(),
        Refusal::SlowDown { retry_after_ms } => {
            format!("Slow down: try again in {retry_after_ms} ms")
        }
        Refusal::UnknownRoom => "No such channel".into(),
        Refusal::UnknownUser => "No such nick".into(),
        Refusal::Banned { .. }
        | Refusal::EmptyText
        | Refusal::HandleTaken
        | Refusal::IdentityTaken
        | Refusal::InvalidHandle { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::InvalidRoomName { .. }
        | Refusal::KeyReused
        | Refusal::Muted { .. }
        | Refusal::Overloaded
        | Refusal::OwnerStays
        | Refusal::QuotaExceeded { .. }
        | Refusal::RoomNameTaken
        | Refusal::RoomNotPublic { .. }
        | Refusal::SelfAddressed
        | Refusal::TextTooLong { .. }
        | Refusal::TokenInvalid
        | Refusal::TooFewMembers
        | Refusal::TooLong { .. }
        | Refusal::Unsettled
        | Refusal::UnknownMessage
        | Refusal::WrongPassword => sentence(&refusal.to_string()),
    }
}

/// Capitalizes the first letter.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}
