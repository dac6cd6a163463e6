//! Who hears of what: which connections watch which rooms, and whose direct messages they get.
//!
//! Only what the engine committed changes it, in commit order, so that it never differs from the
//! store: a seat or a membership begins before the events of its own command are handed out, and
//! ends after them.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use core_model::{ConnectionId, Event, Recipient, Recorded, Reply, RoomId, Uid};

use crate::runtime::fanout::handle::Link;

/// What the hub does for a connection when its command has succeeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    Nothing,
    /// It watches the room it entered.
    Seat,
    /// It watches what the user who signed in is concerned by.
    User,
    /// It watches nobody's messages any more.
    SignOut,
}

/// Everyone who watches anything. A connection that does not takes no space.
///
/// Places are one sorted map rather than a map of maps: the watchers of a room lie side by side,
/// and somebody who is alone in a room costs one entry.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    watchers: HashMap<ConnectionId, Watcher>,
    places: BTreeMap<(RoomId, ConnectionId), Place>,
    followers: BTreeMap<(Uid, ConnectionId), Arc<Link>>,
}

#[derive(Debug, Default)]
struct Watcher {
    user: Option<Uid>,
    /// Those rooms in which it has a place.
    rooms: Vec<RoomId>,
}

/// Why a connection watches a room; none of both: it does not.
#[derive(Debug)]
struct Place {
    link: Arc<Link>,
    seats: u32,
    member: bool,
}

impl Watch {
    /// A command of this connection has succeeded.
    pub(crate) fn take_effect(&mut self, link: &Arc<Link>, effect: Effect, reply: &Reply) {
        match (effect, reply) {
            (Effect::Seat, Reply::Entered { room, again: false, .. }) => {
                self.place(link, room.id).seats += 1;
            }
            (Effect::User, Reply::SignedIn { user, rooms, .. }) => {
                if let Some(uid) = user.person.uid {
                    self.follow(link, uid, rooms.iter().map(|room| room.id));
                }
            }
            (Effect::SignOut, _) => self.unfollow(link.id),
            (Effect::Nothing | Effect::Seat | Effect::User, _) => (),
        }
    }

    /// The events of a command: each is handed out, with those whom it concerns, between what
    /// begins with it and what ends with it.
    pub(crate) fn hand_out(
        &mut self,
        events: &[Recorded],
        mut each: impl FnMut(&Recorded, &mut dyn Iterator<Item = &Arc<Link>>),
    ) {
        for recorded in events {
            self.begin(&recorded.event);
            each(recorded, &mut *self.audience(&recorded.event));
        }
        for recorded in events {
            self.cease(&recorded.event);
        }
    }

    /// Whether a connection is among those whom an event in a room concerns.
    pub(crate) fn listens(&self, link: &Link, room: RoomId, event: &Event) -> bool {
        self.places.contains_key(&(room, link.id)) && link.wants(event)
    }

    /// The connection is gone.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        let Some(watcher) = self.watchers.remove(&connection) else { return };
        if let Some(uid) = watcher.user {
            self.followers.remove(&(uid, connection));
        }
        for room in watcher.rooms {
            self.places.remove(&(room, connection));
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

    fn cease(&mut self, event: &Event) {
        match event {
            Event::Left { room, user, durable: true, .. } => {
                for link in user.uid.map(|uid| self.followers_of(uid)).unwrap_or_default() {
                    self.change(room.id, link.id, |place| place.member = false);
                }
            }
            Event::Left { room, connection: Some(connection), .. } => {
                let give_back = |place: &mut Place| place.seats = place.seats.saturating_sub(1);
                self.change(room.id, *connection, give_back);
            }
            Event::RoomDeleted { room } => {
                let watching = self.places.range(all(room.id));
                let watching: Vec<_> = watching.map(|((_, connection), _)| *connection).collect();
                for connection in watching {
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

    /// Whom an event concerns, each once; in a room, in the order of their ids.
    pub(crate) fn audience<'a>(
        &'a self,
        event: &'a Event,
    ) -> Box<dyn Iterator<Item = &'a Arc<Link>> + 'a> {
        match event {
            Event::Posted { message } => match &message.to {
                Recipient::Room(room) => self.watching(room.id, event),
                Recipient::User(to) => self.following([&message.author, to].map(|p| p.uid)),
            },
            Event::Entered { room, .. }
            | Event::Left { room, .. }
            | Event::PopulationChanged { room, .. }
            | Event::RoomChanged { room, .. }
            | Event::RoomDeleted { room } => self.watching(room.id, event),
            Event::RoomCreated { members, .. } => {
                self.following(members.iter().map(|person| person.uid))
            }
        }
    }

    fn watching<'a>(
        &'a self,
        room: RoomId,
        event: &'a Event,
    ) -> Box<dyn Iterator<Item = &'a Arc<Link>> + 'a> {
        let links = self.places.range(all(room)).map(|(_, place)| &place.link);
        Box::new(links.filter(|link| link.wants(event)))
    }

    /// A connection follows one user, so nobody comes twice as long as no user does.
    fn following<'a>(
        &'a self,
        users: impl IntoIterator<Item = Option<Uid>> + 'a,
    ) -> Box<dyn Iterator<Item = &'a Arc<Link>> + 'a> {
        let of = |uid| self.followers.range(all(uid)).map(|(_, link)| link);
        Box::new(users.into_iter().flatten().flat_map(of))
    }

    fn follow(&mut self, link: &Arc<Link>, uid: Uid, rooms: impl Iterator<Item = RoomId>) {
        self.unfollow(link.id);
        self.watchers.entry(link.id).or_default().user = Some(uid);
        self.followers.insert((uid, link.id), link.clone());
        for room in rooms {
            self.place(link, room).member = true;
        }
    }

    /// Seats are not touched: the engine says that they have been left.
    fn unfollow(&mut self, connection: ConnectionId) {
        let Some(watcher) = self.watchers.get_mut(&connection) else { return };
        let Some(uid) = watcher.user.take() else { return };
        let rooms = watcher.rooms.clone();
        self.followers.remove(&(uid, connection));
        for room in rooms {
            self.change(room, connection, |place| place.member = false);
        }
    }

    fn set_member(&mut self, room: RoomId, uid: Option<Uid>) {
        for link in uid.map(|uid| self.followers_of(uid)).unwrap_or_default() {
            self.place(&link, room).member = true;
        }
    }

    fn followers_of(&self, uid: Uid) -> Vec<Arc<Link>> {
        self.followers.range(all(uid)).map(|(_, link)| link.clone()).collect()
    }

    /// The place of a connection in a room, new where there is none.
    fn place(&mut self, link: &Arc<Link>, room: RoomId) -> &mut Place {
        self.places.entry((room, link.id)).or_insert_with(|| {
            self.watchers.entry(link.id).or_default().rooms.push(room);
            Place { link: link.clone(), seats: 0, member: false }
        })
    }

    /// Changes a place, and gives it up where no reason for it is left.
    fn change(&mut self, room: RoomId, connection: ConnectionId, change: impl Fn(&mut Place)) {
        let Some(place) = self.places.get_mut(&(room, connection)) else { return };
        change(place);
        if place.seats == 0 && !place.member {
            self.remove(room, connection);
        }
    }

    fn remove(&mut self, room: RoomId, connection: ConnectionId) {
        self.places.remove(&(room, connection));
        if let Some(watcher) = self.watchers.get_mut(&connection) {
            watcher.rooms.retain(|watched| *watched != room);
            if watcher.rooms.is_empty() && watcher.user.is_none() {
                self.watchers.remove(&connection);
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
    use crate::runtime::fanout::framing::Wire;
    use crate::runtime::fanout::mailbox::Mailbox;

    const NOBODY: Vec<u64> = Vec::new();

    fn link(id: u64) -> Arc<Link> {
        Arc::new(Link::new(ConnectionId(id), 0, Wire::Tcp, Mailbox::new(10, 1000)))
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

    /// Hands the events of one command out and gives, for each, the connections that hear of it.
    fn hear(watch: &mut Watch, events: &[Event]) -> Vec<Vec<u64>> {
        let events: Vec<_> = events
            .iter()
            .map(|event| Recorded {
                seq: Seq(1),
                at: Timestamp(0),
                cause: ConnectionId(0),
                event: event.clone(),
            })
            .collect();
        let mut heard = Vec::new();
        watch.hand_out(&events, |_, audience| heard.push(audience.map(|link| link.id.0).collect()));
        heard
    }

    #[test]
    fn a_seat_is_watched_from_its_own_events_to_the_last_of_its_end() {
        let mut watch = Watch::default();
        watch.take_effect(&link(7), Effect::Seat, &entered(1, false));
        assert_eq!(hear(&mut watch, &[population(1), posted(2)]), [vec![7], vec![]]);
        assert_eq!(hear(&mut watch, &[left(1, 1, Some(7)), population(1)]), [vec![7], vec![7]]);
        assert_eq!(hear(&mut watch, &[population(1)]), [NOBODY]);
        assert!(watch.watchers.is_empty() && watch.places.is_empty());
    }

    #[test]
    fn each_of_several_seats_of_a_connection_counts() {
        let mut watch = Watch::default();
        let link = link(7);
        watch.take_effect(&link, Effect::Seat, &entered(1, false));
        watch.take_effect(&link, Effect::Seat, &entered(1, true));
        watch.take_effect(&link, Effect::Seat, &entered(1, false));
        hear(&mut watch, &[left(1, 1, Some(7))]);
        assert_eq!(hear(&mut watch, &[posted(1)]), [vec![7]]);
        hear(&mut watch, &[left(1, 1, Some(7))]);
        assert_eq!(hear(&mut watch, &[posted(1)]), [NOBODY]);
    }

    #[test]
    fn a_user_is_followed_into_rooms_joined_later_and_out_of_those_left() {
        let mut watch = Watch::default();
        watch.take_effect(&link(7), Effect::User, &signed_in(1, &[1]));
        assert_eq!(hear(&mut watch, &[posted(1), posted(2)]), [vec![7], vec![]]);
        assert_eq!(hear(&mut watch, &[join(2, 1), population(2)]), [vec![7], vec![7]]);
        assert_eq!(hear(&mut watch, &[left(1, 1, None), population(1)]), [vec![7], vec![7]]);
        assert_eq!(hear(&mut watch, &[posted(1), posted(2)]), [vec![], vec![7]]);
    }

    #[test]
    fn membership_and_a_seat_are_two_reasons() {
        let mut watch = Watch::default();
        let link = link(7);
        watch.take_effect(&link, Effect::User, &signed_in(1, &[1]));
        watch.take_effect(&link, Effect::Seat, &entered(1, false));
        assert_eq!(hear(&mut watch, &[posted(1)]), [vec![7]], "once");
        hear(&mut watch, &[left(1, 1, None)]);
        assert_eq!(hear(&mut watch, &[posted(1)]), [vec![7]]);
        hear(&mut watch, &[left(1, 1, Some(7))]);
        assert_eq!(hear(&mut watch, &[posted(1)]), [NOBODY]);
    }

    #[test]
    fn signing_in_again_replaces_whom_a_connection_follows() {
        let mut watch = Watch::default();
        let link = link(7);
        watch.take_effect(&link, Effect::User, &signed_in(1, &[1]));
        watch.take_effect(&link, Effect::User, &signed_in(2, &[2]));
        assert_eq!(hear(&mut watch, &[posted(1), posted(2)]), [vec![], vec![7]]);
        let direct = |uid| post(Recipient::User(person(uid)));
        assert_eq!(hear(&mut watch, &[direct(2), direct(3)]), [vec![7], vec![]]);
    }

    #[test]
    fn signing_out_leaves_seats_to_their_own_end() {
        let mut watch = Watch::default();
        let link = link(7);
        watch.take_effect(&link, Effect::User, &signed_in(1, &[1]));
        watch.take_effect(&link, Effect::Seat, &entered(2, false));
        watch.take_effect(&link, Effect::SignOut, &Reply::Done);
        assert_eq!(hear(&mut watch, &[posted(1), population(2)]), [vec![], vec![7]]);
        hear(&mut watch, &[left(2, 1, Some(7))]);
        assert!(watch.watchers.is_empty() && watch.places.is_empty());
    }

    #[test]
    fn a_direct_message_goes_to_every_session_of_both_ends() {
        let mut watch = Watch::default();
        for (id, uid) in [(7, 1), (8, 1), (9, 2), (10, 3)] {
            watch.take_effect(&link(id), Effect::User, &signed_in(uid, &[]));
        }
        let direct = post(Recipient::User(person(2)));
        assert_eq!(hear(&mut watch, &[direct]), [vec![7, 8, 9]]);
    }

    #[test]
    fn those_invited_hear_of_a_new_room_and_then_of_what_happens_in_it() {
        let mut watch = Watch::default();
        for (id, uid) in [(7, 1), (8, 2), (9, 3)] {
            watch.take_effect(&link(id), Effect::User, &signed_in(uid, &[]));
        }
        let members = vec![person(1), person(2)];
        let created = Event::RoomCreated { room: tag(5), owner: Some(person(1)), members };
        assert_eq!(hear(&mut watch, &[created, posted(5)]), [vec![7, 8], vec![7, 8]]);
        let alone =
            Event::RoomCreated { room: tag(6), owner: Some(person(3)), members: Vec::new() };
        assert_eq!(hear(&mut watch, &[alone, posted(6)]), [vec![], vec![9]]);
    }

    #[test]
    fn a_deleted_room_is_watched_by_nobody() {
        let mut watch = Watch::default();
        watch.take_effect(&link(7), Effect::User, &signed_in(1, &[1]));
        watch.take_effect(&link(8), Effect::Seat, &entered(1, false));
        let deleted = Event::RoomDeleted { room: tag(1) };
        assert_eq!(hear(&mut watch, &[deleted]), [vec![7, 8]]);
        assert_eq!(hear(&mut watch, &[posted(1)]), [NOBODY]);
        assert!(watch.places.is_empty());
    }

    #[test]
    fn interest_filters_rooms_but_not_direct_messages() {
        let mut watch = Watch::default();
        let link = link(7);
        watch.take_effect(&link, Effect::User, &signed_in(1, &[1]));
        link.set_event_filter(EventFilter {
            messages: false,
            presence: false,
            ..EventFilter::default()
        });
        let direct = post(Recipient::User(person(2)));
        let events = [posted(1), join(1, 2), population(1), direct];
        assert_eq!(hear(&mut watch, &events), [vec![], vec![], vec![7], vec![7]]);
    }

    #[test]
    fn a_connection_that_is_gone_leaves_nothing_behind() {
        let mut watch = Watch::default();
        let link = link(7);
        watch.take_effect(&link, Effect::User, &signed_in(1, &[1, 2]));
        watch.take_effect(&link, Effect::Seat, &entered(3, false));
        watch.forget(ConnectionId(7));
        assert!(watch.watchers.is_empty());
        assert!(watch.places.is_empty());
        assert!(watch.followers.is_empty());
    }
}
