//! AUTHENTICATE: SASL PLAIN.

use std::sync::Arc;

use core_model::{Credential, Outcome, Refusal, Reply, UserRef};
use frontend_api::Outbox;

use crate::names;
use crate::numeric::*;
use crate::parse::{self, Message, Plain};
use crate::pending::PendingReply;
use crate::sign_on::{failure_text, sign_in};
use crate::state::{IrcSession, send};

/// The longest response in a line of AUTHENTICATE. A line of this length has a continuation.
const RESPONSE_LINE_BYTES: usize = 400;

/// The longest response in all.
const RESPONSE_BYTES_MAX: usize = 8 * 1024;

/// The number of wrong passwords that ends the connection.
const FAILURES_MAX: u8 = 3;

impl IrcSession {
    pub(crate) fn authenticate(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let already = self.sign_on.as_ref().is_none_or(|sign_on| sign_on.account.is_some());
        if already {
            let why = match self.sign_on {
                Some(_) => "You are signed in already",
                None => "Sign in before you sign on",
            };
            let line = self.numeric(ERR_SASLALREADY, &[], why);
            return self.say(vec![line], out);
        }
        let Some(sign_on) = &mut self.sign_on else { return };
        let param = message.param(0);
        match &mut sign_on.response {
            None if param.eq_ignore_ascii_case("PLAIN") => {
                sign_on.response = Some(String::new());
                self.say(vec!["AUTHENTICATE +".into()], out);
            }
            None if param == "*" => self.end_sasl(ERR_SASLABORTED, "SASL aborted", out),
            None => {
                let line = self.numeric(RPL_SASLMECHS, &["PLAIN"], "are the mechanisms");
                self.say(vec![line], out);
                self.end_sasl(ERR_SASLFAIL, "There is no such mechanism", out);
            }
            Some(_) if param == "*" => self.end_sasl(ERR_SASLABORTED, "SASL aborted", out),
            Some(response) => {
                let too_long = param.len() > RESPONSE_LINE_BYTES
                    || response.len() + param.len() > RESPONSE_BYTES_MAX;
                if too_long {
                    return self.end_sasl(ERR_SASLTOOLONG, "The response is too long", out);
                }
                if param != "+" {
                    response.push_str(param);
                }
                if param.len() < RESPONSE_LINE_BYTES {
                    self.authenticate_plain(out);
                }
            }
        }
    }

    fn end_sasl(&mut self, numeric: Numeric, why: &str, out: &mut Outbox) {
        if let Some(sign_on) = &mut self.sign_on {
            sign_on.response = None;
        }
        let line = self.numeric(numeric, &[], why);
        self.say(vec![line], out);
    }

    /// Submits the credentials without opening a session of the account: the client cannot take
    /// events before the greeting.
    fn authenticate_plain(&mut self, out: &mut Outbox) {
        let response = self.sign_on.as_mut().and_then(|sign_on| sign_on.response.take());
        let Some(Plain { handle, password }) = response.and_then(|it| parse::plain(&it)) else {
            return self.end_sasl(ERR_SASLFAIL, "That is no response of PLAIN", out);
        };
        out.submit(sign_in(UserRef::Handle(handle), Credential::Password(password), None));
        self.expect(PendingReply::Proof);
    }

    pub(crate) fn authenticated(&mut self, outcome: &Outcome, out: &mut Outbox) {
        let Some(sign_on) = &mut self.sign_on else { return };
        match outcome {
            Ok(Reply::SignedIn { user, .. }) => {
                sign_on.account = Some(Arc::clone(&user.person));
                let mask = self.reader().mask(&user.person);
                let account = names::nick(&user.person);
                let text = format!("You are signed in as {account}");
                send(self.numeric(RPL_LOGGEDIN, &[&mask, &account], &text), out);
                send(self.numeric(RPL_SASLSUCCESS, &[], "SASL authentication successful"), out);
                self.try_sign_on(out);
            }
            _ => {
                let guessed = matches!(outcome, Err(Refusal::UnknownUser | Refusal::WrongPassword));
                sign_on.failures += u8::from(guessed);
                let end = sign_on.failures >= FAILURES_MAX;
                send(self.numeric(ERR_SASLFAIL, &[], &failure_text(outcome)), out);
                if end {
                    self.end("too many wrong passwords", out);
                }
            }
        }
    }
}
