//! `/auth/user_data`: an account, by name or tel. Not in the document; deployed servers had it.

use core_model::{Outcome, Person, Query, Reply as EngineReply, UserRef, normalize};
use frontend_api::http::{Ask, Digits, Endpoint, Params, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{METHODS, Param, Res, Tel, Verdict, read, reply};
use crate::{Chatroom, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> =
    Endpoint { name: "show_user", methods: METHODS, path: "/auth/user_data", decode, encode };

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Request {
    pub user_name: Option<Param>,
    /// Decides, where both are given.
    #[schemars(with = "Option<Digits>")]
    pub user_tel: Option<Param>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub struct Reply {
    pub res: Res,
    pub data: Data,
}

#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Data {
    /// Absent but for `get user data successfully`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub struct User {
    pub user_tel: Tel,
    pub user_name: String,
    /// A URL, or "".
    pub user_avatar_url: String,
}

fn decode(_: &Chatroom, params: &Params<'_>) -> Result<Ask, Response> {
    let Request { user_name, user_tel } = read(params);
    let user = match user_tel.filter(Param::is_given) {
        Some(tel) => {
            let tel = Tel::of(tel).map_err(|res| reply(&Verdict { res }))?;
            UserRef::Identity(tel.identity())
        }
        None => named(user_name).ok_or_else(|| reply(&failed(Res::UserNotExist)))?,
    };
    Ok(Ask::Query(Query::User { user, caller: None }))
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

fn found(person: &Person) -> Reply {
    let user = User {
        user_tel: Tel::of_person(person),
        user_name: person.handle.clone(),
        user_avatar_url: person.avatar.clone(),
    };
    Reply { res: Res::GetUserDataSuccessfully, data: Data { user: Some(user) } }
}

fn failed(res: Res) -> Reply {
    Reply { res, data: Data::default() }
}
