//! Takes what the engine committed to those whom it concerns: first the answer of a command, then
//! its events, each encoded once a front end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use core_engine::Done;
use core_model::{ConnectionId, Event, MessageId, Outcome, Recorded};
use frontend_api::{Broadcast, Frame};
use tokio::sync::oneshot;

use super::link::Link;
use super::mailbox::Mail;
use super::metrics::Totals;
use super::served::Served;
use super::watch::{Effect, Watch};
use super::wire::Wire;

/// Where the answer to a command goes.
#[derive(Debug)]
pub(super) enum Ticket {
    /// To the mailbox of a stream connection.
    Link {
        link: Arc<Link>,
        effect: Effect,
    },
    /// To somebody who waits for this one answer.
    Once(oneshot::Sender<Outcome>),
    Nobody,
}

/// The hub without its task.
pub(super) struct Distributor {
    watch: Watch,
    frontends: Vec<Arc<Served>>,
    totals: Arc<Totals>,
    /// Who has mail and sleeps.
    asleep: Vec<Waker>,
}

impl Distributor {
    pub(super) fn new(frontends: Vec<Arc<Served>>, totals: Arc<Totals>) -> Self {
        Self { watch: Watch::default(), frontends, totals, asleep: Vec::new() }
    }

    /// A batch was committed, each of which is to be carried out next.
    pub(super) fn begin(&mut self, batch: &[Done<Ticket>]) {
        self.totals.commits.add(1);
        self.totals.committed.add(batch.len() as u64);
    }

    /// Puts in its mailbox what concerns anyone; gives how many mails that were. Nobody is woken
    /// before [`wake`](Self::wake): what one connection is told by many commands of a batch leaves
    /// in one write.
    pub(super) fn carry_out(&mut self, done: Done<Ticket>) -> usize {
        self.answer(done.ticket, done.outcome);
        1 + self.hand_out(&done.events)
    }

    /// Wakes everyone who has mail.
    pub(super) fn wake(&mut self) {
        self.asleep.drain(..).for_each(Waker::wake);
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.watch.forget(connection);
    }

    fn answer(&mut self, ticket: Ticket, outcome: Outcome) {
        match ticket {
            // A connection that is gone must not come back: it has been forgotten.
            Ticket::Link { link, .. } if link.mailbox.is_shut() => (),
            Ticket::Link { link, effect } => {
                if let Ok(reply) = &outcome {
                    self.watch.take_effect(&link, effect, reply);
                }
                let mail = Mail::Answer(Box::new(outcome));
                self.asleep.extend(deliver(&self.frontends, &link, mail));
            }
            // An HTTP client that did not wait for its answer.
            Ticket::Once(sender) => drop(sender.send(outcome)),
            Ticket::Nobody => (),
        }
    }

    fn hand_out(&mut self, events: &[Recorded]) -> usize {
        self.totals.events.add(events.len() as u64);
        let (frontends, asleep) = (&self.frontends, &mut self.asleep);
        let mut mails = 0;
        self.watch.hand_out(events, |recorded, audience| {
            let mut encoded: Vec<Option<Encoded>> = Vec::new();
            let message = match &recorded.event {
                Event::Posted { message } => Some(message.id),
                Event::Entered { .. }
                | Event::Left { .. }
                | Event::PopulationChanged { .. }
                | Event::RoomCreated { .. }
                | Event::RoomDeleted { .. } => None,
            };
            for link in audience {
                let at = usize::from(link.frontend);
                if encoded.len() <= at {
                    encoded.resize_with(frontends.len(), || None);
                }
                let encoded =
                    encoded[at].get_or_insert_with(|| Encoded::of(&frontends[at], recorded));
                if let Some(mail) = encoded.mail(recorded, link, message) {
                    asleep.extend(deliver(frontends, link, mail));
                    mails += 1;
                }
            }
        });
        mails
    }
}

/// Gives whoever is to be woken.
fn deliver(frontends: &[Arc<Served>], link: &Link, mail: Mail) -> Option<Waker> {
    let (waker, pushed) = link.mailbox.push(mail);
    if pushed.is_err() {
        let served = &frontends[usize::from(link.frontend)];
        served.counters.cut_off.add(1);
        tracing::debug!(frontend = served.name, connection = link.id.0, "cut off: does not read");
    }
    waker
}

/// An event in one dialect, laid out for a transport when first somebody needs it there.
enum Encoded {
    Nothing,
    Frame { frame: Frame, others: bool, laid_out: Vec<(Wire, Bytes)> },
    Ask(Arc<Recorded>),
}

impl Encoded {
    /// A front end that panics loses the event, not the gateway.
    fn of(served: &Served, recorded: &Recorded) -> Self {
        let broadcast = || served.frontend.broadcast(recorded);
        let Ok(broadcast) = catch_unwind(AssertUnwindSafe(broadcast)) else {
            served.panicked("encoding an event");
            return Self::Nothing;
        };
        served.counters.events.add(1);
        match broadcast {
            Broadcast::Nothing => Self::Nothing,
            Broadcast::Everyone(frame) => {
                Self::Frame { frame, others: false, laid_out: Vec::new() }
            }
            Broadcast::Others(frame) => Self::Frame { frame, others: true, laid_out: Vec::new() },
            Broadcast::Ask => Self::Ask(Arc::new(recorded.clone())),
        }
    }

    fn mail(
        &mut self,
        recorded: &Recorded,
        link: &Link,
        message: Option<MessageId>,
    ) -> Option<Mail> {
        match self {
            Self::Nothing => None,
            Self::Frame { others: true, .. } if recorded.cause == link.id => None,
            Self::Frame { frame, laid_out, .. } => {
                let bytes = match laid_out.iter().find(|(wire, _)| *wire == link.wire) {
                    Some((_, bytes)) => bytes.clone(),
                    None => {
                        let bytes = link.wire.encode(frame.clone());
                        laid_out.push((link.wire, bytes.clone()));
                        bytes
                    }
                };
                Some(Mail::Frame { bytes, message })
            }
            Self::Ask(recorded) => Some(Mail::Event(recorded.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Poll};

    use core_model::{Message, Person, Recipient, Reply, RoomId, RoomTag, RoomView};
    use core_model::{Seq, Timestamp};
    use frontend_api::{Ending, Frontend, Manifest, Peer, Session};

    use super::super::mailbox::{Arrival, Mailbox};
    use super::*;
    use crate::config::{FrontendConfig, Guard, Limits};

    /// Says everything to everyone but its cause, and counts how often it was asked.
    #[derive(Default)]
    struct Counting(AtomicU32);

    impl Frontend for Counting {
        fn manifest(&self) -> &Manifest {
            unreachable!("nobody listens")
        }

        fn open(&self, _: &Peer) -> Box<dyn Session> {
            unreachable!("nobody connects")
        }

        fn broadcast(&self, event: &Recorded) -> Broadcast {
            let asked = self.0.fetch_add(1, Ordering::Relaxed);
            Broadcast::Others(Frame::Text(format!("{} {asked}", event.seq)))
        }
    }

    struct Scene {
        frontend: Arc<Counting>,
        distributor: Distributor,
    }

    impl Scene {
        fn new() -> Self {
            let frontend = Arc::new(Counting::default());
            let config = FrontendConfig {
                name: "counting".into(),
                required: false,
                frontend: frontend.clone(),
                plugin: None,
                listeners: Vec::new(),
                limits: Limits::default(),
                guard: Guard::default(),
                cors_origins: Vec::new(),
                room_capacity: 1,
                auto_join: Vec::new(),
            };
            let served = vec![Arc::new(Served::new(0, &config))];
            Self { frontend, distributor: Distributor::new(served, Arc::default()) }
        }

        /// A connection that has entered room 1; the answer is read.
        fn seated(&mut self, id: u64, wire: Wire, mails_max: u32) -> Arc<Link> {
            let mailbox = Mailbox::new(mails_max, 1000);
            let link = Arc::new(Link::new(ConnectionId(id), 0, wire, mailbox));
            self.enter(&link, Vec::new());
            assert_eq!(read(&link), ["answer"]);
            link
        }

        fn enter(&mut self, link: &Arc<Link>, events: Vec<Recorded>) {
            let room = RoomView { id: RoomId(1), ..RoomView::default() };
            let outcome = Ok(Reply::Entered { room, user: Arc::default(), again: false });
            let ticket = Ticket::Link { link: link.clone(), effect: Effect::Seat };
            self.distributor.carry_out(Done { ticket, outcome, events });
        }

        fn happen(&mut self, events: Vec<Recorded>) {
            let done = Done { ticket: Ticket::Nobody, outcome: Ok(Reply::Done), events };
            self.distributor.carry_out(done);
        }
    }

    fn posted(seq: u64, cause: u64) -> Recorded {
        let message = Message {
            id: MessageId(seq),
            at: Timestamp(0),
            author: Arc::<Person>::default(),
            to: Recipient::Room(RoomTag { id: RoomId(1), name: "tea".into() }),
            text: "hi".into(),
        };
        let cause = ConnectionId(cause);
        Recorded { seq: Seq(seq), at: Timestamp(0), cause, event: Event::Posted { message } }
    }

    /// What is in a mailbox, in words.
    fn read(link: &Link) -> Vec<String> {
        let mut cx = Context::from_waker(Waker::noop());
        match link.mailbox.poll(&mut cx, true) {
            Poll::Ready(Arrival::Mail { mails, .. }) => mails.iter().map(say).collect(),
            Poll::Ready(Arrival::Ending(Ending::Slow)) => vec!["cut off".into()],
            Poll::Ready(other) => panic!("not expected: {other:?}"),
            Poll::Pending => Vec::new(),
        }
    }

    fn say(mail: &Mail) -> String {
        match mail {
            Mail::Answer(_) => "answer".into(),
            Mail::Frame { bytes, message } => format!("{bytes:?} of {}", message.unwrap()),
            Mail::Event(_) => "event".into(),
        }
    }

    #[test]
    fn an_event_is_encoded_once_and_laid_out_for_each_transport() {
        let mut scene = Scene::new();
        let links = [(7, Wire::Tcp), (8, Wire::Lines), (9, Wire::WebSocket), (10, Wire::Tcp)]
            .map(|(id, wire)| scene.seated(id, wire, 10));
        scene.happen(vec![posted(5, 10)]);
        let heard = links.map(|link| read(&link));
        assert_eq!(heard[0], [r#"b"5 0" of 5"#]);
        assert_eq!(heard[1], [r#"b"5 0\n" of 5"#]);
        assert_eq!(heard[2], [r#"b"\x81\x035 0" of 5"#]);
        assert!(heard[3].is_empty(), "it was the cause");
        assert_eq!(scene.frontend.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_event_that_nobody_hears_of_is_not_encoded() {
        let mut scene = Scene::new();
        scene.happen(vec![posted(5, 0)]);
        assert_eq!(scene.frontend.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_answer_comes_before_the_events_of_its_command() {
        let mut scene = Scene::new();
        let link = scene.seated(7, Wire::Tcp, 10);
        scene.enter(&link, vec![posted(5, 0)]);
        assert_eq!(read(&link), ["answer", r#"b"5 0" of 5"#]);
    }

    #[test]
    fn a_full_mailbox_is_one_cut_off_and_the_others_get_everything() {
        let mut scene = Scene::new();
        let (slow, quick) = (scene.seated(7, Wire::Tcp, 1), scene.seated(8, Wire::Tcp, 10));
        scene.happen(vec![posted(5, 0), posted(6, 0), posted(7, 0)]);
        assert_eq!(read(&slow), ["cut off"]);
        assert_eq!(read(&quick).len(), 3);
        assert_eq!(scene.distributor.frontends[0].counters.cut_off.count(), 1);
    }

    #[test]
    fn an_answer_that_comes_too_late_brings_nobody_back() {
        let mut scene = Scene::new();
        let mailbox = Mailbox::new(10, 1000);
        let link = Arc::new(Link::new(ConnectionId(7), 0, Wire::Tcp, mailbox));
        link.mailbox.shut();
        scene.distributor.forget(link.id);
        scene.enter(&link, Vec::new());
        assert_eq!(Arc::strong_count(&link), 1, "nothing holds on to it");
    }
}
