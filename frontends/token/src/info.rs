//! `info`: a JSON object of the client's, kept byte for byte and given back with what the gateway
//! has to add.

use std::fmt::Write as _;

use core_model::{RoomView, UserView};
use serde_json::{Map, Value};

/// What the gateway itself reads in a client's `info`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Info {
    /// The object, as the client sent it.
    pub(crate) text: String,
    /// Where it is a string and not empty.
    pub(crate) name: Option<String>,
    pub(crate) section: Option<String>,
    pub(crate) description: Option<String>,
}

impl Info {
    /// Reads an object that was checked before; "" is none.
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

/// Reads a JSON object, or says why it is none.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("is no JSON object: {error}"))
}

/// `info` of a user: the client's object with name, handle and created.
pub(crate) fn of_user(user: &UserView) -> String {
    let person = &user.person;
    let ours = [
        ("name", Value::from(person.name.as_str())),
        ("handle", Value::from(person.handle.as_str())),
        ("created", Value::from(user.created.0)),
    ];
    merged(&user.info, &ours)
}

/// `info` of a room: the client's object with name, population, capacity, section and state.
pub(crate) fn of_room(room: &RoomView) -> String {
    let name = if room.title.is_empty() { &room.name } else { &room.title };
    let ours = [
        ("name", Value::from(name.as_str())),
        ("population", Value::from(room.population)),
        ("capacity", Value::from(room.capacity)),
        ("section", Value::from(room.section.as_str())),
        ("state", Value::from(u8::from(room.active))),
    ];
    merged(&room.info, &ours)
}

/// The client's object byte for byte, and in it those of our keys that it does not have.
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
