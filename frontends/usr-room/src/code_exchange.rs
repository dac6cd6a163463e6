//! `code_exchange`: turns the login code of a mini-program into an openid, at the vendor's server or
//! by a table. The form of the vendor's answer is that of WeChat's `jscode2session`.

use std::collections::BTreeMap;

use core_model::bounds::SUBJECT_BYTES_MAX;
use core_model::{Outcome, Reply};
use frontend_api::duration::Millis;
use frontend_api::{Fetch, OptionFault, Upstream};
use serde::Deserialize;

use crate::{Flavor, Options};

/// The option with the URL, and what the server is called.
const KEY: &str = "code_exchange";
const SECRET_FILE: &str = "code_exchange_secret_file";
const TIMEOUT: &str = "code_exchange_timeout";
const CODES: &str = "code_exchange_codes";

/// Codes are some thirty characters long.
const CODE_BYTES_MAX: usize = 256;

/// How `/login` exchanges a code for an openid.
pub(crate) struct CodeExchange {
    /// With `{code}` and perhaps `{secret}`; "" asks no server.
    url: String,
    secret_file: String,
    timeout: Millis,
    codes: BTreeMap<String, String>,
}

/// The vendor's answer. A session key in it is ignored.
#[derive(Deserialize)]
struct Answer {
    openid: Option<String>,
    errcode: Option<i64>,
}

/// What a code leads to.
pub(crate) enum Exchanged {
    Known(String),
    Ask(Fetch),
}

impl CodeExchange {
    /// `None`: not configured. Refuses options that make no sense.
    pub(crate) fn of(options: &Options) -> Result<Option<Self>, OptionFault> {
        let exchange = Self {
            url: options.code_exchange.clone(),
            secret_file: options.code_exchange_secret_file.clone(),
            timeout: options.code_exchange_timeout,
            codes: options.code_exchange_codes.clone(),
        };
        exchange.check().map_err(|(key, why)| OptionFault::new(key, why))?;
        let is_on = !exchange.url.is_empty() || !exchange.codes.is_empty();
        if is_on && options.flavor != Flavor::Miniprogram {
            let key = if exchange.url.is_empty() { CODES } else { KEY };
            return Err(OptionFault::new(key, "only flavor \"miniprogram\" has /login"));
        }
        Ok(is_on.then_some(exchange))
    }

    /// `Err`: a key, and what is wrong with its value.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let mut names = names(&self.url);
        if let Some(name) = names.find(|name| !["secret", "code"].contains(name)) {
            let why = format!("{{{name}}} has no meaning; known are {{secret}} and {{code}}");
            return Err((KEY, why));
        }
        if !self.url.is_empty() && !self.url.contains("{code}") {
            return Err((KEY, "has no {code}".into()));
        }
        if self.url.contains("{secret}") == self.secret_file.is_empty() {
            let why = "goes together with {secret} in code_exchange; give both or neither";
            return Err((SECRET_FILE, why.into()));
        }
        if self.timeout.0 == 0 {
            return Err((TIMEOUT, "leaves the server no time to answer".into()));
        }
        match self.codes.iter().find(|(code, openid)| code.is_empty() || !is_openid(openid)) {
            Some((code, _)) => Err((CODES, format!("{code:?} is empty, or its openid is none"))),
            None => Ok(()),
        }
    }

    /// The server, unless only the table is used.
    pub(crate) fn upstream(&self) -> Option<Upstream> {
        (!self.url.is_empty()).then(|| Upstream {
            key: KEY.into(),
            url: self.url.clone(),
            secret_file: Some(self.secret_file.clone()).filter(|path| !path.is_empty()),
            timeout_ms: self.timeout.0,
        })
    }

    /// The openid of a code in the table.
    pub(crate) fn known(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(String::as_str)
    }

    /// `Err`: why the code cannot be exchanged.
    pub(crate) fn exchange(&self, code: String) -> Result<Exchanged, String> {
        if let Some(openid) = self.known(&code) {
            return Ok(Exchanged::Known(openid.to_owned()));
        }
        if code.len() > CODE_BYTES_MAX {
            return Err("the code is too long".into());
        }
        if self.url.is_empty() {
            return Err("the code is not valid".into());
        }
        let fields = BTreeMap::from([("code".to_owned(), code)]);
        Ok(Exchanged::Ask(Fetch { upstream: KEY.into(), fields }))
    }
}

/// The openid in the server's answer. `Err`: the reply to the client instead; the server's own words
/// may contain the code or the app's id.
pub(crate) fn openid(outcome: &Outcome) -> Result<String, String> {
    let failed = || "the code exchange failed".to_owned();
    let Ok(Reply::Fetched { status: 200, body }) = outcome else { return Err(failed()) };
    let answer: Answer = serde_json::from_str(body).map_err(|_| failed())?;
    match answer {
        Answer { errcode: Some(errcode), .. } if errcode != 0 => {
            Err(format!("the code was refused ({errcode})"))
        }
        Answer { openid: Some(openid), .. } if is_openid(&openid) => Ok(openid),
        Answer { .. } => Err(failed()),
    }
}

/// One that `/usr/complete` takes.
fn is_openid(openid: &str) -> bool {
    !openid.is_empty()
        && openid.len() <= SUBJECT_BYTES_MAX
        && !openid.starts_with('@')
        && !openid.chars().any(char::is_control)
}

/// The names in braces.
fn names(url: &str) -> impl Iterator<Item = &str> {
    url.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest))
}
