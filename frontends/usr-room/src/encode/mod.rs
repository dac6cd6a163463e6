//! Rooms, users and messages in either flavor.

pub(crate) mod document;
pub(crate) mod miniprogram;

use std::borrow::Cow;
use std::sync::Arc;

use core_model::{Gap, Message, Outcome, Person, Refusal, Reply, RoomView, UserView};
use frontend_api::http::Response;
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::Serialize;

use crate::refusal::{FAILURE, Failure, Refused};
use crate::{Flavor, UsrRoom, refusal};

pub(crate) const SUCCESS: u8 = 1;

/// Success without content. For the mini-program also the reply if there is nothing to list.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Done {
    /// 1
    #[schemars(extend("const" = 1))]
    response_code: u8,
}

const DONE: Done = Done { response_code: SUCCESS };

/// The head of a list or object for the mini-program.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Ack {
    /// 1 success, 0 failure
    #[schemars(extend("enum" = [0, 1]))]
    response_code: u8,
}

impl Ack {
    const SUCCESS: Self = Self { response_code: SUCCESS };
    const FAILURE: Self = Self { response_code: FAILURE };
}

/// The reply of flavor miniprogram where there is nothing to list. The document has an empty list.
#[derive(Clone, Copy)]
pub(crate) enum Nothing {
    /// `{"response_code":1}`
    Success,
    /// `{"response_code":0}`
    Failure,
    /// `[{"response_code":0},[]]`
    FailedList,
}

/// The acknowledgement of a command without a result.
pub(crate) fn ack(outcome: &Outcome) -> Response {
    match outcome {
        Ok(_) => Response::json(200, &DONE),
        Err(refused) => refusal::refused(refused),
    }
}

/// The answer to a query for rooms.
pub(crate) fn room_list(dialect: &UsrRoom, outcome: &Outcome, nothing: Nothing) -> Response {
    match outcome {
        Ok(Reply::Rooms { rooms }) => dialect.rooms(rooms, nothing),
        Ok(_) => refusal::unexpected(),
        Err(refused) => refusal::refused(refused),
    }
}

/// The answer to a query for a user's rooms. For the mini-program, an unknown user has no rooms.
pub(crate) fn rooms_of_user(dialect: &UsrRoom, outcome: &Outcome, nothing: Nothing) -> Response {
    match (dialect.flavor, outcome) {
        (Flavor::Miniprogram, Err(Refusal::UnknownUser | Refusal::InvalidIdentity { .. })) => {
            nothing.response()
        }
        (Flavor::Document | Flavor::Miniprogram, outcome) => room_list(dialect, outcome, nothing),
    }
}

impl Nothing {
    pub(crate) fn response(self) -> Response {
        match self {
            Self::Success => Response::json(200, &DONE),
            Self::Failure => refusal::nothing(),
            Self::FailedList => {
                Response::json(200, &miniprogram::RoomList(Ack::FAILURE, Vec::new()))
            }
        }
    }
}

impl UsrRoom {
    /// The address of a user: its openid, else `@<handle>`. An openid that begins with `@`, which
    /// another dialect may have set, would be read as a handle, so it is not shown.
    pub(crate) fn address<'a>(&self, person: &'a Person) -> Cow<'a, str> {
        match person.identity(&self.realm).filter(|openid| !openid.starts_with('@')) {
            Some(openid) => Cow::Borrowed(openid),
            None => Cow::Owned(format!("@{}", person.handle)),
        }
    }

    /// For the schemas: what [`Self::rooms`] gives.
    pub(crate) fn replies_with_rooms(&self, operation: Operation, nothing: Nothing) -> Operation {
        match (self.flavor, nothing) {
            (Flavor::Document, _) => {
                operation.replies::<document::RoomList<'_>>().replies::<Failure>()
            }
            (Flavor::Miniprogram, Nothing::Success) => operation
                .replies::<miniprogram::RoomList<'_>>()
                .replies::<Done>()
                .replies::<Failure>(),
            (Flavor::Miniprogram, Nothing::Failure | Nothing::FailedList) => {
                operation.replies::<miniprogram::RoomList<'_>>().replies::<Refused>()
            }
        }
    }

    /// For the schemas: what [`Self::messages`] gives.
    pub(crate) fn replies_with_messages(&self, operation: Operation) -> Operation {
        match self.flavor {
            Flavor::Document => {
                operation.replies::<document::MessageList<'_>>().replies::<Failure>()
            }
            Flavor::Miniprogram => {
                operation.replies::<miniprogram::MessageList<'_>>().replies::<Refused>()
            }
        }
    }

    /// For the schemas: what [`Self::user`] gives.
    pub(crate) fn replies_with_user(&self, operation: Operation) -> Operation {
        match self.flavor {
            Flavor::Document => operation.replies::<document::User<'_>>().replies::<Failure>(),
            Flavor::Miniprogram => {
                operation.replies::<miniprogram::UserReply<'_>>().replies::<Failure>()
            }
        }
    }

    pub(crate) fn rooms(&self, rooms: &[Arc<RoomView>], nothing: Nothing) -> Response {
        match self.flavor {
            Flavor::Document => Response::json(200, &document::RoomList::of(self, rooms)),
            Flavor::Miniprogram if rooms.is_empty() => nothing.response(),
            Flavor::Miniprogram => Response::json(200, &miniprogram::RoomList::of(self, rooms)),
        }
    }

    pub(crate) fn messages(&self, messages: &[Arc<Message>], gap: Option<Gap>) -> Response {
        match self.flavor {
            Flavor::Document => {
                Response::json(200, &document::MessageList::of(self, messages, gap))
            }
            Flavor::Miniprogram if messages.is_empty() && gap.is_none() => {
                Nothing::Failure.response()
            }
            Flavor::Miniprogram => {
                Response::json(200, &miniprogram::MessageList::of(self, messages, gap))
            }
        }
    }

    pub(crate) fn user(&self, user: &UserView) -> Response {
        match self.flavor {
            Flavor::Document => Response::json(200, &document::User::of(user)),
            Flavor::Miniprogram => Response::json(200, &miniprogram::UserReply::of(self, user)),
        }
    }
}
