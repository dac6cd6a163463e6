//! `POST /channel/send` sends a message to a channel, which the caller joins by it, and which it
//! makes where there is none.

use core_model::{Command, Outcome, PostRight, Reply, RoomRef};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::{Operation, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Done, done, required, signed_in};
use crate::refusal::Failure;
use crate::{Channel, refusal};

pub(super) const ENDPOINT: Endpoint<Channel> = Endpoint {
    name: "send_to_channel",
    methods: &["POST"],
    path: "/channel/send",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>(
            "Sends a message to a channel. The caller joins the channel. A channel that does not \
            exist is created, if `auto_create` is on.",
        )
        .for_users()
        .replies::<Done>()
        .replies::<Failure>()
        .leads_to("receive_from_channel", THE_CHANNEL)
        .leads_to("list_members", THE_CHANNEL)
    },
};

const THE_CHANNEL: &[(&str, Source)] = &[("name", Source::Request("name"))];

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The channel's: 1 to 64 characters, no control characters.
    #[schemars(required, length(min = 1))]
    name: Option<String>,
    /// The text, kept byte for byte.
    #[schemars(required, length(min = 1))]
    message: Option<String>,
}

fn decode(channel: &Channel, params: &RequestParams<'_>) -> Result<Action, Response> {
    signed_in(params, |author, Request { name, message }| {
        let room = RoomRef::Name(required("name", name)?);
        let text = required("message", message)?;
        let standing = PostRight::Joining { create: channel.options.auto_create };
        Ok(Action::Submit(Command::Post { room, author, text, standing, notice: false }))
    })
}

fn encode(_: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::Posted { .. }) => done(),
        Ok(_) => refusal::server_error(),
        Err(refusal) => refusal::refused(refusal),
    }
}
