//! What can go wrong.

use std::fmt;

use crate::models;
use crate::models::failure::Code as Wire;

/// What a failure's code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum Code {
    /// A field is missing, empty or of the wrong type, a name cannot be one, a text is too long.
    BadRequest = 1,
    /// No token, or one that is unknown or has run out.
    NotSignedIn = 2,
    WrongNameOrPassword = 3,
    NameTaken = 4,
    PasswordsDiffer = 5,
    NoSuchUser = 6,
    NoSuchChannel = 7,
    NotAllowed = 8,
    ChannelFull = 9,
    /// A limit.
    SlowDown = 10,
    /// The gateway's own trouble.
    ServerError = 11,
}

impl Code {
    /// As it is on the wire.
    pub fn number(self) -> i64 {
        self as i64
    }
}

impl From<Wire> for Code {
    fn from(code: Wire) -> Self {
        match code {
            Wire::Variant1 => Self::BadRequest,
            Wire::Variant2 => Self::NotSignedIn,
            Wire::Variant3 => Self::WrongNameOrPassword,
            Wire::Variant4 => Self::NameTaken,
            Wire::Variant5 => Self::PasswordsDiffer,
            Wire::Variant6 => Self::NoSuchUser,
            Wire::Variant7 => Self::NoSuchChannel,
            Wire::Variant8 => Self::NotAllowed,
            Wire::Variant9 => Self::ChannelFull,
            Wire::Variant10 => Self::SlowDown,
            Wire::Variant11 => Self::ServerError,
        }
    }
}

/// The gateway said no.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelError {
    /// For programs.
    pub code: Code,
    /// For people; it may change.
    pub reason: String,
    /// Of the HTTP reply: 200 for what the dialect itself refuses.
    pub status: u16,
}

impl ChannelError {
    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self.code, Code::SlowDown | Code::ServerError)
    }

    pub(crate) fn new(failure: models::Failure, status: u16) -> Self {
        Self { code: failure.code.into(), reason: failure.msg, status }
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (code {})", self.reason, self.code.number())
    }
}

impl std::error::Error for ChannelError {}

/// Why a call has no result.
#[derive(Debug)]
pub enum Error {
    /// The gateway refused it.
    Refused(ChannelError),
    /// The gateway could not be reached, or the connection broke. Whether the request was done,
    /// is unknown.
    Transport(reqwest::Error),
    /// The reply is none of the dialect's.
    Protocol(String),
}

impl Error {
    /// The code of a refusal.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(refused) => Some(refused.code),
            Self::Transport(_) | Self::Protocol(_) => None,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused(refused) => refused.is_passing(),
            Self::Transport(_) => true,
            Self::Protocol(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(out),
            Self::Transport(error) => error.fmt(out),
            Self::Protocol(what) => write!(out, "not the channel dialect: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Transport(error) => Some(error),
            Self::Protocol(_) => None,
        }
    }
}
