//! Parses a WebSocket message into the client's request. Document: the packet, and its errors.

use std::borrow::Cow;

use core_model::{check_existing_handle, check_existing_name};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::refusal::{ILLEGAL_DATA, ILLEGAL_TYPE, INVALID_DATA, INVALID_MESSAGE, NULL_MESSAGE};

/// The longest `user_avatar`, in bytes. Every message of its user carries it.
const AVATAR_BYTES_MAX: usize = 2_048;

/// What a client may send.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Packet {
    /// `avatar` is "" where the client gave none.
    Join {
        room: String,
        user: String,
        avatar: String,
    },
    Leave {
        room: String,
        user: String,
    },
    Msg {
        room: String,
        user: String,
        text: String,
    },
}

/// Complete `data` with valid names: as [`Given`](crate::packet::Given), but with the names
/// normalized and an absent avatar as "".
struct Data<'a> {
    room: String,
    user: String,
    avatar: &'a str,
    msg: &'a str,
}

/// The usual packet: no field is null, and none is unknown. Serde borrows its strings from the
/// message where they have no escapes, so parsing hardly allocates.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    data: UsualData<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsualData<'a> {
    #[serde(borrow)]
    user: UsualUser<'a>,
    #[serde(borrow)]
    room_name: Cow<'a, str>,
    #[serde(borrow)]
    msg: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsualUser<'a> {
    #[serde(borrow)]
    user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    user_avatar: Cow<'a, str>,
}

/// Parses a packet. An `Err` is the `msg` of the error packet; the checks run in the order of
/// deployed servers.
pub(crate) fn packet(text: &str) -> Result<Packet, &'static str> {
    // Serde accepts a list in place of an object; text without a bracket has no list.
    if text.contains('[') {
        return any_packet(text);
    }
    match serde_json::from_str(text) {
        Ok(Usual { r#type, data: UsualData { user, room_name, msg } }) => {
            let data = checked(&user.user_name, &user.user_avatar, &room_name, &msg)?;
            wanted(Some(&r#type), data)
        }
        Err(_) => any_packet(text),
    }
}

/// Parses any packet, including those that [`Usual`] does not accept.
fn any_packet(text: &str) -> Result<Packet, &'static str> {
    let Ok(Value::Object(packet)) = serde_json::from_str(text) else {
        return Err(INVALID_MESSAGE);
    };
    let (Some(kind), Some(data)) = (present(&packet, "type"), present(&packet, "data")) else {
        return Err(INVALID_MESSAGE);
    };
    wanted(kind.as_str(), parse_data(data)?)
}

fn wanted(kind: Option<&str>, data: Data<'_>) -> Result<Packet, &'static str> {
    let Data { room, user, avatar, msg } = data;
    match kind {
        Some("join") => Ok(Packet::Join { room, user, avatar: avatar.to_owned() }),
        Some("leave") => Ok(Packet::Leave { room, user }),
        Some("msg") if msg.is_empty() => Err(NULL_MESSAGE),
        Some("msg") => Ok(Packet::Msg { room, user, text: msg.to_owned() }),
        Some(_) | None => Err(ILLEGAL_TYPE),
    }
}

fn parse_data(data: &Value) -> Result<Data<'_>, &'static str> {
    let data = data.as_object().ok_or(INVALID_DATA)?;
    let user = data.get("user").and_then(Value::as_object).ok_or(INVALID_DATA)?;
    let user_name = name(user, "user_name")?;
    let avatar = match user.get("user_avatar") {
        None | Some(Value::Null) => "",
        Some(Value::String(avatar)) => avatar,
        Some(_) => return Err(INVALID_DATA),
    };
    let room_name = name(data, "room_name")?;
    let msg = data.get("msg").and_then(Value::as_str).ok_or(INVALID_DATA)?;
    checked(user_name, avatar, room_name, msg)
}

fn checked<'a>(
    user_name: &str,
    avatar: &'a str,
    room_name: &str,
    msg: &'a str,
) -> Result<Data<'a>, &'static str> {
    if avatar.len() > AVATAR_BYTES_MAX {
        return Err(ILLEGAL_DATA);
    }
    let user = check_existing_handle(user_name).map_err(|_| ILLEGAL_DATA)?;
    let room = check_existing_name(room_name).map_err(|_| ILLEGAL_DATA)?;
    Ok(Data { room, user, avatar, msg })
}

/// A field that is present and not null.
fn present<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

/// A name; null counts as empty.
fn name<'a>(fields: &'a Map<String, Value>, key: &str) -> Result<&'a str, &'static str> {
    match fields.get(key) {
        Some(Value::Null) => Ok(""),
        Some(Value::String(name)) => Ok(name),
        Some(_) | None => Err(INVALID_DATA),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_packet_is_read_as_any_packet_is() {
        let given = r#"{"type":"msg","data":{"user":{"user_name":"ann","user_avatar":"a"},"room_name":"TEA","msg":"hi"}}"#;
        let (room, user, text) = ("TEA".into(), "ann".into(), "hi".into());
        assert_eq!(packet(given), Ok(Packet::Msg { room, user, text }));
        let variants = [
            ("", ""),
            (r#","user_avatar":"a""#, ""),
            (r#","user_avatar":"a""#, r#","user_avatar":null"#),
            (r#","user_avatar":"a""#, r#","user_avatar":1"#),
            (r#","user_avatar":"a""#, r#","user_avatar":"a","user_avatar":"b""#),
            (r#","user_avatar":"a""#, r#","more":1e999"#),
            (r#""ann""#, "null"),
            (r#""ann""#, r#""guest:ann""#),
            (r#""ann""#, r#""\u0061nn\ud83c\udf75""#),
            (r#""ann""#, r#""\ud83c""#),
            (r#""TEA""#, "null"),
            (r#""TEA""#, "\"\""),
            (r#""hi""#, "\"\""),
            (r#""hi""#, "null"),
            (r#""hi""#, r#""[\n\"\\]""#),
            (r#""hi""#, r#""hi","msg":"again""#),
            (r#""hi""#, r#""hi","more":{"#),
            (r#""msg","data""#, r#""join","data""#),
            (r#""msg","data""#, r#""leave","data""#),
            (r#""msg","data""#, r#""other","data""#),
            (r#""msg","data""#, r#"7,"data""#),
            (r#""msg","data""#, r#"null,"data""#),
            (r#"{"type":"msg","data":"#, r#"{"data":"#),
            (r#"{"user_name":"ann","user_avatar":"a"}"#, r#"["ann","a"]"#),
            (r#"{"user_name":"ann","user_avatar":"a"}"#, "{}"),
            (r#"{"type":"msg","data":"#, r#"["msg","#),
            (r#""hi"}}"#, r#""hi"}} {"#),
        ];
        for (from, to) in variants {
            let text = given.replace(from, to);
            assert_eq!(packet(&text), any_packet(&text), "{text}");
        }
        let list = format!("[{}]", &given[1..given.len() - 1]);
        for other in ["", "null", "\"\"", r#"["msg",[["ann",""],"TEA","hi"]]"#, list.as_str()] {
            assert_eq!(packet(other), Err(INVALID_MESSAGE), "{other}");
        }
    }

    #[test]
    fn an_avatar_has_at_most_2_kb() {
        let join = |avatar: &str| {
            let user = serde_json::json!({ "user_name": "test", "user_avatar": avatar });
            let data = serde_json::json!({ "user": user, "room_name": "TEST", "msg": "" });
            packet(&serde_json::json!({ "type": "join", "data": data }).to_string())
        };
        let longest = "a".repeat(AVATAR_BYTES_MAX);
        let (room, user) = ("TEST".into(), "test".into());
        assert_eq!(join(&longest), Ok(Packet::Join { room, user, avatar: longest.clone() }));
        assert_eq!(join(&format!("{longest}!")), Err(ILLEGAL_DATA));
    }
}
