//! `/auth/user_data`: an account, by name or tel. Not in the document; deployed servers had it.

use core_model::{Outcome, Person, Query, Reply as EngineReply, UserRef, normalize};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{METHODS, Nothing, Param, Res, Tel, read, reply};
use crate::words::GetUserDataSuccessfully;
use crate::{Chatroom, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> = Endpoint {
    name: "show_user",
    methods: METHODS,
    path: "/auth/user_data",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>(
            "Shows an account, by name or by telephone number; that decides, where both are given.",
        )
        .replies::<Found>()
        .replies::<NotFound>()
    },
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Request {
    pub user_name: Option<Param>,
    /// Decides, where both are given.
    #[schemars(with = "Option<Tel>", extend("x-accepts" = tel_or_nothing()))]
    pub user_tel: Option<Param>,
}

/// There is such an account.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "UserFound")]
pub struct Found {
    pub res: GetUserDataSuccessfully,
    pub data: Data,
}

/// No account is shown.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "UserNotFound")]
pub struct NotFound {
    pub res: Res,
    /// Absent where `user_tel` is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Nothing>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "UserData")]
pub struct Data {
    pub user: User,
}

/// An account; never its password.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "UserAccount")]
pub struct User {
    pub user_tel: Tel,
    pub user_name: String,
    /// A URL, or "".
    pub user_avatar_url: String,
}

/// For the schemas: an empty one is none.
fn tel_or_nothing() -> Value {
    json!({ "type": ["integer", "string"], "minimum": 0, "maximum": u64::MAX, "pattern": "^[0-9]{0,20}$" })
}

fn decode(_: &Chatroom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let Request { user_name, user_tel } = read(params);
    let user = match user_tel.filter(Param::is_given) {
        Some(tel) => {
            let tel = Tel::of(tel).map_err(|res| reply(&NotFound { res, data: None }))?;
            UserRef::Identity(tel.identity())
        }
        None => named(user_name).ok_or_else(|| reply(&failed(Res::UserNotExist)))?,
    };
    Ok(Action::Query(Query::User { user, caller: None }))
}

fn named(name: Option<Param>) -> Option<UserRef> {
    let name = name.filter(Param::is_given)?.text()?;
    Some(UserRef::Handle(normalize(&name)))
}

fn encode(_: &Chatroom, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(EngineReply::User { user }) => reply(&found(&user.person)),
        Ok(_) => reply(&failed(Res::ServerError)),
        Err(refusal) => refusal::response(refusal, failed),
    }
}

fn found(person: &Person) -> Found {
    let user = User {
        user_tel: Tel::of_person(person),
        user_name: person.handle.clone(),
        user_avatar_url: person.avatar.clone(),
    };
    Found { res: GetUserDataSuccessfully, data: Data { user } }
}

fn failed(res: Res) -> NotFound {
    NotFound { res, data: Some(Nothing {}) }
}
