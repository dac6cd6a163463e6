//! The layout of the dialect as tables: frame headers, operations, notifications and results,
//! field by field. [`read`], [`write`] and the exported layout use these tables.
//!
//! All integers are big-endian.

use crate::info;
pub use crate::results::{Code, RESULTS, ResultRow};

/// The wire type of a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    U8,
    U16,
    U32,
    U64,
    I32,
    /// u16 byte count and UTF-8.
    String,
    /// u32 byte count and UTF-8.
    Text,
    /// u32 byte count and UTF-8 of a JSON object; 0 bytes where an optional one is absent.
    JsonString {
        optional: bool,
    },
    /// u16 count and that many u32.
    ArrayU32,
}

/// One field of a header or body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub about: &'static str,
}

/// The operations of a client. The number is the command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum Verb {
    CreateAccount = 1,
    Login = 2,
    CreateRoom = 3,
    EnterRoom = 4,
    RoomList = 5,
    LeaveRoom = 6,
    LeaveApplication = 7,
    ApplyForToken = 8,
    Heartbeat = 9,
    PostMessage = 10,
    CatchUp = 11,
    PostOnce = 12,
    CreateRoomOnce = 13,
}

/// A command with the bodies of its request and its OK reply.
#[derive(Debug)]
pub struct Operation {
    pub verb: Verb,
    /// In snake case, for generated code.
    pub name: &'static str,
    pub about: &'static str,
    pub request: &'static [Field],
    pub reply: &'static [Field],
}

impl Operation {
    /// The `command` of a request.
    pub fn command(&self) -> u16 {
        self.verb as u16
    }

    /// The operation that has this command.
    pub fn of(command: u16) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.command() == command)
    }

    pub(crate) fn of_verb(verb: Verb) -> &'static Self {
        Self::of(verb as u16).expect("every verb has a row")
    }
}

/// The notifications of the gateway. The number is the command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum News {
    PopulationChanged = 0x4001,
    MemberChanged = 0x4002,
    Message = 0x4003,
}

/// A notification with its body.
#[derive(Debug)]
pub struct Notification {
    pub news: News,
    /// In snake case, for generated code.
    pub name: &'static str,
    pub about: &'static str,
    pub body: &'static [Field],
}

impl Notification {
    /// Its `command`.
    pub fn command(&self) -> u16 {
        self.news as u16
    }
}

/// Added to the command of a request in its reply.
pub const REPLY: u16 = 0x8000;

/// The header of every frame.
pub const HEADER: &[Field] = &[
    field("length", Kind::U32, "bytes that follow this field"),
    field("command", Kind::U16, "what it is about; a reply's is the request's + 0x8000"),
    field("sequence", Kind::U32, "chosen by the client, echoed in the reply; 0 in notifications"),
];

/// The field after the header in a reply.
pub const RESULT: &[Field] = &[field("result", Kind::U16, "how it ended, 0 is OK")];

/// The body of a reply whose result is not OK.
pub const FAILURE: &[Field] = &[field("reason", Kind::String, "why, for the client's developer")];

const ROOM_ID: Field = field("room_id", Kind::U32, "the room");

const OPENID: Field =
    field("openid", Kind::String, "the user's id at its provider, 1 to 255 bytes");

const OPENID_TYPE: Field =
    field("openid_type", Kind::String, "the provider of that openid, 1 to 255 bytes, no slash");

const APP_CODE: Field = field("app_code", Kind::U16, "stored with the room");

const ROOM_TOKEN: Field = field("token", Kind::U64, "from apply_for_token");

const CLIENT_INFO: Field =
    field("info", Kind::JsonString { optional: true }, "the client's own JSON object, kept");

const USER: &[Field] = &[
    field("uid", Kind::U64, "the user's number"),
    field("info", Kind::JsonString { optional: false }, "the client's, with name, handle, created"),
];

const ROOM: &[Field] = &[
    ROOM_ID,
    field(
        "info",
        Kind::JsonString { optional: false },
        "the client's, with name, population, capacity, section, state",
    ),
];

/// Every command.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        verb: Verb::CreateAccount,
        name: "create_account",
        about: "Creates an account. Does not log in.",
        request: &[OPENID, OPENID_TYPE, CLIENT_INFO],
        reply: USER,
    },
    Operation {
        verb: Verb::Login,
        name: "login",
        about: "Logs in on this connection, replacing the former login.",
        request: &[
            OPENID,
            OPENID_TYPE,
            field("auto_create", Kind::I32, "other than 0: creates a missing account"),
            CLIENT_INFO,
        ],
        reply: USER,
    },
    Operation {
        verb: Verb::CreateRoom,
        name: "create_room",
        about: "Creates a room that belongs to the token's user.",
        request: &[APP_CODE, ROOM_TOKEN, CLIENT_INFO],
        reply: ROOM,
    },
    Operation {
        verb: Verb::EnterRoom,
        name: "enter_room",
        about: "Takes a seat in a room for this connection.",
        request: &[ROOM_ID],
        reply: ROOM,
    },
    Operation {
        verb: Verb::RoomList,
        name: "room_list",
        about: "Lists rooms by number, at most 1000.",
        request: &[field("room_id", Kind::U32, "only greater ones; 0 from the start")],
        reply: &[field("room_list", Kind::ArrayU32, "room numbers, ascending")],
    },
    Operation {
        verb: Verb::LeaveRoom,
        name: "leave_room",
        about: "Gives back this connection's seat in a room.",
        request: &[ROOM_ID],
        reply: &[ROOM_ID],
    },
    Operation {
        verb: Verb::LeaveApplication,
        name: "leave_application",
        about: "Ends the login and gives back all seats of this connection.",
        request: &[],
        reply: &[],
    },
    Operation {
        verb: Verb::ApplyForToken,
        name: "apply_for_token",
        about: "Issues a token for creating rooms.",
        request: &[],
        reply: &[field("token", Kind::U64, "not 0; secret")],
    },
    Operation {
        verb: Verb::Heartbeat,
        name: "heartbeat",
        about: "Shows both sides that the other is there. An extension.",
        request: &[],
        reply: &[],
    },
    Operation {
        verb: Verb::PostMessage,
        name: "post_message",
        about: "Posts to a room that this connection has entered. An extension.",
        request: &[ROOM_ID, field("text", Kind::Text, "not empty, kept byte for byte")],
        reply: &[field("message_id", Kind::U64, "unique, increasing, below 2^53")],
    },
    Operation {
        verb: Verb::CatchUp,
        name: "catch_up",
        about: "Asks for the messages of a room that came after one, the oldest first. They follow \
            the reply as notifications. An extension.",
        request: &[
            ROOM_ID,
            field(
                "after",
                Kind::U64,
                "the newest message that the client has; 0 for none, 2^53 - 1 to begin now",
            ),
            field("limit", Kind::U16, "the most messages to send, at most 1000; 0 for 1000"),
        ],
        reply: &[
            ROOM_ID,
            field("count", Kind::U16, "messages that follow"),
            field("more", Kind::U8, "1: there are more after the last of these"),
            field(
                "gap_before",
                Kind::U64,
                "other than 0: some of those after the asked one and before this one were removed",
            ),
            field("gap_count", Kind::U64, "how many were; 0 where that is not known"),
            field("cursor", Kind::U64, "the client then has all messages up to this one"),
        ],
    },
    Operation {
        verb: Verb::PostOnce,
        name: "post_once",
        about: "Posts like post_message, but once for each client_id, however often it is sent \
            within a day. An extension.",
        request: &[
            ROOM_ID,
            field("client_id", Kind::String, "the client's name for the message, 1 to 200 bytes"),
            field("text", Kind::Text, "not empty, kept byte for byte"),
        ],
        reply: &[field("message_id", Kind::U64, "of the one message")],
    },
    Operation {
        verb: Verb::CreateRoomOnce,
        name: "create_room_once",
        about: "Creates a room like create_room, but once for each client_id, however often it is \
            sent within a day. An extension.",
        request: &[
            APP_CODE,
            ROOM_TOKEN,
            field("client_id", Kind::String, "the client's name for the request, 1 to 200 bytes"),
            CLIENT_INFO,
        ],
        reply: ROOM,
    },
];

/// Every notification.
pub const NOTIFICATIONS: &[Notification] = &[
    Notification {
        news: News::PopulationChanged,
        name: "population_changed",
        about: "The number of seats taken in a room has changed.",
        body: &[ROOM_ID, field("population", Kind::U32, "seats taken")],
    },
    Notification {
        news: News::MemberChanged,
        name: "member_changed",
        about: "A user entered or left a room.",
        body: &[
            ROOM_ID,
            field("uid", Kind::U64, "the user; 0 for a guest"),
            field("entered", Kind::U8, "1 entered, 0 left"),
            field("info", Kind::JsonString { optional: false }, "an object with name"),
        ],
    },
    Notification {
        news: News::Message,
        name: "message",
        about: "A user posted to a room. An extension.",
        body: &[
            ROOM_ID,
            field("uid", Kind::U64, "the author; 0 for a guest"),
            field("message_id", Kind::U64, "unique, increasing, below 2^53"),
            field("time", Kind::U64, "when, in milliseconds since 1970"),
            field("text", Kind::Text, "as it was posted"),
        ],
    },
];

const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    I32(i32),
    /// The value of a [`Kind::String`], [`Kind::Text`] or [`Kind::JsonString`].
    Text(&'a str),
    Array(Vec<u32>),
}

/// The values of a body, in the order of its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Body<'a> {
    pub fields: &'static [Field],
    pub values: Vec<Value<'a>>,
}

impl<'a> Body<'a> {
    fn value(&self, name: &str) -> &Value<'a> {
        let at = self.fields.iter().position(|field| field.name == name);
        &self.values[at.expect("the table has this field")]
    }

    /// A text of any kind; an absent `info` is "".
    pub(crate) fn text(&self, name: &str) -> &'a str {
        match self.value(name) {
            Value::Text(text) => text,
            other => unreachable!("{name} is {other:?}"),
        }
    }

    /// A number of any width.
    pub(crate) fn number<N: TryFrom<i128>>(&self, name: &str) -> N {
        let wide = match self.value(name) {
            Value::U8(number) => i128::from(*number),
            Value::U16(number) => i128::from(*number),
            Value::U32(number) => i128::from(*number),
            Value::U64(number) => i128::from(*number),
            Value::I32(number) => i128::from(*number),
            other @ (Value::Text(_) | Value::Array(_)) => unreachable!("{name} is {other:?}"),
        };
        let number = N::try_from(wide).ok();
        number.unwrap_or_else(|| unreachable!("{name} is wider than it is read"))
    }
}

/// Reads a body with exactly these fields. The error names the field and says what is wrong.
pub fn read<'a>(fields: &'static [Field], body: &'a [u8]) -> Result<Body<'a>, String> {
    let mut rest = body;
    let mut values = Vec::with_capacity(fields.len());
    for field in fields {
        let value = value(field.kind, &mut rest);
        values.push(value.map_err(|why| format!("{} {why}", field.name))?);
    }
    match rest.len() {
        0 => Ok(Body { fields, values }),
        more => Err(format!("bytes follow the last field: {more}")),
    }
}

fn value<'a>(kind: Kind, rest: &mut &'a [u8]) -> Result<Value<'a>, String> {
    Ok(match kind {
        Kind::U8 => Value::U8(u8::from_be_bytes(array(rest)?)),
        Kind::U16 => Value::U16(u16::from_be_bytes(array(rest)?)),
        Kind::U32 => Value::U32(u32::from_be_bytes(array(rest)?)),
        Kind::U64 => Value::U64(u64::from_be_bytes(array(rest)?)),
        Kind::I32 => Value::I32(i32::from_be_bytes(array(rest)?)),
        Kind::String => {
            let count = u16::from_be_bytes(array(rest)?);
            Value::Text(text(rest, usize::from(count))?)
        }
        Kind::Text => Value::Text(long_text(rest)?),
        Kind::JsonString { optional } => {
            let text = long_text(rest)?;
            if !(optional && text.is_empty()) {
                info::object(text)?;
            }
            Value::Text(text)
        }
        Kind::ArrayU32 => {
            let count = u16::from_be_bytes(array(rest)?);
            let elements = (0..count).map(|_| Ok(u32::from_be_bytes(array(rest)?)));
            Value::Array(elements.collect::<Result<_, String>>()?)
        }
    })
}

fn long_text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, String> {
    let count = u32::from_be_bytes(array(rest)?);
    text(rest, usize::try_from(count).map_err(|_| cut_off())?)
}

fn text<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a str, String> {
    let (text, more) = rest.split_at_checked(count).ok_or_else(cut_off)?;
    *rest = more;
    std::str::from_utf8(text).map_err(|_| "is not UTF-8".into())
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (bytes, more) = rest.split_first_chunk().ok_or_else(cut_off)?;
    *rest = more;
    Ok(*bytes)
}

fn cut_off() -> String {
    "is cut off".into()
}

/// Appends these fields. Panics if a value is not of its field's kind.
pub fn write(fields: &[Field], values: &[Value<'_>], into: &mut Vec<u8>) {
    assert_eq!(fields.len(), values.len(), "one value a field");
    for (field, value) in fields.iter().zip(values) {
        match (field.kind, value) {
            (Kind::U8, Value::U8(number)) => into.push(*number),
            (Kind::U16, Value::U16(number)) => into.extend(number.to_be_bytes()),
            (Kind::U32, Value::U32(number)) => into.extend(number.to_be_bytes()),
            (Kind::U64, Value::U64(number)) => into.extend(number.to_be_bytes()),
            (Kind::I32, Value::I32(number)) => into.extend(number.to_be_bytes()),
            (Kind::String, Value::Text(text)) => {
                let count =
                    u16::try_from(text.len()).expect("only reasons and openids are written");
                into.extend(count.to_be_bytes());
                into.extend(text.as_bytes());
            }
            (Kind::Text | Kind::JsonString { .. }, Value::Text(text)) => {
                let count = u32::try_from(text.len()).expect("no text is of 4 GiB");
                into.extend(count.to_be_bytes());
                into.extend(text.as_bytes());
            }
            (Kind::ArrayU32, Value::Array(elements)) => {
                let count = u16::try_from(elements.len()).expect("lists are cut to a page");
                into.extend(count.to_be_bytes());
                elements.iter().for_each(|element| into.extend(element.to_be_bytes()));
            }
            (kind, value) => unreachable!("{} is a {kind:?}, not {value:?}", field.name),
        }
    }
}
