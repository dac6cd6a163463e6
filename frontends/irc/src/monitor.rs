//! MONITOR of IRCv3: being told when users of irc come and go.

use std::sync::Arc;

use core_model::Person;
use frontend_api::Outbox;

use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::state::IrcSession;

/// The most nicks that one connection may watch, as ISUPPORT announces it.
pub(crate) const WATCHED_MAX: usize = 100;

impl IrcSession {
    pub(crate) fn monitor(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let lines = match message.param(0) {
            "+" => self.watch(message),
            "-" => {
                if let Some(entry) = &self.entry {
                    nicks(message).for_each(|nick| entry.unwatch(&nick));
                }
                Vec::new()
            }
            "C" | "c" => {
                if let Some(entry) = &self.entry {
                    entry.watched().iter().for_each(|nick| entry.unwatch(nick));
                }
                Vec::new()
            }
            "L" | "l" => {
                let watched = self.entry.as_ref().map(|it| it.watched()).unwrap_or_default();
                let mut lines = self.nick_rows(RPL_MONLIST, watched);
                lines.push(self.numeric(RPL_ENDOFMONLIST, &[], "End of MONITOR list"));
                lines
            }
            "S" | "s" => {
                let watched = self.entry.as_ref().map(|it| it.watched()).unwrap_or_default();
                self.status_rows(watched)
            }
            _ => vec![self.numeric(ERR_NEEDMOREPARAMS, &["MONITOR"], "Use +, -, C, L or S")],
        };
        self.say(lines, out);
    }

    fn watch(&self, message: &Message<'_>) -> Vec<String> {
        let Some(entry) = &self.entry else { return Vec::new() };
        let (mut added, mut refused) = (Vec::new(), Vec::new());
        for nick in nicks(message) {
            let list = if entry.watch(&nick, WATCHED_MAX) { &mut added } else { &mut refused };
            list.push(nick);
        }
        let mut lines = self.status_rows(added);
        if !refused.is_empty() {
            let (most, nicks) = (WATCHED_MAX.to_string(), refused.join(","));
            lines.push(self.numeric(ERR_MONLISTFULL, &[&most, &nicks], "Monitor list is full"));
        }
        lines
    }

    fn status_rows(&self, nicks: Vec<String>) -> Vec<String> {
        let (mut online, mut offline) = (Vec::new(), Vec::new());
        for nick in nicks {
            match self.directory.find(&nick) {
                Some(known) => {
                    let uid = known.uid;
                    let handle = names::handle(&known.nick).unwrap_or_default();
                    online.push(self.reader().mask(&Person { uid, handle, ..Person::default() }));
                }
                None => offline.push(nick),
            }
        }
        let mut lines = self.nick_rows(RPL_MONONLINE, online);
        lines.extend(self.nick_rows(RPL_MONOFFLINE, offline));
        lines
    }

    /// Nicks or masks with commas between them, as many in each line as fit.
    fn nick_rows(&self, numeric: Numeric, nicks: Vec<String>) -> Vec<String> {
        let head = format!(":{} {numeric} {} :", self.options.server_name, self.nick);
        crate::encode::rows(&head, ',', nicks.into_iter())
    }

    pub(crate) fn online_lines(&self, by: &Arc<Person>) -> Vec<String> {
        self.nick_rows(RPL_MONONLINE, vec![self.reader().mask(by)])
    }

    pub(crate) fn offline_lines(&self, nick: String) -> Vec<String> {
        self.nick_rows(RPL_MONOFFLINE, vec![nick])
    }
}

/// The nicks that a client names, as users have them. What cannot be a nick is never online, and not
/// worth a place in the list.
fn nicks<'a>(message: &Message<'a>) -> impl Iterator<Item = String> + use<'a> {
    let names = message.list(1).filter_map(names::requested);
    names.map(|name| names::nick_of(&name))
}
