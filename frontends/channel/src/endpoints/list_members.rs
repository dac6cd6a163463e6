//! `POST /channel/list_users` lists the members of a channel, also for callers that are not
//! members.

use core_model::{Outcome, Person, Query, Reply, RoomRef};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Named, Success, required, signed_in, success};
use crate::refusal::Failure;
use crate::{Channel, refusal};

pub(super) const ENDPOINT: Endpoint<Channel> = Endpoint {
    name: "list_members",
    methods: &["POST"],
    path: "/channel/list_users",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>(
            "Lists the members of a channel, also for callers that are not members.",
        )
        .for_users()
        .replies::<Success<Members>>()
        .replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The channel's.
    #[schemars(required, length(min = 1))]
    name: Option<String>,
}

#[derive(JsonSchema, Serialize)]
struct Members<'a> {
    /// Durable members, by handle in byte order.
    users: Vec<Named<'a>>,
}

fn decode(_: &Channel, params: &RequestParams<'_>) -> Result<Action, Response> {
    signed_in(params, |caller, Request { name }| {
        let room = RoomRef::Name(required("name", name)?);
        Ok(Action::Query(Query::Members { room, caller: Some(caller) }))
    })
}

fn encode(_: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::Members { members, .. }) => success(by_handle(members.iter().map(AsRef::as_ref))),
        Ok(_) => refusal::server_error(),
        Err(refusal) => refusal::refused(refusal),
    }
}

fn by_handle<'a>(members: impl Iterator<Item = &'a Person>) -> Members<'a> {
    let mut users: Vec<_> = members.map(|member| Named { name: &member.handle }).collect();
    users.sort_unstable_by_key(|user| user.name);
    Members { users }
}
