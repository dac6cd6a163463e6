//! The engine's words for no, in the dialect's.

use core_model::Refusal;

use crate::numeric::*;

/// What was asked for, as far as its refusal depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Errand {
    /// Joining, leaving or asking about a channel, or asking about somebody.
    Ask,
    /// Saying something in a channel.
    Say,
    /// Saying something to one user.
    Whisper,
    /// Changing a topic.
    Topic,
}

/// How a refusal is said.
pub(crate) struct Complaint {
    pub(crate) numeric: Numeric,
    /// Which parameter is named before the text.
    pub(crate) names: Names,
    pub(crate) text: String,
}

/// What a numeric is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Names {
    Nothing,
    Verb,
    Target,
}

pub(crate) fn complaint(errand: Errand, refusal: &Refusal) -> Complaint {
    let (numeric, names) = numeric(errand, refusal);
    Complaint { numeric, names, text: text(errand, refusal) }
}

fn numeric(errand: Errand, refusal: &Refusal) -> (Numeric, Names) {
    match refusal {
        Refusal::EmptyText => (ERR_NOTEXTTOSEND, Names::Nothing),
        Refusal::HandleTaken => (ERR_NICKNAMEINUSE, Names::Target),
        Refusal::InvalidHandle { .. } => (ERR_ERRONEUSNICKNAME, Names::Target),
        Refusal::InvalidRoomName { .. } => (ERR_BADCHANMASK, Names::Target),
        Refusal::NotAllowed => (ERR_CHANOPRIVSNEEDED, Names::Target),
        Refusal::NotInRoom => match errand {
            Errand::Say | Errand::Whisper => (ERR_CANNOTSENDTOCHAN, Names::Target),
            Errand::Ask | Errand::Topic => (ERR_NOTONCHANNEL, Names::Target),
        },
        Refusal::NotSignedIn => match errand {
            Errand::Ask | Errand::Say => (ERR_NEEDREGGEDNICK, Names::Target),
            Errand::Whisper => (ERR_NONONREG, Names::Target),
            Errand::Topic => (ERR_CHANOPRIVSNEEDED, Names::Target),
        },
        Refusal::Overloaded | Refusal::SlowDown { .. } => (RPL_TRYAGAIN, Names::Verb),
        Refusal::RoomFull => (ERR_CHANNELISFULL, Names::Target),
        Refusal::SelfAddressed => (ERR_CANNOTSENDTOCHAN, Names::Target),
        Refusal::TextTooLong { .. } => (ERR_INPUTTOOLONG, Names::Nothing),
        Refusal::UnknownRoom => (ERR_NOSUCHCHANNEL, Names::Target),
        Refusal::UnknownUser => (ERR_NOSUCHNICK, Names::Target),
        Refusal::TokenInvalid | Refusal::WrongPassword => (ERR_PASSWDMISMATCH, Names::Nothing),
        Refusal::IdentityTaken
        | Refusal::Internal { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::KeyReused
        | Refusal::OwnerStays
        | Refusal::RoomNameTaken
        | Refusal::TooFewMembers => (ERR_UNKNOWNERROR, Names::Verb),
    }
}

/// The reason in words.
pub(crate) fn text(errand: Errand, refusal: &Refusal) -> String {
    match refusal {
        // What went wrong inside is for the operator's log, not for a stranger.
        Refusal::Internal { .. } => "Server error".into(),
        Refusal::NotAllowed => "Only the owner of the channel may do that".into(),
        Refusal::NotInRoom => "You're not on that channel".into(),
        Refusal::NotSignedIn => match errand {
            Errand::Ask | Errand::Say => "Sign in to be there under that name".into(),
            Errand::Whisper => "Guests cannot send private messages".into(),
            Errand::Topic => "Only the owner of the channel may do that".into(),
        },
        Refusal::RoomFull => "The channel is full".into(),
        Refusal::SlowDown { retry_after_ms } => {
            format!("Slow down: try again in {retry_after_ms} ms")
        }
        Refusal::UnknownRoom => "No such channel".into(),
        Refusal::UnknownUser => "No such nick".into(),
        Refusal::EmptyText
        | Refusal::HandleTaken
        | Refusal::IdentityTaken
        | Refusal::InvalidHandle { .. }
        | Refusal::InvalidIdentity { .. }
        | Refusal::InvalidRoomName { .. }
        | Refusal::KeyReused
        | Refusal::Overloaded
        | Refusal::OwnerStays
        | Refusal::RoomNameTaken
        | Refusal::SelfAddressed
        | Refusal::TextTooLong { .. }
        | Refusal::TokenInvalid
        | Refusal::TooFewMembers
        | Refusal::WrongPassword => sentence(&refusal.to_string()),
    }
}

/// With a capital at the beginning.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}
