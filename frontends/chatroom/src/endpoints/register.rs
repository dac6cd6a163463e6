//! `/auth/register`: creates an account, without signing the client in. Document: auth, register.

use core_model::{Command, NewUser, Outcome, Secret, check_handle};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::{Operation, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Done, Failure, METHODS, Param, Res, Tel, present, read, reply};
use crate::words::RegisterSuccessfully;
use crate::{Chatroom, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> = Endpoint {
    name: "register",
    methods: METHODS,
    path: "/auth/register",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>("Creates an account. Does not log the user in.")
            .replies::<Done<RegisterSuccessfully>>()
            .replies::<Failure>()
            .leads_to("login", THE_ACCOUNT)
    },
};

const THE_ACCOUNT: &[(&str, Source)] = &[
    ("user_tel", Source::Request("user_tel")),
    ("user_password", Source::Request("user_password")),
];

#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Request {
    #[schemars(with = "Tel")]
    pub user_tel: Option<Param>,
    #[schemars(required, length(min = 1))]
    pub user_name: Option<Param>,
    #[schemars(required, length(min = 1))]
    pub user_password: Option<Param>,
}

fn decode(_: &Chatroom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let user = wanted(read(params)).map_err(|res| reply(&Failure { res }))?;
    Ok(Action::Submit(Command::Register { user }))
}

fn wanted(request: Request) -> Result<NewUser, Res> {
    let [tel, name, password] =
        present([request.user_tel, request.user_name, request.user_password])?;
    let tel = Tel::of(tel)?;
    // Checked before the engine does, so that no password is hashed for an invalid name.
    let handle = name.text().and_then(|name| check_handle(&name).ok());
    let handle = handle.ok_or(Res::InvalidUserName)?;
    let password = password.text().ok_or(Res::InvalidUserPassword)?;
    Ok(NewUser {
        handle: Some(handle),
        insist: true,
        identities: vec![tel.identity()],
        password: Some(Secret::Plain(password)),
        ..NewUser::default()
    })
}

fn encode(_: &Chatroom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(_) => reply(&Done { res: RegisterSuccessfully }),
        Err(refusal) => refusal::response(refusal, Failure::of),
    }
}
