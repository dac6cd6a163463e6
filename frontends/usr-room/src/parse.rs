//! What the endpoints have in common in reading a request. An `Err` is the response to it.

use core_model::{RoomId, RoomRef, UserRef};
use frontend_api::http::{Digits, Params, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{UsrRoom, refusal};

/// For the schemas: one of the names of the user field must be there.
pub(crate) const EITHER_OPENID: [Requires; 2] =
    [Requires { required: ["openid"] }, Requires { required: ["open_id"] }];

/// A schema that asks only for a field.
#[derive(Serialize)]
pub(crate) struct Requires {
    pub(crate) required: [&'static str; 1],
}

/// The fields, typed. A field of the wrong type is a failure of the dialect, not of HTTP.
pub(crate) fn read<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, Response> {
    params.read().map_err(refusal::failure)
}

/// A field that must be there.
pub(crate) fn required<T>(field: &str, value: Option<T>) -> Result<T, Response> {
    value.ok_or_else(|| refusal::failure(format!("{field} is missing")))
}

/// The user field under either of its names; it must be there.
pub(crate) fn openid(openid: Option<String>, open_id: Option<String>) -> Result<String, Response> {
    nonempty("openid", openid.or(open_id))
}

/// The user field where it may be left out. An empty one is a mistake, never "left out": it would
/// turn what somebody without an openid asks for into an act of the app.
pub(crate) fn openid_if_any(
    openid: Option<String>,
    open_id: Option<String>,
) -> Result<Option<String>, Response> {
    openid.or(open_id).map(|openid| nonempty("openid", Some(openid))).transpose()
}

/// A text that must be there and say something.
pub(crate) fn nonempty(field: &str, value: Option<String>) -> Result<String, Response> {
    let text = required(field, value)?;
    if text.is_empty() {
        return Err(refusal::failure(format!("{field} is empty")));
    }
    Ok(text)
}

/// The room; a number that no room can have is an unknown room.
pub(crate) fn room(room_id: Option<Digits>) -> Result<RoomRef, Response> {
    let Digits(number) = required("room_id", room_id)?;
    room_of(number).ok_or_else(|| refusal::refused(&core_model::Refusal::UnknownRoom))
}

/// None for a number that no room can have.
pub(crate) fn room_of(number: u64) -> Option<RoomRef> {
    u32::try_from(number).ok().map(|id| RoomRef::Id(RoomId(id)))
}

impl UsrRoom {
    /// Who the caller says it is: always an openid, whatever it begins with.
    pub(crate) fn caller(&self, openid: &str) -> UserRef {
        UserRef::Identity(format!("{}/{openid}", self.realm))
    }

    /// The user that is spoken of, by openid or as `@<handle>`.
    pub(crate) fn named(&self, openid: &str) -> UserRef {
        match openid.strip_prefix('@') {
            Some(handle) => UserRef::Handle(handle.into()),
            None => self.caller(openid),
        }
    }
}
