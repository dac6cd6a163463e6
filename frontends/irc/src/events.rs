//! Events: what other users do.

use std::sync::Arc;

use core_model::{
    ConnectionId, Event, Message as Posted, Person, Recipient, Recorded, RoomTag, Timestamp,
};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::directory::TopicNote;
use crate::encode;
use crate::holding::Fate;
use crate::names;
use crate::state::{IrcSession, is_owner, send};

impl IrcSession {
    /// What the client has caused itself is part of the response to its request.
    pub(crate) fn event(&mut self, recorded: &Recorded, out: &mut Outbox) {
        let is_own = match &recorded.event {
            Event::Posted { message } => self.own == Some(message.id),
            _ => self.connection == Some(recorded.cause),
        };
        if self.is_held(recorded, out) {
            return;
        }
        if is_own {
            self.capture(out, |session, out| session.send_event(recorded, out));
        } else {
            self.send_event(recorded, out);
        }
        if let Event::Posted { message } = &recorded.event {
            self.note_posted(message, out);
        }
    }

    /// Whether this is a message that is sent later, or was sent already.
    fn is_held(&mut self, recorded: &Recorded, out: &mut Outbox) -> bool {
        let Event::Posted { message } = &recorded.event else { return false };
        let Recipient::Room(room) = &message.to else { return false };
        match self.holding.take(room.id, message, recorded.cause) {
            Fate::Send => false,
            Fate::Keep => true,
            Fate::TooMuch => {
                self.end_now("too many messages were posted while the channel was joined", out);
                true
            }
        }
    }

    /// Notes that the client was sent a message that was just posted.
    pub(crate) fn note_posted(&mut self, message: &Posted, out: &mut Outbox) {
        let is_urgent = matches!(&message.to, Recipient::User(to) if self.is_me(to));
        self.note_sent(message.id, is_urgent, out);
    }

    fn send_event(&mut self, recorded: &Recorded, out: &mut Outbox) {
        match &recorded.event {
            Event::Posted { message } => self.send_posted(message, recorded.cause, out),
            Event::Entered { room, user, connection, elsewhere, .. } => {
                if self.is_me(user) {
                    self.learn_connection(room, *connection);
                } else if !elsewhere {
                    self.last_quit.take_if(|(_, handle)| *handle == user.handle);
                    self.send_join(room, user, out);
                }
            }
            Event::Left { room, user, connection, elsewhere, .. } => {
                let left = Left::of(recorded);
                if self.is_me(user) {
                    self.send_removal(room, *connection, &left, out);
                } else if !elsewhere {
                    self.send_leave(room, user, &left, out);
                }
            }
            Event::RoomChanged { room, changes, by } => {
                if let Some(topic) = &changes.description {
                    self.note_topic(room, topic, by.as_deref(), recorded.at);
                    self.send_topic_change(room, topic, by.as_deref(), out);
                }
            }
            Event::RoleChanged { room, .. } => self.send_role_change(room, recorded, out),
            Event::PolicyChanged { room, .. } => self.send_policy_change(room, recorded, out),
            Event::MessageDeleted { message, .. } => {
                self.holding.delete(*message);
                self.send_redaction(recorded, out);
            }
            Event::RoomCreated { room, owner, members } => {
                self.send_invitation(room, owner.as_ref(), members, out);
            }
            Event::PopulationChanged { .. } | Event::RoomDeleted { .. } => (),
        }
    }

    /// Takes the connection from the event of the client's own entrance. The answer comes before the
    /// event, so the first entrance of the user into a joined room is that one.
    fn learn_connection(&mut self, room: &RoomTag, connection: Option<ConnectionId>) {
        if self.connection.is_none() && self.rooms.contains_key(&room.id) {
            self.connection = connection;
        }
    }

    fn send_join(&self, room: &RoomTag, user: &Person, out: &mut Outbox) {
        let Some(channel) = self.rooms.get(&room.id) else { return };
        send(self.join_line(user, &room.name), out);
        if self.has(Caps::AWAY_NOTIFY)
            && let Some(why) = self.away_of(&names::nick(user))
        {
            send(encode::trailing(self.line_by(user, "AWAY"), &why), out);
        }
        if is_owner(user, channel.owner) {
            let server = &self.options.server_name;
            let name = names::channel(&room.name);
            send(format!(":{server} MODE {name} +o {}", names::nick(user)), out);
        }
    }

    /// Another user has left a room: was kicked, has quit, or has parted. A user that quits leaves all
    /// its rooms by one command, and clients expect one QUIT for all of them.
    fn send_leave(&mut self, room: &RoomTag, user: &Person, left: &Left<'_>, out: &mut Outbox) {
        if !self.rooms.contains_key(&room.id) {
            return;
        }
        let line = if let Some(by) = left.by {
            self.kick_line(&self.reader().mask(by), room, &names::nick(user), left.reason)
        } else if left.quit {
            let quit = (left.cause, user.handle.clone());
            if self.last_quit.as_ref() == Some(&quit) {
                return;
            }
            self.last_quit = Some(quit);
            let reason = if left.reason.is_empty() { "Connection closed" } else { left.reason };
            encode::trailing(self.line_by(user, "QUIT"), reason)
        } else {
            self.part_line(user, &room.name, left.reason)
        };
        send(line, out);
    }

    fn kick_line(&self, source: &str, room: &RoomTag, nick: &str, reason: &str) -> String {
        let head = format!(":{source} KICK {} {nick}", names::channel(&room.name));
        encode::trailing(head, if reason.is_empty() { "You were removed" } else { reason })
    }

    /// The client lost its seat. A channel that it has left itself is no longer in `rooms`.
    fn send_removal(
        &mut self,
        room: &RoomTag,
        connection: Option<ConnectionId>,
        left: &Left<'_>,
        out: &mut Outbox,
    ) {
        if connection.is_some() && connection == self.connection && self.leave_room(room.id) {
            let by = left.by.map(|by| self.reader().mask(by));
            let source = by.unwrap_or_else(|| self.options.server_name.clone());
            send(self.kick_line(&source, room, &self.nick, left.reason), out);
        }
    }

    fn note_topic(&self, room: &RoomTag, topic: &str, by: Option<&Person>, at: Timestamp) {
        if self.rooms.contains_key(&room.id) {
            let mask = by.map(|by| self.reader().mask(by));
            let mask = mask.unwrap_or_else(|| self.options.server_name.clone());
            self.directory.note_topic(room.id, &TopicNote { topic: topic.to_owned(), mask, at });
        }
    }

    fn send_topic_change(
        &self,
        room: &RoomTag,
        topic: &str,
        by: Option<&Person>,
        out: &mut Outbox,
    ) {
        if !self.rooms.contains_key(&room.id) {
            return;
        }
        let rest = format!("TOPIC {}", names::channel(&room.name));
        let head = match by {
            Some(by) => self.line_by(by, &rest),
            None => format!(":{} {rest}", self.options.server_name),
        };
        send(encode::trailing(head, topic), out);
    }

    /// Another user has created a room with this one as a member.
    fn send_invitation(
        &self,
        room: &RoomTag,
        owner: Option<&Arc<Person>>,
        members: &[Arc<Person>],
        out: &mut Outbox,
    ) {
        let Some(owner) = owner.filter(|owner| !self.is_me(owner)) else { return };
        if members.iter().any(|member| self.is_me(member)) {
            let name = names::channel(&room.name);
            send(self.line_by(owner, &format!("INVITE {} {name}", self.nick)), out);
        }
    }
}

/// How and why a user has left.
struct Left<'a> {
    cause: ConnectionId,
    quit: bool,
    reason: &'a str,
    by: Option<&'a Person>,
}

impl<'a> Left<'a> {
    fn of(recorded: &'a Recorded) -> Self {
        let Event::Left { quit, reason, by, .. } = &recorded.event else {
            unreachable!("called with a leave")
        };
        Self { cause: recorded.cause, quit: *quit, reason, by: by.as_deref() }
    }
}
