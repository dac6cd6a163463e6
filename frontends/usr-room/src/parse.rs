//! What the endpoints share in reading a request. An `Err` is the response to it.

use core_model::{RoomId, RoomRef, UserRef};
use frontend_api::http::{Digits, Params, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Flavor, UsrRoom, refusal};

/// For the schemas: the user field is required under one of its names.
pub(crate) const EITHER_OPENID: [Requires; 2] =
    [Requires { required: ["openid"] }, Requires { required: ["open_id"] }];

/// Declares a request with a user field, which has two names.
macro_rules! request {
    ($(#[$meta:meta])* $name:ident {
        $(#[$user:meta])* openid,
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    }) => {
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        $(#[$meta])*
        pub(crate) struct $name {
            $(#[$user])*
            #[schemars(length(min = 1), extend("x-secret" = true))]
            openid: Option<String>,
            /// The same as `openid`.
            #[schemars(length(min = 1), extend("x-secret" = true))]
            open_id: Option<String>,
            $($(#[$field_meta])* $field: $type,)*
        }
    };
}
pub(crate) use request;

/// A schema that requires only a field.
#[derive(Serialize)]
pub(crate) struct Requires {
    pub(crate) required: [&'static str; 1],
}

/// The fields, typed. A field of the wrong type is a failure of the dialect, not of HTTP.
pub(crate) fn read<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, Response> {
    params.read().map_err(refusal::failure)
}

/// A required field.
pub(crate) fn required<T>(field: &str, value: Option<T>) -> Result<T, Response> {
    value.ok_or_else(|| refusal::failure(format!("{field} is missing")))
}

/// The user field under either of its names, required.
pub(crate) fn openid(openid: Option<String>, open_id: Option<String>) -> Result<String, Response> {
    nonempty("openid", openid.or(open_id))
}

/// The user field where it is optional. An empty one is an error rather than absent: otherwise the
/// request of a user without an openid would become an act of the app.
pub(crate) fn openid_if_any(
    openid: Option<String>,
    open_id: Option<String>,
) -> Result<Option<String>, Response> {
    openid.or(open_id).map(|openid| nonempty("openid", Some(openid))).transpose()
}

/// A required text that is not empty.
pub(crate) fn nonempty(field: &str, value: Option<String>) -> Result<String, Response> {
    let text = required(field, value)?;
    if text.is_empty() {
        return Err(refusal::failure(format!("{field} is empty")));
    }
    Ok(text)
}

/// The room. A number out of range is an unknown room.
pub(crate) fn room(room_id: Option<Digits>) -> Result<RoomRef, Response> {
    let Digits(number) = required("room_id", room_id)?;
    room_of(number).ok_or_else(|| refusal::refused(&core_model::Refusal::UnknownRoom))
}

/// None for a number out of range.
pub(crate) fn room_of(number: u64) -> Option<RoomRef> {
    u32::try_from(number).ok().map(|id| RoomRef::Id(RoomId(id)))
}

impl UsrRoom {
    /// The caller: always an openid, whatever it begins with.
    pub(crate) fn caller(&self, openid: &str) -> UserRef {
        UserRef::Identity(format!("{}/{openid}", self.realm))
    }

    /// The caller, who may be new in flavor miniprogram: its users may decline the profile. An
    /// openid that `/usr/complete` refuses is not made a user here either.
    pub(crate) fn caller_or_new(&self, openid: &str) -> UserRef {
        match (self.flavor, self.caller(openid)) {
            (Flavor::Miniprogram, UserRef::Identity(identity)) if !openid.starts_with('@') => {
                UserRef::IdentityOrNew(identity)
            }
            (Flavor::Miniprogram | Flavor::Document, caller) => caller,
        }
    }

    /// A user named by openid or as `@<handle>`.
    pub(crate) fn named(&self, openid: &str) -> UserRef {
        match openid.strip_prefix('@') {
            Some(handle) => UserRef::Handle(handle.into()),
            None => self.caller(openid),
        }
    }
}
