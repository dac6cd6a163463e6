//! Events: what other users do.

use std::sync::Arc;

use core_model::{ConnectionId, Event, Person, Recorded, RoomTag};
use frontend_api::Outbox;

use crate::names;
use crate::state::{IrcSession, is_owner, send};

impl IrcSession {
    pub(crate) fn event(&mut self, recorded: &Recorded, out: &mut Outbox) {
        match &recorded.event {
            Event::Posted { message } => self.send_posted(message, out),
            Event::Entered { room, user, connection, elsewhere, .. } => {
                if self.is_me(user) {
                    self.learn_connection(room, *connection);
                } else if !elsewhere {
                    self.send_join(room, user, out);
                }
            }
            Event::Left { room, user, connection, elsewhere, .. } => {
                if self.is_me(user) {
                    self.send_removal(room, *connection, out);
                } else if !elsewhere {
                    self.send_part(room, user, out);
                }
            }
            Event::RoomCreated { room, owner, members } => {
                self.send_invitation(room, owner.as_ref(), members, out);
            }
            Event::PopulationChanged { .. }
            | Event::RoomChanged { .. }
            | Event::RoomDeleted { .. } => (),
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
        if is_owner(user, channel.owner) {
            let (server, name) = (&self.options.server_name, names::channel(&room.name));
            send(format!(":{server} MODE {name} +o {}", names::nick(user)), out);
        }
    }

    fn send_part(&self, room: &RoomTag, user: &Person, out: &mut Outbox) {
        if self.rooms.contains_key(&room.id) {
            send(self.line_by(user, &format!("PART {}", names::channel(&room.name))), out);
        }
    }

    /// The client lost its seat. A channel that it has left itself is no longer in `rooms`.
    fn send_removal(&mut self, room: &RoomTag, connection: Option<ConnectionId>, out: &mut Outbox) {
        if connection.is_some()
            && connection == self.connection
            && self.rooms.remove(&room.id).is_some()
        {
            let (server, name) = (&self.options.server_name, names::channel(&room.name));
            send(format!(":{server} KICK {name} {} :You were removed", self.nick), out);
        }
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
