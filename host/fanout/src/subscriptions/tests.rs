use core_model::{Message, MessageId, Person, RoomTag, RoomView, Seq, Timestamp, UserView};
use frontend_api::EventFilter;

use super::*;
use crate::framing::Framing;
use crate::mailbox::Mailbox;

const NONE: Vec<u64> = Vec::new();

fn connection(id: u64) -> Arc<ConnectionHandle> {
    let (mailbox, ledger) = (Mailbox::new(10, 1000), Arc::default());
    Arc::new(ConnectionHandle::new(ConnectionId(id), 0, Framing::Tcp, mailbox, ledger))
}

fn person(uid: u64) -> Arc<Person> {
    Arc::new(Person { uid: Some(Uid(uid)), handle: format!("u{uid}"), ..Person::default() })
}

fn tag(room: u32) -> RoomTag {
    RoomTag { id: RoomId(room), name: format!("r{room}").into(), closed: false }
}

fn entered(room: u32, again: bool) -> Reply {
    let room = RoomView { id: RoomId(room), ..RoomView::default() };
    Reply::Entered { room, user: person(1), again, cursor: MessageId(0) }
}

fn signed_in(uid: u64, rooms: &[u32]) -> Reply {
    Reply::SignedIn {
        user: UserView { person: person(uid), ..UserView::default() },
        token: None,
        rooms: rooms.iter().map(|room| tag(*room)).collect(),
        backlog: Vec::new(),
        cursor: None,
        gap: None,
        skipped: Vec::new(),
    }
}

fn post(to: Recipient) -> Event {
    let text = "hi".into();
    let message =
        Message { id: MessageId(1), at: Timestamp(0), author: person(1), to, text, notice: false };
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
    assert_eq!(subscriptions.rooms_in_use(), 1);
    assert_eq!(
        receivers(&mut subscriptions, &[left(1, 1, Some(7)), population(1)]),
        [vec![7], vec![7]]
    );
    assert_eq!(receivers(&mut subscriptions, &[population(1)]), [NONE]);
    assert_eq!(subscriptions.rooms_in_use(), 0);
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
    let note = post(Recipient::User(person(1)));
    assert_eq!(receivers(&mut subscriptions, &[note]), [vec![7, 8]]);
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
    let alone = Event::RoomCreated { room: tag(6), owner: Some(person(3)), members: Vec::new() };
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
