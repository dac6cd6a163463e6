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
                ()
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
            self.rooms.remove(&(room, connection));
        }
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
                Recipient::User(to) => self.of_users([&message.author, to].map(|p| p.uid)),
            },
            Event::Entered { room, .. }
            | Event::Left { room, .. }
            | Event::PopulationChanged { room, .. }
            | Event::RoomChanged { room, .. }
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

    fn remove(&mut self, room: RoomId, connection: ConnectionId) {
        self.rooms.remove(&(room, connection));
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
mod tests {
    use core_model::{Message, MessageId, Person, RoomTag, RoomView, Seq, Timestamp, UserView};
    use frontend_api::EventFilter;

    use super::*;
    use crate::framing::Framing;
    use crate::mailbox::Mailbox;

    const NONE: Vec<u64> = Vec::new();

    fn connection(id: u64) -> Arc<ConnectionHandle> {
        Arc::new(ConnectionHandle::new(ConnectionId(id), 0, Framing::Tcp, Mailbox::new(10, 1000)))
    }

    fn person(uid: u64) -> Arc<Person> {
        Arc::new(Person { uid: Some(Uid(uid)), handle: format!("u{uid}"), ..Person::default() })
    }

    fn tag(room: u32) -> RoomTag {
        RoomTag { id: RoomId(room), name: format!("r{room}").into() }
    }

    fn entered(room: u32, again: bool) -> Reply {
        let room = RoomView { id: RoomId(room), ..RoomView::default() };
        Reply::Entered { room, user: person(1), again }
    }

    fn signed_in(uid: u64, rooms: &[u32]) -> Reply {
        Reply::SignedIn {
            user: UserView { person: person(uid), ..UserView::default() },
            token: None,
            rooms: rooms.iter().map(|room| tag(*room)).collect(),
            backlog: Vec::new(),
            skipped: Vec::new(),
        }
    }

    fn post(to: Recipient) -> Event {
        let text = "hi".into();
        let message = Message {
            id: MessageId(1),
            at: Timestamp(0),
            author: person(1),
            to,
            text,
            notice: false,
        };
        Event::Posted { message }
    }

    fn posted(room: u32) -> Event {
        post(Recipient::Room(tag(room)))
    }

    fn join(room: u32, uid: u64) -> Event {
        Event::Entered {
            room: tag(room),
            user: person(uid),
            avatar: String::new(),
            durable: true,
            opened: false,
            connection: None,
            elsewhere: false,
        }
    }

    fn left(room: u32, uid: u64, connection: Option<u64>) -> Event {
        Event::Left {
            room: tag(room),
            user: person(uid),
            avatar: String::new(),
            durable: connection.is_none(),
            connection: connection.map(ConnectionId),
            elsewhere: false,
            quit: false,
            reason: String::new(),
            by: None,
        }
    }

    fn population(room: u32) -> Event {
        Event::PopulationChanged { room: tag(room), population: 1 }
    }

    /// Delivers the events of one command and returns, for each, the connections that receive it.
    fn receivers(subscriptions: &mut Subscriptions, events: &[Event]) -> Vec<Vec<u64>> {
        let events: Vec<_> = events
            .iter()
            .map(|event| Recorded {
                seq: Seq(1),
                at: Timestamp(0),
                cause: ConnectionId(0),
                event: event.clone(),
            })
            .collect();
        let mut received = Vec::new();
        subscriptions.deliver(&events, |_, audience| {
            received.push(audience.map(|connection| connection.id.0).collect())
        });
        received
    }

    #[test]
    fn a_seat_subscribes_from_its_first_event_to_its_last() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.apply(&connection(7), SubscriptionChange::Seat, &entered(1, false));
        assert_eq!(receivers(&mut subscriptions, &[population(1), posted(2)]), [vec![7], vec![]]);
        assert_eq!(
            receivers(&mut subscriptions, &[left(1, 1, Some(7)), population(1)]),
            [vec![7], vec![7]]
        );
        assert_eq!(receivers(&mut subscriptions, &[population(1)]), [NONE]);
        assert!(subscriptions.subscribers.is_empty() && subscriptions.rooms.is_empty());
    }

    #[test]
    fn each_of_several_seats_of_a_connection_counts() {
        let mut subscriptions = Subscriptions::default();
        let connection = connection(7);
        subscriptions.apply(&connection, SubscriptionChange::Seat, &entered(1, false));
        subscriptions.apply(&connection, SubscriptionChange::Seat, &entered(1, true));
        subscriptions.apply(&connection, SubscriptionChange::Seat, &entered(1, false));
        receivers(&mut subscriptions, &[left(1, 1, Some(7))]);
        assert_eq!(receivers(&mut subscriptions, &[posted(1)]), [vec![7]]);
        receivers(&mut subscriptions, &[left(1, 1, Some(7))]);
        assert_eq!(receivers(&mut subscriptions, &[posted(1)]), [NONE]);
    }

    #[test]
    fn a_signed_in_connection_follows_its_user_into_and_out_of_rooms() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.apply(&connection(7), SubscriptionChange::User, &signed_in(1, &[1]));
        assert_eq!(receivers(&mut subscriptions, &[posted(1), posted(2)]), [vec![7], vec![]]);
        assert_eq!(receivers(&mut subscriptions, &[join(2, 1), population(2)]), [vec![7], vec![7]]);
        assert_eq!(
            receivers(&mut subscriptions, &[left(1, 1, None), population(1)]),
            [vec![7], vec![7]]
        );
        assert_eq!(receivers(&mut subscriptions, &[posted(1), posted(2)]), [vec![], vec![7]]);
    }

    #[test]
    fn membership_and_a_seat_are_two_reasons() {
        let mut subscriptions = Subscriptions::default();
        let connection = connection(7);
        subscriptions.apply(&connection, SubscriptionChange::User, &signed_in(1, &[1]));
        subscriptions.apply(&connection, SubscriptionChange::Seat, &entered(1, false));
        assert_eq!(receivers(&mut subscriptions, &[posted(1)]), [vec![7]], "once");
        receivers(&mut subscriptions, &[left(1, 1, None)]);
        assert_eq!(receivers(&mut subscriptions, &[posted(1)]), [vec![7]]);
        receivers(&mut subscriptions, &[left(1, 1, Some(7))]);
        assert_eq!(receivers(&mut subscriptions, &[posted(1)]), [NONE]);
    }

    #[test]
    fn signing_in_again_replaces_the_user_of_a_connection() {
        let mut subscriptions = Subscriptions::default();
        let connection = connection(7);
        subscriptions.apply(&connection, SubscriptionChange::User, &signed_in(1, &[1]));
        subscriptions.apply(&connection, SubscriptionChange::User, &signed_in(2, &[2]));
        assert_eq!(receivers(&mut subscriptions, &[posted(1), posted(2)]), [vec![], vec![7]]);
        let direct = |uid| post(Recipient::User(person(uid)));
        assert_eq!(receivers(&mut subscriptions, &[direct(2), direct(3)]), [vec![7], vec![]]);
    }

    #[test]
    fn signing_out_leaves_seats_to_their_own_end() {
        let mut subscriptions = Subscriptions::default();
        let connection = connection(7);
        subscriptions.apply(&connection, SubscriptionChange::User, &signed_in(1, &[1]));
        subscriptions.apply(&connection, SubscriptionChange::Seat, &entered(2, false));
        subscriptions.apply(&connection, SubscriptionChange::SignOut, &Reply::Done);
        assert_eq!(receivers(&mut subscriptions, &[posted(1), population(2)]), [vec![], vec![7]]);
        receivers(&mut subscriptions, &[left(2, 1, Some(7))]);
        assert!(subscriptions.subscribers.is_empty() && subscriptions.rooms.is_empty());
    }

    #[test]
    fn a_direct_message_goes_to_every_session_of_both_ends() {
        let mut subscriptions = Subscriptions::default();
        for (id, uid) in [(7, 1), (8, 1), (9, 2), (10, 3)] {
            subscriptions.apply(&connection(id), SubscriptionChange::User, &signed_in(uid, &[]));
        }
        let direct = post(Recipient::User(person(2)));
        assert_eq!(receivers(&mut subscriptions, &[direct]), [vec![7, 8, 9]]);
    }

    #[test]
    fn invited_members_receive_a_new_room_and_its_later_events() {
        let mut subscriptions = Subscriptions::default();
        for (id, uid) in [(7, 1), (8, 2), (9, 3)] {
            subscriptions.apply(&connection(id), SubscriptionChange::User, &signed_in(uid, &[]));
        }
        let members = vec![person(1), person(2)];
        let created = Event::RoomCreated { room: tag(5), owner: Some(person(1)), members };
        assert_eq!(receivers(&mut subscriptions, &[created, posted(5)]), [vec![7, 8], vec![7, 8]]);
        let alone =
            Event::RoomCreated { room: tag(6), owner: Some(person(3)), members: Vec::new() };
        assert_eq!(receivers(&mut subscriptions, &[alone, posted(6)]), [vec![], vec![9]]);
    }

    #[test]
    fn a_deleted_room_has_no_subscribers() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.apply(&connection(7), SubscriptionChange::User, &signed_in(1, &[1]));
        subscriptions.apply(&connection(8), SubscriptionChange::Seat, &entered(1, false));
        let deleted = Event::RoomDeleted { room: tag(1) };
        assert_eq!(receivers(&mut subscriptions, &[deleted]), [vec![7, 8]]);
        assert_eq!(receivers(&mut subscriptions, &[posted(1)]), [NONE]);
        assert!(subscriptions.rooms.is_empty());
    }

    #[test]
    fn an_event_filter_applies_to_rooms_but_not_to_direct_messages() {
        let mut subscriptions = Subscriptions::default();
        let connection = connection(7);
        subscriptions.apply(&connection, SubscriptionChange::User, &signed_in(1, &[1]));
        connection.set_event_filter(EventFilter {
            messages: false,
            presence: false,
            ..EventFilter::default()
        });
        let direct = post(Recipient::User(person(2)));
        let events = [posted(1), join(1, 2), population(1), direct];
        assert_eq!(receivers(&mut subscriptions, &events), [vec![], vec![], vec![7], vec![7]]);
    }

    #[test]
    fn a_forgotten_connection_leaves_nothing_behind() {
        let mut subscriptions = Subscriptions::default();
        let connection = connection(7);
        subscriptions.apply(&connection, SubscriptionChange::User, &signed_in(1, &[1, 2]));
        subscriptions.apply(&connection, SubscriptionChange::Seat, &entered(3, false));
        subscriptions.forget(ConnectionId(7));
        assert!(subscriptions.subscribers.is_empty());
        assert!(subscriptions.rooms.is_empty());
        assert!(subscriptions.users.is_empty());
    }
}
