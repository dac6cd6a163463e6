//! From a WebSocket message to what the client wants. Document: the packet, and its errors.

use core_model::{check_handle, check_room_name};
use serde_json::{Map, Value};

use crate::refusal::{ILLEGAL_DATA, ILLEGAL_TYPE, INVALID_DATA, INVALID_MESSAGE, NULL_MESSAGE};

/// The longest `user_avatar`, in characters. It goes out again with every message of its user,
/// so it may not be larger than a message.
const AVATAR_CHARS_MAX: usize = 16_384;

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

/// `data`, complete, with names that somebody could have: as [`Given`](crate::packet::Given), but
/// for the names, which are normalized, and the avatar, which is "" where there is none.
struct Data<'a> {
    room: String,
    user: String,
    avatar: &'a str,
    msg: &'a str,
}

/// Reads a packet. An `Err` is the `msg` of the error to answer with; what is checked first is
/// told first, as in deployed servers.
pub(crate) fn packet(text: &str) -> Result<Packet, &'static str> {
    let Ok(Value::Object(packet)) = serde_json::from_str(text) else {
        return Err(INVALID_MESSAGE);
    };
    let (Some(kind), Some(data)) = (present(&packet, "type"), present(&packet, "data")) else {
        return Err(INVALID_MESSAGE);
    };
    let Data { room, user, avatar, msg } = parse_data(data)?;
    match kind.as_str() {
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

    if avatar.chars().nth(AVATAR_CHARS_MAX).is_some() {
        return Err(ILLEGAL_DATA);
    }
    let user = check_handle(user_name).map_err(|_| ILLEGAL_DATA)?;
    let room = check_room_name(room_name).map_err(|_| ILLEGAL_DATA)?;
    Ok(Data { room, user, avatar, msg })
}

/// A field that is there, and is not null.
fn present<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

/// A name; null is an empty one.
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
    fn an_avatar_may_be_as_long_as_a_message() {
        let join = |avatar: &str| {
            let user = serde_json::json!({ "user_name": "test", "user_avatar": avatar });
            let data = serde_json::json!({ "user": user, "room_name": "TEST", "msg": "" });
            packet(&serde_json::json!({ "type": "join", "data": data }).to_string())
        };
        let longest = "茶".repeat(AVATAR_CHARS_MAX);
        let (room, user) = ("TEST".into(), "test".into());
        assert_eq!(join(&longest), Ok(Packet::Join { room, user, avatar: longest.clone() }));
        assert_eq!(join(&format!("{longest}!")), Err(ILLEGAL_DATA));
    }
}
