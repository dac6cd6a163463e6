//! A user of the dialect.

use std::fmt;
use std::future::Future;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::apis::{self, channel_api, configuration::Configuration};
use crate::models::{
    ListMembersRequest, LogInRequest, RegisterReply, RegisterRequest, SendDirectReply,
    SendDirectRequest, SendToChannelReply, SendToChannelRequest, ShowUserRequest,
};
use crate::reply::{Reply, outcome};
use crate::wait::{jittered, random};
use crate::{Code, Error};

/// The longest that a request takes, where nothing else is set.
const TIMEOUT: Duration = Duration::from_secs(30);

const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

/// A user of the channel dialect. It signs in anew by itself where its token ran out. A request whose
/// reply was lost is sent again, for the client's patience, and takes effect once.
pub struct Client {
    base_url: String,
    http: reqwest::Client,
    patience: Duration,
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
        let patience = Duration::from_secs(30);
        Self { base_url, http, patience, signed_in: RwLock::default() }
    }

    /// How long a request is sent again whose reply was lost; 30 seconds, where nothing else is set.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Makes an account. It does not sign in.
    pub async fn register(&self, name: &str, password: &str) -> Result<(), Error> {
        let request = RegisterRequest::new(name.into(), password.into(), password.into());
        self.once::<_, RegisterReply>("/register", &request, &new_key()).await
    }

    /// Signs in.
    pub async fn login(&self, name: &str, password: &str) -> Result<(), Error> {
        let mut pause = Pause::new(self.patience);
        loop {
            let done = self.sign_in(name, password).await;
            if !pause.is_needed(&done).await {
                return done;
            }
        }
    }

    async fn sign_in(&self, name: &str, password: &str) -> Result<(), Error> {
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

    /// Sends a direct message to the user `name`, once.
    pub async fn send(&self, name: &str, msg: &str) -> Result<(), Error> {
        self.send_with_key(name, msg, &new_key()).await
    }

    /// The same; with the same `key`, 1 to 200 bytes, it is the same message for a day.
    pub async fn send_with_key(&self, name: &str, msg: &str, key: &str) -> Result<(), Error> {
        let request = SendDirectRequest::new(name.into(), msg.into());
        self.once::<_, SendDirectReply>("/send", &request, key).await
    }

    /// Says something in a channel, once. Joins it, and makes it where there is none.
    pub async fn send_to_channel(&self, name: &str, message: &str) -> Result<(), Error> {
        self.send_to_channel_with_key(name, message, &new_key()).await
    }

    /// The same; with the same `key`, 1 to 200 bytes, it is the same message for a day.
    pub async fn send_to_channel_with_key(
        &self,
        name: &str,
        message: &str,
        key: &str,
    ) -> Result<(), Error> {
        let request = SendToChannelRequest::new(name.into(), message.into());
        self.once::<_, SendToChannelReply>("/channel/send", &request, key).await
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
                self.sign_in(&name, &password).await?;
                let renewed = self.signed_in.read().unwrap_or_else(PoisonError::into_inner).clone();
                let token = renewed.map(|signed_in| signed_in.token);
                outcome(operation(self.configuration(token)).await)
            }
            (done, _) => done,
        }
    }

    /// Does something again while it fails for a reason that passes; its key has it take effect once.
    async fn once<Q, R>(&self, path: &str, request: &Q, key: &str) -> Result<R::Data, Error>
    where
        Q: Serialize + Sync,
        R: Reply + DeserializeOwned,
    {
        let mut pause = Pause::new(self.patience);
        loop {
            let done = self.post::<Q, R>(path, request, Some(key)).await;
            if !pause.is_needed(&done).await {
                return done;
            }
        }
    }

    /// Posts a request once, with a key where one is given.
    pub(crate) async fn post<Q, R>(
        &self,
        path: &str,
        request: &Q,
        key: Option<&str>,
    ) -> Result<R::Data, Error>
    where
        Q: Serialize + Sync,
        R: Reply + DeserializeOwned,
    {
        self.call(|to| keyed::<Q, R>(to, path, request, key)).await
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

/// What the generated operations do, with an idempotency key where one is given.
async fn keyed<Q: Serialize, R: DeserializeOwned>(
    to: Configuration,
    path: &str,
    request: &Q,
    key: Option<&str>,
) -> Result<R, apis::Error<()>> {
    let mut call = to.client.post(format!("{}{path}", to.base_path)).json(request);
    if let Some(key) = key {
        call = call.header("Idempotency-Key", key);
    }
    if let Some(agent) = to.user_agent {
        call = call.header("User-Agent", agent);
    }
    if let Some(token) = to.bearer_access_token {
        call = call.bearer_auth(token);
    }
    let response = call.send().await?;
    let status = response.status();
    let content = response.text().await?;
    if status.is_success() {
        return Ok(serde_json::from_str(&content)?);
    }
    Err(apis::Error::ResponseError(apis::ResponseContent { status, content, entity: None }))
}

/// The waits between attempts.
struct Pause {
    until: Instant,
    next: Duration,
}

impl Pause {
    fn new(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, next: BACKOFF_FIRST }
    }

    /// Whether to try again, after a wait.
    async fn is_needed<T>(&mut self, done: &Result<T, Error>) -> bool {
        let is_passing = done.as_ref().is_err_and(Error::is_passing);
        if !is_passing || Instant::now() > self.until {
            return false;
        }
        tokio::time::sleep(jittered(self.next)).await;
        self.next = (self.next * 2).min(BACKOFF_MAX);
        true
    }
}

/// As unlikely to be drawn twice as a UUID.
pub(crate) fn new_key() -> String {
    format!("{:016x}{:016x}", random(), random())
}
