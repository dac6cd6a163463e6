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
    /// Which fields or parameters of the request are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WrongPart>,
    /// Names of the field or parameter that it is about; the request has one of them.
    #[serde(skip)]
    pub(crate) about: &'static [&'static str],
}

/// What is wrong with a part of a request (RFC 9457, section 3).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct WrongPart {
    /// Why it is refused; never the value itself, which may be a password.
    pub detail: String,
    /// A field of the body, as a JSON Pointer in the form of a fragment: `#/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// A parameter of the query or the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

impl WrongPart {
    /// A field of the body, by the names and numbers that lead to it.
    pub fn field<'a>(path: impl IntoIterator<Item = &'a str>, detail: impl Into<String>) -> Self {
        let mut pointer = "#".to_owned();
        for part in path {
            pointer.push('/');
            pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        }
        Self { detail: detail.into(), pointer: Some(pointer), parameter: None }
    }

    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), pointer: None, parameter: Some(name.to_owned()) }
    }
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
            errors: Vec::new(),
            about: &[],
        }
    }

    pub fn with(self, wrong: WrongPart) -> Self {
        Self { errors: vec![wrong], ..self }
    }

    /// A problem about the field or parameter that has one of these names.
    pub(crate) fn about(self, names: &'static [&'static str]) -> Self {
        Self { about: names, ..self }
    }

    /// A parameter, a field or a cursor that cannot be what it should.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(400, "invalid", detail)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (status, word) = status_of(&failure);
        Self::new(status, word, failure.to_string()).about(parts_of(&failure))
    }
}

/// The HTTP status of a failure, and its word.
pub fn status_of(failure: &Failure) -> (u16, &'static str) {
    match failure {
        Failure::Near(failure, _) | Failure::At(_, failure) => status_of(failure),
        Failure::Unknown(_) => (404, "unknown-user"),
        Failure::UnknownRoom(_) => (404, "unknown-room"),
        Failure::Missing(_) => (404, "unknown"),
        Failure::Taken { .. } | Failure::NotLinked { .. } => (409, "identity"),
        Failure::ClosedRoom(_) | Failure::Conflict(_) => (409, "conflict"),
        Failure::Store(_) => (503, "store"),
        Failure::Refused(Refusal::Overloaded) => (503, "overloaded"),
        Failure::Refused(Refusal::Unsettled) => (503, "unsettled"),
        Failure::Refused(
            Refusal::HandleTaken | Refusal::IdentityTaken | Refusal::RoomNameTaken,
        ) => (409, "conflict"),
        Failure::Invalid(_) | Failure::Refused(_) => (400, "invalid"),
    }
}

/// The names that the field or parameter may have that a failure is about.
fn parts_of(failure: &Failure) -> &'static [&'static str] {
    match failure {
        Failure::At(names, _) => names,
        Failure::Near(failure, _) => parts_of(failure),
        Failure::Unknown(_) => &["user", "owner", "target", "author"],
        Failure::UnknownRoom(_) => &["room"],
        Failure::ClosedRoom(_) => &["owner", "room"],
        Failure::Taken { .. } | Failure::NotLinked { .. } => &["identity", "identities"],
        Failure::Refused(refusal) => parts_of_refusal(refusal),
        Failure::Invalid(_) | Failure::Missing(_) | Failure::Conflict(_) | Failure::Store(_) => &[],
    }
}

fn parts_of_refusal(refusal: &Refusal) -> &'static [&'static str] {
    match refusal {
        Refusal::EmptyText | Refusal::TextTooLong { .. } => &["text"],
        Refusal::HandleTaken | Refusal::InvalidHandle { .. } => &["handle", "name"],
        Refusal::IdentityTaken | Refusal::InvalidIdentity { .. } => {
            &["identity", "identities", "target"]
        }
        Refusal::InvalidRoomName { .. } | Refusal::RoomNameTaken => &["name"],
        Refusal::NotInRoom | Refusal::OwnerStays | Refusal::UnknownUser => {
            &["user", "owner", "target", "author"]
        }
        Refusal::UnknownMessage => &["message"],
        Refusal::UnknownRoom => &["room"],
        Refusal::TooLong { what, .. } => match what.as_str() {
            "description" => &["description"],
            "identity" => &["identity", "target"],
            "label" => &["label"],
            "list of identities" => &["identities"],
            "mask" => &["mask"],
            "reason" => &["reason"],
            "search key" => &["text", "search"],
            "section" => &["section"],
            "text" => &["text"],
            _ => &[],
        },
        _ => &[],
    }
}
