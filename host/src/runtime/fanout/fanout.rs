//! Takes what the engine committed to those whom it concerns: first the answer of a command, then
//! its events, each encoded once a front end.

use std::iter::Peekable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use core_engine::Done;
use core_model::{ConnectionId, Event, MessageId, Outcome, Recipient, Recorded, RoomId};
use frontend_api::{Broadcast, Frame};
use tokio::sync::oneshot;

use crate::runtime::bounds::{COMMANDS_AT_ONCE, RUN_BYTES_MAX};
use crate::runtime::fanout::framing::Wire;
use crate::runtime::fanout::handle::Link;
use crate::runtime::fanout::mailbox::Mail;
use crate::runtime::fanout::subscriptions::{Effect, Watch};
use crate::runtime::frontends::instance::Voice;
use crate::runtime::metrics::Totals;

/// Where the answer to a command goes.
#[derive(Debug)]
pub(crate) enum Ticket {
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
pub(crate) struct Distributor {
    watch: Watch,
    /// By their place; none where nobody is served now.
    voices: Vec<Option<Voice>>,
    totals: Arc<Totals>,
    /// Who has mail and sleeps.
    asleep: Vec<Waker>,
}

/// Messages to one room, committed one after the other and with nothing in between but their
/// answers: what most of its listeners are told of them is one mail.
struct Run {
    posted: Vec<Recorded>,
    /// Whose answer comes before which of them.
    answers: Vec<(usize, Arc<Link>, Outcome)>,
}

impl Distributor {
    pub(crate) fn new(totals: Arc<Totals>) -> Self {
        Self { watch: Watch::default(), voices: Vec::new(), totals, asleep: Vec::new() }
    }

    /// A front end is at this place from now on.
    pub(crate) fn introduce(&mut self, index: u16, voice: Voice) {
        let at = usize::from(index);
        if self.voices.len() <= at {
            self.voices.resize_with(at + 1, || None);
        }
        self.voices[at] = Some(voice);
    }

    /// The front end at this place has no connection any more.
    pub(crate) fn retire(&mut self, index: u16) {
        if let Some(voice) = self.voices.get_mut(usize::from(index)) {
            *voice = None;
        }
    }

    /// A batch was committed, each of which is to be carried out next.
    pub(crate) fn begin(&mut self, batch: &[Done<Ticket>]) {
        self.totals.commits.add(1);
        self.totals.committed.add(batch.len() as u64);
    }

    /// Puts in its mailbox what concerns anyone of the next command, or the next several; gives
    /// how many commands and mails that were. Nobody is woken before [`wake`](Self::wake): what
    /// one connection is told by many commands of a batch leaves in one write.
    pub(crate) fn carry_out(
        &mut self,
        batch: &mut Peekable<impl Iterator<Item = Done<Ticket>>>,
    ) -> Option<(usize, usize)> {
        let first = batch.next()?;
        let next = batch.peek().and_then(posts_to);
        let Some(room) = posts_to(&first).filter(|room| Some(*room) == next) else {
            self.answer(first.ticket, first.outcome);
            return Some((1, 1 + self.hand_out(&first.events)));
        };
        let mut run = Run { posted: Vec::new(), answers: Vec::new() };
        let (mut next, mut bytes) = (Some(first), 0);
        while let Some(done) = next {
            bytes += run.push(done);
            let fits = run.posted.len() < COMMANDS_AT_ONCE && bytes < RUN_BYTES_MAX;
            next = batch.next_if(|done| fits && posts_to(done) == Some(room));
        }
        Some((run.posted.len(), self.hand_out_run(room, run)))
    }

    /// Wakes everyone who has mail.
    pub(crate) fn wake(&mut self) {
        self.asleep.drain(..).for_each(Waker::wake);
    }

    pub(crate) fn forget(&mut self, connection: ConnectionId) {
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
                self.asleep.extend(deliver(&self.voices, &link, mail));
            }
            // An HTTP client that did not wait for its answer.
            Ticket::Once(sender) => drop(sender.send(outcome)),
            Ticket::Nobody => (),
        }
    }

    fn hand_out(&mut self, events: &[Recorded]) -> usize {
        self.totals.events.add(events.len() as u64);
        let (voices, asleep) = (&self.voices, &mut self.asleep);
        let mut mails = 0;
        self.watch.hand_out(events, |recorded, audience| {
            let mut encoded: Vec<Option<Encoded>> = Vec::new();
            for link in audience {
                let encoded =
                    of_frontend(&mut encoded, voices, link, |voice| Encoded::of(voice, recorded));
                if let Some(mail) = encoded.mail(recorded, link) {
                    asleep.extend(deliver(voices, link, mail));
                    mails += 1;
                }
            }
        });
        mails
    }

    /// Those who wait for an answer get each message by itself, in turn with their answers, and
    /// everyone else all of them in one mail.
    fn hand_out_run(&mut self, room: RoomId, run: Run) -> usize {
        let Run { posted, mut answers } = run;
        self.totals.events.add(posted.len() as u64);
        let Some(first) = posted.first() else { return 0 };
        // Stable: the answers of one connection stay in order.
        answers.sort_by_key(|(_, link, _)| link.id);
        let mut encoded: Vec<Option<EncodedRun>> = Vec::new();
        let (voices, asleep) = (&self.voices, &mut self.asleep);
        let mut mails = answers.len();
        let answered: Vec<ConnectionId> = answers.iter().map(|(_, link, _)| link.id).collect();
        let mut answers = answers.into_iter().peekable();
        while let Some((_, link, _)) = answers.peek() {
            let link = link.clone();
            let listens = self.watch.listens(&link, room, &first.event);
            let its = |(_, of, _): &(usize, Arc<Link>, Outcome)| of.id == link.id;
            for (at, recorded) in posted.iter().enumerate() {
                while let Some((.., outcome)) = answers.next_if(|next| next.0 == at && its(next)) {
                    let mail = Mail::Answer(Box::new(outcome));
                    asleep.extend(deliver(voices, &link, mail));
                }
                if listens {
                    let encoded = of_frontend(&mut encoded, voices, &link, |voice| {
                        EncodedRun::of(voice, &posted)
                    });
                    if let Some(mail) = encoded.each[at].mail(recorded, &link) {
                        asleep.extend(deliver(voices, &link, mail));
                        mails += 1;
                    }
                }
            }
        }
        for link in self.watch.audience(&first.event) {
            if answered.binary_search(&link.id).is_err() {
                let encoded =
                    of_frontend(&mut encoded, voices, link, |voice| EncodedRun::of(voice, &posted));
                encoded.mails(&posted, link, |mail| {
                    asleep.extend(deliver(voices, link, mail));
                    mails += 1;
                });
            }
        }
        mails
    }
}

impl Run {
    /// Adds what [`posts_to`] a room; gives how long its text is.
    fn push(&mut self, done: Done<Ticket>) -> usize {
        let at = self.posted.len();
        match done.ticket {
            Ticket::Link { link, .. } if link.mailbox.is_shut() => (),
            Ticket::Link { link, .. } => self.answers.push((at, link, done.outcome)),
            // An HTTP client that did not wait for its answer.
            Ticket::Once(sender) => drop(sender.send(done.outcome)),
            Ticket::Nobody => (),
        }
        let bytes = done.events.iter().map(|recorded| match &recorded.event {
            Event::Posted { message } => message.text.len(),
            Event::Entered { .. }
            | Event::Left { .. }
            | Event::PopulationChanged { .. }
            | Event::RoomChanged { .. }
            | Event::RoomCreated { .. }
            | Event::RoomDeleted { .. } => 0,
        });
        let bytes = bytes.sum();
        self.posted.extend(done.events);
        bytes
    }
}

/// The room, where all that a command did is a message there.
fn posts_to(done: &Done<Ticket>) -> Option<RoomId> {
    match (&done.ticket, done.events.as_slice()) {
        (Ticket::Link { effect, .. }, _) if *effect != Effect::Nothing => None,
        (_, [Recorded { event: Event::Posted { message }, .. }]) => match &message.to {
            Recipient::Room(room) => Some(room.id),
            Recipient::User(_) => None,
        },
        _ => None,
    }
}

/// What a link's front end made of something, made when first somebody needs it.
fn of_frontend<'a, T>(
    made: &'a mut Vec<Option<T>>,
    voices: &[Option<Voice>],
    link: &Link,
    make: impl FnOnce(&Voice) -> T,
) -> &'a mut T {
    let at = usize::from(link.frontend);
    if made.len() <= at {
        made.resize_with(voices.len(), || None);
    }
    made[at].get_or_insert_with(|| make(voice(voices, link)))
}

fn voice<'a>(voices: &'a [Option<Voice>], link: &Link) -> &'a Voice {
    let voice = voices[usize::from(link.frontend)].as_ref();
    voice.expect("a front end retires after the last of its connections")
}

/// Gives whoever is to be woken.
fn deliver(voices: &[Option<Voice>], link: &Link, mail: Mail) -> Option<Waker> {
    let (waker, pushed) = link.mailbox.push(mail);
    if pushed.is_err() {
        let voice = voice(voices, link);
        voice.counters.cut_off.add(1);
        tracing::debug!(frontend = voice.name, connection = link.id.0, "cut off: does not read");
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
    fn of(voice: &Voice, recorded: &Recorded) -> Self {
        let broadcast = || voice.frontend.broadcast(recorded);
        let Ok(broadcast) = catch_unwind(AssertUnwindSafe(broadcast)) else {
            voice.panicked("encoding an event");
            return Self::Nothing;
        };
        voice.counters.events.add(1);
        match broadcast {
            Broadcast::Nothing => Self::Nothing,
            Broadcast::Everyone(frame) => {
                Self::Frame { frame, others: false, laid_out: Vec::new() }
            }
            Broadcast::Others(frame) => Self::Frame { frame, others: true, laid_out: Vec::new() },
            Broadcast::PerSession => Self::Ask(Arc::new(recorded.clone())),
        }
    }

    fn mail(&mut self, recorded: &Recorded, link: &Link) -> Option<Mail> {
        match self {
            Self::Nothing => None,
            Self::Frame { others: true, .. } if recorded.cause == link.id => None,
            Self::Frame { frame, laid_out, .. } => {
                let bytes = for_wire(laid_out, link.wire, || link.wire.encode(frame.clone()));
                Some(Mail::Frame { bytes, frames: 1, message: message_of(recorded) })
            }
            Self::Ask(recorded) => Some(Mail::Event(recorded.clone())),
        }
    }
}

/// The messages of a run in one dialect.
struct EncodedRun {
    each: Vec<Encoded>,
    /// All of them one after the other, where a session need see none.
    whole: Option<Whole>,
}

struct Whole {
    frames: u32,
    /// The last of them.
    message: Option<MessageId>,
    laid_out: Vec<(Wire, Bytes)>,
}

impl EncodedRun {
    fn of(voice: &Voice, posted: &[Recorded]) -> Self {
        let each: Vec<_> = posted.iter().map(|recorded| Encoded::of(voice, recorded)).collect();
        let mut whole = Whole { frames: 0, message: None, laid_out: Vec::new() };
        for (encoded, recorded) in each.iter().zip(posted) {
            match encoded {
                Encoded::Nothing => (),
                Encoded::Frame { .. } => {
                    whole.frames += 1;
                    whole.message = message_of(recorded);
                }
                Encoded::Ask(_) => return Self { each, whole: None },
            }
        }
        Self { each, whole: Some(whole) }
    }

    /// Gives everything to somebody who is the cause of none of it.
    fn mails(&mut self, posted: &[Recorded], link: &Link, mut give: impl FnMut(Mail)) {
        let Self { each, whole } = self;
        let each = each.iter_mut().zip(posted);
        let mut each = each.filter_map(|(encoded, recorded)| encoded.mail(recorded, link));
        match whole {
            None => each.for_each(give),
            Some(Whole { frames: 0, .. }) => (),
            Some(Whole { frames, message, laid_out }) => {
                let bytes = for_wire(laid_out, link.wire, || joined(&mut each));
                give(Mail::Frame { bytes, frames: *frames, message: *message });
            }
        }
    }
}

/// Frames, one after the other.
fn joined(mails: &mut dyn Iterator<Item = Mail>) -> Bytes {
    let mut joined = Vec::new();
    for mail in mails {
        if let Mail::Frame { bytes, .. } = mail {
            joined.extend_from_slice(&bytes);
        }
    }
    joined.into()
}

/// The bytes for a transport, laid out when first somebody needs them.
fn for_wire(laid_out: &mut Vec<(Wire, Bytes)>, wire: Wire, lay: impl FnOnce() -> Bytes) -> Bytes {
    if let Some((_, bytes)) = laid_out.iter().find(|(of, _)| *of == wire) {
        return bytes.clone();
    }
    let bytes = lay();
    laid_out.push((wire, bytes.clone()));
    bytes
}

fn message_of(recorded: &Recorded) -> Option<MessageId> {
    match &recorded.event {
        Event::Posted { message } => Some(message.id),
        Event::Entered { .. }
        | Event::Left { .. }
        | Event::PopulationChanged { .. }
        | Event::RoomChanged { .. }
        | Event::RoomCreated { .. }
        | Event::RoomDeleted { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Poll};

    use core_model::{Message, Person, Reply, RoomTag, RoomView};
    use core_model::{Seq, Timestamp};
    use frontend_api::{Ending, Frontend, Manifest, Peer, Session};

    use super::*;
    use crate::runtime::fanout::mailbox::{Arrival, Mailbox};

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
            let name = "counting".to_owned();
            let voice = Voice { name, frontend: frontend.clone(), counters: Arc::default() };
            let mut distributor = Distributor::new(Arc::default());
            distributor.introduce(0, voice);
            Self { frontend, distributor }
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
            self.enter_room(1, link, events);
        }

        fn enter_room(&mut self, room: u32, link: &Arc<Link>, events: Vec<Recorded>) {
            let room = RoomView { id: RoomId(room), ..RoomView::default() };
            let outcome = Ok(Reply::Entered { room, user: Arc::default(), again: false });
            let ticket = Ticket::Link { link: link.clone(), effect: Effect::Seat };
            self.carry_out([Done { ticket, outcome, events }]);
        }

        fn happen(&mut self, events: Vec<Recorded>) {
            let done = Done { ticket: Ticket::Nobody, outcome: Ok(Reply::Done), events };
            self.carry_out([done]);
        }

        fn carry_out<const N: usize>(&mut self, batch: [Done<Ticket>; N]) {
            let mut batch = batch.into_iter().peekable();
            while self.distributor.carry_out(&mut batch).is_some() {}
        }
    }

    fn posted(seq: u64, cause: u64) -> Recorded {
        posted_to(1, seq, cause)
    }

    fn posted_to(room: u32, seq: u64, cause: u64) -> Recorded {
        let message = Message {
            id: MessageId(seq),
            at: Timestamp(0),
            author: Arc::<Person>::default(),
            to: Recipient::Room(RoomTag { id: RoomId(room), name: "tea".into() }),
            text: "hi".into(),
            notice: false,
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
            Mail::Frame { bytes, message, .. } => format!("{bytes:?} of {}", message.unwrap()),
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
        assert_eq!(scene.distributor.voices[0].as_ref().unwrap().counters.cut_off.count(), 1);
    }

    /// A message that somebody posted; 0 is nobody who is connected.
    fn post(link: Option<&Arc<Link>>, event: Recorded) -> Done<Ticket> {
        let ticket = match link {
            Some(link) => Ticket::Link { link: link.clone(), effect: Effect::Nothing },
            None => Ticket::Nobody,
        };
        Done { ticket, outcome: Ok(Reply::Done), events: vec![event] }
    }

    #[test]
    fn messages_in_a_row_are_one_mail_but_for_those_who_wait_for_an_answer() {
        let mut scene = Scene::new();
        let (poster, other) = (scene.seated(7, Wire::Tcp, 10), scene.seated(8, Wire::Lines, 10));
        scene.carry_out([
            post(None, posted(5, 0)),
            post(Some(&poster), posted(6, 7)),
            post(None, posted(7, 0)),
            post(Some(&poster), posted(8, 7)),
        ]);
        assert_eq!(read(&other), [r#"b"5 0\n6 1\n7 2\n8 3\n" of 8"#]);
        let each = [r#"b"5 0" of 5"#, "answer", r#"b"7 2" of 7"#, "answer"];
        assert_eq!(read(&poster), each, "its own are not told to it");
        assert_eq!(scene.frontend.0.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn messages_in_a_row_count_each_against_the_bound_of_a_mailbox() {
        let mut scene = Scene::new();
        let (slow, quick) = (scene.seated(7, Wire::Tcp, 1), scene.seated(8, Wire::Tcp, 2));
        scene.carry_out([post(None, posted(5, 0)), post(None, posted(6, 0))]);
        assert_eq!(read(&slow), ["cut off"]);
        assert_eq!(read(&quick).len(), 1);
    }

    #[test]
    fn a_message_to_another_room_comes_in_its_turn() {
        let mut scene = Scene::new();
        let link = scene.seated(7, Wire::Tcp, 10);
        scene.enter_room(2, &link, Vec::new());
        assert_eq!(read(&link), ["answer"]);
        let rooms = [(5, 1), (6, 1), (7, 2), (8, 1)];
        scene.carry_out(rooms.map(|(seq, room)| post(None, posted_to(room, seq, 0))));
        let told = [r#"b"5 06 1" of 6"#, r#"b"7 2" of 7"#, r#"b"8 3" of 8"#];
        assert_eq!(read(&link), told);
    }

    #[test]
    fn one_that_drains_and_one_that_took_its_place_each_say_it_in_their_own_way() {
        let mut scene = Scene::new();
        let former = scene.seated(7, Wire::Tcp, 10);
        let (name, counters) = ("counting".to_owned(), Arc::default());
        let frontend = Arc::new(Counting::default());
        scene.distributor.introduce(1, Voice { name, frontend: frontend.clone(), counters });
        let mailbox = Mailbox::new(10, 1000);
        let later = Arc::new(Link::new(ConnectionId(8), 1, Wire::Tcp, mailbox));
        scene.enter(&later, Vec::new());
        assert_eq!(read(&later), ["answer"]);
        scene.happen(vec![posted(5, 0)]);
        assert_eq!(read(&former), [r#"b"5 0" of 5"#]);
        assert_eq!(read(&later), [r#"b"5 0" of 5"#]);
        let asked = [&scene.frontend, &frontend].map(|one| one.0.load(Ordering::Relaxed));
        assert_eq!(asked, [1, 1], "once each");

        former.mailbox.shut();
        scene.distributor.forget(former.id);
        scene.distributor.retire(0);
        scene.happen(vec![posted(6, 0)]);
        assert_eq!(read(&later), [r#"b"6 1" of 6"#]);
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
