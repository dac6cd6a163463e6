//! `POST /receive` gives the messages to the caller that it has not received yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{Gap, Message, MessageId, Outcome, Reply};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Success, signed_in, success};
use crate::refusal::Failure;
use crate::{Channel, refusal};

pub(super) const ENDPOINT: Endpoint<Channel> = Endpoint {
    name: "receive_direct",
    methods: &["POST"],
    path: "/receive",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>(
            "Returns the direct messages that the caller has not received yet.",
        )
        .for_users()
        .replies::<Success<Received>>()
        .replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The caller's own handle, if it is given.
    name: Option<String>,
    /// The `cursor` of an earlier reply: returns the messages after it.
    after: Option<Digits>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DirectMessages")]
struct Received<'a> {
    /// The texts of each sender, by its handle, in the order of sending.
    messages: BTreeMap<&'a str, Vec<&'a str>>,
    /// The id of the newest message that the caller has received; 0 for none.
    cursor: MessageId,
    /// Only after a request with `after`, and only if some of those after it were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<Gap>,
}

fn decode(channel: &Channel, params: &RequestParams<'_>) -> Result<Action, Response> {
    signed_in(params, |caller, Request { name, after }| {
        let expect = name.filter(|name| !name.is_empty());
        Ok(Action::Submit(channel.receive(caller, expect, None, after)))
    })
}

fn encode(_: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::Received { messages, cursor, gap }) => {
            success(Received { messages: by_sender(messages), cursor: *cursor, gap: *gap })
        }
        Ok(_) => refusal::server_error(),
        Err(refusal) => refusal::refused(refusal),
    }
}

fn by_sender(messages: &[Arc<Message>]) -> BTreeMap<&str, Vec<&str>> {
    let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for message in messages {
        texts.entry(&message.author.handle).or_default().push(&message.text);
    }
    texts
}
