//! `/auth/user_data`: an account, by name or tel. Not in the document; deployed servers had it.

use core_model::{Outcome, Person, Query, Reply as EngineReply, UserRef, normalize};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{METHODS, Nothing, Param, Res, Tel, read, reply};
use crate::words::GetUserDataSuccessfully;
use crate::{Chatroom, UserData, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> = Endpoint {
    name: "show_user",
    methods: METHODS,
    path: "/auth/user_data",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>(
            "Shows an account, by name or by telephone number. If both are given, the number counts.",
        )
        .replies::<Found>()
        .replies::<NotFound>()
    },
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Request {
    pub user_name: Option<Param>,
    /// Counts, if both are given.
    #[schemars(with = "Option<Tel>", extend("x-accepts" = tel_or_nothing()))]
    pub user_tel: Option<Param>,
}

/// The account exists.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "UserFound")]
pub struct Found {
    pub res: GetUserDataSuccessfully,
    pub data: Data,
}

/// The account does not exist, or is not shown.
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

fn decode(dialect: &Chatroom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let wanted = wanted(params)?;
    // The join has used up the fresh login; clients show the account later, too.
    let proof = || dialect.proof(params.peer, params.request).however_old();
    let user = match (dialect.options.user_data, wanted) {
        (UserData::Off, _) => return Err(reply(&failed(Res::NotAllowed))),
        (UserData::Own, Wanted::Named(name)) => dialect.own_account(name, proof()),
        // Only a token says whose it is. The reply shows whether that user has this number.
        (UserData::Own, Wanted::Tel(_)) => {
            let token = proof().token.ok_or_else(|| reply(&failed(Res::NotSignedIn)))?;
            UserRef::Token(token)
        }
        (UserData::All, Wanted::Named(name)) => UserRef::Handle(name),
        (UserData::All, Wanted::Tel(tel)) => UserRef::Identity(tel.identity()),
    };
    Ok(Action::Query(Query::User { user, caller: None }))
}

/// The account that the request is for.
enum Wanted {
    Named(String),
    Tel(Tel),
}

fn wanted(params: &Params<'_>) -> Result<Wanted, Response> {
    let Request { user_name, user_tel } = read(params);
    if let Some(tel) = user_tel.filter(Param::is_given) {
        let tel = Tel::of(tel).map_err(|res| reply(&NotFound { res, data: None }))?;
        return Ok(Wanted::Tel(tel));
    }
    let name = user_name.filter(Param::is_given).and_then(Param::text);
    let name = name.ok_or_else(|| reply(&failed(Res::UserNotExist)))?;
    Ok(Wanted::Named(normalize(&name)))
}

fn encode(dialect: &Chatroom, params: &Params<'_>, outcome: &Outcome) -> Response {
    let own = dialect.options.user_data == UserData::Own;
    match outcome {
        Ok(EngineReply::User { user }) => match wanted(params) {
            Ok(Wanted::Tel(tel)) if own && Tel::of_person(&user.person) != tel => {
                reply(&failed(Res::NotSignedIn))
            }
            Ok(_) => reply(&found(&user.person)),
            Err(response) => response,
        },
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
