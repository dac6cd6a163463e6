//! OPER, KILL and WALLOPS: operators of the gateway on IRC, by their tokens of the admin API. The host
//! checks the token each time and notes in the audit log what it was used for.

use std::collections::BTreeMap;

use core_model::{AdminRole, Command, Outcome, Refusal, Reply};
use frontend_api::{Authorize, Outbox, Output};

use crate::encode;
use crate::moderation::REASON_BYTES_MAX;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::peer_event::PeerAction;
use crate::pending::{OperatorRequest, PendingReply};
use crate::refusal::RequestKind;
use crate::state::{IrcSession, send};

const NO_PRIVILEGES: &str = "Permission denied: you are not an operator of the gateway";

impl IrcSession {
    // OPER.

    /// The second parameter is the token; the first, a name, says nothing.
    pub(crate) fn oper(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if !self.may_send_secrets {
            let why = "Connect with TLS, or from the machine of the gateway, to send a token";
            let line = self.numeric(ERR_NOOPERHOST, &[], why);
            return self.say(vec![line], out);
        }
        let token = message.param(1).to_owned();
        self.authorize(token, OperatorRequest::Oper, out);
    }

    /// Asks the host. Moderators may do all that there is to do here.
    fn authorize(&mut self, token: String, request: OperatorRequest, out: &mut Outbox) {
        let field = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let (operation, mut with) = match &request {
            OperatorRequest::Oper => ("oper", BTreeMap::new()),
            OperatorRequest::Kill { nick, reason } => {
                ("kill", BTreeMap::from([field("target", nick), field("reason", reason)]))
            }
            OperatorRequest::Wallops(text) => ("wallops", BTreeMap::from([field("text", text)])),
        };
        with.insert("nick".into(), self.nick.clone());
        out.push(Output::Authorize(Authorize {
            token: token.clone(),
            role: AdminRole::Moderator,
            operation: operation.into(),
            with,
        }));
        self.pending.replies.push_query(PendingReply::Operator { token, request });
    }

    pub(crate) fn authorized(
        &mut self,
        token: String,
        request: OperatorRequest,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        match (outcome, request) {
            (Ok(Reply::Authorized { .. }), OperatorRequest::Oper) => self.begin_oper(token, out),
            (Ok(Reply::Authorized { .. }), OperatorRequest::Kill { nick, reason }) => {
                self.kill_now(&nick, &reason, out);
            }
            (Ok(Reply::Authorized { .. }), OperatorRequest::Wallops(text)) => {
                let event = self.my_event(PeerAction::Wallops(text));
                let wakes = self.directory.tell_operators(&event);
                self.wake_all(wakes, out);
            }
            (Err(Refusal::TokenInvalid | Refusal::NotAllowed), OperatorRequest::Oper) => {
                let why = match outcome {
                    Err(Refusal::NotAllowed) => "The token has no role that counts here",
                    _ => "That is no token of an operator",
                };
                send(self.numeric(ERR_PASSWDMISMATCH, &[], why), out);
            }
            // The token was revoked, or has expired.
            (Err(Refusal::TokenInvalid | Refusal::NotAllowed), _) => {
                self.end_oper(out);
                send(self.numeric(ERR_NOPRIVILEGES, &[], NO_PRIVILEGES), out);
            }
            _ => self.report(RequestKind::Channel, "OPER", "*", outcome, out),
        }
    }

    fn begin_oper(&mut self, token: String, out: &mut Outbox) {
        self.operator = Some(token);
        if let Some(entry) = &self.entry {
            entry.set_operator(true);
        }
        send(self.numeric(RPL_YOUREOPER, &[], "You are an operator of the gateway"), out);
        send(self.my_line(&format!("MODE {} :+o", self.nick)), out);
    }

    /// The client is no operator any more.
    pub(crate) fn end_oper(&mut self, out: &mut Outbox) {
        if self.operator.take().is_some() {
            if let Some(entry) = &self.entry {
                entry.set_operator(false);
            }
            send(self.my_line(&format!("MODE {} :-o", self.nick)), out);
        }
    }

    // What operators may do.

    /// The token of an operator; sends the error to others.
    fn operator_token(&mut self, out: &mut Outbox) -> Option<String> {
        if self.operator.is_none() {
            let line = self.numeric(ERR_NOPRIVILEGES, &[], NO_PRIVILEGES);
            self.say(vec![line], out);
        }
        self.operator.clone()
    }

    pub(crate) fn kill(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let Some(token) = self.operator_token(out) else { return };
        let reason = encode::cut_to(message.param(1), REASON_BYTES_MAX);
        let reason = if reason.is_empty() { "No reason" } else { reason }.to_owned();
        let nick = message.param(0).to_owned();
        if self.directory.find(&nick).is_none() {
            let line = self.numeric(ERR_NOSUCHNICK, &[&nick], "No such nick");
            return self.say(vec![line], out);
        }
        self.authorize(token, OperatorRequest::Kill { nick, reason }, out);
    }

    fn kill_now(&mut self, nick: &str, reason: &str, out: &mut Outbox) {
        if names::same(nick, &self.nick) {
            let by = self.me.clone();
            return self.be_killed(&names::nick(&by), reason, out);
        }
        let event = self.my_event(PeerAction::Kill(reason.to_owned()));
        let wakes = self.directory.tell_nick(nick, &event);
        self.wake_all(wakes, out);
    }

    /// An operator ends the connection: leaves as if by QUIT, so that others see the reason.
    pub(crate) fn be_killed(&mut self, by: &str, reason: &str, out: &mut Outbox) {
        if self.leaving || self.over {
            return;
        }
        let why = format!("Killed ({by} ({reason}))");
        if !self.rooms.is_empty() {
            out.submit(Command::SignOut { reason: why.clone() });
            self.expect(PendingReply::Ignore);
            self.rooms.clear();
        }
        self.end(&why, out);
    }

    pub(crate) fn wallops(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let Some(token) = self.operator_token(out) else { return };
        self.authorize(token, OperatorRequest::Wallops(message.param(0).to_owned()), out);
    }

    /// What an operator does with `dragoman` on the machine of the gateway.
    pub(crate) fn rehash(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        if self.operator_token(out).is_some() {
            let why = "Reload the configuration on the machine of the gateway";
            let line = self.numeric(ERR_NOPRIVILEGES, &[], why);
            self.say(vec![line], out);
        }
    }
}
