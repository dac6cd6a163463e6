//! Every message of the dialect in its wire form, with fields in the document's order.
//!
//! A client sends [`TextCreate`], [`Register`], [`Login`], [`GroupCreate`], [`AccountQuery`],
//! [`StatusQuery`], [`Verify`] and [`Acknowledge`]; only the server sends the others. The schemas
//! are generated from these types.

use std::borrow::Cow;

use core_model::bounds::DEVICE_BYTES_MAX;
use core_model::{MessageId, RoomId, Timestamp, Uid};
use frontend_api::http::{Digits, TextOrNumber};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// The `code` of a message: the number `N` on the wire.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Code<const N: u64>;

impl<const N: u64> Serialize for Code<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(N)
    }
}

impl<'de, const N: u64> Deserialize<'de> for Code<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Digits(code) = Digits::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom(format!("expected code {N}, not {code}"));
        if code == N { Ok(Self) } else { Err(wrong()) }
    }
}

impl<const N: u64> JsonSchema for Code<N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Code{N}").into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            return json_schema!({ "type": "integer", "const": N });
        }
        json_schema!({
            "type": "integer",
            "const": N,
            "x-accepts": { "type": "string", "pattern": format!("^0*{N}$") },
        })
    }
}

/// How an [`Ocid`] is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OcidStyle {
    /// `10001`, as in the document.
    #[default]
    Number,
    /// `"10001"`
    String,
}

impl OcidStyle {
    /// The ocid of a user in this style; 0 for a guest, which has no number.
    pub fn write(self, user: Option<Uid>) -> Ocid {
        Ocid { number: user.map_or(0, |uid| uid.0), style: self }
    }
}

/// The number of an account, or 0 for a guest: a JSON number, or a string of digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ocid {
    pub number: u64,
    /// The style to write it in; an ocid read from the wire gets the number style.
    pub style: OcidStyle,
}

impl Serialize for Ocid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.style {
            OcidStyle::Number => serializer.serialize_u64(self.number),
            OcidStyle::String => serializer.collect_str(&self.number),
        }
    }
}

impl<'de> Deserialize<'de> for Ocid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Digits(number) = Digits::deserialize(deserializer)?;
        Ok(Self { number, style: OcidStyle::Number })
    }
}

impl JsonSchema for Ocid {
    fn schema_name() -> Cow<'static, str> {
        "Ocid".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let about = "The number of an account, or 0 for a guest.";
        if generator.contract().is_serialize() {
            return json_schema!({ "type": "integer", "format": "uint64", "description": about });
        }
        let mut digits = Digits::json_schema(generator);
        digits.insert("description".into(), about.into());
        digits
    }
}

/// An element of `members`. An invalid element is kept, so that creating the group fails rather
/// than parsing the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Member(pub Option<Ocid>);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(serde_json::from_value(Value::deserialize(deserializer)?).ok()))
    }
}

impl JsonSchema for Member {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Member".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut ocid = generator.subschema_for::<Ocid>();
        ocid.insert("x-accepts".into(), true.into());
        ocid
    }
}

/// The client's clock is not used, so any value is accepted.
fn any_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_u64())
}

/// The longest `client_id`, in bytes: leaves room in an idempotency key for what makes it the
/// caller's own.
const CLIENT_ID_BYTES_MAX: usize = 200;

/// A client's own id of a message: a text of at most so many bytes, or a number without a sign or a
/// fraction. `null` counts as none.
fn client_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(id) if (1..=CLIENT_ID_BYTES_MAX).contains(&id.len()) => Ok(Some(id)),
        Value::String(id) => {
            let bytes = id.len();
            let why = format!("a client_id has 1 to {CLIENT_ID_BYTES_MAX} bytes, not {bytes}");
            Err(D::Error::custom(why))
        }
        Value::Number(number) if number.is_u64() => Ok(Some(number.to_string())),
        _ => Err(D::Error::custom("a client_id is a text or a whole number")),
    }
}

/// The name of a device, a text of at most so many bytes. `null` counts as none.
fn device<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    if (1..=DEVICE_BYTES_MAX).contains(&name.len()) {
        return Ok(Some(name));
    }
    let bytes = name.len();
    Err(D::Error::custom(format!("a device has 1 to {DEVICE_BYTES_MAX} bytes, not {bytes}")))
}

/// The id of a message: a whole number below 2^53.
fn message_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digits, D::Error> {
    let id = Digits::deserialize(deserializer)?;
    if id.0 < 1 << 53 { Ok(id) } else { Err(D::Error::custom("there is no message with this cid")) }
}

/// Code 0, "文本信息", to the server: a text for a group or for one user.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TextCreate {
    pub code: Code<0>,
    /// The client's clock, ms since 1970; not used.
    #[serde(default, deserialize_with = "any_time", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-accepts" = true))]
    pub time: Option<u64>,
    pub sender: TextCreateSender,
    /// 1 to `text_chars_max` characters, kept byte for byte.
    pub msg: String,
    /// A name of the client's for this message, 1 to 200 bytes: the text is posted once, however
    /// often it is sent with it within a day, and each time a [`Kept`] says which message it is.
    #[serde(default, deserialize_with = "client_id", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), extend("x-accepts" = json!({ "anyOf": [{ "type": "null" }, { "type": "integer", "minimum": 0 }] })))]
    pub client_id: Option<String>,
}

/// Has exactly one of `group_id` and `private_id`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(expecting = "an object with the sender's ocid")]
pub struct TextCreateSender {
    /// The account that is logged in on this connection.
    pub ocid: Ocid,
    /// A group that the sender is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Digits>,
    /// The recipient of a direct message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_id: Option<Ocid>,
}

/// Code 0, "文本信息", from the server: a text of any member, the receiver's own included.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Text {
    pub code: Code<0>,
    /// When the gateway accepted it, ms since 1970.
    pub time: Timestamp,
    /// Unique in the gateway, increasing, below 2^53.
    pub cid: MessageId,
    pub sender: Sender,
    pub msg: String,
}

/// Has exactly one of `group_id` and `private_id`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Sender {
    /// The author.
    pub ocid: Ocid,
    /// The group it was written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<RoomId>,
    /// The recipient of a direct message, at both ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_id: Option<Ocid>,
}

/// Code 4, "注册信息": makes an account, and logs this connection in as it.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Register {
    pub code: Code<4>,
    /// The client's clock, ms since 1970; not used.
    #[serde(default, deserialize_with = "any_time", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-accepts" = true))]
    pub time: Option<u64>,
    /// One `@` with something on both sides, no space, at most 254 bytes; case does not matter.
    pub email: String,
    /// Not empty. The login has to send the same text: clients hash it in their own way.
    pub password: String,
    /// The nickname; where absent or empty the part of the email before `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Code 5, "注册返回信息": the result of a [`Register`].
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Registered {
    pub code: Code<5>,
    /// ms since 1970
    pub time: Timestamp,
    /// 0 success, 1 failure (`details` give the reason), 2 the email is taken.
    #[schemars(extend("enum" = [0, 1, 2]))]
    pub state: u8,
    /// The same as `state`.
    #[schemars(extend("enum" = [0, 1, 2]))]
    pub status: u8,
    /// The new account; only on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocid: Option<Ocid>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// Code 6, "登录信息": logs this connection in; a second one replaces the first.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Login {
    pub code: Code<6>,
    /// The client's clock, ms since 1970; not used.
    #[serde(default, deserialize_with = "any_time", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-accepts" = true))]
    pub time: Option<u64>,
    /// 0: `account` is an email; 1: it is an ocid.
    #[schemars(extend("enum" = [0, 1], "x-accepts" = json!({ "type": "string", "pattern": "^0*[01]$" })))]
    pub login_type: Digits,
    pub account: TextOrNumber,
    pub password: String,
    /// The name of this device, 1 to 64 bytes, the same at each login. The device then gets all
    /// that it has not acknowledged itself, whatever other devices have, and a [`Gap`] for what is
    /// missing.
    #[serde(default, deserialize_with = "device", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-accepts" = json!({ "type": "null" })))]
    pub device: Option<String>,
}

/// Code 7, "登录返回信息": the result of a [`Login`].
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct LoggedIn {
    pub code: Code<7>,
    /// ms since 1970
    pub time: Timestamp,
    /// 0 logged in, 1 wrong account or password, 2 server error (`details` give the reason).
    #[schemars(extend("enum" = [0, 1, 2]))]
    pub state: u8,
    /// The same as `state`.
    #[schemars(extend("enum" = [0, 1, 2]))]
    pub status: u8,
    /// The account that is logged in now; only on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocid: Option<Ocid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// Code 8, "新建会话请求信息": makes a group of the caller and others.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct GroupCreate {
    pub code: Code<8>,
    /// The client's clock, ms since 1970; not used.
    #[serde(default, deserialize_with = "any_time", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-accepts" = true))]
    pub time: Option<u64>,
    /// At least one other account. The caller is a member in any case.
    pub members: Vec<Member>,
    /// The group's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A name of the client's for this request, 1 to 200 bytes: the group is made once, however often
    /// the request is sent with it within a day, and each time the reply names it.
    #[serde(default, deserialize_with = "client_id", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), extend("x-accepts" = json!({ "anyOf": [{ "type": "null" }, { "type": "integer", "minimum": 0 }] })))]
    pub client_id: Option<String>,
}

/// Code 9, "新建会话返回信息": the result of a [`GroupCreate`]; also sent, with `members`, to
/// the other members of the new group.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct GroupCreated {
    pub code: Code<9>,
    /// ms since 1970
    pub time: Timestamp,
    pub success: bool,
    /// Why it failed, else "".
    pub msg: String,
    /// The new group; only on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<RoomId>,
    /// All members, ascending; only to members other than the creator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Ocid>>,
}

/// Code 10, "获取账号信息": queries an account.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AccountQuery {
    pub code: Code<10>,
    /// The client's clock, ms since 1970; not used.
    #[serde(default, deserialize_with = "any_time", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-accepts" = true))]
    pub time: Option<u64>,
    pub ocid: Ocid,
    /// The fields of [`AccountData`] that are wanted; other names are passed over.
    pub request_values: Vec<String>,
}

/// Code 11, "获取账号信息返回": the requested fields of an account.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Account {
    pub code: Code<11>,
    /// ms since 1970
    pub time: Timestamp,
    /// 0 found, 3 no such account.
    #[schemars(extend("enum" = [0, 3]))]
    pub status: u8,
    pub data: AccountData,
}

/// The requested fields of an account; none if it does not exist.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AccountData {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocid: Option<Ocid>,
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// 1 online in any dialect, 0 not.
    #[schemars(extend("enum" = [0, 1]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u8>,
    /// The URL of a picture, or "". The spelling is the document's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avater: Option<String>,
    /// When the account was made, ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

/// Code 12: queries the server's status.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct StatusQuery {
    pub code: Code<12>,
    /// The client's clock, ms since 1970; not used.
    #[serde(default, deserialize_with = "any_time", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-accepts" = true))]
    pub time: Option<u64>,
}

/// Code 12, from the server: its status.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Status {
    pub code: Code<12>,
    /// ms since 1970
    pub time: Timestamp,
    /// 0: healthy.
    #[schemars(extend("const" = 0))]
    pub status: u8,
}

/// Code 14: requests the verification of an email.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Verify {
    pub code: Code<14>,
    /// The client's clock, ms since 1970; not used.
    #[serde(default, deserialize_with = "any_time", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-accepts" = true))]
    pub time: Option<u64>,
}

/// Code 15: the answer to [`Verify`]. No mail is sent.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Verified {
    pub code: Code<15>,
    /// ms since 1970
    pub time: Timestamp,
    /// Always 0.
    #[schemars(extend("const" = 0))]
    pub status: u8,
}

/// Code 16: messages that the device has missed and that do not come: too many, or no longer kept.
/// Only after a login with a `device`, before the messages that do come.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Gap {
    pub code: Code<16>,
    /// ms since 1970
    pub time: Timestamp,
    /// The missing messages are newer than this one: a `cid`.
    pub after: MessageId,
    /// They are older than this one: a `cid`.
    pub before: MessageId,
    /// How many; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// Code 17, to the server: the client has this message and all before it. There is no reply.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Acknowledge {
    pub code: Code<17>,
    /// The `cid` of the newest message that the client has.
    #[serde(deserialize_with = "message_id")]
    #[schemars(extend("x-accepts" = json!({
        "type": ["integer", "string"], "minimum": 0, "maximum": (1u64 << 53) - 1,
        "pattern": "^[0-9]{1,15}$",
    })))]
    pub cid: Digits,
}

/// Code 19: the text with this `client_id` is kept; only to the session that sent it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Kept {
    pub code: Code<19>,
    /// ms since 1970
    pub time: Timestamp,
    pub client_id: String,
    /// The message that it became.
    pub cid: MessageId,
}

/// Code 18: a request failed, and why.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Failure {
    pub code: Code<18>,
    /// ms since 1970
    pub time: Timestamp,
    /// A sentence for the client's developer.
    pub details: String,
}
