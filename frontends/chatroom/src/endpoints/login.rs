//! `/auth/login`: shows who somebody is. Document: auth, login.

use core_model::{
    AddressGrant, Command, Credential, Grant, Outcome, ProfileChanges, Reply as EngineReply,
    TokenShape, UserRef, UserView,
};
use frontend_api::http::{Ask, Digits, Endpoint, Params, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{METHODS, Param, Res, Tel, present, read, reply};
use crate::{COOKIE, Chatroom, TOKEN_PURPOSE, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> =
    Endpoint { name: "login", methods: METHODS, path: "/auth/login", decode, encode };

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Request {
    #[schemars(with = "Option<Digits>")]
    pub user_tel: Option<Param>,
    pub user_password: Option<Param>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub struct Reply {
    pub res: Res,
    /// Empty but for `login successfully`.
    pub data: Account,
}

/// The account of who logged in.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Account {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_tel: Option<Tel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// As the caller just presented it: nothing readable is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_password: Option<String>,
    /// A URL, or "".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_avatar_url: Option<String>,
}

fn decode(dialect: &Chatroom, params: &Params<'_>) -> Result<Ask, Response> {
    let (tel, password) = presented(params).map_err(|res| reply(&failed(res)))?;
    let ttl_ms = dialect.options.sign_in_ttl.0;
    let token = Grant {
        purpose: TOKEN_PURPOSE.into(),
        shape: TokenShape::Text,
        ttl_ms,
        sliding: false,
        hash: None,
    };
    let address = dialect.sign_in_address(params.peer);
    Ok(Ask::Call(Command::SignIn {
        user: UserRef::Identity(tel.identity()),
        credential: Credential::Password(password),
        create: None,
        changes: ProfileChanges::default(),
        session: false,
        delivery: None,
        token: Some(token),
        address: address.map(|address| AddressGrant { address, ttl_ms }),
    }))
}

fn encode(dialect: &Chatroom, params: &Params<'_>, outcome: &Outcome) -> Response {
    match (outcome, presented(params)) {
        (Ok(EngineReply::SignedIn { user, token, .. }), Ok((tel, password))) => {
            let response = reply(&succeeded(user, tel, password));
            match token {
                Some(token) => response.with_header("set-cookie", cookie(dialect, token)),
                None => response,
            }
        }
        (Ok(_), _) => reply(&failed(Res::ServerError)),
        (Err(refusal), _) => refusal::response(refusal, failed),
    }
}

fn presented(params: &Params<'_>) -> Result<(Tel, String), Res> {
    let request: Request = read(params);
    let [tel, password] = present([request.user_tel, request.user_password])?;
    Ok((Tel::of(tel)?, password.text().ok_or(Res::InvalidUserPassword)?))
}

fn succeeded(user: &UserView, tel: Tel, password: String) -> Reply {
    let data = Account {
        user_tel: Some(tel),
        user_name: Some(user.person.handle.clone()),
        user_password: Some(password),
        user_avatar_url: Some(user.person.avatar.clone()),
    };
    Reply { res: Res::LoginSuccessfully, data }
}

fn failed(res: Res) -> Reply {
    Reply { res, data: Account::default() }
}

fn cookie(dialect: &Chatroom, token: &str) -> String {
    let max_age_s = dialect.options.sign_in_ttl.0.div_ceil(1_000);
    format!("{COOKIE}={token}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Lax")
}
