//! `POST /room/get_message` (二.5): messages of a room, oldest first: the newest, or with `after`
//! the oldest after that message. A closed room shows its messages to members only, so there the
//! caller is required.

use core_model::{MessageId, Outcome, Query, Reply};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;

use super::POST;
use crate::{UsrRoom, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "list_messages",
    methods: POST,
    path: "/room/get_message",
    decode,
    encode,
    describe: |dialect| {
        let operation = Operation::of::<Request>(
            "Returns messages of a room, oldest first: the newest, or with `after` the oldest \
            after that message. A closed room shows its messages to members only, so there \
            the caller is required.",
        );
        dialect.replies_with_messages(operation)
    },
};

parse::request! {
    Request {
        /// The caller; required for a closed room.
        openid,
        #[schemars(required)]
        room_id: Option<Digits>,
        /// The `id` of a message.
        after: Option<Digits>,
        /// The most messages; never more than the option `history`.
        limit: Option<Digits>,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let caller = parse::openid_if_any(request.openid, request.open_id)?;
    let wanted = request.limit.and_then(|limit| u32::try_from(limit.0).ok());
    let room = parse::room(request.room_id)?;
    let caller = caller.map(|openid| dialect.caller(&openid));
    let limit = wanted.unwrap_or(u32::MAX).min(dialect.history);
    Ok(Action::Query(match request.after {
        Some(after) => {
            Query::Missed { room, caller, after: Some(MessageId(after.0)), limit, newest: false }
        }
        None => Query::History { room, caller, before: None, after: None, limit },
    }))
}

fn encode(dialect: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::Messages { messages }) => dialect.messages(messages, None),
        Ok(Reply::Missed { messages, gap, .. }) => dialect.messages(messages, *gap),
        Ok(_) => refusal::unexpected(),
        Err(refused) => refusal::refused(refused),
    }
}
