//! Parses a WebSocket message into the client's request. Document: the packet, and its errors.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use core_model::{MessageId, check_existing_handle, check_existing_name};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::refusal::{ILLEGAL_DATA, ILLEGAL_TYPE, INVALID_DATA, INVALID_MESSAGE, NULL_MESSAGE};

/// The longest `user_avatar`, in bytes. Every message of its user carries it.
const AVATAR_BYTES_MAX: usize = 2_048;

/// The longest `client_id`, in bytes: leaves room in an idempotency key for what makes it the
/// caller's own.
const CLIENT_ID_BYTES_MAX: usize = 200;

/// The largest number that every client can count with: 2^53 - 1.
pub(crate) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// What a client that joins has of the room's messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Since {
    /// Those up to this one.
    Message(MessageId),
    /// It wants none of the past: [`NUMBER_MAX`].
    Now,
}

/// A packet from a client.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Packet {
    /// `avatar` is "" where the client gave none.
    Join {
        room: String,
        user: String,
        avatar: String,
        /// What the client has, where it asks for what comes after.
        since: Option<Since>,
    },
    Leave {
        room: String,
        user: String,
    },
    Msg {
        room: String,
        user: String,
        text: String,
        /// The client's name for the message.
        client_id: Option<String>,
    },
}

/// A value where a packet may have anything. Strings are borrowed from the message where they have no
/// escapes, so parsing hardly allocates.
#[derive(Default)]
enum Field<'a, T = ()> {
    #[default]
    Absent,
    Null,
    Text(Cow<'a, str>),
    Number(u64),
    /// A negative number, or one with a fraction or an exponent.
    Decimal(f64),
    Object(T),
    Other,
}

/// The packet itself.
#[derive(Default)]
struct Head<'a> {
    kind: Field<'a>,
    data: Field<'a, Data<'a>>,
}

#[derive(Default)]
struct Data<'a> {
    user: Field<'a, User<'a>>,
    room_name: Field<'a>,
    msg: Field<'a>,
    since: Field<'a>,
    client_id: Field<'a>,
}

#[derive(Default)]
struct User<'a> {
    name: Field<'a>,
    avatar: Field<'a>,
}

/// Parses a packet. An `Err` is the `msg` of the error packet; the checks run in the order of
/// deployed servers.
pub(crate) fn packet(text: &str) -> Result<Packet, &'static str> {
    let Ok(Field::Object(Head { kind, data })) = serde_json::from_str(text) else {
        return Err(INVALID_MESSAGE);
    };
    if kind.is_missing() || data.is_missing() {
        return Err(INVALID_MESSAGE);
    }
    let Field::Object(Data { user: Field::Object(user), room_name, msg, since, client_id }) = data
    else {
        return Err(INVALID_DATA);
    };
    let user_name = user.name.name()?;
    let avatar = match user.avatar {
        Field::Absent | Field::Null => Cow::default(),
        Field::Text(avatar) => avatar,
        Field::Number(_) | Field::Decimal(_) | Field::Object(()) | Field::Other => {
            return Err(INVALID_DATA);
        }
    };
    let room_name = room_name.name()?;
    let Field::Text(msg) = msg else { return Err(INVALID_DATA) };
    if avatar.len() > AVATAR_BYTES_MAX {
        return Err(ILLEGAL_DATA);
    }
    let user = check_existing_handle(&user_name).map_err(|_| ILLEGAL_DATA)?;
    let room = check_existing_name(&room_name).map_err(|_| ILLEGAL_DATA)?;
    match kind {
        Field::Text(kind) => match &*kind {
            "join" => {
                let avatar = avatar.into_owned();
                Ok(Packet::Join { room, user, avatar, since: since.since()? })
            }
            "leave" => Ok(Packet::Leave { room, user }),
            "msg" if msg.is_empty() => Err(NULL_MESSAGE),
            "msg" => {
                let text = msg.into_owned();
                Ok(Packet::Msg { room, user, text, client_id: client_id.client_id()? })
            }
            _ => Err(ILLEGAL_TYPE),
        },
        _ => Err(ILLEGAL_TYPE),
    }
}

impl<'a, T> Field<'a, T> {
    fn is_missing(&self) -> bool {
        matches!(self, Self::Absent | Self::Null)
    }

    /// The id of a message, as a number or digits; null counts as absent.
    fn since(self) -> Result<Option<Since>, &'static str> {
        let id = match self {
            Self::Absent | Self::Null => return Ok(None),
            Self::Number(id) => Some(id),
            Self::Decimal(number) => whole(number),
            Self::Text(text) if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) => {
                text.parse().ok()
            }
            Self::Text(_) | Self::Object(_) | Self::Other => return Err(INVALID_DATA),
        };
        match id {
            Some(NUMBER_MAX) => Ok(Some(Since::Now)),
            Some(id) if id < NUMBER_MAX => Ok(Some(Since::Message(MessageId(id)))),
            _ => Err(ILLEGAL_DATA),
        }
    }

    /// The client's name for a message, as a text or a number; null counts as absent.
    fn client_id(self) -> Result<Option<String>, &'static str> {
        match self {
            Self::Absent | Self::Null => Ok(None),
            Self::Number(number) => Ok(Some(number.to_string())),
            Self::Text(name) if (1..=CLIENT_ID_BYTES_MAX).contains(&name.len()) => {
                Ok(Some(name.into_owned()))
            }
            Self::Text(_) => Err(ILLEGAL_DATA),
            Self::Decimal(_) | Self::Object(_) | Self::Other => Err(INVALID_DATA),
        }
    }

    /// A name; null counts as empty.
    fn name(self) -> Result<Cow<'a, str>, &'static str> {
        match self {
            Self::Null => Ok(Cow::default()),
            Self::Text(name) => Ok(name),
            Self::Absent | Self::Number(_) | Self::Decimal(_) | Self::Object(_) | Self::Other => {
                Err(INVALID_DATA)
            }
        }
    }
}

/// A number without a fraction, however it is written: `1e3` is 1000.
fn whole(number: f64) -> Option<u64> {
    let is_whole = number.fract() == 0.0 && (0.0..=NUMBER_MAX as f64).contains(&number);
    is_whole.then_some(number as u64)
}

/// The fields of an object. Of a repeated one the last counts.
trait Fields<'de>: Default {
    /// Reads the value of `key`, which may be any.
    fn read<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

impl<'de> Fields<'de> for Head<'de> {
    fn read<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "type" => self.kind = map.next_value()?,
            "data" => self.data = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Data<'de> {
    fn read<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "user" => self.user = map.next_value()?,
            "room_name" => self.room_name = map.next_value()?,
            "msg" => self.msg = map.next_value()?,
            "since" => self.since = map.next_value()?,
            "client_id" => self.client_id = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for User<'de> {
    fn read<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "user_name" => self.name = map.next_value()?,
            "user_avatar" => self.avatar = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// An object in a place for text.
impl<'de> Fields<'de> for () {
    fn read<A: MapAccess<'de>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>().map(drop)
    }
}

impl<'de, T: Fields<'de>> Deserialize<'de> for Field<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: Fields<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Field::Decimal(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Field::Number(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Field::Decimal(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = T::default();
        while let Some(Key(key)) = map.next_key()? {
            fields.read(&key, &mut map)?;
        }
        Ok(Field::Object(fields))
    }
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_be_absent_null_repeated_unknown_or_of_another_type() {
        let given = r#"{"type":"msg","data":{"user":{"user_name":"ann","user_avatar":"a"},"room_name":"TEA","msg":"hi"}}"#;
        let msg = |user: &str, text: &str| {
            let (room, user, text) = ("TEA".into(), user.into(), text.into());
            Ok(Packet::Msg { room, user, text, client_id: None })
        };
        let join = |avatar: &str| {
            let (room, user) = ("TEA".into(), "ann".into());
            Ok(Packet::Join { room, user, avatar: avatar.into(), since: None })
        };
        let leave = Ok(Packet::Leave { room: "TEA".into(), user: "ann".into() });
        let variants = [
            ("", "", msg("ann", "hi")),
            (r#","user_avatar":"a""#, "", msg("ann", "hi")),
            (r#","user_avatar":"a""#, r#","user_avatar":null"#, msg("ann", "hi")),
            (r#","user_avatar":"a""#, r#","user_avatar":1"#, Err(INVALID_DATA)),
            (r#","user_avatar":"a""#, r#","user_avatar":{}"#, Err(INVALID_DATA)),
            (r#"{"user_name":"ann","#, r#"{"user_name":7,"user_name":"ann","#, msg("ann", "hi")),
            (r#","user_avatar":"a""#, r#","more":{"a":[1e999]}"#, msg("ann", "hi")),
            (r#""ann""#, "null", Err(ILLEGAL_DATA)),
            (r#""ann""#, "[]", Err(INVALID_DATA)),
            (r#""ann""#, r#""guest:ann""#, Err(ILLEGAL_DATA)),
            (r#""ann""#, r#""\u0061nn\ud83c\udf75""#, msg("ann🍵", "hi")),
            (r#""ann""#, r#""\ud83c""#, Err(INVALID_MESSAGE)),
            (r#""TEA""#, "null", Err(ILLEGAL_DATA)),
            (r#""TEA""#, "\"\"", Err(ILLEGAL_DATA)),
            (r#""TEA""#, "-1.5", Err(INVALID_DATA)),
            (r#""hi""#, "\"\"", Err(NULL_MESSAGE)),
            (r#""hi""#, "null", Err(INVALID_DATA)),
            (r#""hi""#, r#""[\n\"\\]""#, msg("ann", "[\n\"\\]")),
            (r#""hi""#, r#""hi","msg":"again""#, msg("ann", "again")),
            (r#""hi""#, r#""hi","more":{"#, Err(INVALID_MESSAGE)),
            (r#""msg","data""#, r#""join","data""#, join("a")),
            (r#""msg","data""#, r#""leave","data""#, leave),
            (r#""msg","data""#, r#""other","data""#, Err(ILLEGAL_TYPE)),
            (r#""msg","data""#, r#"7,"data""#, Err(ILLEGAL_TYPE)),
            (r#""msg","data""#, r#"null,"data""#, Err(INVALID_MESSAGE)),
            (r#"{"type":"msg","data":"#, r#"{"data":"#, Err(INVALID_MESSAGE)),
            (r#"{"user_name":"ann","user_avatar":"a"}"#, r#"["ann","a"]"#, Err(INVALID_DATA)),
            (r#"{"user_name":"ann","user_avatar":"a"}"#, "{}", Err(INVALID_DATA)),
            (r#"{"type":"msg","data":"#, r#"["msg","#, Err(INVALID_MESSAGE)),
            (r#""hi"}}"#, r#""hi"}} {"#, Err(INVALID_MESSAGE)),
        ];
        for (from, to, wanted) in variants {
            let text = given.replace(from, to);
            assert_eq!(packet(&text), wanted, "{text}");
        }
        let list = format!("[{}]", &given[1..given.len() - 1]);
        for other in ["", "null", "\"\"", r#"["msg",[["ann",""],"TEA","hi"]]"#, list.as_str()] {
            assert_eq!(packet(other), Err(INVALID_MESSAGE), "{other}");
        }
    }

    #[test]
    fn what_is_no_id_and_no_name_is_refused_by_its_kind() {
        let with = |kind: &str, field: &str| {
            packet(&format!(
                r#"{{"type":"{kind}","data":{{"user":{{"user_name":"a"}},"room_name":"T","msg":"x",{field}}}}}"#
            ))
        };
        let since = |value: &str| match with("join", &format!(r#""since":{value}"#)) {
            Ok(Packet::Join { since, .. }) => Ok(since),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        let message = |id: u64| Ok(Some(Since::Message(MessageId(id))));
        assert_eq!(since("null"), Ok(None));
        for (value, id) in [("0", 0), ("\"42\"", 42), ("42.0", 42), ("1e3", 1_000)] {
            assert_eq!(since(value), message(id), "{value}");
        }
        assert_eq!(since("9007199254740990"), message(NUMBER_MAX - 1));
        for now in ["9007199254740991", "\"9007199254740991\""] {
            assert_eq!(since(now), Ok(Some(Since::Now)));
        }
        let too_large = ["9007199254740992", "18446744073709551616", "\"18446744073709551616\""];
        for illegal in ["-1", "-0.5", "3.5", "1e300"].into_iter().chain(too_large) {
            assert_eq!(since(illegal), Err(ILLEGAL_DATA), "{illegal}");
        }
        for invalid in ["\"\"", "\"x\"", "\"-1\"", "\" 1\"", "\"1.0\"", "[1]", "{}", "true"] {
            assert_eq!(since(invalid), Err(INVALID_DATA), "{invalid}");
        }
        let client_id = |value: &str| match with("msg", &format!(r#""client_id":{value}"#)) {
            Ok(Packet::Msg { client_id, .. }) => Ok(client_id),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        assert_eq!(client_id("null"), Ok(None));
        assert_eq!(client_id("7"), Ok(Some("7".into())));
        assert_eq!(client_id("\"7d1f\""), Ok(Some("7d1f".into())));
        let long = format!("\"{}\"", "x".repeat(201));
        for illegal in ["\"\"", &long] {
            assert_eq!(client_id(illegal), Err(ILLEGAL_DATA), "{illegal}");
        }
        for invalid in ["[]", "{}", "1.5", "-1", "true"] {
            assert_eq!(client_id(invalid), Err(INVALID_DATA), "{invalid}");
        }
        // In a packet that has no use for it, it may be anything.
        assert!(with("msg", r#""since":-1"#).is_ok());
        assert!(with("leave", r#""client_id":[]"#).is_ok());
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
        assert_eq!(
            join(&longest),
            Ok(Packet::Join { room, user, avatar: longest.clone(), since: None })
        );
        assert_eq!(join(&format!("{longest}!")), Err(ILLEGAL_DATA));
    }
}
