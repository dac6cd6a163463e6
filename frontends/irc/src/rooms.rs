//! Channels: joining, leaving and querying them.

use core_model::{
    Command, Detail, NewRoom, Outcome, Person, Query, Refusal, Reply, RoomChanges, RoomFilter,
    RoomId, RoomRef, RoomView, SeatKind,
};
use frontend_api::{Outbox, Subscribe};

use crate::caps::Caps;
use crate::encode;
use crate::moderation::REASON_BYTES_MAX;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::refusal::RequestKind;
use crate::state::{Channel, IrcSession, is_owner, members, send};

/// The longest topic, as ISUPPORT announces it.
const TOPIC_BYTES_MAX: usize = 390;

impl IrcSession {
    /// The room that a channel stands for. Sends an error where it cannot stand for any.
    pub(crate) fn room(&mut self, channel: &str, out: &mut Outbox) -> Option<String> {
        let room = names::room(channel);
        if room.is_none() {
            let line = if channel.starts_with('#') {
                self.numeric(ERR_BADCHANMASK, &[channel], "That cannot be a channel")
            } else {
                self.numeric(ERR_NOSUCHCHANNEL, &[channel], "No such channel")
            };
            self.say(vec![line], out);
        }
        room
    }

    // JOIN and PART.

    pub(crate) fn join(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if message.param(0) == "0" {
            let all: Vec<String> = self.rooms.values().map(|room| room.name.clone()).collect();
            return all.into_iter().for_each(|room| self.exit(room, "", out));
        }
        for channel in message.list(0) {
            let Some(room) = self.room(channel, out) else { continue };
            let room = self.joined_name(room);
            if self.rooms.len() + self.turns.pending_joins() >= self.options.channels_max as usize
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

    /// Creates a room; that it exists already is no error. Its owner is not a member: the seats of
    /// IRC last as long as the connection.
    fn create(&mut self, name: String, out: &mut Outbox) {
        let room =
            NewRoom { name: Some(name), insist: true, owner_absent: true, ..NewRoom::default() };
        out.submit(Command::CreateRoom { room, owner: self.caller(), members: None });
        self.expect(PendingReply::Ignore);
    }

    /// Enters a room, then lists its occupants and its newest messages.
    pub(crate) fn enter(&mut self, room: String, out: &mut Outbox) {
        let enter = Command::Enter {
            room: RoomRef::Name(room.clone()),
            user: self.actor(),
            seat: SeatKind::Connection,
            opens: false,
            avatar: None,
            create: false,
        };
        out.submit_and_subscribe(enter, Subscribe::Seat);
        self.expect(PendingReply::Join(room.clone()));
        self.query_names(room.clone(), true, out);
        self.query_playback(room, out);
    }

    pub(crate) fn entered(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        self.joined = false;
        match outcome {
            Ok(Reply::Entered { again: true, .. }) => (),
            Ok(Reply::Entered { room, .. }) => {
                self.joined = true;
                let owner = room.owner.as_ref().and_then(|owner| owner.uid);
                let closed = room.closed;
                self.rooms.insert(room.id, Channel { name: room.name.clone(), owner, closed });
                if let Some(entry) = &self.entry {
                    entry.join(room.id, &room.name);
                }
                send(self.join_line(&self.me, &room.name), out);
                if !room.description.is_empty() {
                    send(self.topic_line(room), out);
                }
            }
            _ => self.report(RequestKind::Channel, "JOIN", &names::channel(name), outcome, out),
        }
    }

    /// The JOIN of a user.
    pub(crate) fn join_line(&self, person: &Person, room: &str) -> String {
        let channel = names::channel(room);
        if !self.has(Caps::EXTENDED_JOIN) {
            return self.line_by(person, &format!("JOIN {channel}"));
        }
        let account = match person.uid {
            Some(_) => names::nick(person),
            None => "*".into(),
        };
        encode::trailing(
            self.line_by(person, &format!("JOIN {channel} {account}")),
            &self.real_name(person),
        )
    }

    /// The PART of a user.
    pub(crate) fn part_line(&self, person: &Person, room: &str, reason: &str) -> String {
        let head = self.line_by(person, &format!("PART {}", names::channel(room)));
        if reason.is_empty() { head } else { encode::trailing(head, reason) }
    }

    pub(crate) fn part(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let reason = encode::cut_to(message.param(1), REASON_BYTES_MAX);
        for channel in message.list(0) {
            if let Some(room) = self.room(channel, out) {
                let room = self.joined_name(room);
                self.exit(room, reason, out);
            }
        }
    }

    fn exit(&mut self, room: String, reason: &str, out: &mut Outbox) {
        let user = self.actor();
        let seat = SeatKind::Connection;
        let exit =
            Command::Exit { room: RoomRef::Name(room.clone()), user, seat, reason: reason.into() };
        out.submit(exit);
        self.expect(PendingReply::Part { room, reason: reason.into() });
    }

    pub(crate) fn parted(&mut self, room: &str, reason: &str, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(room);
        match outcome {
            Ok(_) => {
                if let Some((id, _)) = self.channel(room) {
                    self.leave_room(id);
                }
                send(self.part_line(&self.me, room, reason), out);
            }
            Err(_) => self.report(RequestKind::Channel, "PART", &channel, outcome, out),
        }
    }

    /// Forgets a room that the client has joined; false if it has not.
    pub(crate) fn leave_room(&mut self, room: RoomId) -> bool {
        if let Some(entry) = &self.entry {
            entry.part(room);
        }
        self.rooms.remove(&room).is_some()
    }

    // NAMES.

    pub(crate) fn names(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if message.given() == 0 {
            let line = self.numeric(RPL_ENDOFNAMES, &["*"], "End of NAMES");
            return self.say(vec![line], out);
        }
        for channel in message.list(0) {
            if let Some(room) = names::room(channel) {
                let room = self.joined_name(room);
                self.query_names(room, false, out);
            } else {
                let line = self.numeric(RPL_ENDOFNAMES, &[channel], "End of NAMES");
                self.say(vec![line], out);
            }
        }
    }

    fn query_names(&mut self, room: String, joining: bool, out: &mut Outbox) {
        let query = self.occupants(&room);
        self.query(query, PendingReply::Names { room, joining }, out);
    }

    pub(crate) fn occupants(&self, room: &str) -> Query {
        Query::Occupants { room: RoomRef::Name(room.into()), caller: self.caller() }
    }

    pub(crate) fn send_names(
        &mut self,
        room: &str,
        joining: bool,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        if joining && !self.joined {
            return;
        }
        let channel = names::channel(room);
        let owner = self.owner(room);
        let head =
            format!(":{} {RPL_NAMREPLY} {} = {channel} :", self.options.server_name, self.nick);
        let word = |person: &Person| {
            let mark = if is_owner(person, owner) { "@" } else { "" };
            let name = if self.has(Caps::USERHOST_IN_NAMES) {
                self.reader().mask(person)
            } else {
                names::nick(person)
            };
            format!("{mark}{name}")
        };
        let people = members(outcome).unwrap_or_default().iter();
        for row in encode::rows(&head, ' ', people.map(|person| word(person))) {
            send(row, out);
        }
        send(self.numeric(RPL_ENDOFNAMES, &[&channel], "End of NAMES"), out);
    }

    // TOPIC.

    pub(crate) fn topic(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let Some(room) = self.room(message.param(0), out) else { return };
        let room = self.joined_name(room);
        let Some(text) = message.optional(1) else {
            return self.query_room(room.clone(), PendingReply::Topic(room), out);
        };
        let changes = RoomChanges {
            description: Some(encode::cut_to(text, TOPIC_BYTES_MAX).into()),
            ..RoomChanges::default()
        };
        let name = RoomRef::Name(room.clone());
        let by = Some(self.actor());
        out.submit(Command::UpdateRoom { room: name, changes, by });
        self.expect(PendingReply::TopicChange(room));
    }

    pub(crate) fn query_room(&mut self, room: String, reply: PendingReply, out: &mut Outbox) {
        let room = RoomRef::Name(room);
        let caller = self.caller();
        self.query(Query::Room { room, caller, detail: Detail::default() }, reply, out);
    }

    fn topic_line(&self, room: &RoomView) -> String {
        let channel = names::channel(&room.name);
        match room.description.as_str() {
            "" => self.numeric(RPL_NOTOPIC, &[&channel], "No topic is set"),
            topic => self.numeric(RPL_TOPIC, &[&channel], topic),
        }
    }

    pub(crate) fn send_topic(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        match outcome {
            Ok(Reply::Room { room }) => send(self.topic_line(room), out),
            _ => self.report(RequestKind::Channel, "TOPIC", &names::channel(name), outcome, out),
        }
    }

    pub(crate) fn topic_changed(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        let channel = names::channel(name);
        match outcome {
            // The event announces it, to this client as well.
            Ok(Reply::Room { .. }) if self.channel(name).is_some() => (),
            Ok(Reply::Room { room }) => {
                let head = self.my_line(&format!("TOPIC {channel}"));
                send(encode::trailing(head, &room.description), out);
            }
            Err(Refusal::NotAllowed | Refusal::NotSignedIn) if self.channel(name).is_none() => {
                let why = "You're not on that channel";
                send(self.numeric(ERR_NOTONCHANNEL, &[&channel], why), out);
            }
            _ => self.report(RequestKind::Topic, "TOPIC", &channel, outcome, out),
        }
    }

    // LIST.

    pub(crate) fn list(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let start = self.numeric(RPL_LISTSTART, &["Channel"], "Users  Topic");
        let rooms = message.list(0).filter_map(names::room);
        let rooms: Vec<String> = rooms.map(|room| self.joined_name(room)).collect();
        self.say(vec![start], out);
        if rooms.is_empty() {
            let filter = RoomFilter::Open;
            let after = RoomId(0);
            let limit = self.options.list_max;
            let detail = Detail::default();
            self.query(Query::Rooms { filter, after, limit, detail }, PendingReply::List, out);
        }
        for room in rooms {
            self.query_room(room, PendingReply::ListOne, out);
        }
        let end = self.numeric(RPL_LISTEND, &[], "End of LIST");
        self.say(vec![end], out);
    }

    fn list_line(&self, room: &RoomView) -> String {
        let channel = names::channel(&room.name);
        let population = room.population.to_string();
        self.numeric(RPL_LIST, &[&channel, &population], &room.description)
    }

    pub(crate) fn send_list(&mut self, outcome: &Outcome, out: &mut Outbox) {
        match outcome {
            Ok(Reply::Rooms { rooms }) => {
                rooms.iter().for_each(|room| send(self.list_line(room), out));
            }
            _ => self.report(RequestKind::Channel, "LIST", "*", outcome, out),
        }
    }

    /// Skips a channel that does not exist.
    pub(crate) fn send_list_entry(&mut self, outcome: &Outcome, out: &mut Outbox) {
        if let Ok(Reply::Room { room }) = outcome {
            send(self.list_line(room), out);
        }
    }
}
