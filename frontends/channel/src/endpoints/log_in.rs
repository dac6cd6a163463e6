//! `POST /login` gives a token for a name and a password.

use core_model::{
    Command, Credential, Grant, Outcome, ProfileChanges, Refusal, Reply, TokenShape, UserRef,
};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::{Operation, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Success, required, success};
use crate::refusal::Failure;
use crate::{Channel, DIALECT, refusal};

pub(super) const ENDPOINT: Endpoint<Channel> = Endpoint {
    name: "log_in",
    methods: &["POST"],
    path: "/login",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>(
            "Issues a token for a name and a password. It is valid for `token_ttl`; each use extends it.",
        )
        .replies::<Success<SignedIn>>()
        .replies::<Failure>()
        .leads_to("send_to_channel", THE_TOKEN)
        .leads_to("receive_direct", THE_TOKEN)
        .leads_to("show_user", THE_USER)
    },
};

const THE_TOKEN: &[(&str, Source)] = &[("token", Source::Reply("/data/token"))];
const THE_USER: &[(&str, Source)] =
    &[("token", Source::Reply("/data/token")), ("name", Source::Request("name"))];

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The handle.
    #[schemars(required, length(min = 1))]
    name: Option<String>,
    #[schemars(required, length(min = 1))]
    password: Option<String>,
}

#[derive(JsonSchema, Serialize)]
struct SignedIn<'a> {
    /// Opaque.
    token: &'a str,
}

fn decode(channel: &Channel, params: &RequestParams<'_>) -> Result<Action, Response> {
    let (name, password) = read(params).map_err(|why| refusal::bad_request(&why))?;
    let grant = Grant {
        purpose: DIALECT.into(),
        shape: TokenShape::Text,
        ttl_ms: channel.options.token_ttl.0,
        sliding: true,
        hash: None,
    };
    Ok(Action::Submit(Command::SignIn {
        user: UserRef::Handle(name),
        credential: Credential::Password(password),
        create: None,
        changes: ProfileChanges::default(),
        session: false,
        delivery: None,
        token: Some(grant),
        address: None,
    }))
}

fn read(params: &Params<'_>) -> Result<(String, String), String> {
    let Request { name, password } = params.read()?;
    Ok((required("name", name)?, required("password", password)?))
}

fn encode(_: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::SignedIn { token: Some(token), .. }) => success(SignedIn { token }),
        Ok(_) => refusal::server_error(),
        Err(Refusal::UnknownUser) => refusal::wrong_name_or_password(),
        Err(refusal) => refusal::refused(refusal),
    }
}
