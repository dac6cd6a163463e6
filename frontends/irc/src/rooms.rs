//! Channels: being in them, and asking about them.

use core_model::{
    Command, Detail, NewRoom, Outcome, Person, Query, Reply, RoomChanges, RoomFilter, RoomId,
    RoomRef, RoomView, SeatKind, Uid,
};
use frontend_api::{Outbox, Subscribe};

use crate::caps::Caps;
use crate::encode;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::refusal::Errand;
use crate::session::{Channel, IrcSession, Owed, members, send};

impl IrcSession {
    /// The room that a channel stands for; complains where it stands for none.
    pub(crate) fn room(&mut self, channel: &str, out: &mut Outbox) -> Option<String> {
        let room = names::room(channel);
        if room.is_none() {
            let line = match channel.starts_with('#') {
                true => self.numeric(ERR_BADCHANMASK, &[channel], "That cannot be a channel"),
                false => self.numeric(ERR_NOSUCHCHANNEL, &[channel], "No such channel"),
            };
            self.say(vec![line], out);
        }
        room
    }

    // JOIN and PART.

    pub(crate) fn join(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if message.param(0) == "0" {
            let all: Vec<String> = self.rooms.values().map(|room| room.name.clone()).collect();
            return all.into_iter().for_each(|room| self.exit(room, out));
        }
        for channel in message.list(0) {
            let Some(room) = self.room(channel, out) else { continue };
            if self.rooms.len() + self.joins_owed() >= self.options.channels_max as usize
                && self.channel(&room).is_none()
            {
                let why = "You are in as many channels as you may";
                let line = self.numeric(ERR_TOOMANYCHANNELS, &[channel], why);
                self.say(vec![line], out);
                continue;
            }
            if self.options.auto_create {
                self.create(room.clone(), out);
            }
            self.enter(room, out);
        }
    }

    /// Makes a room unless there is one of that name, which is no failure.
    fn create(&mut self, name: String, out: &mut Outbox) {
        let room = NewRoom { name: Some(name), insist: true, ..NewRoom::default() };
        out.submit(Command::CreateRoom { room, owner: self.asker(), members: None });
        self.owe(Owed::Silence);
    }

    /// Enters a room, and tells who is there and what was said before.
    pub(crate) fn enter(&mut self, room: String, out: &mut Outbox) {
        let enter = Command::Enter {
            room: RoomRef::Name(room.clone()),
            user: self.actor(),
            seat: SeatKind::Connection,
            opens: false,
            avatar: None,
        };
        out.submit_and_subscribe(enter, Subscribe::Seat);
        self.owe(Owed::Join(room.clone()));
        self.ask_names(room.clone(), true, out);
        self.ask_playback(room, out);
    }

    pub(crate) fn entered(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        self.joined = false;
        match outcome {
            Ok(Reply::Entered { again: true, .. }) => (),
            Ok(Reply::Entered { room, .. }) => {
                self.joined = true;
                let owner = room.owner.as_ref().and_then(|owner| owner.uid);
                self.rooms.insert(room.id, Channel { name: room.name.clone(), owner });
                send(self.join_line(&self.me, &room.name), out);
                if !room.description.is_empty() {
                    send(self.topic_line(room), out);
                }
            }
            _ => self.complain(Errand::Ask, "JOIN", &names::channel(name), outcome, out),
        }
    }

    /// Somebody joins.
    pub(crate) fn join_line(&self, person: &Person, room: &str) -> String {
        let channel = names::channel(room);
        if !self.has(Caps::EXTENDED_JOIN) {
            return self.line_by(person, &format!("JOIN {channel}"));
        }
        let account = match person.uid {
            Some(_) => names::nick(person),
            None => "*".into(),
        };
        encode::trailing(self.line_by(person, &format!("JOIN {channel} {account}")), &person.name)
    }

    pub(crate) fn part(&mut self, message: &Message<'_>, out: &mut Outbox) {
        for channel in message.list(0) {
            if let Some(room) = self.room(channel, out) {
                self.exit(room, out);
            }
        }
    }

    fn exit(&mut self, room: String, out: &mut Outbox) {
        let (user, seat) = (self.actor(), SeatKind::Connection);
        out.submit(Command::Exit { room: RoomRef::Name(room.clone()), user, seat });
        self.owe(Owed::Part(room));
    }

    pub(crate) fn parted(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(room);
        match outcome {
            Ok(_) => {
                if let Some((id, _)) = self.channel(room) {
                    self.rooms.remove(&id);
                }
                send(self.my_line(&format!("PART {channel}")), out);
            }
            Err(_) => self.complain(Errand::Ask, "PART", &channel, outcome, out),
        }
    }

    // NAMES.

    pub(crate) fn names(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if message.given() == 0 {
            let line = self.numeric(RPL_ENDOFNAMES, &["*"], "End of NAMES");
            return self.say(vec![line], out);
        }
        for channel in message.list(0) {
            if let Some(room) = self.room(channel, out) {
                self.ask_names(room, false, out);
            }
        }
    }

    fn ask_names(&mut self, room: String, joining: bool, out: &mut Outbox) {
        let query = self.occupants(&room);
        self.ask(query, Owed::Names { room, joining }, out);
    }

    pub(crate) fn occupants(&self, room: &str) -> Query {
        Query::Occupants { room: RoomRef::Name(room.into()), caller: self.asker() }
    }

    pub(crate) fn named(&mut self, room: &str, joining: bool, outcome: &Outcome, out: &mut Outbox) {
        if joining && !self.joined {
            return;
        }
        let channel = names::channel(room);
        let owner = self.owner(room);
        let head =
            format!(":{} {RPL_NAMREPLY} {} = {channel} :", self.options.server_name, self.nick);
        let word = |person: &Person| {
            let mark = if is_owner(person, owner) { "@" } else { "" };
            let name = match self.has(Caps::USERHOST_IN_NAMES) {
                true => self.reader().mask(person),
                false => names::nick(person),
            };
            format!("{mark}{name}")
        };
        let people = members(outcome).unwrap_or_default().iter();
        for row in encode::rows(&head, people.map(|person| word(person))) {
            send(row, out);
        }
        send(self.numeric(RPL_ENDOFNAMES, &[&channel], "End of NAMES"), out);
    }

    /// The owner of a room, as far as the client is in it.
    pub(crate) fn owner(&self, room: &str) -> Option<Uid> {
        self.channel(room).and_then(|(_, channel)| channel.owner)
    }

    // TOPIC.

    pub(crate) fn topic(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let Some(room) = self.room(message.param(0), out) else { return };
        let Some(text) = message.optional(1) else {
            return self.ask_room(room.clone(), Owed::Topic(room), out);
        };
        let changes = RoomChanges { description: Some(text.into()), ..RoomChanges::default() };
        let (name, by) = (RoomRef::Name(room.clone()), Some(self.actor()));
        out.submit(Command::UpdateRoom { room: name, changes, by });
        self.owe(Owed::TopicChange(room));
    }

    fn ask_room(&mut self, room: String, owed: Owed, out: &mut Outbox) {
        let (room, caller) = (RoomRef::Name(room), self.asker());
        self.ask(Query::Room { room, caller, detail: Detail::default() }, owed, out);
    }

    fn topic_line(&self, room: &RoomView) -> String {
        let channel = names::channel(&room.name);
        match room.description.as_str() {
            "" => self.numeric(RPL_NOTOPIC, &[&channel], "No topic is set"),
            topic => self.numeric(RPL_TOPIC, &[&channel], topic),
        }
    }

    pub(crate) fn topic_told(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        match outcome {
            Ok(Reply::Room { room }) => send(self.topic_line(room), out),
            _ => self.complain(Errand::Ask, "TOPIC", &names::channel(name), outcome, out),
        }
    }

    pub(crate) fn topic_changed(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(name);
        match outcome {
            Ok(Reply::Room { room }) => {
                let head = self.my_line(&format!("TOPIC {channel}"));
                send(encode::trailing(head, &room.description), out);
            }
            _ => self.complain(Errand::Topic, "TOPIC", &channel, outcome, out),
        }
    }

    // MODE.

    pub(crate) fn mode(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let target = message.param(0);
        if !target.starts_with('#') {
            let lines = self.user_mode(target, message.param(1));
            return self.say(lines, out);
        }
        let Some(room) = self.room(target, out) else { return };
        let line = match message.param(1) {
            "" => return self.ask_room(room.clone(), Owed::Mode(room), out),
            "b" | "+b" if message.param(2).is_empty() => {
                self.numeric(RPL_ENDOFBANLIST, &[target], "Nobody is banned")
            }
            _ => {
                let why = "The modes of channels are what they are";
                self.numeric(ERR_CHANOPRIVSNEEDED, &[target], why)
            }
        };
        self.say(vec![line], out);
    }

    /// Everyone is invisible to those who share no channel, and nothing else.
    fn user_mode(&self, nick: &str, change: &str) -> Vec<String> {
        if nick != self.nick {
            let why = "The modes of others are their own";
            return vec![self.numeric(ERR_USERSDONTMATCH, &[], why)];
        }
        if change.is_empty() {
            return vec![self.bare(RPL_UMODEIS, &["+i"])];
        }
        let known = change.chars().all(|char| matches!(char, '+' | '-' | 'i'));
        let unknown = || self.numeric(ERR_UMODEUNKNOWNFLAG, &[], "There is no such mode");
        if known { Vec::new() } else { vec![unknown()] }
    }

    pub(crate) fn mode_told(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(name);
        match outcome {
            Ok(Reply::Room { room }) => {
                // Only who is there may speak, and only the owner sets the topic.
                send(self.bare(RPL_CHANNELMODEIS, &[&channel, "+nt"]), out);
                let created = (room.created.0 / 1000).to_string();
                send(self.bare(RPL_CREATIONTIME, &[&channel, &created]), out);
            }
            _ => self.complain(Errand::Ask, "MODE", &channel, outcome, out),
        }
    }

    // LIST.

    pub(crate) fn list(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let start = self.numeric(RPL_LISTSTART, &["Channel"], "Users  Topic");
        let rooms: Vec<String> = message.list(0).filter_map(names::room).collect();
        self.say(vec![start], out);
        if rooms.is_empty() {
            let (filter, after) = (RoomFilter::Open, RoomId(0));
            let (limit, detail) = (self.options.list_max, Detail::default());
            self.ask(Query::Rooms { filter, after, limit, detail }, Owed::List, out);
        }
        for room in rooms {
            self.ask_room(room, Owed::ListOne, out);
        }
        let end = self.numeric(RPL_LISTEND, &[], "End of LIST");
        self.say(vec![end], out);
    }

    fn list_line(&self, room: &RoomView) -> String {
        let (channel, population) = (names::channel(&room.name), room.population.to_string());
        self.numeric(RPL_LIST, &[&channel, &population], &room.description)
    }

    pub(crate) fn listed(&mut self, outcome: &Outcome, out: &mut Outbox) {
        match outcome {
            Ok(Reply::Rooms { rooms }) => {
                rooms.iter().for_each(|room| send(self.list_line(room), out));
            }
            _ => self.complain(Errand::Ask, "LIST", "*", outcome, out),
        }
    }

    /// A channel that is not there is not listed.
    pub(crate) fn listed_one(&mut self, outcome: &Outcome, out: &mut Outbox) {
        if let Ok(Reply::Room { room }) = outcome {
            send(self.list_line(room), out);
        }
    }
}

pub(crate) fn is_owner(person: &Person, owner: Option<Uid>) -> bool {
    owner.is_some() && person.uid == owner
}
