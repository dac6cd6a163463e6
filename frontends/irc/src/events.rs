//! What others do.

use std::sync::Arc;

use core_model::{ConnectionId, Event, Person, Recorded, RoomTag};
use frontend_api::Outbox;

use crate::names;
use crate::rooms::is_owner;
use crate::session::{IrcSession, send};

impl IrcSession {
    pub(crate) fn event(&mut self, recorded: &Recorded, out: &mut Outbox) {
        match &recorded.event {
            Event::Posted { message } => self.tell(message, out),
            Event::Entered { room, user, connection, elsewhere, .. } => {
                if self.is_me(user) {
                    self.learn_connection(room, *connection);
                } else if !elsewhere {
                    self.tell_join(room, user, out);
                }
            }
            Event::Left { room, user, connection, elsewhere, .. } => {
                if self.is_me(user) {
                    self.tell_removal(room, *connection, out);
                } else if !elsewhere {
                    self.tell_part(room, user, out);
                }
            }
            Event::RoomCreated { room, owner, members } => {
                self.tell_invitation(room, owner.as_ref(), members, out);
            }
            Event::PopulationChanged { .. } | Event::RoomDeleted { .. } => (),
        }
    }

    /// The first entrance of the user into a room that this client is in is this client's own: the
    /// answer to it came just before.
    fn learn_connection(&mut self, room: &RoomTag, connection: Option<ConnectionId>) {
        if self.connection.is_none() && self.rooms.contains_key(&room.id) {
            self.connection = connection;
        }
    }

    fn tell_join(&self, room: &RoomTag, user: &Person, out: &mut Outbox) {
        let Some(channel) = self.rooms.get(&room.id) else { return };
        send(self.join_line(user, &room.name), out);
        if is_owner(user, channel.owner) {
            let (server, name) = (&self.options.server_name, names::channel(&room.name));
            send(format!(":{server} MODE {name} +o {}", names::nick(user)), out);
        }
    }

    fn tell_part(&self, room: &RoomTag, user: &Person, out: &mut Outbox) {
        if self.rooms.contains_key(&room.id) {
            send(self.line_by(user, &format!("PART {}", names::channel(&room.name))), out);
        }
    }

    /// This client's seat was taken from it. One that it gave back itself is none of its own any
    /// more.
    fn tell_removal(&mut self, room: &RoomTag, connection: Option<ConnectionId>, out: &mut Outbox) {
        if connection.is_some()
            && connection == self.connection
            && self.rooms.remove(&room.id).is_some()
        {
            let (server, name) = (&self.options.server_name, names::channel(&room.name));
            send(format!(":{server} KICK {name} {} :You were removed", self.nick), out);
        }
    }

    /// Somebody has made a room for the user among others.
    fn tell_invitation(
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
