//! Channels: joining, leaving and querying them.

use core_model::{
    Command, Detail, NAME_CHARS_MAX, Outcome, Person, Query, Refusal, Reply, RoomChanges, RoomId,
    RoomRef, RoomView, SeatKind,
};
use frontend_api::{Outbox, Subscribe};

use crate::caps::Caps;
use crate::encode;
use crate::moderation::REASON_BYTES_MAX;
use crate::names;
use crate::numeric::*;
use crate::occupants::Occupants;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::refusal::RequestKind;
use crate::state::{Channel, IrcSession, send};

/// The longest topic, as ISUPPORT announces it.
const TOPIC_BYTES_MAX: usize = 390;

/// The longest channel, as ISUPPORT announces it; one whose name has escapes may be longer.
pub(crate) const CHANNEL_CHARS_MAX: usize = NAME_CHARS_MAX + 1;

/// The most channels that NAMES lists: of those it names, and where it names none.
pub(crate) const NAMES_TARGETS_MAX: usize = 10;
const NAMES_OF_ALL_MAX: usize = 50;

impl IrcSession {
    /// The room that a channel stands for. Sends an error where it cannot stand for any.
    pub(crate) fn room(&mut self, channel: &str, out: &mut Outbox) -> Option<String> {
        let room = names::room(channel);
        if room.is_none() {
            let is_ill_formed =
                channel.starts_with('#') && channel.chars().count() <= CHANNEL_CHARS_MAX;
            let line = if is_ill_formed {
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
        let mut keys = message.param(1).split(',');
        for channel in message.list(0) {
            let key = keys.next().filter(|key| !key.is_empty());
            let Some(room) = self.room(channel, out) else { continue };
            let room = self.joined_name(room);
            if self.rooms.len() + self.pending.pending_joins() >= self.options.channels_max as usize
                && self.channel(&room).is_none()
            {
                let why = "You are in as many channels as you may";
                let line = self.numeric(ERR_TOOMANYCHANNELS, &[channel], why);
                self.say(vec![line], out);
                continue;
            }
            self.enter(room, key, self.options.auto_create, out);
        }
    }

    /// Enters a room, which is made if it does not exist, then lists its occupants and its newest
    /// messages.
    pub(crate) fn enter(
        &mut self,
        room: String,
        key: Option<&str>,
        create: bool,
        out: &mut Outbox,
    ) {
        let name = room.clone();
        let keyed = key.map(|key| RoomRef::Keyed { name: name.clone(), key: key.to_owned() });
        let enter = Command::Enter {
            room: keyed.unwrap_or(RoomRef::Name(name)),
            user: self.actor(),
            seat: SeatKind::Connection,
            opens: false,
            avatar: None,
            create,
        };
        out.submit_and_subscribe(enter, Subscribe::Seat);
        self.expect(PendingReply::Join(room.clone()));
        self.query_joined_marker(&room, out);
        let query = self.occupants(&room);
        self.query(query, PendingReply::JoinedNames(room.clone()), out);
        self.query_playback(room, out);
    }

    pub(crate) fn entered(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        self.joined = false;
        match outcome {
            Ok(Reply::Entered { again: true, .. }) => (),
            Ok(Reply::Entered { room, .. }) => {
                self.joined = true;
                let owner = room.owner.as_ref().and_then(|owner| owner.uid);
                let (closed, secret) = (room.closed, room.policy.secret);
                if self.pending.awaits_playback(name) {
                    self.holding.begin(room.id);
                }
                let name = room.name.clone();
                self.rooms.insert(room.id, Channel { name, owner, closed, secret });
                if let Some(entry) = &self.entry {
                    entry.join(room.id, &room.name);
                    self.directory.note_secret(room.id, secret);
                }
                send(self.join_line(&self.me, &room.name), out);
                if !room.description.is_empty() {
                    self.send_topic_of(room, out);
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
        self.holding.forget(room);
        self.rooms.remove(&room).is_some()
    }

    // NAMES.

    /// Lists the occupants of the channels named, or of those that users of irc have joined; then
    /// ends all lists at once.
    pub(crate) fn names(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let asked = message.param(0);
        let rooms: Vec<String> = if asked.is_empty() {
            let own = |id: &RoomId| self.rooms.contains_key(id);
            self.directory.room_names(NAMES_OF_ALL_MAX, own)
        } else {
            let channels = message.list(0).take(NAMES_TARGETS_MAX);
            channels.filter_map(names::room).map(|room| self.joined_name(room)).collect()
        };
        let asked = if asked.is_empty() { "*" } else { asked };
        if rooms.is_empty() {
            let line = self.end_of_names(asked);
            return self.say(vec![line], out);
        }
        let last = rooms.len() - 1;
        for (nth, room) in rooms.into_iter().enumerate() {
            let query = self.occupants(&room);
            let ends = (nth == last).then(|| asked.to_owned());
            self.query(query, PendingReply::Names { room, ends }, out);
        }
    }

    fn end_of_names(&self, asked: &str) -> String {
        self.numeric(RPL_ENDOFNAMES, &[asked], "End of NAMES")
    }

    pub(crate) fn occupants(&self, room: &str) -> Query {
        Query::Occupants { room: RoomRef::Name(room.into()), caller: self.caller() }
    }

    /// After a join that failed, nothing is listed.
    pub(crate) fn send_joined_names(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        if self.joined {
            self.send_names(room, outcome, out);
            send(self.end_of_names(&names::channel(room)), out);
        }
    }

    pub(crate) fn send_listed_names(
        &mut self,
        room: &str,
        ends: Option<&str>,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        self.send_names(room, outcome, out);
        if let Some(asked) = ends {
            send(self.end_of_names(asked), out);
        }
    }

    fn send_names(&self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        let Some(occupants) = Occupants::of(outcome) else { return };
        let server = &self.options.server_name;
        let channel = names::channel(room);
        let is_secret = self.channel(room).is_some_and(|(_, channel)| channel.secret);
        let kind = if is_secret { '@' } else { '=' };
        let head = format!(":{server} {RPL_NAMREPLY} {} {kind} {channel} :", self.nick);
        let word = |person: &Person| {
            let marks = self.marks(occupants.roles(person));
            let name = if self.has(Caps::USERHOST_IN_NAMES) {
                self.reader().mask(person)
            } else {
                names::nick(person)
            };
            format!("{marks}{name}")
        };
        let words = occupants.people.iter().map(|person| word(person));
        for row in encode::rows(&head, ' ', words) {
            send(row, out);
        }
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

    /// Sends the topic, and who has set it if a user of irc that is in the channel has seen that.
    fn send_topic_of(&self, room: &RoomView, out: &mut Outbox) {
        let channel = names::channel(&room.name);
        let topic = room.description.as_str();
        if topic.is_empty() {
            return send(self.numeric(RPL_NOTOPIC, &[&channel], "No topic is set"), out);
        }
        send(self.numeric(RPL_TOPIC, &[&channel], topic), out);
        if let Some(note) = self.directory.topic_note(room.id, topic) {
            let at = (note.at.0 / 1000).to_string();
            send(self.bare(RPL_TOPICWHOTIME, &[&channel, &note.mask, &at]), out);
        }
    }

    pub(crate) fn send_topic(&mut self, name: &str, outcome: &Outcome, out: &mut Outbox) {
        match outcome {
            Ok(Reply::Room { room }) => self.send_topic_of(room, out),
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
}
