//! `POST /register` creates an account, without signing the client in.

use core_model::{Command, NewUser, Outcome, Reply, Secret};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::{Operation, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Done, done, required};
use crate::Channel;
use crate::refusal::{self, Code, Failure};

pub(super) const ENDPOINT: Endpoint<Channel> = Endpoint {
    name: "register",
    methods: &["POST"],
    path: "/register",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>("Creates an account. Does not sign the user in.")
            .replies::<Done>()
            .replies::<Failure>()
            .leads_to("log_in", THE_ACCOUNT)
    },
};

const THE_ACCOUNT: &[(&str, Source)] =
    &[("name", Source::Request("name")), ("password", Source::Request("password"))];

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The wanted handle: 1 to 64 characters, no control characters, not beginning with `@` or
    /// `guest:`.
    #[schemars(required, length(min = 1))]
    name: Option<String>,
    #[schemars(required, length(min = 1))]
    password: Option<String>,
    /// The password again; the dialect's own spelling.
    #[schemars(required, length(min = 1))]
    password_repete: Option<String>,
}

fn decode(_: &Channel, params: &RequestParams<'_>) -> Result<Action, Response> {
    let (name, password, again) = read(params).map_err(|why| refusal::bad_request(&why))?;
    if password != again {
        return Err(refusal::failure(Code::PasswordsDiffer, "the passwords differ"));
    }
    let handle = Some(name);
    let password = Some(Secret::Plain(password));
    let user = NewUser { handle, insist: true, password, ..NewUser::default() };
    Ok(Action::Submit(Command::Register { user }))
}

fn read(params: &Params<'_>) -> Result<(String, String, String), String> {
    let Request { name, password, password_repete } = params.read()?;
    let name = required("name", name)?;
    let password = required("password", password)?;
    Ok((name, password, required("password_repete", password_repete)?))
}

fn encode(_: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::Registered { .. }) => done(),
        Ok(_) => refusal::server_error(),
        Err(refusal) => refusal::refused(refusal),
    }
}
