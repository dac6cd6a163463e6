//! `POST /send` sends a message to one user.

use core_model::{Command, Outcome, Reply, UserRef};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Done, done, required, signed_in};
use crate::refusal::Failure;
use crate::{Channel, refusal};

pub(super) const ENDPOINT: Endpoint<Channel> = Endpoint {
    name: "send_direct",
    methods: &["POST"],
    path: "/send",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>("Sends a message to one user.")
            .for_users()
            .replies::<Done>()
            .replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The handle of the recipient.
    #[schemars(required, length(min = 1))]
    name: Option<String>,
    /// The text, kept byte for byte.
    #[schemars(required, length(min = 1))]
    msg: Option<String>,
}

fn decode(_: &Channel, params: &RequestParams<'_>) -> Result<Action, Response> {
    signed_in(params, |author, Request { name, msg }| {
        let to = UserRef::Handle(required("name", name)?);
        let text = required("msg", msg)?;
        Ok(Action::Submit(Command::PostDirect {
            author,
            to,
            text,
            notice: false,
            allow_self: true,
        }))
    })
}

fn encode(_: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::Posted { .. }) => done(),
        Ok(_) => refusal::server_error(),
        Err(refusal) => refusal::refused(refusal),
    }
}
