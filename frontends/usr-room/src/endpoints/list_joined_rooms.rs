//! `POST /usr/roomlist2` (一.4): the rooms the caller is a member of, its own included.

use core_model::{Outcome, RoomFilter};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;

use super::POST;
use crate::encode::Nothing;
use crate::{UsrRoom, encode, parse};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "list_joined_rooms",
    methods: POST,
    path: "/usr/roomlist2",
    decode,
    encode,
    describe: |dialect| {
        let operation = Operation::of::<Request>(
            "Lists the rooms that the caller is a member of, including its own.",
        );
        dialect.replies_with_rooms(operation, Nothing::Success)
    },
};

parse::request! {
    #[schemars(extend("anyOf" = parse::EITHER_OPENID))]
    Request {
        openid,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request: Request = parse::read(params)?;
    let openid = parse::openid(request.openid, request.open_id)?;
    Ok(Action::Query(super::rooms(RoomFilter::MemberOf(dialect.caller(&openid)))))
}

fn encode(dialect: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::rooms_of_user(dialect, outcome, Nothing::Success)
}
