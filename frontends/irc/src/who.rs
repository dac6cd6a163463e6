//! WHO, and how users are found.

use std::sync::Arc;

use core_model::{Outcome, Person, Query, Reply, Uid, UserRef};
use frontend_api::Outbox;

use crate::directory::Presence;
use crate::modes::BOT_MODE;
use crate::names;
use crate::numeric::*;
use crate::occupants::Occupants;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::state::{Found, IrcSession, guest, send};
use crate::who_format::WhoFormat;

/// The most channels of the client in which WHO and WHOIS look for a user.
const CHANNELS_SEARCHED_MAX: usize = 10;

/// The most users that a mask lists.
const MASK_USERS_MAX: usize = 100;

impl IrcSession {
    pub(crate) fn who(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let mask = match message.param(0) {
            "" | "0" => "*",
            mask => mask,
        };
        let format = WhoFormat::parse(message.param(1));
        if message.param(1) == "o" {
            let found = self.directory.operators(mask, MASK_USERS_MAX);
            let lines = self.who_lines(found, mask, &format);
            return self.say(lines, out);
        }
        if let Some(room) = names::room(mask) {
            let room = self.joined_name(room);
            let query = self.occupants(&room);
            let mask = mask.to_owned();
            return self.query(query, PendingReply::WhoRoom { room, mask, format }, out);
        }
        if names::same(mask, &self.nick) {
            let me = Arc::clone(&self.me);
            let lines = vec![self.who_line(&format, "*", "", &me), self.end_of_who(mask)];
            return self.say(lines, out);
        }
        if mask.contains(['*', '?']) {
            let lines = self.who_mask(mask, &format);
            return self.say(lines, out);
        }
        if names::handle(mask).is_some() {
            self.look_for(mask, PendingReply::Who { mask: mask.into(), format }, out);
        } else {
            let line = self.end_of_who(mask);
            self.say(vec![line], out);
        }
    }

    /// Every user has the mode `i`, so a mask finds those alone that share a channel.
    fn who_mask(&self, mask: &str, format: &WhoFormat) -> Vec<String> {
        let neighbors = self.entry.as_ref().map(|it| it.neighbors(mask, MASK_USERS_MAX));
        self.who_lines(neighbors.unwrap_or_default(), mask, format)
    }

    fn who_lines(&self, found: Vec<Presence>, mask: &str, format: &WhoFormat) -> Vec<String> {
        let people = found.into_iter().filter_map(|known| {
            let name = names::handle(&known.nick)?;
            Some(match known.uid {
                Some(_) => {
                    Person { uid: known.uid, name: name.clone(), handle: name, ..Person::default() }
                }
                None => guest(&name),
            })
        });
        let mut lines: Vec<String> =
            people.map(|person| self.who_line(format, "*", "", &person)).collect();
        lines.push(self.end_of_who(mask));
        lines
    }

    /// Looks for a user in the channels of the client, then among the accounts.
    pub(crate) fn look_for(&mut self, nick: &str, reply: PendingReply, out: &mut Outbox) {
        let rooms: Vec<String> =
            self.rooms.values().take(CHANNELS_SEARCHED_MAX).map(|room| room.name.clone()).collect();
        for room in rooms {
            let query = self.occupants(&room);
            self.query(query, PendingReply::FindIn { room, nick: nick.into() }, out);
        }
        let known = self.directory.find(nick);
        let is_guest = known.as_ref().is_some_and(|known| known.uid.is_none());
        let canonical = known.map_or_else(|| nick.to_owned(), |known| known.nick);
        match names::handle(&canonical) {
            Some(handle) if !is_guest => {
                let query = Query::User { user: UserRef::Handle(handle), caller: self.caller() };
                self.query(query, reply, out);
            }
            _ => self.wait_turn(reply, out),
        }
    }

    pub(crate) fn find_in(&mut self, room: &str, nick: &str, outcome: &Outcome) {
        let Some(occupants) = Occupants::of(outcome) else { return };
        for person in occupants.named(nick) {
            let marks = self.marks(occupants.roles(person));
            let channel = format!("{marks}{}", names::channel(room));
            self.found.0.push((Arc::clone(person), channel));
        }
    }

    /// The user that `look_for` found, whether it is online, and the channels shared with it.
    pub(crate) fn take_found(
        &mut self,
        nick: &str,
        outcome: &Outcome,
    ) -> Option<(Arc<Person>, bool, Vec<String>)> {
        let Found(found) = std::mem::take(&mut self.found);
        let channels_of = |person: &Person| {
            let own = found.iter().filter(|(one, _)| one.handle == person.handle);
            own.map(|(_, channel)| channel.clone()).collect()
        };
        if let Ok(Reply::User { user }) = outcome {
            return Some((Arc::clone(&user.person), user.online, channels_of(&user.person)));
        }
        let known = self.directory.find(nick).filter(|known| known.uid.is_none());
        let known = known.and_then(|known| names::handle(&known.nick));
        let person = known.map(|name| Arc::new(guest(&name)));
        let person = person.or_else(|| found.first().map(|(person, _)| Arc::clone(person)))?;
        let channels = channels_of(&person);
        Some((person, true, channels))
    }

    /// The flag is `G` for users that are away, else `H`; bots have another.
    fn who_line(&self, format: &WhoFormat, channel: &str, marks: &str, person: &Person) -> String {
        let user = self.user_name(person);
        let nick = names::nick(person);
        let away = self.away_of(&nick).is_some();
        let bot = if self.directory.is_bot(&nick, person.uid) { BOT_MODE } else { "" };
        let operator = if self.is_operator(&nick, person.uid) { "*" } else { "" };
        let flags = format!("{}{operator}{marks}{bot}", if away { "G" } else { "H" });
        let server = self.options.server_name.as_str();
        let real_name = self.real_name(person);
        let Some(fields) = &format.fields else {
            let params = [channel, &user, server, server, &nick, &flags];
            return self.numeric(RPL_WHOREPLY, &params, &format!("0 {real_name}"));
        };
        let account = if person.uid.is_some() { nick.as_str() } else { "0" };
        // In the order of the replies, whatever the order of the request. The address is not shown,
        // how long a user is idle is not known, and there are no levels of operators.
        let all = [
            ('t', format.token.as_str()),
            ('c', channel),
            ('u', &user),
            ('i', "255.255.255.255"),
            ('h', server),
            ('s', server),
            ('n', &nick),
            ('f', &flags),
            ('d', "0"),
            ('l', "0"),
            ('a', account),
            ('o', "n/a"),
        ];
        let asked = all.iter().filter(|(field, _)| fields.contains(*field));
        let params: Vec<&str> = asked.map(|(_, value)| *value).collect();
        if fields.contains('r') {
            self.numeric(RPL_WHOSPCRPL, &params, &real_name)
        } else {
            self.bare(RPL_WHOSPCRPL, &params)
        }
    }

    /// Whether a user of irc is an operator of the gateway.
    pub(crate) fn is_operator(&self, nick: &str, uid: Option<Uid>) -> bool {
        let known = self.directory.operators(nick, MASK_USERS_MAX);
        known.iter().any(|known| names::same(&known.nick, nick) && known.uid == uid)
    }

    fn end_of_who(&self, mask: &str) -> String {
        self.numeric(RPL_ENDOFWHO, &[mask], "End of WHO")
    }

    pub(crate) fn send_who_room(
        &mut self,
        room: &str,
        mask: &str,
        format: &WhoFormat,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let channel = names::channel(room);
        if let Some(occupants) = Occupants::of(outcome) {
            for person in occupants.people {
                let marks = self.marks(occupants.roles(person));
                send(self.who_line(format, &channel, marks, person), out);
            }
        }
        send(self.end_of_who(mask), out);
    }

    pub(crate) fn send_who(
        &mut self,
        mask: &str,
        format: &WhoFormat,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        if let Some((person, ..)) = self.take_found(mask, outcome) {
            send(self.who_line(format, "*", "", &person), out);
        }
        send(self.end_of_who(mask), out);
    }
}
