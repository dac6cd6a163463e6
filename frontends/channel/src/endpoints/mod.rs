//! The dialect, one row an operation, and what the operations share.

mod list_members;
mod log_in;
mod receive_direct;
mod receive_from_channel;
mod register;
mod send_direct;
mod send_to_channel;
mod show_user;

use core_model::{Command, MessageId, Query, RoomRef, TokenHash, UserRef};
use frontend_api::http::{Action, Digits, Endpoint, RequestParams, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Channel, DIALECT, Receive, refusal};

pub(crate) const ALL: &[Endpoint<Channel>] = &[
    list_members::ENDPOINT,
    log_in::ENDPOINT,
    receive_direct::ENDPOINT,
    receive_from_channel::ENDPOINT,
    register::ENDPOINT,
    send_direct::ENDPOINT,
    send_to_channel::ENDPOINT,
    show_user::ENDPOINT,
];

/// Success, with `data`.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "{T}Success")]
struct Success<T> {
    #[schemars(extend("const" = 0))]
    code: u8,
    #[schemars(with = "String", extend("const" = "success"))]
    msg: &'static str,
    data: T,
}

/// Success, without data.
#[derive(JsonSchema, Serialize)]
struct Done {
    #[schemars(extend("const" = 0))]
    code: u8,
    #[schemars(with = "String", extend("const" = "success"))]
    msg: &'static str,
}

/// A user, by name only.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "User")]
struct Named<'a> {
    /// The handle.
    name: &'a str,
}

fn success<T: Serialize>(data: T) -> Response {
    Response::json(200, &Success { code: 0, msg: "success", data })
}

fn done() -> Response {
    Response::json(200, &Done { code: 0, msg: "success" })
}

/// Decodes a request that needs a token. Only a request with a valid token gets an error about
/// its fields.
fn signed_in<T: DeserializeOwned>(
    params: &RequestParams<'_>,
    decode: impl FnOnce(UserRef, T) -> Result<Action, String>,
) -> Result<Action, Response> {
    let caller = caller(params)?;
    let asked = params.read().and_then(|request| decode(caller.clone(), request));
    Ok(asked.unwrap_or_else(|why| {
        Action::QueryThenRespond(
            Query::User { user: caller, caller: None },
            refusal::bad_request(&why),
        )
    }))
}

/// The owner of the token, or the account that a JSON Web Token in its place or a client certificate
/// is linked to.
fn caller(params: &RequestParams<'_>) -> Result<UserRef, Response> {
    let peer = params.peer;
    let token = token(params);
    let bearer = params.request.header("authorization").and_then(bearer);
    match (token, &peer.token_identity, &peer.certificate) {
        (Ok(token), Some(identity), _) if bearer == Some(token) => {
            Ok(UserRef::Identity(identity.clone()))
        }
        (Ok(token), ..) => Ok(UserRef::Token(TokenHash::of(DIALECT, token))),
        (Err(_), _, Some(identity)) if !has_token(params) => {
            Ok(UserRef::Identity(identity.clone()))
        }
        (Err(refused), ..) => Err(refused),
    }
}

/// Whether there is anything in the place of a token.
fn has_token(params: &RequestParams<'_>) -> bool {
    params.fields.contains_key("token")
}

/// The token: a field, else the header `token`, else `Authorization: Bearer`, which may hold an API
/// key instead. An empty token counts as absent.
fn token<'a>(params: &'a RequestParams<'_>) -> Result<&'a str, Response> {
    let header = |name| params.request.header(name).map(str::trim).filter(|text| !text.is_empty());
    match params.fields.get("token") {
        Some(Value::String(token)) if !token.is_empty() => Ok(token),
        None | Some(Value::String(_)) => header("token")
            .or_else(|| header("authorization").and_then(bearer))
            .ok_or_else(|| refusal::not_signed_in("not signed in: no token")),
        Some(_) => Err(refusal::not_signed_in("not signed in: the token is not a string")),
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

/// A required field, not empty.
fn required(field: &str, value: Option<String>) -> Result<String, String> {
    value.filter(|text| !text.is_empty()).ok_or_else(|| format!("missing {field}"))
}

impl Channel {
    /// Reads a channel, or without one the caller's direct messages: those are all new the first
    /// time, while of a channel's past only the newest are.
    fn receive(
        &self,
        user: UserRef,
        expect: Option<String>,
        room: Option<RoomRef>,
        after: Option<Digits>,
    ) -> Command {
        let newest = self.options.receive == Receive::History;
        let first_limit = match room {
            None if !newest => u32::MAX,
            _ => self.options.history,
        };
        let after = after.filter(|_| !newest).map(|Digits(id)| MessageId(id));
        let limit = self.options.receive_max;
        Command::Receive { user, expect, room, after, limit, first_limit, newest }
    }
}
