//! Errors of the API: problem details (RFC 9457).

use core_model::Refusal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::users::Failure;

/// Why a request was refused, and what to do.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Problem {
    /// What kind of problem it is: a URN with a word for programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence for the operator, which says what to do.
    pub detail: String,
}

impl Problem {
    pub fn new(status: u16, word: &str, detail: impl Into<String>) -> Self {
        let title = hyper::StatusCode::from_u16(status).ok();
        let title = title.and_then(|status| status.canonical_reason()).unwrap_or("Error");
        Self {
            kind: format!("urn:dragoman:problem:{word}"),
            title: title.into(),
            status,
            detail: detail.into(),
        }
    }

    /// A parameter, a field or a cursor that cannot be what it should.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(400, "invalid", detail)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (status, word) = status_of(&failure);
        Self::new(status, word, failure.to_string())
    }
}

/// The HTTP status of a failure, and its word.
pub fn status_of(failure: &Failure) -> (u16, &'static str) {
    match failure {
        Failure::Unknown(_) => (404, "unknown-user"),
        Failure::UnknownRoom(_) => (404, "unknown-room"),
        Failure::Missing(_) => (404, "unknown"),
        Failure::Taken { .. } | Failure::NotLinked { .. } => (409, "identity"),
        Failure::ClosedRoom(_) | Failure::Conflict(_) => (409, "conflict"),
        Failure::Store(_) => (503, "store"),
        Failure::Refused(Refusal::Overloaded) => (503, "overloaded"),
        Failure::Invalid(_) | Failure::Refused(_) => (400, "invalid"),
    }
}
