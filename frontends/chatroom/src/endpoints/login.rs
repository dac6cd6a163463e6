//! `/auth/login`: signs a user in by tel and password. Document: auth, login.

use core_model::{
    AddressGrant, Command, Credential, Grant, Outcome, ProfileChanges, Reply as EngineReply,
    TokenShape, UserRef, UserView,
};
use frontend_api::http::{Action, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::{Operation, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{METHODS, Nothing, Param, Res, Tel, present, read, reply};
use crate::words::LoginSuccessfully;
use crate::{COOKIE, Chatroom, SameSite, TOKEN_PURPOSE, refusal};

pub(crate) const ENDPOINT: Endpoint<Chatroom> = Endpoint {
    name: "login",
    methods: METHODS,
    path: "/auth/login",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>(
            "Logs the user in. Sets a cookie for the WebSocket and `/chatroom/room`.",
        )
        .replies::<LoggedIn>()
        .replies::<LoginRefused>()
        .leads_to("show_user", &[("user_name", Source::Reply("/data/user_name"))])
    },
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Request {
    #[schemars(with = "Tel")]
    pub user_tel: Option<Param>,
    #[schemars(required, length(min = 1))]
    pub user_password: Option<Param>,
}

/// The login succeeded.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LoggedIn {
    pub res: LoginSuccessfully,
    pub data: Account,
}

/// The login failed.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LoginRefused {
    pub res: Res,
    pub data: Nothing,
}

/// The account that logged in.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Account {
    pub user_tel: Tel,
    pub user_name: String,
    /// As the caller just presented it: nothing readable is stored.
    pub user_password: String,
    /// A URL, or "".
    pub user_avatar_url: String,
}

fn decode(dialect: &Chatroom, params: &RequestParams<'_>) -> Result<Action, Response> {
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
    Ok(Action::Submit(Command::SignIn {
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

fn succeeded(user: &UserView, tel: Tel, password: String) -> LoggedIn {
    let data = Account {
        user_tel: tel,
        user_name: user.person.handle.clone(),
        user_password: password,
        user_avatar_url: user.person.avatar.clone(),
    };
    LoggedIn { res: LoginSuccessfully, data }
}

fn failed(res: Res) -> LoginRefused {
    LoginRefused { res, data: Nothing {} }
}

fn cookie(dialect: &Chatroom, token: &str) -> String {
    set_cookie(dialect, token, dialect.options.sign_in_ttl.0.div_ceil(1_000))
}

/// A browser replaces the cookie of a login by one with the same attributes.
pub(crate) fn set_cookie(dialect: &Chatroom, token: &str, max_age_s: u64) -> String {
    let same_site = match dialect.options.cookie_same_site {
        SameSite::Lax => "Lax",
        // Browsers refuse it without Secure.
        SameSite::None => "None; Secure",
    };
    format!("{COOKIE}={token}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite={same_site}")
}
