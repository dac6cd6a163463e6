//! Users: WHO, WHOIS and the like.

use core_model::{Outcome, Person, Query, Reply, UserRef};
use frontend_api::Outbox;

use crate::encode;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::refusal::RequestKind;
use crate::state::{IrcSession, is_owner, members, send};

impl IrcSession {
    // WHO.

    pub(crate) fn who(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let mask = message.param(0);
        if let Some(room) = names::room(mask) {
            let query = self.occupants(&room);
            return self.query(query, PendingReply::WhoRoom(room), out);
        }
        match names::handle(mask) {
            Some(_) if mask == self.nick => {
                let lines = vec![self.who_line("*", "", &self.me), self.end_of_who(mask)];
                self.say(lines, out);
            }
            Some(handle) => self.query(self.account(handle), PendingReply::Who(mask.into()), out),
            None => {
                let line = self.end_of_who(mask);
                self.say(vec![line], out);
            }
        }
    }

    fn account(&self, handle: String) -> Query {
        Query::User { user: UserRef::Handle(handle), caller: self.caller() }
    }

    /// The flag is always `H`: the gateway does not know which users are away.
    fn who_line(&self, channel: &str, mark: &str, person: &Person) -> String {
        let (user, nick) = (encode::user(person), names::nick(person));
        let (server, flags) = (self.options.server_name.as_str(), format!("H{mark}"));
        let params = [channel, &user, server, server, &nick, &flags];
        self.numeric(RPL_WHOREPLY, &params, &format!("0 {}", person.name))
    }

    fn end_of_who(&self, mask: &str) -> String {
        self.numeric(RPL_ENDOFWHO, &[mask], "End of WHO")
    }

    pub(crate) fn send_who_room(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        let (channel, owner) = (names::channel(room), self.owner(room));
        for person in members(outcome).unwrap_or_default() {
            let mark = if is_owner(person, owner) { "@" } else { "" };
            send(self.who_line(&channel, mark, person), out);
        }
        send(self.end_of_who(&channel), out);
    }

    pub(crate) fn send_who(&mut self, mask: &str, outcome: &Outcome, out: &mut Outbox) {
        if let Ok(Reply::User { user }) = outcome {
            send(self.who_line("*", "", &user.person), out);
        }
        send(self.end_of_who(mask), out);
    }

    // WHOIS.

    /// `WHOIS nick` or `WHOIS server nick`.
    pub(crate) fn whois(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let nick = message.last().split(',').next().unwrap_or_default();
        if nick.is_empty() {
            let line = self.numeric(ERR_NONICKNAMEGIVEN, &[], "No nickname given");
            return self.say(vec![line], out);
        }
        match names::handle(nick) {
            // The engine finds accounts only.
            Some(_) if nick == self.nick && self.me.uid.is_none() => {
                let mut lines = self.whois_lines(&self.me);
                lines.push(self.end_of_whois(nick));
                self.say(lines, out);
            }
            Some(handle) => self.query(self.account(handle), PendingReply::Whois(nick.into()), out),
            None => {
                let unknown = self.numeric(ERR_NOSUCHNICK, &[nick], "No such nick");
                let lines = vec![unknown, self.end_of_whois(nick)];
                self.say(lines, out);
            }
        }
    }

    fn whois_lines(&self, person: &Person) -> Vec<String> {
        let (nick, user) = (names::nick(person), encode::user(person));
        let (server, network) = (self.options.server_name.as_str(), &self.options.network);
        let mut lines = vec![
            self.numeric(RPL_WHOISUSER, &[&nick, &user, server, "*"], &person.name),
            self.numeric(RPL_WHOISSERVER, &[&nick, server], network),
        ];
        if person.uid.is_some() {
            let why = "is signed in as";
            lines.push(self.numeric(RPL_WHOISACCOUNT, &[&nick, &nick], why));
        }
        lines
    }

    fn end_of_whois(&self, nick: &str) -> String {
        self.numeric(RPL_ENDOFWHOIS, &[nick], "End of WHOIS")
    }

    pub(crate) fn send_whois(&mut self, nick: &str, outcome: &Outcome, out: &mut Outbox) {
        match outcome {
            Ok(Reply::User { user }) => {
                self.whois_lines(&user.person).into_iter().for_each(|line| send(line, out));
                if !user.online {
                    send(self.numeric(RPL_AWAY, &[nick], "Not online"), out);
                }
            }
            _ => self.report(RequestKind::Channel, "WHOIS", nick, outcome, out),
        }
        send(self.end_of_whois(nick), out);
    }

    /// The gateway keeps no history of nicks.
    pub(crate) fn whowas(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let nick = message.param(0);
        let lines = match nick {
            "" => vec![self.numeric(ERR_NONICKNAMEGIVEN, &[], "No nickname given")],
            nick => vec![
                self.numeric(ERR_WASNOSUCHNICK, &[nick], "There was no such nick"),
                self.numeric(RPL_ENDOFWHOWAS, &[nick], "End of WHOWAS"),
            ],
        };
        self.say(lines, out);
    }

    /// Answers only for the client itself: clients ask to learn their own mask.
    pub(crate) fn userhost(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let mask = self.reader().mask(&self.me);
        let host = mask.split_once('!').map_or("", |(_, host)| host);
        let asked = (0..message.given()).any(|at| message.param(at) == self.nick);
        let reply = if asked { format!("{}=+{host}", self.nick) } else { String::new() };
        let line = self.numeric(RPL_USERHOST, &[], &reply);
        self.say(vec![line], out);
    }

    /// Acknowledges the request; the gateway does not store it.
    pub(crate) fn away(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let line = match message.param(0) {
            "" => self.numeric(RPL_UNAWAY, &[], "You are no longer marked as being away"),
            _ => self.numeric(RPL_NOWAWAY, &[], "You have been marked as being away"),
        };
        self.say(vec![line], out);
    }
}
