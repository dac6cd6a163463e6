//! The endpoints, one file each, and what they share.

pub mod create_room;
pub mod list_rooms;
pub mod login;
pub mod register;
pub mod show_user;
pub mod visit_room;

use frontend_api::http::{Endpoint, Params, Response, keeps_digits};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::Chatroom;
pub use crate::reply::Res;
pub(crate) use crate::reply::reply;

pub(crate) const ALL: &[Endpoint<Chatroom>] = &[
    login::ENDPOINT,
    register::ENDPOINT,
    show_user::ENDPOINT,
    list_rooms::ENDPOINT,
    create_room::ENDPOINT,
    visit_room::ENDPOINT,
];

/// Deployed clients send GET with a query string, also for requests that change something.
const METHODS: &[&str] = &["GET", "POST"];

/// The longest `user_tel`, in digits.
const TEL_DIGITS_MAX: usize = 20;

/// The realm of the identities that are telephone numbers.
const TEL_REALM: &str = "tel";

/// Success, without data.
#[derive(Clone, Debug, Default, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "{W}")]
pub struct Done<W> {
    pub res: W,
}

/// Failure.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Refused")]
pub struct Failure {
    pub res: Res,
}

impl Failure {
    pub(crate) fn of(res: Res) -> Self {
        Self { res }
    }
}

/// `data` without content: `{}`.
#[derive(Clone, Copy, Debug, Default, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(deny_unknown_fields)]
pub struct Nothing {}

/// The body of a reply with an HTTP status of 4xx or 5xx.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct FaultReply {
    /// A sentence for the client's developer.
    pub res: String,
}

/// The parameters of a request. Their types cannot be wrong: see [`Param`].
pub(crate) fn read<T: DeserializeOwned + Default>(params: &Params<'_>) -> T {
    params.read().unwrap_or_default()
}

/// The reply to a parameter that is not text in the charset, as to any other invalid value; None
/// if the field is not a parameter of the endpoint.
pub(crate) fn not_text(path: &str, field: &str) -> Option<Response> {
    let res = match field {
        "room_name" if path == visit_room::ENDPOINT.path => Res::InvalidRoom,
        "room_name" => Res::InvalidRoomName,
        "status" => Res::InvalidStatus,
        "user_name" if path == show_user::ENDPOINT.path => Res::UserNotExist,
        "user_name" => Res::InvalidUserName,
        "user_password" => Res::InvalidUserPassword,
        "user_tel" => Res::InvalidUserTel,
        _ => return None,
    };
    if path == login::ENDPOINT.path {
        return Some(reply(&login::LoginRefused { res, data: Nothing {} }));
    }
    if path == show_user::ENDPOINT.path && field == "user_name" {
        return Some(reply(&show_user::NotFound { res, data: Some(Nothing {}) }));
    }
    Some(reply(&Failure { res }))
}

/// All of these parameters; an error if one is missing or empty.
pub(crate) fn present<const N: usize>(params: [Option<Param>; N]) -> Result<[Param; N], Res> {
    if !params.iter().all(|param| param.as_ref().is_some_and(Param::is_given)) {
        return Err(Res::MissingParameters);
    }
    Ok(params.map(|param| param.expect("every one is given")))
}

/// A raw parameter: a string, a number in its JSON notation, or a value of an invalid type, or a number
/// that may be another one than was written. The endpoint reports errors in its own order.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    Text(String),
    Other,
}

impl Param {
    /// Whether it is not empty.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self, Self::Text(text) if text.is_empty())
    }

    pub(crate) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) => Self::Text(text),
            Value::Number(number) if is_kept(&number) => Self::Text(number.to_string()),
            Value::Number(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_) => Self::Other,
        })
    }
}

/// Whether the digits of a number are those that were written.
fn is_kept(number: &serde_json::Number) -> bool {
    number.is_u64() || number.is_i64() || number.as_f64().is_some_and(keeps_digits)
}

impl JsonSchema for Param {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Param".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "x-accepts": { "type": "number" } })
    }
}

/// A telephone number of at most 20 digits, without leading zeros. 0 stands for none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Tel(u128);

impl Tel {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || text.is_empty() || text.len() > TEL_DIGITS_MAX {
            return None;
        }
        text.parse().ok().map(Self)
    }

    pub(crate) fn of(param: Param) -> Result<Self, Res> {
        param.text().and_then(|text| Self::parse(&text)).ok_or(Res::InvalidUserTel)
    }

    pub(crate) fn identity(self) -> String {
        format!("{TEL_REALM}/{}", self.0)
    }

    pub(crate) fn of_person(person: &core_model::Person) -> Self {
        person.identity(TEL_REALM).and_then(Self::parse).unwrap_or_default()
    }
}

impl JsonSchema for Tel {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tel".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let about = "A telephone number of at most 20 digits; 0 where there is none.";
        if generator.contract().is_serialize() {
            return schemars::json_schema!({
                "type": "integer", "format": "int64", "minimum": 0, "description": about,
            });
        }
        schemars::json_schema!({
            "type": "integer",
            "format": "uint64",
            "description": about,
            "x-accepts": {
                "type": ["integer", "string"], "minimum": 0, "maximum": u64::MAX,
                "pattern": "^[0-9]{1,20}$",
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tel_is_at_most_twenty_digits_and_keeps_no_leading_zeros() {
        assert_eq!(Tel::parse("00155").map(Tel::identity).as_deref(), Some("tel/155"));
        assert_eq!(Tel::parse("000"), Some(Tel(0)));
        let longest = "99999999999999999999";
        assert_eq!(Tel::parse(longest).map(Tel::identity), Some(format!("tel/{longest}")));
        for text in ["", "999999999999999999999", "+155", "155 ", "1e3", "-1", "١٥٥"] {
            assert_eq!(Tel::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_tel_of_twenty_digits_is_written_as_a_number() {
        let tel = Tel::parse("99999999999999999999").unwrap();
        assert_eq!(serde_json::to_string(&tel).unwrap(), "99999999999999999999");
    }

    #[test]
    fn a_number_that_lost_digits_is_no_tel() {
        let param: Param = serde_json::from_str("18446744073709551616").unwrap();
        assert_eq!(Tel::of(param), Err(Res::InvalidUserTel));
    }

    #[test]
    fn a_number_that_could_be_another_one_is_no_text() {
        let text = |json| serde_json::from_str::<Param>(json).unwrap().text();
        for json in
            ["12345678901234567890123", "18446744073709551617", "1.2345678901234567", "1e300"]
        {
            assert_eq!(text(json), None, "{json}");
        }
        for json in ["18446744073709551615", "-9223372036854775808", "1.5", "-0.25"] {
            assert_eq!(text(json).as_deref(), Some(json));
        }
    }
}
