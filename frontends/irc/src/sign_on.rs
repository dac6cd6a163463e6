//! The sign-on: capabilities, nick, password, and the greeting.
//!
//! A nick that an account owns needs the password of the account; any other nick makes a guest. A
//! client that has signed in to an account gets its nick, whichever nick it requested; so does one
//! that signs in later (sasl.rs).

use std::sync::Arc;

use core_model::{
    Command, Credential, Delivery, Gap, Message as Posted, MessageId, Outcome, Person,
    ProfileChanges, Query, Refusal, Reply, RoomTag, UserRef,
};
use frontend_api::{Outbox, Subscribe};

use crate::caps;
use crate::delivery;
use crate::directory::Presence;
use crate::encode;
use crate::missed::Missed;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::peers::REAL_NAME_BYTES_MAX;
use crate::pending::PendingReply;
use crate::refusal::{self, RequestKind};
use crate::replay::newest_of;
use crate::state::{IrcSession, claim, guest, send};

impl IrcSession {
    pub(crate) fn cap(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let subcommand = message.param(0).to_ascii_uppercase();
        let reply = |session: &Self, words: &str, list: &str| {
            let head = format!(":{} CAP {} {words}", session.options.server_name, session.nick);
            encode::trailing(head, list)
        };
        let line = match subcommand.as_str() {
            "LS" => {
                self.negotiate();
                let with_values = message.param(1).parse::<u32>().is_ok_and(|it| it >= 302);
                let mechanisms = self.sasl.proofs.mechanisms();
                let mut list = caps::all(with_values, &mechanisms);
                if with_values && let Some(policy) = caps::sts(&self.options, self.secure) {
                    list += &format!(" {policy}");
                }
                reply(self, "LS", &list)
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

    pub(crate) fn user(&mut self, message: &Message<'_>, out: &mut Outbox) {
        match &mut self.sign_on {
            Some(sign_on) => {
                let real_name = encode::cut_to(message.param(3), REAL_NAME_BYTES_MAX);
                sign_on.real_name = Some(real_name.to_owned());
                let given = message.param(0);
                let (name, device) = given.split_once('@').unwrap_or((given, ""));
                sign_on.user_name = user_name(name);
                self.device = Some(device).filter(|it| !it.is_empty()).map(String::from);
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
        let Some(name) = names::requested(nick) else {
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

    /// Renames a guest that is in no channel: the engine identifies the occupants of a room by name.
    fn rename(&mut self, nick: &str, name: String, out: &mut Outbox) {
        let why = match self.me.uid {
            Some(_) => "An account is called by its name",
            None if !self.rooms.is_empty() => "Leave your channels before you change your name",
            None => return self.look_up_nick(name, out),
        };
        let line = self.numeric(ERR_CANTCHANGENICK, &[nick], why);
        self.say(vec![line], out);
    }

    fn look_up_nick(&mut self, name: String, out: &mut Outbox) {
        let user = UserRef::Claim(claim(name.clone()));
        let query = Query::User { user, caller: None };
        let seen = self.directory.accounts_seen();
        self.query(query, PendingReply::Nick { name, seen }, out);
    }

    /// Handles the answer on whether an account owns the nick.
    pub(crate) fn nick_looked_up(
        &mut self,
        name: String,
        seen: u64,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let nick = names::nick_of(&name);
        match outcome {
            Err(Refusal::UnknownUser) => {
                self.become_guest(&name, out);
                // The answer may be older than an account.
                let wakes = self.directory.refuse_guest_if_taken_since(seen, &nick);
                self.wake_all(wakes, out);
            }
            Err(Refusal::InvalidHandle { .. }) => {
                if let Some(sign_on) = &mut self.sign_on {
                    sign_on.wanted = None;
                }
                self.report(RequestKind::Channel, "NICK", &nick, outcome, out);
            }
            Ok(_) | Err(Refusal::NotSignedIn) => {
                if let Some(sign_on) = &mut self.sign_on {
                    sign_on.wanted = None;
                }
                let why = "That is an account's name: sign in with SASL or PASS";
                send(self.numeric(ERR_NICKNAMEINUSE, &[&nick], why), out);
            }
            Err(_) if self.sign_on.is_none() => {
                self.report(RequestKind::Channel, "NICK", &nick, outcome, out);
            }
            Err(refusal) => self.turn_away(refusal, out),
        }
    }

    fn become_guest(&mut self, name: &str, out: &mut Outbox) {
        let guest = Arc::new(guest(name));
        let nick = names::nick(&guest);
        let is_free = match &mut self.entry {
            Some(entry) => match entry.rename(&nick, &guest, self.now) {
                Some(wakes) => {
                    self.wake_all(wakes, out);
                    true
                }
                None => false,
            },
            None => self.register(&guest, out),
        };
        if !is_free {
            if let Some(sign_on) = &mut self.sign_on {
                sign_on.wanted = None;
            }
            let why = "Nickname is already in use";
            return send(self.numeric(ERR_NICKNAMEINUSE, &[&nick], why), out);
        }
        if self.sign_on.is_some() {
            return self.greet(guest, out);
        }
        send(self.my_line(&format!("NICK {nick}")), out);
        self.nick = nick;
        self.me = guest;
    }

    // Signing on.

    /// Signs on once the client has sent everything that it takes.
    pub(crate) fn try_sign_on(&mut self, out: &mut Outbox) {
        let Some(sign_on) = &mut self.sign_on else { return };
        if sign_on.negotiating || sign_on.real_name.is_none() {
            return;
        }
        let Some(wanted) = sign_on.wanted.clone() else { return };
        let (user, credential) = match (&sign_on.account, sign_on.password.take()) {
            (Some(account), _) => {
                let Some(uid) = account.uid else { return };
                (UserRef::Id(uid), Credential::Vouched)
            }
            (None, Some(password)) => (UserRef::Handle(wanted), Credential::Password(password)),
            (None, None) if self.options.guests => return self.look_up_nick(wanted, out),
            (None, None) => {
                let why = "There are no guests here: sign in with SASL or PASS";
                let line = self.numeric(ERR_PASSWDMISMATCH, &[], why);
                self.say(vec![line], out);
                return self.end("not signed in", out);
            }
        };
        self.open_session(user, credential, out);
        self.expect(PendingReply::SignOn);
    }

    /// Makes the connection a session of an account.
    pub(crate) fn open_session(&mut self, user: UserRef, credential: Credential, out: &mut Outbox) {
        let delivery = delivery::delivery(self.device.as_deref(), self.options.backlog);
        out.submit_and_subscribe(sign_in(user, credential, Some(delivery)), Subscribe::User);
    }

    pub(crate) fn signed_on(&mut self, outcome: &Outcome, out: &mut Outbox) {
        match outcome {
            Ok(Reply::SignedIn { user, rooms, backlog, cursor, gap, .. }) => {
                self.register(&user.person, out);
                self.greet(Arc::clone(&user.person), out);
                self.begin_session(*cursor, *gap, (backlog, rooms), out);
            }
            Err(Refusal::UnknownUser | Refusal::WrongPassword) => {
                send(self.numeric(ERR_PASSWDMISMATCH, &[], &failure_text(outcome)), out);
                self.end("wrong password", out);
            }
            Err(refusal) => self.turn_away(refusal, out),
            Ok(_) => self.turn_away(&Refusal::Internal { why: String::new() }, out),
        }
    }

    /// Sends an account what its clients have missed, and has it join the channels that it is a
    /// member of.
    pub(crate) fn begin_session(
        &mut self,
        cursor: Option<MessageId>,
        gap: Option<Gap>,
        (backlog, rooms): (&[Arc<Posted>], &[RoomTag]),
        out: &mut Outbox,
    ) {
        self.missed = Missed::new(cursor, self.options.backlog);
        self.send_backlog(gap, backlog, out);
        for room in rooms.iter().take(self.options.channels_max as usize) {
            self.enter(room.name.to_string(), None, false, out);
        }
        self.end_replay(out);
    }

    fn turn_away(&mut self, refusal: &Refusal, out: &mut Outbox) {
        let why = refusal::text(RequestKind::Channel, refusal);
        if let Refusal::Banned { .. } = refusal {
            send(self.numeric(ERR_YOUREBANNEDCREEP, &[], &why), out);
        }
        self.end(&why, out);
    }

    /// Enters the user into the directory; false for a guest whose nick another user has.
    fn register(&mut self, person: &Arc<Person>, out: &mut Outbox) -> bool {
        let real_name = self.sign_on.as_ref().and_then(|sign_on| sign_on.real_name.clone());
        let nick = names::nick(person);
        let user_name = self.sign_on.as_ref().map(|sign_on| sign_on.user_name.clone());
        let presence = Presence {
            user_name: user_name.unwrap_or_default(),
            real_name: real_name.filter(|name| !name.is_empty()).unwrap_or_else(|| nick.clone()),
            nick,
            uid: person.uid,
            away: None,
            is_bot: false,
            is_operator: false,
            reads_wallops: false,
            signed_on: self.now,
        };
        if person.uid.is_some() {
            self.refuse_guest(&presence.nick, out);
        }
        self.entry = self.directory.enter(presence, self.connection);
        if let Some(entry) = &self.entry {
            let wakes = entry.announce(person, self.now);
            self.wake_all(wakes, out);
        }
        self.entry.is_some()
    }

    /// Completes the sign-on.
    fn greet(&mut self, me: Arc<Person>, out: &mut Outbox) {
        self.sign_on = None;
        self.unregistered = None;
        self.nick = names::nick(&me);
        self.me = me;
        for line in self.greeting() {
            send(line, out);
        }
        self.start_keepalive(out);
    }

    /// Sends the direct messages that the account's clients have not acknowledged.
    fn send_backlog(&mut self, gap: Option<Gap>, backlog: &[Arc<Posted>], out: &mut Outbox) {
        let notice = gap.and_then(|gap| self.gap_notice(&self.nick, gap));
        let told = gap.filter(|_| notice.is_some());
        notice.into_iter().for_each(|notice| send(notice, out));
        for message in backlog {
            self.send_direct(message, None, out);
            out.mark(message.id);
        }
        if let Some(newest) = newest_of(backlog, told) {
            if backlog.last().is_none_or(|last| last.id < newest) {
                out.mark(newest);
            }
            self.missed.note_delivered(newest);
        }
    }
}

/// The longest user name, as ISUPPORT announces it.
pub(crate) const USER_NAME_CHARS_MAX: usize = 16;

/// A user name without characters that masks cannot carry.
fn user_name(given: &str) -> String {
    let is_sound = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_');
    given.chars().filter(is_sound).take(USER_NAME_CHARS_MAX).collect()
}

/// A sign-in. With `delivery` the connection becomes a session of the account.
pub(crate) fn sign_in(
    user: UserRef,
    credential: Credential,
    delivery: Option<Delivery>,
) -> Command {
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

/// Why a sign-in failed. The text does not reveal whether the account exists.
pub(crate) fn failure_text(outcome: &Outcome) -> String {
    match outcome {
        Err(Refusal::UnknownUser | Refusal::WrongPassword) => "Wrong name or password".into(),
        Err(refusal) => refusal::text(RequestKind::Channel, refusal),
        Ok(_) => "Server error".into(),
    }
}
