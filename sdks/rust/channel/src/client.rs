//! A user of the dialect.

use std::fmt;
use std::future::Future;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::apis::{self, channel_api, configuration::Configuration};
use crate::models::{
    ListMembersRequest, LogInRequest, RegisterRequest, SendDirectRequest, SendToChannelRequest,
    ShowUserRequest,
};
use crate::reply::{Reply, outcome};
use crate::{Code, Error};

/// The longest that a request takes, where nothing else is set.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A user of the channel dialect. It signs in anew by itself where its token ran out.
pub struct Client {
    base_url: String,
    http: reqwest::Client,
    signed_in: RwLock<Option<SignedIn>>,
}

#[derive(Clone)]
struct SignedIn {
    name: String,
    password: String,
    token: String,
}

impl Client {
    /// For a gateway at `base_url`, such as `"http://127.0.0.1:5004"`. Nothing is asked yet.
    pub fn new(base_url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build();
        Self::with_http(base_url, http.unwrap_or_default())
    }

    /// With an HTTP client of one's own: its timeouts, proxies and default headers, such as
    /// `X-Api-Key`.
    pub fn with_http(base_url: &str, http: reqwest::Client) -> Self {
        let base_url = base_url.trim_end_matches('/').to_owned();
        Self { base_url, http, signed_in: RwLock::default() }
    }

    /// Makes an account. It does not sign in.
    pub async fn register(&self, name: &str, password: &str) -> Result<(), Error> {
        let request = RegisterRequest::new(name.into(), password.into(), password.into());
        outcome(channel_api::register(&self.configuration(None), request).await)
    }

    /// Signs in.
    pub async fn login(&self, name: &str, password: &str) -> Result<(), Error> {
        let request = LogInRequest::new(name.into(), password.into());
        let data = outcome(channel_api::log_in(&self.configuration(None), request).await)?;
        let signed_in =
            SignedIn { name: name.into(), password: password.into(), token: data.token };
        *self.signed_in.write().unwrap_or_else(PoisonError::into_inner) = Some(signed_in);
        Ok(())
    }

    /// Whether there is a user of this name.
    pub async fn user_exists(&self, name: &str) -> Result<bool, Error> {
        let request = ShowUserRequest::new(name.into());
        let user = self.call(async |to| channel_api::show_user(&to, request.clone()).await).await;
        match user {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(Code::NoSuchUser) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a direct message to the user `name`.
    pub async fn send(&self, name: &str, msg: &str) -> Result<(), Error> {
        let request = SendDirectRequest::new(name.into(), msg.into());
        self.call(async |to| channel_api::send_direct(&to, request.clone()).await).await
    }

    /// Says something in a channel. Joins it, and makes it where there is none.
    pub async fn send_to_channel(&self, name: &str, message: &str) -> Result<(), Error> {
        let request = SendToChannelRequest::new(name.into(), message.into());
        self.call(async |to| channel_api::send_to_channel(&to, request.clone()).await).await
    }

    /// The members of a channel.
    pub async fn members(&self, name: &str) -> Result<Vec<String>, Error> {
        let request = ListMembersRequest::new(name.into());
        let members =
            self.call(async |to| channel_api::list_members(&to, request.clone()).await).await?;
        Ok(members.users.into_iter().map(|user| user.name).collect())
    }

    /// What a generated operation of [`channel_api`] gives, with the token: its data, or why there is
    /// none. Where the token ran out it is done again with a new one.
    pub async fn call<R: Reply, E, F>(
        &self,
        operation: impl Fn(Configuration) -> F,
    ) -> Result<R::Data, Error>
    where
        F: Future<Output = Result<R, apis::Error<E>>>,
    {
        let signed_in = self.signed_in.read().unwrap_or_else(PoisonError::into_inner).clone();
        let token = signed_in.as_ref().map(|signed_in| signed_in.token.clone());
        let done = outcome(operation(self.configuration(token)).await);
        match (done, signed_in) {
            (Err(error), Some(SignedIn { name, password, .. }))
                if error.code() == Some(Code::NotSignedIn) =>
            {
                self.login(&name, &password).await?;
                let renewed = self.signed_in.read().unwrap_or_else(PoisonError::into_inner).clone();
                let token = renewed.map(|signed_in| signed_in.token);
                outcome(operation(self.configuration(token)).await)
            }
            (done, _) => done,
        }
    }

    fn configuration(&self, token: Option<String>) -> Configuration {
        Configuration {
            base_path: self.base_url.clone(),
            user_agent: Some(concat!("dragoman-channel/", env!("CARGO_PKG_VERSION")).to_owned()),
            client: self.http.clone(),
            basic_auth: None,
            oauth_access_token: None,
            bearer_access_token: token,
            api_key: None,
        }
    }
}

/// Without password and token.
impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}
