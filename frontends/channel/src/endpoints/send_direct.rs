//! `POST /send` sends a message to one user.

use core_model::{Command, Outcome, Reply, UserRef};
use frontend_api::http::{Ask, Endpoint, Params, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{done, required, signed_in};
use crate::{Channel, refusal};

pub(super) const ENDPOINT: Endpoint<Channel> =
    Endpoint { name: "send_direct", methods: &["POST"], path: "/send", decode, encode };

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The handle of the user it is for.
    name: Option<String>,
    /// The text, kept byte for byte.
    msg: Option<String>,
}

fn decode(_: &Channel, params: &Params<'_>) -> Result<Ask, Response> {
    signed_in(params, |author, Request { name, msg }| {
        let to = UserRef::Handle(required("name", name)?);
        let text = required("msg", msg)?;
        Ok(Ask::Call(Command::PostDirect { author, to, text }))
    })
}

fn encode(_: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::Posted { .. }) => done(),
        Ok(_) => refusal::server_error(),
        Err(refusal) => refusal::refused(refusal),
    }
}
