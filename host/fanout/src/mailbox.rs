//! The queue of one connection: frames of events, and answers, in commit order.
//!
//! Filling a mailbox never waits. A full one cuts its own connection off and holds up no other. An
//! empty one owns no memory beyond itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use core_model::{Event, MessageId, Outcome, Recorded, Timestamp};
use frontend_api::Ending;
use parking_lot::{Mutex, MutexGuard};

use crate::account::{Account, Report};
use crate::tally::{RoomClass, Tally};

/// Capacity reserved at the first item, 1 KiB: growing to it in steps costs more than it saves.
const FIRST_CAPACITY: usize = 16;

/// One thing to tell a connection.
#[derive(Debug)]
pub enum MailboxItem {
    /// The engine's answer to the connection's oldest command, and whether the command has events
    /// that may come later.
    Answer { outcome: Box<Outcome>, has_events: bool },
    /// All events of the commands answered before [`Hub::fence`](crate::Hub::fence) was called are
    /// in the mailbox.
    Fence,
    /// One or more encoded events in one buffer. They are all messages to rooms of one class, and
    /// `message` is the last of them, or none is. `at` is when the first was posted.
    Frame { bytes: Bytes, frames: u32, message: Option<MessageId>, at: Timestamp, class: RoomClass },
    /// An event that the session encodes itself.
    Event(Arc<Recorded>),
    /// Another session of the front end has something for this one.
    Wake,
}

impl MailboxItem {
    /// The frames and bytes that count against the mailbox: none of an answer, since a connection
    /// is never cut off for what it asked for.
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Answer { .. } | Self::Fence | Self::Wake => (0, 0),
            Self::Frame { bytes, frames, .. } => (*frames as usize, bytes.len()),
            Self::Event(_) => (1, 0),
        }
    }

    /// When the messages in it were posted, the first one, and how many they are. `None`: it has no
    /// message.
    pub fn posted(&self) -> Option<(Timestamp, u32)> {
        match self {
            Self::Frame { frames, message: Some(_), at, .. } => Some((*at, *frames)),
            Self::Event(recorded) => match &recorded.event {
                Event::Posted { message } => Some((message.at, 1)),
                _ => None,
            },
            Self::Answer { .. } | Self::Frame { .. } | Self::Fence | Self::Wake => None,
        }
    }

    /// The deliveries that it is.
    pub fn owed(&self) -> Tally {
        match self {
            Self::Frame { frames, message: Some(_), class, .. } => Tally::new(*class, *frames),
            Self::Event(recorded) => Tally::of_event(&recorded.event),
            Self::Answer { .. } | Self::Frame { .. } | Self::Fence | Self::Wake => Tally::default(),
        }
    }
}

/// The deliveries among items.
pub fn owed<'a>(items: impl IntoIterator<Item = &'a MailboxItem>) -> Tally {
    let mut owed = Tally::default();
    items.into_iter().for_each(|item| owed += item.owed());
    owed
}

/// What a connection finds in its mailbox.
#[derive(Debug)]
pub enum MailboxPoll {
    /// Everything that waited, oldest first; at least one item. `more`: an ending follows.
    Items { items: VecDeque<MailboxItem>, more: bool },
    /// The host is about to close the connection. Returned once.
    Ending(Ending),
    /// Close the connection without a goodbye.
    Abort,
}

/// Which limit of a mailbox an item has exceeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Overflow {
    /// `mailbox_max`
    Items,
    /// `mailbox_bytes_max`
    Bytes,
}

impl Overflow {
    /// Each limit with its name in metrics.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Items, "items"), (Self::Bytes, "bytes")];
}

/// What became of an item that was put into a mailbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pushed {
    Waiting,
    /// It did not fit: its connection is now cut off. Neither it nor what waited, these deliveries,
    /// will leave.
    CutOff {
        why: Overflow,
        waiting: Tally,
    },
    /// The connection is gone, or was cut off before.
    Closed {
        cut_off: bool,
    },
}

/// What a mailbox has when it is closed.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    /// Deliveries that were not taken.
    pub waiting: Tally,
    /// The deliveries without an outcome by the last report, those that wait included.
    pub outstanding: Tally,
    /// Whether it was closed because it was full.
    pub cut_off: bool,
}

#[derive(Debug)]
pub struct Mailbox {
    items_max: usize,
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<MailboxItem>,
    /// Frames and events among them. Answers do not count: a connection is never cut off for what
    /// it asked for.
    unsolicited: usize,
    bytes: usize,
    /// Whether a [`MailboxItem::Wake`] is among the items: one is enough.
    has_wake: bool,
    account: Account,
    ending: Option<Ending>,
    /// Nothing more is taken in: cut off, or the connection is gone.
    closed: bool,
    cut_off: bool,
    aborted: bool,
    waker: Option<Waker>,
}

impl Mailbox {
    pub fn new(items_max: u32, bytes_max: u32) -> Self {
        let (items_max, bytes_max) = (items_max as usize, bytes_max as usize);
        Self { items_max, bytes_max, state: Mutex::default() }
    }

    /// How much of an empty mailbox an item takes, in thousandths. Answers take nothing.
    pub fn share(&self, item: &MailboxItem) -> usize {
        let (frames, bytes) = item.size();
        let of = |part: usize, max: usize| part.saturating_mul(1000) / max.max(1);
        of(frames, self.items_max).max(of(bytes, self.bytes_max))
    }

    /// Puts an item in, unless the connection is gone. `CutOff` only the first time that it does
    /// not fit. The caller wakes the returned waker, after everything that comes at once is in, so
    /// that all of it leaves in one write.
    pub fn push(&self, item: MailboxItem) -> (Option<Waker>, Pushed) {
        let mut state = self.state();
        if state.closed {
            return (None, Pushed::Closed { cut_off: state.cut_off });
        }
        let (unsolicited, bytes) = item.size();
        let overflow = if state.unsolicited + unsolicited > self.items_max {
            Some(Overflow::Items)
        } else if state.bytes + bytes > self.bytes_max {
            Some(Overflow::Bytes)
        } else {
            None
        };
        let pushed = if let Some(why) = overflow {
            state.items = VecDeque::new();
            state.closed = true;
            state.cut_off = true;
            state.ending = Some(Ending::Slow);
            Pushed::CutOff { why, waiting: state.account.drop_waiting() }
        } else {
            state.unsolicited += unsolicited;
            state.bytes += bytes;
            state.account.put(item.owed());
            if state.items.capacity() == 0 {
                state.items.reserve(FIRST_CAPACITY);
            }
            state.items.push_back(item);
            Pushed::Waiting
        };
        (state.waker.take(), pushed)
    }

    /// How many items wait.
    pub fn depth(&self) -> usize {
        self.state().items.len()
    }

    /// Has the session woken, after what waits.
    pub fn wake_session(&self) {
        let mut state = self.state();
        if !state.closed && !state.has_wake {
            state.has_wake = true;
            state.items.push_back(MailboxItem::Wake);
            wake(state);
        }
    }

    /// Ends the connection for this reason, after what waits. The first reason counts.
    pub fn end(&self, ending: Ending) {
        let mut state = self.state();
        if !state.closed && state.ending.is_none() {
            state.ending = Some(ending);
            wake(state);
        }
    }

    /// Closes the connection at once, without a goodbye.
    pub fn abort(&self) {
        let mut state = self.state();
        state.aborted = true;
        wake(state);
    }

    /// The connection is gone: drops what waits, and whatever comes later. Its account is empty
    /// then: the caller gives everything outstanding an outcome.
    pub fn close(&self) -> Closed {
        let mut state = self.state();
        state.closed = true;
        state.items = VecDeque::new();
        state.waker = None;
        let Account { outstanding, waiting, .. } = std::mem::take(&mut state.account);
        Closed { waiting, outstanding, cut_off: state.cut_off }
    }

    /// The connection's task has done something with deliveries.
    pub fn report(&self, report: Report) {
        self.state().account.report(report);
    }

    /// What the connection is owed, and where that is. Counts what waits one by one.
    pub fn account(&self) -> Account {
        let state = self.state();
        Account { waiting: owed(&state.items), ..state.account }
    }

    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// What has arrived. Items stay in the mailbox unless `take_items`. The next arrival wakes the
    /// task, unless this returns `more`, an ending or an abort.
    pub fn poll(&self, cx: &mut Context<'_>, take_items: bool) -> Poll<MailboxPoll> {
        let mut state = self.state();
        if state.aborted {
            return Poll::Ready(MailboxPoll::Abort);
        }
        let items = if take_items { std::mem::take(&mut state.items) } else { VecDeque::new() };
        if items.is_empty()
            && let Some(ending) = state.ending.take()
        {
            return Poll::Ready(MailboxPoll::Ending(ending));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => state.waker = Some(cx.waker().clone()),
        }
        if items.is_empty() {
            return Poll::Pending;
        }
        (state.unsolicited, state.bytes, state.has_wake) = (0, 0, false);
        state.account.take();
        Poll::Ready(MailboxPoll::Items { items, more: state.ending.is_some() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Wakes the task after unlocking, so that it does not wake up only to wait for the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// How often a task was woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn frame(len: usize) -> MailboxItem {
        let (message, class) = (Some(MessageId(1)), RoomClass::Public);
        let at = Timestamp(1);
        MailboxItem::Frame { bytes: vec![0; len].into(), frames: 1, message, at, class }
    }

    fn answer() -> MailboxItem {
        MailboxItem::Answer { outcome: Box::new(Ok(core_model::Reply::Done)), has_events: false }
    }

    #[test]
    fn a_session_is_woken_once_for_any_number_of_calls_until_it_takes_its_items() {
        let mailbox = Mailbox::new(1, 1);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(mailbox.poll(&mut cx, true).is_pending());
        for _ in 0..1000 {
            mailbox.wake_session();
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        for _ in 0..2 {
            let poll = mailbox.poll(&mut cx, true);
            let Poll::Ready(MailboxPoll::Items { items, .. }) = poll else { panic!("{poll:?}") };
            assert!(matches!(Vec::from(items)[..], [MailboxItem::Wake]));
            mailbox.wake_session();
        }
        mailbox.close();
        mailbox.wake_session();
    }

    /// Puts an item in and wakes the waiting task.
    fn put(mailbox: &Mailbox, item: MailboxItem) -> Pushed {
        let (waker, pushed) = mailbox.push(item);
        waker.into_iter().for_each(Waker::wake);
        pushed
    }

    fn public(count: u32) -> Tally {
        Tally::new(RoomClass::Public, count)
    }

    fn poll(mailbox: &Mailbox) -> Poll<MailboxPoll> {
        mailbox.poll(&mut Context::from_waker(Waker::noop()), true)
    }

    #[test]
    fn a_poll_returns_all_items_in_order() {
        let mailbox = Mailbox::new(10, 100);
        assert_eq!(put(&mailbox, frame(1)), Pushed::Waiting);
        assert_eq!(put(&mailbox, answer()), Pushed::Waiting);
        assert_eq!(put(&mailbox, frame(3)), Pushed::Waiting);
        let Poll::Ready(MailboxPoll::Items { items, .. }) = poll(&mailbox) else {
            panic!("nothing arrived")
        };
        assert!(matches!(
            Vec::from(items).as_slice(),
            [MailboxItem::Frame { .. }, MailboxItem::Answer { .. }, MailboxItem::Frame { bytes, .. }] if bytes.len() == 3
        ));
        assert!(poll(&mailbox).is_pending());
    }

    #[test]
    fn a_full_mailbox_cuts_off_once_and_drops_its_items() {
        for (why, fill) in [
            (Overflow::Items, vec![frame(1), frame(1), frame(1)]),
            (Overflow::Bytes, vec![frame(60), frame(41)]),
        ] {
            let mailbox = Mailbox::new(2, 100);
            let waiting = fill.len() as u32 - 1;
            let pushed: Vec<_> = fill.into_iter().map(|item| put(&mailbox, item)).collect();
            let (last, before) = pushed.split_last().unwrap();
            assert!(before.iter().all(|pushed| *pushed == Pushed::Waiting));
            assert_eq!(*last, Pushed::CutOff { why, waiting: public(waiting) });
            let again = put(&mailbox, frame(1));
            assert_eq!(again, Pushed::Closed { cut_off: true }, "reported once");
            assert_eq!(mailbox.account(), Account::default());
            assert!(matches!(poll(&mailbox), Poll::Ready(MailboxPoll::Ending(Ending::Slow))));
            assert!(poll(&mailbox).is_pending());
        }
    }

    #[test]
    fn taking_items_makes_room() {
        let mailbox = Mailbox::new(1, 100);
        for _ in 0..5 {
            assert_eq!(put(&mailbox, frame(100)), Pushed::Waiting);
            assert!(matches!(poll(&mailbox), Poll::Ready(MailboxPoll::Items { more: false, .. })));
        }
    }

    #[test]
    fn answers_never_fill_a_mailbox() {
        let mailbox = Mailbox::new(1, 1);
        for _ in 0..100 {
            assert_eq!(put(&mailbox, answer()), Pushed::Waiting);
        }
        let Poll::Ready(MailboxPoll::Items { items, .. }) = poll(&mailbox) else {
            panic!("nothing arrived")
        };
        assert_eq!(items.len(), 100);
    }

    #[test]
    fn an_ending_comes_after_taken_items_and_overtakes_those_left() {
        let mailbox = Mailbox::new(10, 100);
        assert_eq!(put(&mailbox, frame(1)), Pushed::Waiting);
        mailbox.end(Ending::Draining);
        assert!(matches!(poll(&mailbox), Poll::Ready(MailboxPoll::Items { more: true, .. })));
        assert!(matches!(poll(&mailbox), Poll::Ready(MailboxPoll::Ending(Ending::Draining))));

        let mailbox = Mailbox::new(10, 100);
        assert_eq!(put(&mailbox, frame(1)), Pushed::Waiting);
        mailbox.end(Ending::Draining);
        let untaken = mailbox.poll(&mut Context::from_waker(Waker::noop()), false);
        assert!(matches!(untaken, Poll::Ready(MailboxPoll::Ending(Ending::Draining))));
    }

    #[test]
    fn a_waiting_task_is_woken_once_per_burst() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mailbox = Mailbox::new(10, 100);
        assert!(mailbox.poll(&mut Context::from_waker(&waker), true).is_pending());
        assert_eq!(put(&mailbox, frame(1)), Pushed::Waiting);
        assert_eq!(put(&mailbox, frame(1)), Pushed::Waiting);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_closed_mailbox_keeps_nothing() {
        let mailbox = Mailbox::new(1, 1);
        mailbox.close();
        assert_eq!(put(&mailbox, frame(50)), Pushed::Closed { cut_off: false });
        assert!(poll(&mailbox).is_pending());
        assert_eq!(mailbox.account(), Account::default());
    }

    #[test]
    fn a_delivery_is_in_one_place_until_it_has_an_outcome() {
        let mailbox = Mailbox::new(10, 100);
        let place = |account: Account| {
            let Account { waiting, in_hand, unacknowledged, .. } = account;
            assert_eq!(account.lost(), 0);
            [waiting, in_hand, unacknowledged].map(|tally| tally.count(RoomClass::Public))
        };
        for _ in 0..3 {
            put(&mailbox, frame(1));
        }
        assert_eq!(place(mailbox.account()), [3, 0, 0]);
        assert!(poll(&mailbox).is_ready());
        put(&mailbox, frame(1));
        assert_eq!(place(mailbox.account()), [1, 3, 0]);
        let [settled, in_hand, unacknowledged] = [public(1); 3];
        mailbox.report(Report { settled, in_hand, unacknowledged, ..Report::default() });
        assert_eq!(place(mailbox.account()), [1, 1, 1]);
        mailbox.report(Report { in_hand, ..Report::default() });
        assert_eq!(mailbox.account().lost(), 1, "it had no outcome, and is nowhere");
        let Closed { waiting, outstanding, cut_off } = mailbox.close();
        assert_eq!((waiting, outstanding, cut_off), (public(1), public(3), false));
    }

    #[test]
    fn an_item_that_vanishes_from_the_mailbox_is_missing() {
        let mailbox = Mailbox::new(10, 100);
        put(&mailbox, frame(1));
        mailbox.state().items.clear();
        assert_eq!(mailbox.account().lost(), 1);
    }
}
