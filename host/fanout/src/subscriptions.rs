//! Which connections are subscribed to which rooms, and to which user's direct messages.
//!
//! Only committed commands change subscriptions, in commit order, so that they never differ from
//! the store: a seat or a membership begins before the events of its own command are delivered,
//! and ends after them.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use core_model::{ConnectionId, Event, Recipient, Recorded, Reply, RoomId, Uid};

use crate::handle::ConnectionHandle;

/// How a connection's subscriptions change when its command has succeeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubscriptionChange {
    None,
    /// Subscribes to the room it entered.
    Seat,
    /// Subscribes to the rooms and direct messages of the user who signed in.
    User,
    /// Unsubscribes from its user.
    SignOut,
}

/// All subscriptions. A connection without any takes no space.
///
/// Rooms are one sorted map rather than a map of maps: the subscribers of a room are adjacent, and
/// a room with one subscriber costs one entry.
#[derive(Debug, Default)]
pub struct Subscriptions {
    subscribers: HashMap<ConnectionId, Subscriber>,
    rooms: BTreeMap<(RoomId, ConnectionId), Subscription>,
    users: BTreeMap<(Uid, ConnectionId), Arc<ConnectionHandle>>,
    /// Rooms with a subscriber.
    rooms_in_use: usize,
}

#[derive(Debug, Default)]
struct Subscriber {
    user: Option<Uid>,
    /// The rooms it is subscribed to.
    rooms: Vec<RoomId>,
}

/// Why a connection is subscribed to a room: at least one seat, or membership.
#[derive(Debug)]
struct Subscription {
    connection: Arc<ConnectionHandle>,
    seats: u32,
    member: bool,
}

impl Subscriptions {
    /// A command of this connection has succeeded.
    pub fn apply(
        &mut self,
        connection: &Arc<ConnectionHandle>,
        change: SubscriptionChange,
        reply: &Reply,
    ) {
        match (change, reply) {
            (SubscriptionChange::Seat, Reply::Entered { room, again: false, .. }) => {
                self.subscription(connection, room.id).seats += 1;
            }
            (SubscriptionChange::User, Reply::SignedIn { user, rooms, .. }) => {
                if let Some(uid) = user.person.uid {
                    self.subscribe_to_user(connection, uid, rooms.iter().map(|room| room.id));
                }
            }
            (SubscriptionChange::SignOut, _) => self.unsubscribe_from_user(connection.id),
            (SubscriptionChange::None | SubscriptionChange::Seat | SubscriptionChange::User, _) => {
            }
        }
    }

    /// Passes each event of a command to `each` with the connections it concerns, after the
    /// subscriptions that begin with it and before those that end with it are changed.
    pub fn deliver(
        &mut self,
        events: &[Recorded],
        mut each: impl FnMut(&Recorded, &mut dyn Iterator<Item = &Arc<ConnectionHandle>>),
    ) {
        for recorded in events {
            self.begin(&recorded.event);
            each(recorded, &mut *self.audience(&recorded.event));
        }
        for recorded in events {
            self.end(&recorded.event);
        }
    }

    /// Whether an event in a room concerns a connection.
    pub fn receives(&self, connection: &ConnectionHandle, room: RoomId, event: &Event) -> bool {
        self.rooms.contains_key(&(room, connection.id)) && connection.wants(event)
    }

    /// The connection is gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        let Some(subscriber) = self.subscribers.remove(&connection) else { return };
        if let Some(uid) = subscriber.user {
            self.users.remove(&(uid, connection));
        }
        for room in subscriber.rooms {
            self.remove_from_room(room, connection);
        }
    }

    /// The rooms that a connection is subscribed to.
    pub(crate) fn rooms_in_use(&self) -> usize {
        self.rooms_in_use
    }

    fn begin(&mut self, event: &Event) {
        match event {
            Event::Entered { room, user, durable: true, .. } => {
                self.set_member(room.id, user.uid);
            }
            Event::RoomCreated { room, owner, members } => {
                for person in members.iter().chain(owner) {
                    self.set_member(room.id, person.uid);
                }
            }
            Event::Posted { .. }
            | Event::Entered { .. }
            | Event::Left { .. }
            | Event::PopulationChanged { .. }
            | Event::RoomChanged { .. }
            | Event::RoleChanged { .. }
            | Event::PolicyChanged { .. }
            | Event::MessageDeleted { .. }
            | Event::RoomDeleted { .. } => (),
        }
    }

    fn end(&mut self, event: &Event) {
        match event {
            Event::Left { room, user, durable: true, .. } => {
                for connection in user.uid.map(|uid| self.connections_of(uid)).unwrap_or_default() {
                    self.change(room.id, connection.id, |subscription| subscription.member = false);
                }
            }
            Event::Left { room, connection: Some(connection), .. } => {
                let give_back = |subscription: &mut Subscription| {
                    subscription.seats = subscription.seats.saturating_sub(1)
                };
                self.change(room.id, *connection, give_back);
            }
            Event::RoomDeleted { room } => {
                let subscribed = self.rooms.range(all(room.id));
                let subscribed: Vec<_> = subscribed.map(|((_, id), _)| *id).collect();
                for connection in subscribed {
                    self.remove(room.id, connection);
                }
            }
            Event::Posted { .. }
            | Event::Entered { .. }
            | Event::Left { .. }
            | Event::PopulationChanged { .. }
            | Event::RoomChanged { .. }
            | Event::RoleChanged { .. }
            | Event::PolicyChanged { .. }
            | Event::MessageDeleted { .. }
            | Event::RoomCreated { .. } => (),
        }
    }

    /// The connections an event concerns, each once; in a room, in the order of their ids.
    pub fn audience<'a>(
        &'a self,
        event: &'a Event,
    ) -> Box<dyn Iterator<Item = &'a Arc<ConnectionHandle>> + 'a> {
        match event {
            Event::Posted { message } => match &message.to {
                Recipient::Room(room) => self.of_room(room.id, event),
                Recipient::User(to) => {
                    let author = message.author.uid.filter(|uid| Some(*uid) != to.uid);
                    self.of_users([author, to.uid])
                }
            },
            Event::MessageDeleted { author, to, .. } => match to {
                Recipient::Room(room) => self.of_room(room.id, event),
                Recipient::User(to) => {
                    let author = author.uid.filter(|uid| Some(*uid) != to.uid);
                    let both = self.of_users([author, to.uid]);
                    Box::new(both.filter(|connection| connection.wants(event)))
                }
            },
            Event::Entered { room, .. }
            | Event::Left { room, .. }
            | Event::PopulationChanged { room, .. }
            | Event::RoomChanged { room, .. }
            | Event::RoleChanged { room, .. }
            | Event::PolicyChanged { room, .. }
            | Event::RoomDeleted { room } => self.of_room(room.id, event),
            Event::RoomCreated { members, .. } => {
                self.of_users(members.iter().map(|person| person.uid))
            }
        }
    }

    fn of_room<'a>(
        &'a self,
        room: RoomId,
        event: &'a Event,
    ) -> Box<dyn Iterator<Item = &'a Arc<ConnectionHandle>> + 'a> {
        let connections = self.rooms.range(all(room)).map(|(_, to)| &to.connection);
        Box::new(connections.filter(|connection| connection.wants(event)))
    }

    /// A connection has one user, so none appears twice as long as no user does.
    fn of_users<'a>(
        &'a self,
        users: impl IntoIterator<Item = Option<Uid>> + 'a,
    ) -> Box<dyn Iterator<Item = &'a Arc<ConnectionHandle>> + 'a> {
        let of = |uid| self.users.range(all(uid)).map(|(_, connection)| connection);
        Box::new(users.into_iter().flatten().flat_map(of))
    }

    fn subscribe_to_user(
        &mut self,
        connection: &Arc<ConnectionHandle>,
        uid: Uid,
        rooms: impl Iterator<Item = RoomId>,
    ) {
        self.unsubscribe_from_user(connection.id);
        self.subscribers.entry(connection.id).or_default().user = Some(uid);
        self.users.insert((uid, connection.id), connection.clone());
        for room in rooms {
            self.subscription(connection, room).member = true;
        }
    }

    /// Seats stay: the engine reports when they are left.
    fn unsubscribe_from_user(&mut self, connection: ConnectionId) {
        let Some(subscriber) = self.subscribers.get_mut(&connection) else { return };
        let Some(uid) = subscriber.user.take() else { return };
        let rooms = subscriber.rooms.clone();
        self.users.remove(&(uid, connection));
        for room in rooms {
            self.change(room, connection, |subscription| subscription.member = false);
        }
    }

    fn set_member(&mut self, room: RoomId, uid: Option<Uid>) {
        for connection in uid.map(|uid| self.connections_of(uid)).unwrap_or_default() {
            self.subscription(&connection, room).member = true;
        }
    }

    fn connections_of(&self, uid: Uid) -> Vec<Arc<ConnectionHandle>> {
        self.users.range(all(uid)).map(|(_, connection)| connection.clone()).collect()
    }

    /// The subscription of a connection to a room, new if there is none.
    fn subscription(
        &mut self,
        connection: &Arc<ConnectionHandle>,
        room: RoomId,
    ) -> &mut Subscription {
        if !self.has_subscriber(room) {
            self.rooms_in_use += 1;
        }
        self.rooms.entry((room, connection.id)).or_insert_with(|| {
            self.subscribers.entry(connection.id).or_default().rooms.push(room);
            Subscription { connection: connection.clone(), seats: 0, member: false }
        })
    }

    /// Changes a subscription, and removes it when no reason for it is left.
    fn change(
        &mut self,
        room: RoomId,
        connection: ConnectionId,
        change: impl Fn(&mut Subscription),
    ) {
        let Some(subscription) = self.rooms.get_mut(&(room, connection)) else { return };
        change(subscription);
        if subscription.seats == 0 && !subscription.member {
            self.remove(room, connection);
        }
    }

    fn has_subscriber(&self, room: RoomId) -> bool {
        self.rooms.range(all(room)).next().is_some()
    }

    fn remove_from_room(&mut self, room: RoomId, connection: ConnectionId) {
        let was_there = self.rooms.remove(&(room, connection)).is_some();
        if was_there && !self.has_subscriber(room) {
            self.rooms_in_use -= 1;
        }
    }

    fn remove(&mut self, room: RoomId, connection: ConnectionId) {
        self.remove_from_room(room, connection);
        if let Some(subscriber) = self.subscribers.get_mut(&connection) {
            subscriber.rooms.retain(|other| *other != room);
            if subscriber.rooms.is_empty() && subscriber.user.is_none() {
                self.subscribers.remove(&connection);
            }
        }
    }
}

/// All keys that begin with `first`.
fn all<T: Copy>(first: T) -> RangeInclusive<(T, ConnectionId)> {
    (first, ConnectionId(0))..=(first, ConnectionId(u64::MAX))
}

#[cfg(test)]
mod tests;
