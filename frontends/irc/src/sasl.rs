//! AUTHENTICATE, before the sign-on and after it: SASL PLAIN, EXTERNAL with a client certificate, and
//! OAUTHBEARER with a token.

use std::sync::Arc;

use core_model::{Credential, Outcome, Person, Refusal, Reply, UserRef};
use frontend_api::Outbox;

use crate::acknowledging::Acknowledging;
use crate::caps::Caps;
use crate::mechanisms::{Exchange, Mechanism};
use crate::names;
use crate::numeric::*;
use crate::parse::{self, Bearer, Message, Plain};
use crate::pending::PendingReply;
use crate::sign_on::{failure_text, sign_in};
use crate::state::{IrcSession, send};

/// The longest response in a line of AUTHENTICATE. A line of this length has a continuation.
const RESPONSE_LINE_BYTES: usize = 400;

/// The longest response in all.
const RESPONSE_BYTES_MAX: usize = 12 * 1024;

/// The number of wrong passwords that ends the connection.
const FAILURES_MAX: u8 = 3;

impl IrcSession {
    pub(crate) fn authenticate(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if let Some((numeric, why)) = self.not_now() {
            return self.end_sasl(numeric, why, out);
        }
        let param = message.param(0);
        match &mut self.sasl.exchange {
            _ if param == "*" => self.end_sasl(ERR_SASLABORTED, "SASL aborted", out),
            None => match self.sasl.proofs.mechanism(param) {
                Some(mechanism) => {
                    self.sasl.exchange = Some(Exchange { mechanism, response: String::new() });
                    self.say(vec!["AUTHENTICATE +".into()], out);
                }
                None => {
                    let mechanisms = self.sasl.proofs.mechanisms();
                    let line = self.numeric(RPL_SASLMECHS, &[&mechanisms], "are the mechanisms");
                    self.say(vec![line], out);
                    self.end_sasl(ERR_SASLFAIL, "There is no such mechanism", out);
                }
            },
            Some(Exchange { response, .. }) => {
                let too_long = param.len() > RESPONSE_LINE_BYTES
                    || response.len() + param.len() > RESPONSE_BYTES_MAX;
                if too_long {
                    return self.end_sasl(ERR_SASLTOOLONG, "The response is too long", out);
                }
                if param != "+" {
                    response.push_str(param);
                }
                if param.len() < RESPONSE_LINE_BYTES {
                    self.respond(out);
                }
            }
        }
    }

    /// Why the client cannot sign in at this point. After the sign-on it needs the capability, and to
    /// be in no channel: the engine identifies the occupants of a room by name.
    fn not_now(&self) -> Option<(Numeric, &'static str)> {
        match &self.sign_on {
            Some(sign_on) => {
                let already = (ERR_SASLALREADY, "You are signed in already");
                sign_on.account.is_some().then_some(already)
            }
            None if !self.has(Caps::SASL) => {
                Some((ERR_SASLALREADY, "Sign in before you sign on, or request the capability"))
            }
            None if !self.rooms.is_empty() => {
                Some((ERR_SASLFAIL, "Leave your channels before you sign in"))
            }
            None => None,
        }
    }

    fn end_sasl(&mut self, numeric: Numeric, why: &str, out: &mut Outbox) {
        self.sasl.exchange = None;
        let line = self.numeric(numeric, &[], why);
        self.say(vec![line], out);
    }

    /// Submits the credentials of a whole response without opening a session of the account: the
    /// client cannot take events before the greeting.
    fn respond(&mut self, out: &mut Outbox) {
        let sasl = &mut self.sasl;
        let Some(Exchange { mechanism, response }) = sasl.exchange.take() else { return };
        let (user, credential, acting) = match mechanism {
            Mechanism::Plain => {
                let Some(Plain { handle, password }) = parse::plain(&response) else {
                    return self.end_sasl(ERR_SASLFAIL, "That is no response of PLAIN", out);
                };
                (UserRef::Handle(handle), Credential::Password(password), String::new())
            }
            Mechanism::External => {
                let certificate = sasl.proofs.certificate.clone();
                let Some((acting, identity)) = parse::external(&response).zip(certificate) else {
                    return self.end_sasl(ERR_SASLFAIL, "That is no response of EXTERNAL", out);
                };
                (UserRef::Identity(identity), Credential::Vouched, acting)
            }
            Mechanism::OauthBearer => {
                let Some(Bearer { handle, token }) = parse::bearer(&response) else {
                    return self.end_sasl(ERR_SASLFAIL, "That is no response of OAUTHBEARER", out);
                };
                (UserRef::Handle(handle), Credential::Password(token), String::new())
            }
        };
        sasl.acting = Some(acting).filter(|acting| !acting.is_empty());
        out.submit(sign_in(user, credential, None));
        self.expect(PendingReply::Proof);
    }

    pub(crate) fn authenticated(&mut self, outcome: &Outcome, out: &mut Outbox) {
        let acting = self.sasl.acting.take();
        match (outcome, &mut self.sign_on) {
            (Ok(Reply::SignedIn { user, .. }), _)
                if acting.is_some_and(|acting| acting != user.person.handle) =>
            {
                let why = "The certificate is linked to another account";
                send(self.numeric(ERR_SASLFAIL, &[], why), out);
            }
            (Ok(Reply::SignedIn { user, .. }), Some(sign_on)) => {
                sign_on.account = Some(Arc::clone(&user.person));
                self.confirm_login(&user.person, out);
                self.try_sign_on(out);
            }
            (Ok(Reply::SignedIn { user, .. }), None) => {
                let Some(uid) = user.person.uid else { return };
                self.open_session(UserRef::Id(uid), Credential::Vouched, out);
                self.expect(PendingReply::Switch);
            }
            _ => {
                let guessed = matches!(outcome, Err(Refusal::UnknownUser | Refusal::WrongPassword));
                self.sasl.failures += u8::from(guessed);
                send(self.numeric(ERR_SASLFAIL, &[], &failure_text(outcome)), out);
                if self.sasl.failures >= FAILURES_MAX {
                    self.end("too many wrong passwords", out);
                }
            }
        }
    }

    /// A client that was signed on has signed in to an account.
    pub(crate) fn switched(&mut self, outcome: &Outcome, out: &mut Outbox) {
        match outcome {
            Ok(Reply::SignedIn { user, rooms, backlog, cursor, gap, .. }) => {
                self.confirm_login(&user.person, out);
                self.become_account(&user.person, out);
                self.begin_session(*cursor, *gap, (backlog, rooms), out);
            }
            _ => send(self.numeric(ERR_SASLFAIL, &[], &failure_text(outcome)), out),
        }
    }

    fn confirm_login(&self, person: &Arc<Person>, out: &mut Outbox) {
        let mask = self.reader().mask(person);
        let account = names::nick(person);
        let text = format!("You are signed in as {account}");
        send(self.numeric(RPL_LOGGEDIN, &[&mask, &account], &text), out);
        send(self.numeric(RPL_SASLSUCCESS, &[], "SASL authentication successful"), out);
    }

    /// The connection is that of another user from now on.
    fn become_account(&mut self, person: &Arc<Person>, out: &mut Outbox) {
        let nick = names::nick(person);
        if let Some(entry) = &mut self.entry {
            let wakes = entry.become_user(&nick, person, self.now);
            self.wake_all(wakes, out);
        }
        if nick != self.nick {
            send(self.my_line(&format!("NICK {nick}")), out);
        }
        self.nick = nick;
        self.me = Arc::clone(person);
        self.acknowledging = Acknowledging::default();
        self.markers.clear();
    }
}
