//! What each connection finds in its mailbox, in words.

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use core_model::{Event, Message, MessageId, Person, Recipient, Reply, RoomTag, RoomView};
use core_model::{Seq, Timestamp};
use frontend_api::{Broadcast, Ending, EventFilter, Frame};

use super::*;
use crate::framing::Framing;
use crate::ledger::{DeliveryOutcome, Ledger, Source};
use crate::mailbox::{Mailbox, MailboxPoll, Overflow};
use crate::subscriptions::SubscriptionChange;
use crate::tally::RoomClass;

/// Encodes everything for everyone but its cause, and counts.
#[derive(Default)]
struct Counting {
    encoded: AtomicU32,
    cut_off: AtomicU32,
    ledger: Arc<Ledger>,
}

impl EventEncoder for Counting {
    fn encode(&self, event: &Recorded) -> Option<Broadcast> {
        let count = self.encoded.fetch_add(1, Ordering::Relaxed);
        Some(Broadcast::Others(Frame::Text(format!("{} {count}", event.seq))))
    }

    fn note_cut_off(&self, _: ConnectionId, _: Overflow) {
        self.cut_off.fetch_add(1, Ordering::Relaxed);
    }

    fn ledger(&self) -> Arc<Ledger> {
        self.ledger.clone()
    }
}

struct Scene {
    encoder: Arc<Counting>,
    fanout: Fanout,
}

impl Scene {
    fn new() -> Self {
        let encoder = Arc::new(Counting::default());
        let mut fanout = Fanout::new(Arc::default());
        fanout.add_frontend(0, encoder.clone());
        Self { encoder, fanout }
    }

    /// A connection that has entered room 1 and read the answer.
    fn seated(&mut self, id: u64, framing: Framing, items_max: u32) -> Arc<ConnectionHandle> {
        let connection = connection(id, 0, framing, items_max);
        self.enter(&connection, Vec::new());
        assert_eq!(read(&connection), ["answer"]);
        connection
    }

    fn enter(&mut self, connection: &Arc<ConnectionHandle>, events: Vec<Recorded>) {
        self.enter_room(1, connection, events);
    }

    fn enter_room(&mut self, room: u32, connection: &Arc<ConnectionHandle>, events: Vec<Recorded>) {
        let room = RoomView { id: RoomId(room), ..RoomView::default() };
        let outcome =
            Ok(Reply::Entered { room, user: Arc::default(), again: false, cursor: MessageId(0) });
        let connection = connection.clone();
        let ticket = Ticket::connection(connection, SubscriptionChange::Seat);
        self.deliver([Done { events, ..Done::of(ticket, outcome) }]);
    }

    fn happen(&mut self, events: Vec<Recorded>) {
        self.deliver([Done { events, ..Done::of(Ticket::Discard, Ok(Reply::Done)) }]);
    }

    fn deliver<const N: usize>(&mut self, batch: [Done<Ticket>; N]) {
        let mut batch = batch.into_iter().peekable();
        while self.fanout.deliver_next(&mut batch).is_some() {}
    }
}

fn connection(id: u64, frontend: u16, framing: Framing, items_max: u32) -> Arc<ConnectionHandle> {
    let mailbox = Mailbox::new(items_max, 1000);
    let ledger = Arc::default();
    Arc::new(ConnectionHandle::new(ConnectionId(id), frontend, framing, mailbox, ledger))
}

fn posted(seq: u64, cause: u64) -> Recorded {
    posted_to(1, seq, cause)
}

fn posted_to(room: u32, seq: u64, cause: u64) -> Recorded {
    let message = Message {
        id: MessageId(seq),
        at: Timestamp(0),
        author: Arc::<Person>::default(),
        to: Recipient::Room(RoomTag { id: RoomId(room), name: "tea".into(), closed: false }),
        text: "hi".into(),
        notice: false,
    };
    let cause = ConnectionId(cause);
    Recorded { seq: Seq(seq), at: Timestamp(0), cause, event: Event::Posted { message } }
}

/// Takes and describes what is in a mailbox.
fn read(connection: &ConnectionHandle) -> Vec<String> {
    let mut cx = Context::from_waker(Waker::noop());
    match connection.mailbox.poll(&mut cx, true) {
        Poll::Ready(MailboxPoll::Items { items, .. }) => items.iter().map(say).collect(),
        Poll::Ready(MailboxPoll::Ending(Ending::Slow)) => vec!["cut off".into()],
        Poll::Ready(other) => panic!("not expected: {other:?}"),
        Poll::Pending => Vec::new(),
    }
}

fn say(item: &MailboxItem) -> String {
    match item {
        MailboxItem::Answer { .. } => "answer".into(),
        MailboxItem::Fence => "fence".into(),
        MailboxItem::Wake => "wake".into(),
        MailboxItem::Frame { bytes, message, .. } => format!("{bytes:?} of {}", message.unwrap()),
        MailboxItem::Event(_) => "event".into(),
    }
}

#[test]
fn an_event_is_encoded_once_and_laid_out_for_each_transport() {
    let mut scene = Scene::new();
    let connections =
        [(7, Framing::Tcp), (8, Framing::Lines), (9, Framing::WebSocket), (10, Framing::Tcp)]
            .map(|(id, wire)| scene.seated(id, wire, 10));
    scene.happen(vec![posted(5, 10)]);
    let received = connections.map(|connection| read(&connection));
    assert_eq!(received[0], [r#"b"5 0" of 5"#]);
    assert_eq!(received[1], [r#"b"5 0\n" of 5"#]);
    assert_eq!(received[2], [r#"b"\x81\x035 0" of 5"#]);
    assert!(received[3].is_empty(), "it caused the event");
    assert_eq!(scene.encoder.encoded.load(Ordering::Relaxed), 1);
}

#[test]
fn an_event_without_an_audience_is_not_encoded() {
    let mut scene = Scene::new();
    scene.happen(vec![posted(5, 0)]);
    assert_eq!(scene.encoder.encoded.load(Ordering::Relaxed), 0);
}

#[test]
fn an_answer_comes_before_the_events_of_its_command() {
    let mut scene = Scene::new();
    let connection = scene.seated(7, Framing::Tcp, 10);
    scene.enter(&connection, vec![posted(5, 0)]);
    assert_eq!(read(&connection), ["answer", r#"b"5 0" of 5"#]);
}

#[test]
fn a_full_mailbox_cuts_off_one_connection_and_no_other() {
    let mut scene = Scene::new();
    let slow = scene.seated(7, Framing::Tcp, 1);
    let quick = scene.seated(8, Framing::Tcp, 10);
    scene.happen(vec![posted(5, 0), posted(6, 0), posted(7, 0)]);
    assert_eq!(read(&slow), ["cut off"]);
    assert_eq!(read(&quick).len(), 3);
    assert_eq!(scene.encoder.cut_off.load(Ordering::Relaxed), 1);
}

/// A post by this connection, or by none.
fn post(poster: Option<&Arc<ConnectionHandle>>, event: Recorded) -> Done<Ticket> {
    let ticket = match poster {
        Some(poster) => {
            let connection = poster.clone();
            Ticket::connection(connection, SubscriptionChange::None)
        }
        None => Ticket::Discard,
    };
    Done { events: vec![event], ..Done::of(ticket, Ok(Reply::Done)) }
}

#[test]
fn consecutive_posts_are_one_item_except_for_their_posters() {
    let mut scene = Scene::new();
    let poster = scene.seated(7, Framing::Tcp, 10);
    let other = scene.seated(8, Framing::Lines, 10);
    scene.deliver([
        post(None, posted(5, 0)),
        post(Some(&poster), posted(6, 7)),
        post(None, posted(7, 0)),
        post(Some(&poster), posted(8, 7)),
    ]);
    assert_eq!(read(&other), [r#"b"5 0\n6 1\n7 2\n8 3\n" of 8"#]);
    let each = [r#"b"5 0" of 5"#, "answer", r#"b"7 2" of 7"#, "answer"];
    assert_eq!(read(&poster), each, "a poster does not get its own messages");
    assert_eq!(scene.encoder.encoded.load(Ordering::Relaxed), 4);
}

#[test]
fn each_of_several_joined_posts_counts_against_the_mailbox() {
    let mut scene = Scene::new();
    let slow = scene.seated(7, Framing::Tcp, 1);
    let quick = scene.seated(8, Framing::Tcp, 2);
    scene.deliver([post(None, posted(5, 0)), post(None, posted(6, 0))]);
    assert_eq!(read(&slow), ["cut off"]);
    assert_eq!(read(&quick).len(), 1);
}

#[test]
fn a_post_to_another_room_keeps_its_place() {
    let mut scene = Scene::new();
    let connection = scene.seated(7, Framing::Tcp, 10);
    scene.enter_room(2, &connection, Vec::new());
    assert_eq!(read(&connection), ["answer"]);
    let rooms = [(5, 1), (6, 1), (7, 2), (8, 1)];
    scene.deliver(rooms.map(|(seq, room)| post(None, posted_to(room, seq, 0))));
    let expected = [r#"b"5 06 1" of 6"#, r#"b"7 2" of 7"#, r#"b"8 3" of 8"#];
    assert_eq!(read(&connection), expected);
}

#[test]
fn a_draining_front_end_and_its_replacement_each_encode_for_their_own() {
    let mut scene = Scene::new();
    let former = scene.seated(7, Framing::Tcp, 10);
    let replacement = Arc::new(Counting::default());
    scene.fanout.add_frontend(1, replacement.clone());
    let later = connection(8, 1, Framing::Tcp, 10);
    scene.enter(&later, Vec::new());
    assert_eq!(read(&later), ["answer"]);
    scene.happen(vec![posted(5, 0)]);
    assert_eq!(read(&former), [r#"b"5 0" of 5"#]);
    assert_eq!(read(&later), [r#"b"5 0" of 5"#]);
    let encoded = [&scene.encoder, &replacement].map(|one| one.encoded.load(Ordering::Relaxed));
    assert_eq!(encoded, [1, 1], "once each");

    former.mailbox.close();
    scene.fanout.forget(former.id);
    scene.fanout.remove_frontend(0);
    scene.happen(vec![posted(6, 0)]);
    assert_eq!(read(&later), [r#"b"6 1" of 6"#]);
}

#[test]
fn a_late_answer_does_not_subscribe_a_closed_connection() {
    let mut scene = Scene::new();
    let connection = connection(7, 0, Framing::Tcp, 10);
    connection.mailbox.close();
    scene.fanout.forget(connection.id);
    scene.enter(&connection, Vec::new());
    assert_eq!(Arc::strong_count(&connection), 1, "nothing references it");
}

#[test]
fn what_was_delivered_says_how_much_of_a_mailbox_it_took() {
    let mut scene = Scene::new();
    let _small = scene.seated(7, Framing::Tcp, 4);
    let _large = scene.seated(8, Framing::Tcp, 1000);
    let done = Done { events: vec![posted(5, 0)], ..Done::of(Ticket::Discard, Ok(Reply::Done)) };
    let mut batch = [done].into_iter().peekable();
    let delivered = scene.fanout.deliver_next(&mut batch).unwrap();
    assert_eq!(delivered.mailbox_share, 250, "a quarter of the smaller");
    let mut batch = [post(None, posted(6, 0)), post(None, posted(7, 0))].into_iter().peekable();
    let delivered = scene.fanout.deliver_next(&mut batch).unwrap();
    assert_eq!((delivered.commands, delivered.mailbox_share), (2, 500));
}

#[test]
fn a_session_that_encodes_events_itself_gets_them_instead_of_frames() {
    let mut scene = Scene::new();
    let (own, other) = (scene.seated(7, Framing::Tcp, 10), scene.seated(8, Framing::Tcp, 10));
    own.set_event_filter(EventFilter { per_session: true, ..EventFilter::default() });
    scene.happen(vec![posted(5, 0)]);
    scene.deliver([post(None, posted(6, 0)), post(None, posted(7, 0))]);
    assert_eq!(read(&own), ["event"; 3]);
    assert_eq!(read(&other), [r#"b"5 0" of 5"#, r#"b"6 17 2" of 7"#]);
    scene.happen(vec![posted(8, 7)]);
    assert_eq!(read(&own), [""; 0], "what is for others only is not for its cause");
}

impl Scene {
    /// What is owed to connections in public rooms, and what became of it, after the turn.
    fn ledger(&mut self) -> (u64, Vec<(DeliveryOutcome, u64)>) {
        self.fanout.wake();
        let ledger = &self.encoder.ledger;
        let outcomes = DeliveryOutcome::ALL.into_iter();
        let outcomes =
            outcomes.map(|(outcome, _)| (outcome, ledger.outcome(outcome, RoomClass::Public)));
        let outcomes = outcomes.filter(|(_, count)| *count > 0).collect();
        (ledger.owed(Source::Live, RoomClass::Public), outcomes)
    }
}

#[test]
fn every_delivery_waits_or_has_an_outcome() {
    let mut scene = Scene::new();
    let quick = scene.seated(7, Framing::Tcp, 10);
    let slow = scene.seated(8, Framing::Tcp, 2);
    let gone = scene.seated(9, Framing::Tcp, 10);
    gone.mailbox.close();
    scene.happen(vec![posted(5, 0)]);
    assert_eq!(scene.ledger(), (3, vec![(DeliveryOutcome::Ended, 1)]));
    scene.deliver([post(Some(&quick), posted(6, 7)), post(None, posted(7, 0))]);
    let outcomes = [(DeliveryOutcome::Own, 1), (DeliveryOutcome::CutOff, 3)];
    let outcomes = [outcomes.as_slice(), &[(DeliveryOutcome::Ended, 3)]].concat();
    assert_eq!(scene.ledger(), (9, outcomes));
    // Cut off before.
    scene.happen(vec![posted(8, 0)]);
    let (owed, outcomes) = scene.ledger();
    let settled: u64 = outcomes.iter().map(|(_, count)| count).sum();
    let waiting = [&quick, &slow, &gone].map(|one| one.mailbox.account());
    let waiting = waiting.map(|account| account.outstanding.count(RoomClass::Public));
    assert_eq!(waiting, [3, 0, 0]);
    assert_eq!((owed, settled), (12, 9));
    assert!(outcomes.contains(&(DeliveryOutcome::CutOff, 4)), "{outcomes:?}");
    assert_eq!(scene.encoder.ledger.lost(), 0);
}

#[test]
fn other_events_are_no_deliveries() {
    let mut scene = Scene::new();
    let connection = scene.seated(7, Framing::Tcp, 10);
    let room = RoomTag { id: RoomId(1), name: "tea".into(), closed: false };
    let event = Event::PopulationChanged { room, population: 1 };
    let cause = ConnectionId(0);
    scene.happen(vec![Recorded { seq: Seq(5), at: Timestamp(0), cause, event }]);
    assert_eq!(scene.ledger(), (0, Vec::new()));
    assert!(connection.mailbox.account().outstanding.is_empty());
}

#[test]
fn a_message_counts_for_the_front_end_that_it_came_through() {
    let mut scene = Scene::new();
    let poster = scene.seated(7, Framing::Tcp, 10);
    let over_http = Arc::<Ledger>::default();
    let (sender, _) = tokio::sync::oneshot::channel();
    let ticket = Ticket::once(sender, Some(over_http.clone()));
    let events = vec![posted(6, 0)];
    let done = Done { events, ..Done::of(ticket, Ok(Reply::Done)) };
    scene.deliver([post(Some(&poster), posted(5, 7)), done]);
    scene.deliver([post(Some(&poster), posted(7, 7))]);
    assert_eq!(poster.ledger.posted(RoomClass::Public), 2);
    assert_eq!(over_http.posted(RoomClass::Public), 1);
}

#[test]
fn the_flow_has_each_message_once_for_each_front_end_with_readers() {
    let mut scene = Scene::new();
    let one = scene.seated(7, Framing::Tcp, 10);
    scene.seated(8, Framing::Tcp, 10);
    scene.fanout.add_frontend(1, Arc::new(Counting::default()));
    let other = connection(9, 1, Framing::Tcp, 10);
    scene.enter(&other, Vec::new());
    scene.enter_room(2, &other, Vec::new());
    scene.fanout.add_frontend(2, Arc::new(Counting::default()));
    let over_http = || {
        let (sender, _) = tokio::sync::oneshot::channel();
        let ledger = scene.encoder.ledger.clone();
        Ticket::once(sender, Some(ledger))
    };
    let http = |seq, room| Done {
        events: vec![posted_to(room, seq, 0)],
        ..Done::of(over_http(), Ok(Reply::Done))
    };
    // Joined, from both; one by itself, where the first has no reader; one of the gateway's own.
    let batch = [
        post(Some(&one), posted(1, 7)),
        post(Some(&other), posted(2, 9)),
        http(3, 1),
        http(4, 2),
        post(None, posted(5, 0)),
    ];
    scene.deliver(batch);
    let flow = |scene: &Scene| {
        let flow = &scene.fanout.metrics.flow;
        [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0)].map(|(from, to)| flow.count(from, to))
    };
    assert_eq!(flow(&scene), [0; 6], "added once a turn");
    scene.fanout.wake();
    assert_eq!(flow(&scene), [2, 3, 1, 1, 0, 0]);
    assert_eq!(scene.fanout.metrics.rooms_in_use(), 2);
    scene.fanout.forget(other.id);
    assert_eq!(scene.fanout.metrics.rooms_in_use(), 1);
}

/// An item that the fan-out loses between the audience and the mailbox.
#[test]
fn a_delivery_that_is_owed_and_put_nowhere_is_missing() {
    let mut scene = Scene::new();
    let connection = scene.seated(7, Framing::Tcp, 10);
    let owed = Tally::new(RoomClass::Public, 2);
    scene.fanout.encoders.counts.owe(connection.frontend, owed);
    scene.fanout.wake();
    assert_eq!(scene.encoder.ledger.lost(), 2);
}
