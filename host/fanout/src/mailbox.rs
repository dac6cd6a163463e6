//! The queue of one connection: frames of events, and answers, in commit order.
//!
//! Filling a mailbox never waits. A full one cuts its own connection off and holds up no other. An
//! empty one owns no memory beyond itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use core_model::{MessageId, Outcome, Recorded};
use frontend_api::Ending;
use parking_lot::{Mutex, MutexGuard};

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
    /// One or more encoded events in one buffer, and the last message among them, if any.
    Frame { bytes: Bytes, frames: u32, message: Option<MessageId> },
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

/// The mailbox was full; its connection is now cut off.
#[derive(Debug, Eq, PartialEq)]
pub struct CutOff;

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
    ending: Option<Ending>,
    /// Nothing more is taken in: cut off, or the connection is gone.
    closed: bool,
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
    pub fn push(&self, item: MailboxItem) -> (Option<Waker>, Result<(), CutOff>) {
        let mut state = self.state();
        if state.closed {
            return (None, Ok(()));
        }
        let (unsolicited, bytes) = item.size();
        let result = if state.unsolicited + unsolicited > self.items_max
            || state.bytes + bytes > self.bytes_max
        {
            state.items = VecDeque::new();
            state.closed = true;
            state.ending = Some(Ending::Slow);
            Err(CutOff)
        } else {
            state.unsolicited += unsolicited;
            state.bytes += bytes;
            if state.items.capacity() == 0 {
                state.items.reserve(FIRST_CAPACITY);
            }
            state.items.push_back(item);
            Ok(())
        };
        (state.waker.take(), result)
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

    /// The connection is gone: drops what waits, and whatever comes later.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.items = VecDeque::new();
        state.waker = None;
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
        MailboxItem::Frame { bytes: vec![0; len].into(), frames: 1, message: None }
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
    fn put(mailbox: &Mailbox, item: MailboxItem) -> Result<(), CutOff> {
        let (waker, result) = mailbox.push(item);
        waker.into_iter().for_each(Waker::wake);
        result
    }

    fn poll(mailbox: &Mailbox) -> Poll<MailboxPoll> {
        mailbox.poll(&mut Context::from_waker(Waker::noop()), true)
    }

    #[test]
    fn a_poll_returns_all_items_in_order() {
        let mailbox = Mailbox::new(10, 100);
        put(&mailbox, frame(1)).unwrap();
        put(&mailbox, answer()).unwrap();
        put(&mailbox, frame(3)).unwrap();
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
        for fill in [vec![frame(1), frame(1), frame(1)], vec![frame(60), frame(41)]] {
            let mailbox = Mailbox::new(2, 100);
            let cut_offs = fill.into_iter().filter_map(|item| put(&mailbox, item).err()).count();
            assert_eq!(cut_offs, 1);
            assert_eq!(put(&mailbox, frame(1)), Ok(()), "reported once");
            assert!(matches!(poll(&mailbox), Poll::Ready(MailboxPoll::Ending(Ending::Slow))));
            assert!(poll(&mailbox).is_pending());
        }
    }

    #[test]
    fn taking_items_makes_room() {
        let mailbox = Mailbox::new(1, 100);
        for _ in 0..5 {
            put(&mailbox, frame(100)).unwrap();
            assert!(matches!(poll(&mailbox), Poll::Ready(MailboxPoll::Items { more: false, .. })));
        }
    }

    #[test]
    fn answers_never_fill_a_mailbox() {
        let mailbox = Mailbox::new(1, 1);
        for _ in 0..100 {
            put(&mailbox, answer()).unwrap();
        }
        let Poll::Ready(MailboxPoll::Items { items, .. }) = poll(&mailbox) else {
            panic!("nothing arrived")
        };
        assert_eq!(items.len(), 100);
    }

    #[test]
    fn an_ending_comes_after_taken_items_and_overtakes_those_left() {
        let mailbox = Mailbox::new(10, 100);
        put(&mailbox, frame(1)).unwrap();
        mailbox.end(Ending::Draining);
        assert!(matches!(poll(&mailbox), Poll::Ready(MailboxPoll::Items { more: true, .. })));
        assert!(matches!(poll(&mailbox), Poll::Ready(MailboxPoll::Ending(Ending::Draining))));

        let mailbox = Mailbox::new(10, 100);
        put(&mailbox, frame(1)).unwrap();
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
        put(&mailbox, frame(1)).unwrap();
        put(&mailbox, frame(1)).unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_closed_mailbox_keeps_nothing() {
        let mailbox = Mailbox::new(1, 1);
        mailbox.close();
        assert_eq!(put(&mailbox, frame(50)), Ok(()));
        assert!(poll(&mailbox).is_pending());
    }
}
