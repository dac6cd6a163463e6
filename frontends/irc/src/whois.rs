//! What a client may ask of single users: WHOIS, WHOWAS, ISON and USERHOST.

use core_model::{Outcome, Person, Query, Reply, UserRef};
use frontend_api::Outbox;

use crate::encode;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::state::{IrcSession, send};

/// The most nicks of one ISON.
const ISON_MAX: usize = 100;

/// The most nicks of one USERHOST: RFC 2812, section 4.8.
const USERHOST_MAX: usize = 5;

impl IrcSession {
    // WHOIS and WHOWAS.

    /// `WHOIS nick` or `WHOIS server nick`.
    pub(crate) fn whois(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let nick = message.last().split(',').next().unwrap_or_default();
        if nick.is_empty() {
            let line = self.numeric(ERR_NONICKNAMEGIVEN, &[], "No nickname given");
            return self.say(vec![line], out);
        }
        if names::handle(nick).is_some() {
            return self.look_for(nick, PendingReply::Whois(nick.into()), out);
        }
        let unknown = self.numeric(ERR_NOSUCHNICK, &[nick], "No such nick");
        let lines = vec![unknown, self.end_of_whois(nick)];
        self.say(lines, out);
    }

    fn whois_lines(&self, person: &Person, channels: &[String]) -> Vec<String> {
        let nick = names::nick(person);
        let user = self.user_name(person);
        let server = self.options.server_name.as_str();
        let description = self.options.description();
        let name = self.real_name(person);
        let mut lines = vec![self.numeric(RPL_WHOISUSER, &[&nick, &user, server, "*"], &name)];
        if !channels.is_empty() {
            let head = format!(":{server} {RPL_WHOISCHANNELS} {} {nick} :", self.nick);
            lines.extend(encode::rows(&head, ' ', channels.iter().cloned()));
        }
        lines.push(self.numeric(RPL_WHOISSERVER, &[&nick, server], description));
        if self.is_operator(&nick, person.uid) {
            lines.push(self.numeric(RPL_WHOISOPERATOR, &[&nick], "is an operator of the gateway"));
        }
        if person.uid.is_some() {
            lines.push(self.numeric(RPL_WHOISACCOUNT, &[&nick, &nick], "is signed in as"));
        }
        if self.directory.is_bot(&nick, person.uid) {
            lines.push(self.numeric(RPL_WHOISBOT, &[&nick], "is a bot"));
        }
        lines
    }

    fn end_of_whois(&self, nick: &str) -> String {
        self.numeric(RPL_ENDOFWHOIS, &[nick], "End of WHOIS")
    }

    pub(crate) fn send_whois(&mut self, nick: &str, outcome: &Outcome, out: &mut Outbox) {
        match self.take_found(nick, outcome) {
            Some((person, online, channels)) => {
                let lines = self.whois_lines(&person, &channels);
                lines.into_iter().for_each(|line| send(line, out));
                let nick = names::nick(&person);
                if let Some(away) = self.away_of(&nick) {
                    send(self.numeric(RPL_AWAY, &[&nick], &away), out);
                } else if !online {
                    send(self.numeric(RPL_AWAY, &[&nick], "Not online"), out);
                }
            }
            None if outcome.is_ok() => {
                send(self.numeric(ERR_NOSUCHNICK, &[nick], "No such nick"), out);
            }
            None => {
                let request = crate::refusal::RequestKind::Channel;
                self.report(request, "WHOIS", nick, outcome, out);
            }
        }
        send(self.end_of_whois(nick), out);
    }

    /// Answers from the users that have left since the front end started, a bounded number.
    pub(crate) fn whowas(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let nick = message.param(0);
        if nick.is_empty() {
            let line = self.numeric(ERR_NONICKNAMEGIVEN, &[], "No nickname given");
            return self.say(vec![line], out);
        }
        let mut departed = self.directory.departed(nick);
        let count = message.param(1).parse().ok().filter(|count| *count > 0);
        departed.truncate(count.unwrap_or(usize::MAX));
        let server = self.options.server_name.as_str();
        let mut lines = Vec::new();
        for gone in &departed {
            let params = [gone.nick.as_str(), &gone.user(), server, "*"];
            lines.push(self.numeric(RPL_WHOWASUSER, &params, &gone.real_name));
            let at = encode::time(gone.signed_on).unwrap_or_default();
            lines.push(self.numeric(RPL_WHOISSERVER, &[&gone.nick, server], &at));
        }
        if departed.is_empty() {
            lines.push(self.numeric(ERR_WASNOSUCHNICK, &[nick], "There was no such nick"));
        }
        lines.push(self.numeric(RPL_ENDOFWHOWAS, &[nick], "End of WHOWAS"));
        self.say(lines, out);
    }

    // ISON and USERHOST.

    /// Users of irc are online while they are signed on; accounts, while they are in any dialect.
    pub(crate) fn ison(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let words = message.words();
        let mut known = Vec::new();
        for nick in words.split(' ').filter(|nick| !nick.is_empty()).take(ISON_MAX) {
            if let Some(presence) = self.directory.find(nick) {
                known.push(presence.nick);
            } else if let Some(handle) = names::handle(nick) {
                let query = Query::User { user: UserRef::Handle(handle), caller: self.caller() };
                self.query(query, PendingReply::Ison(nick.into()), out);
            }
        }
        if self.pending.is_idle() {
            self.send_ison(known, out);
        } else {
            self.wait_turn(PendingReply::IsonEnd(known), out);
        }
    }

    pub(crate) fn ison_found(&mut self, nick: String, outcome: &Outcome) {
        if matches!(outcome, Ok(Reply::User { user }) if user.online) {
            self.online.push(nick);
        }
    }

    pub(crate) fn send_ison(&mut self, mut known: Vec<String>, out: &mut Outbox) {
        known.append(&mut self.online);
        send(self.numeric(RPL_ISON, &[], &known.join(" ")), out);
    }

    /// Answers for users of irc: only their connections have a user and a host.
    pub(crate) fn userhost(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let server = &self.options.server_name;
        let asked = (0..message.given().min(USERHOST_MAX)).map(|at| message.param(at));
        let found = asked.filter_map(|nick| self.directory.find(nick));
        let reply = found.map(|presence| {
            let sign = if presence.away.is_some() { '-' } else { '+' };
            let operator = if presence.is_operator { "*" } else { "" };
            format!("{}{operator}={sign}{}@{server}", presence.nick, presence.user())
        });
        let reply = reply.collect::<Vec<_>>().join(" ");
        let line = self.numeric(RPL_USERHOST, &[], &reply);
        self.say(vec![line], out);
    }
}
