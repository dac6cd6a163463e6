//! Who the peer is: capabilities, nick and password, SASL, and the greeting.
//!
//! A nick that is an account's needs the account's password; a nick that is nobody's makes a guest.
//! Somebody who has proved to be an account is called as the account is, whatever nick was asked for.

use std::sync::Arc;

use core_model::{
    Command, Credential, Delivery, Message as Posted, Outcome, Person, ProfileChanges, Query,
    Refusal, Reply, RoomTag, UserRef,
};
use frontend_api::{Outbox, Subscribe};

use crate::caps::{self, Caps};
use crate::names;
use crate::numeric::*;
use crate::parse::{self, Message, Plain};
use crate::refusal::{self, Errand};
use crate::session::{IrcSession, Owed, guest, send};

/// The longest response in a line of AUTHENTICATE; one so long has more to come.
const RESPONSE_LINE_BYTES: usize = 400;

/// The longest response in all.
const RESPONSE_BYTES_MAX: usize = 8 * 1024;

/// After so many wrong passwords the connection ends.
const FAILURES_MAX: u8 = 3;

/// What is known of a peer that is nobody yet.
#[derive(Default)]
pub(crate) struct SignOn {
    /// Whether capabilities are being negotiated.
    negotiating: bool,
    /// The name that the wanted nick stands for.
    wanted: Option<String>,
    /// Whether USER has come.
    introduced: bool,
    password: Option<String>,
    /// The response of a SASL exchange that has begun, as far as it has come.
    response: Option<String>,
    /// Who the peer has proved to be.
    account: Option<Arc<Person>>,
    failures: u8,
}

impl IrcSession {
    pub(crate) fn cap(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let subcommand = message.param(0).to_ascii_uppercase();
        let reply = |session: &Self, words: &str, list: &str| {
            let head = format!(":{} CAP {} {words}", session.options.server_name, session.nick);
            crate::encode::trailing(head, list)
        };
        let line = match subcommand.as_str() {
            "LS" => {
                self.negotiate();
                let with_values = message.param(1).parse::<u32>().is_ok_and(|it| it >= 302);
                reply(self, "LS", &caps::all(with_values))
            }
            "LIST" => reply(self, "LIST", &self.caps.names()),
            "REQ" => {
                self.negotiate();
                match self.caps.after(message.param(1)) {
                    Some(caps) => {
                        self.caps = caps;
                        reply(self, "ACK", message.param(1))
                    }
                    None => reply(self, "NAK", message.param(1)),
                }
            }
            "END" => {
                if let Some(sign_on) = &mut self.sign_on {
                    sign_on.negotiating = false;
                }
                return self.try_sign_on(out);
            }
            _ => {
                let word = message.param(0);
                self.numeric(ERR_INVALIDCAPCMD, &[word], "There is no such CAP command")
            }
        };
        self.say(vec![line], out);
    }

    fn negotiate(&mut self) {
        if let Some(sign_on) = &mut self.sign_on {
            sign_on.negotiating = true;
        }
    }

    pub(crate) fn pass(&mut self, message: &Message<'_>, out: &mut Outbox) {
        match &mut self.sign_on {
            Some(sign_on) => sign_on.password = Some(message.words()),
            None => self.too_late(out),
        }
    }

    pub(crate) fn user(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        match &mut self.sign_on {
            Some(sign_on) => {
                sign_on.introduced = true;
                self.try_sign_on(out);
            }
            None => self.too_late(out),
        }
    }

    fn too_late(&mut self, out: &mut Outbox) {
        let line = self.numeric(ERR_ALREADYREGISTERED, &[], "You are signed on already");
        self.say(vec![line], out);
    }

    pub(crate) fn change_nick(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let nick = message.param(0);
        if nick.is_empty() {
            let line = self.numeric(ERR_NONICKNAMEGIVEN, &[], "No nickname given");
            return self.say(vec![line], out);
        }
        let Some(name) = names::handle(nick) else {
            let line = self.numeric(ERR_ERRONEUSNICKNAME, &[nick], "That cannot be a nickname");
            return self.say(vec![line], out);
        };
        match &mut self.sign_on {
            Some(sign_on) => {
                sign_on.wanted = Some(name);
                self.try_sign_on(out);
            }
            None if names::nick_of(&name) == self.nick => (),
            None => self.rename(nick, name, out),
        }
    }

    /// Only a guest that is nowhere can be called otherwise: a room knows who is in it by name.
    fn rename(&mut self, nick: &str, name: String, out: &mut Outbox) {
        let why = match self.me.uid {
            Some(_) => "An account is called by its name",
            None if !self.rooms.is_empty() || self.joins_owed() > 0 => {
                "Leave your channels before you change your name"
            }
            None => return self.look_nick_up(name, out),
        };
        let line = self.numeric(ERR_CANTCHANGENICK, &[nick], why);
        self.say(vec![line], out);
    }

    fn look_nick_up(&mut self, name: String, out: &mut Outbox) {
        self.deciding = true;
        let query = Query::User { user: UserRef::Handle(name.clone()), caller: None };
        self.ask(query, Owed::Nick(name), out);
    }

    /// Whether an account is called so.
    pub(crate) fn nick_looked_up(&mut self, name: String, outcome: &Outcome, out: &mut Outbox) {
        self.deciding = false;
        let nick = names::nick_of(&name);
        match outcome {
            Err(Refusal::UnknownUser) => self.become_guest(&name, out),
            Ok(_) => {
                if let Some(sign_on) = &mut self.sign_on {
                    sign_on.wanted = None;
                }
                let why = "That is an account's name: sign in with SASL or PASS";
                send(self.numeric(ERR_NICKNAMEINUSE, &[&nick], why), out);
            }
            Err(_) if self.sign_on.is_none() => {
                self.complain(Errand::Ask, "NICK", &nick, outcome, out);
            }
            Err(refusal) => self.turn_away(refusal, out),
        }
    }

    fn become_guest(&mut self, name: &str, out: &mut Outbox) {
        let guest = Arc::new(guest(name));
        if self.sign_on.is_some() {
            return self.greet(guest, &[], &[], out);
        }
        let nick = names::nick(&guest);
        send(self.my_line(&format!("NICK {nick}")), out);
        self.nick = nick;
        self.me = guest;
    }

    // SASL.

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
        let said = message.param(0);
        match &mut sign_on.response {
            None if said.eq_ignore_ascii_case("PLAIN") => {
                sign_on.response = Some(String::new());
                self.say(vec!["AUTHENTICATE +".into()], out);
            }
            None if said == "*" => self.sasl_ends(ERR_SASLABORTED, "SASL aborted", out),
            None => {
                let line = self.numeric(RPL_SASLMECHS, &["PLAIN"], "are the mechanisms");
                self.say(vec![line], out);
                self.sasl_ends(ERR_SASLFAIL, "There is no such mechanism", out);
            }
            Some(_) if said == "*" => self.sasl_ends(ERR_SASLABORTED, "SASL aborted", out),
            Some(response) => {
                let long = said.len() > RESPONSE_LINE_BYTES
                    || response.len() + said.len() > RESPONSE_BYTES_MAX;
                if long {
                    return self.sasl_ends(ERR_SASLTOOLONG, "The response is too long", out);
                }
                if said != "+" {
                    response.push_str(said);
                }
                if said.len() < RESPONSE_LINE_BYTES {
                    self.prove(out);
                }
            }
        }
    }

    fn sasl_ends(&mut self, numeric: Numeric, why: &str, out: &mut Outbox) {
        if let Some(sign_on) = &mut self.sign_on {
            sign_on.response = None;
        }
        let line = self.numeric(numeric, &[], why);
        self.say(vec![line], out);
    }

    /// Has the password checked, without a session of the account's yet: until the client is
    /// greeted it cannot be told anything.
    fn prove(&mut self, out: &mut Outbox) {
        let response = self.sign_on.as_mut().and_then(|sign_on| sign_on.response.take());
        let Some(Plain { handle, password }) = response.and_then(|it| parse::plain(&it)) else {
            return self.sasl_ends(ERR_SASLFAIL, "That is no response of PLAIN", out);
        };
        self.deciding = true;
        out.submit(sign_in(UserRef::Handle(handle), Credential::Password(password), None));
        self.owe(Owed::Proof);
    }

    pub(crate) fn proved(&mut self, outcome: &Outcome, out: &mut Outbox) {
        self.deciding = false;
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
                let desperate = sign_on.failures >= FAILURES_MAX;
                send(self.numeric(ERR_SASLFAIL, &[], &why_not(outcome)), out);
                if desperate {
                    self.end("too many wrong passwords", out);
                }
            }
        }
    }

    // Signing on.

    /// Signs on, if everything is there for it.
    fn try_sign_on(&mut self, out: &mut Outbox) {
        let Some(sign_on) = &mut self.sign_on else { return };
        if sign_on.negotiating || !sign_on.introduced {
            return;
        }
        let Some(wanted) = sign_on.wanted.clone() else { return };
        let (user, credential) = match (&sign_on.account, sign_on.password.take()) {
            (Some(account), _) => {
                let Some(uid) = account.uid else { return };
                (UserRef::Id(uid), Credential::Vouched)
            }
            (None, Some(password)) => (UserRef::Handle(wanted), Credential::Password(password)),
            (None, None) if self.options.guests => return self.look_nick_up(wanted, out),
            (None, None) => {
                let why = "There are no guests here: sign in with SASL or PASS";
                let line = self.numeric(ERR_PASSWDMISMATCH, &[], why);
                self.say(vec![line], out);
                return self.end("not signed in", out);
            }
        };
        self.deciding = true;
        let delivery = Delivery { backlog_max: self.options.backlog };
        out.submit_and_subscribe(sign_in(user, credential, Some(delivery)), Subscribe::User);
        self.owe(Owed::SignOn);
    }

    pub(crate) fn signed_on(&mut self, outcome: &Outcome, out: &mut Outbox) {
        self.deciding = false;
        match outcome {
            Ok(Reply::SignedIn { user, rooms, backlog, .. }) => {
                self.greet(Arc::clone(&user.person), rooms, backlog, out);
            }
            Err(Refusal::UnknownUser | Refusal::WrongPassword) => {
                send(self.numeric(ERR_PASSWDMISMATCH, &[], &why_not(outcome)), out);
                self.end("wrong password", out);
            }
            Err(refusal) => self.turn_away(refusal, out),
            Ok(_) => self.turn_away(&Refusal::Internal { why: String::new() }, out),
        }
    }

    fn turn_away(&mut self, refusal: &Refusal, out: &mut Outbox) {
        let why = refusal::text(Errand::Ask, refusal);
        self.end(&why, out);
    }

    /// The peer is somebody: says so, goes where it is a member, and hands over what came while it
    /// was nowhere.
    fn greet(
        &mut self,
        me: Arc<Person>,
        rooms: &[RoomTag],
        backlog: &[Arc<Posted>],
        out: &mut Outbox,
    ) {
        self.sign_on = None;
        self.nick = names::nick(&me);
        self.me = me;
        for line in self.greeting() {
            send(line, out);
        }
        self.watch_over(out);
        for message in backlog {
            self.tell_direct(message, out);
        }
        for room in rooms.iter().take(self.options.channels_max as usize) {
            self.enter(room.name.to_string(), out);
        }
    }

    pub(crate) fn has(&self, cap: Caps) -> bool {
        self.caps.has(cap)
    }
}

/// A sign-in; with `delivery` this connection is a session of the account from then on.
fn sign_in(user: UserRef, credential: Credential, delivery: Option<Delivery>) -> Command {
    Command::SignIn {
        user,
        credential,
        create: None,
        changes: ProfileChanges::default(),
        session: delivery.is_some(),
        delivery,
        token: None,
        address: None,
    }
}

/// Why somebody is not signed in. Whether the account exists is not told.
fn why_not(outcome: &Outcome) -> String {
    match outcome {
        Err(Refusal::UnknownUser | Refusal::WrongPassword) => "Wrong name or password".into(),
        Err(refusal) => refusal::text(Errand::Ask, refusal),
        Ok(_) => "Server error".into(),
    }
}
