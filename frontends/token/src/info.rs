//! `info`: a JSON object of the client, stored byte for byte and returned with the keys that the
//! gateway adds.

use std::borrow::Cow;
use std::fmt::Write as _;

use core_model::{RoomView, UserView};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A key that the gateway adds to the `info` of a `T`, unless the client's object has it.
struct Key<T> {
    name: &'static str,
    about: &'static str,
    /// The JSON Schema type of its values.
    kind: &'static str,
    value: fn(&T) -> Value,
}

const USER: &[Key<UserView>] = &[
    key("name", "the display name", "string", |user| user.person.name.as_str().into()),
    key("handle", "unique in the gateway", "string", |user| user.person.handle.as_str().into()),
    key("created", "milliseconds since 1970", "integer", |user| user.created.0.into()),
];

const ROOM: &[Key<RoomView>] = &[
    key("name", "the display name, or else the room name", "string", |room| {
        if room.title.is_empty() { room.name.as_str() } else { &room.title }.into()
    }),
    key("population", "seats taken", "integer", |room| room.population.into()),
    key("capacity", "the number of seats", "integer", |room| room.capacity.into()),
    key("section", "\"\" where there is none", "string", |room| room.section.as_str().into()),
    key("state", "0 not active, 1 active", "integer", |room| u8::from(room.active).into()),
];

const fn key<T>(
    name: &'static str,
    about: &'static str,
    kind: &'static str,
    value: fn(&T) -> Value,
) -> Key<T> {
    Key { name, about, kind, value }
}

/// For the schemas: `info` of a user.
pub(crate) struct UserInfo;

/// For the schemas: `info` of a room.
pub(crate) struct RoomInfo;

/// For the schemas: `info` as a client sends it.
pub(crate) struct ClientInfo;

/// `info` of a user that entered or left.
#[derive(JsonSchema, Serialize)]
pub(crate) struct MemberInfo<'a> {
    /// The display name; a guest's handle.
    pub(crate) name: &'a str,
}

impl JsonSchema for UserInfo {
    fn schema_name() -> Cow<'static, str> {
        "UserInfo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema_of("`info` of a user: the client's own object, with", USER)
    }
}

impl JsonSchema for RoomInfo {
    fn schema_name() -> Cow<'static, str> {
        "RoomInfo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema_of("`info` of a room: the client's own object, with", ROOM)
    }
}

/// A key in the client's object may have any value.
fn schema_of<T>(about: &str, keys: &[Key<T>]) -> Schema {
    let property = |key: &Key<T>| {
        let schema = json!({ "type": key.kind, "description": key.about, "x-accepts": true });
        (key.name.to_owned(), schema)
    };
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let about = format!("{about} these keys added where it lacks them.");
    json_schema!({
        "type": "object",
        "description": about,
        "required": names,
        "properties": Value::Object(keys.iter().map(property).collect()),
        "additionalProperties": true,
    })
}

impl JsonSchema for ClientInfo {
    fn schema_name() -> Cow<'static, str> {
        "ClientInfo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text =
            |about: &str| json!({ "type": "string", "description": about, "x-accepts": true });
        json_schema!({
            "type": "object",
            "description": "`info` as a client sends it: an object of its own. The gateway \
                reads these keys.",
            "properties": {
                "name": text("the wanted display name, or the room's name"),
                "section": text("the room's"),
                "description": text("the room's"),
            },
            "additionalProperties": true,
        })
    }
}

/// The keys that the gateway reads in a client's `info`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Info {
    /// The object, as the client sent it.
    pub(crate) text: String,
    /// `None` unless it is a non-empty string.
    pub(crate) name: Option<String>,
    pub(crate) section: Option<String>,
    pub(crate) description: Option<String>,
}

impl Info {
    /// Reads an object that was already checked; "" means no `info`.
    pub(crate) fn of(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let mut object = object(text).unwrap_or_default();
        let mut string = |key| match object.remove(key) {
            Some(Value::String(string)) if !string.is_empty() => Some(string),
            _ => None,
        };
        Some(Self {
            text: text.to_owned(),
            name: string("name"),
            section: string("section"),
            description: string("description"),
        })
    }
}

/// Reads a JSON object; the error says why it is not one.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("is no JSON object: {error}"))
}

/// `info` of a user: the client's object with name, handle and created.
pub(crate) fn of_user(user: &UserView) -> String {
    merged(&user.info, &ours(USER, user))
}

/// `info` of a room: the client's object with name, population, capacity, section and state.
pub(crate) fn of_room(room: &RoomView) -> String {
    merged(&room.info, &ours(ROOM, room))
}

fn ours<T>(keys: &[Key<T>], of: &T) -> Vec<(&'static str, Value)> {
    keys.iter().map(|key| (key.name, (key.value)(of))).collect()
}

/// The client's object byte for byte, extended by the gateway's keys that it lacks.
fn merged(theirs: &str, ours: &[(&str, Value)]) -> String {
    let keys = object(theirs).unwrap_or_default();
    let mut text = match theirs.trim_end().strip_suffix('}') {
        Some(open) if !keys.is_empty() => open.to_owned(),
        _ => "{".to_owned(),
    };
    let mut comma = !keys.is_empty();
    for (key, value) in ours.iter().filter(|(key, _)| !keys.contains_key(*key)) {
        let separator = if std::mem::replace(&mut comma, true) { "," } else { "" };
        write!(text, "{separator}\"{key}\":{value}").expect("a string takes what it is given");
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_merged(theirs: &str, expected: &str) {
        let ours = [("name", Value::from("安")), ("state", Value::from(1))];
        assert_eq!(merged(theirs, &ours), expected);
    }

    #[test]
    fn what_the_client_gave_is_given_back_byte_for_byte() {
        assert_merged(
            "{\"hp\": 1.50,  \"id\":18446744073709551616 } \n",
            "{\"hp\": 1.50,  \"id\":18446744073709551616 ,\"name\":\"安\",\"state\":1}",
        );
    }

    #[test]
    fn a_key_of_the_clients_wins() {
        assert_merged("{\"name\":[\"a}\"]}", "{\"name\":[\"a}\"],\"state\":1}");
        assert_merged("{\"state\":0,\"name\":null}", "{\"state\":0,\"name\":null}");
    }

    #[test]
    fn an_object_of_nothing_gets_our_keys_alone() {
        for theirs in ["", "{}", " { } "] {
            assert_merged(theirs, "{\"name\":\"安\",\"state\":1}");
        }
    }
}
