//! What can go wrong.

use std::{fmt, io};

use crate::Code;

/// The gateway's refusal of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenError {
    /// For programs.
    pub code: Code,
    /// For people.
    pub reason: String,
}

impl fmt::Display for TokenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for TokenError {}

/// Why a call has no reply.
#[derive(Debug)]
pub enum Error {
    /// The gateway refused it.
    Refused(TokenError),
    /// The first connection could not be made.
    Connect(io::Error),
    /// The connection ended before the reply came: whether the request was done is unknown. The
    /// client connects again by itself.
    Lost,
    /// There was no reply, or no connection, for so long as [`Options::call_timeout`](crate::Options).
    TimedOut,
    /// The client was closed.
    Closed,
    /// A field is too long for the wire.
    TooLong,
    /// The gateway said something that the protocol does not have.
    Protocol(String),
}

impl Error {
    /// The code of a refusal.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(refused) => Some(refused.code),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(out),
            Self::Connect(error) => write!(out, "cannot connect: {error}"),
            Self::Lost => out.write_str("the connection ended before the reply came"),
            Self::TimedOut => out.write_str("no reply came in time"),
            Self::Closed => out.write_str("the client is closed"),
            Self::TooLong => out.write_str("a field is too long for the wire"),
            Self::Protocol(what) => write!(out, "not the token protocol: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Connect(error) => Some(error),
            _ => None,
        }
    }
}
