//! What waits for one connection: events' frames and answers, in commit order.
//!
//! Filling a mailbox never waits. One that is full cuts its connection off, and nobody else
//! notices. An empty one owns no memory beyond itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use core_model::{MessageId, Outcome, Recorded};
use frontend_api::Ending;

/// Room for mails that a mailbox makes when the first comes, 1 KiB: growing to it from less
/// costs more than it spares.
const MAILS_AT_FIRST: usize = 16;

/// One thing for a connection.
#[derive(Debug)]
pub(crate) enum Mail {
    /// The engine's answer to the connection's oldest command.
    Answer(Box<Outcome>),
    /// What a front end made of an event for everyone, and the message if it was one; or of
    /// several messages, and the last of them.
    Frame { bytes: Bytes, frames: u32, message: Option<MessageId> },
    /// An event that the session itself must see.
    Event(Arc<Recorded>),
}

/// What a connection finds in its mailbox.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Everything that waited, oldest first; at least one. With `more`, there is an ending too.
    Mail { mails: VecDeque<Mail>, more: bool },
    /// The host is about to hang up. Said once.
    Ending(Ending),
    /// The time for last words is over.
    Over,
}

/// The mailbox was full, and its connection is now cut off.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct CutOff;

#[derive(Debug)]
pub(crate) struct Mailbox {
    mails_max: usize,
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    mails: VecDeque<Mail>,
    /// Frames and events among them, and no answers: a connection cannot be flooded with what it asked for.
    unasked: usize,
    bytes: usize,
    ending: Option<Ending>,
    /// Nothing more is taken in: cut off, or the connection is gone.
    shut: bool,
    over: bool,
    waker: Option<Waker>,
}

impl Mailbox {
    pub(crate) fn new(mails_max: u32, bytes_max: u32) -> Self {
        let (mails_max, bytes_max) = (mails_max as usize, bytes_max as usize);
        Self { mails_max, bytes_max, state: Mutex::default() }
    }

    /// Puts something in, unless the connection is gone. `CutOff` only the first time that there
    /// was no room. The task sleeps until it is woken: later, when all that comes at once is in,
    /// so that it leaves in one write.
    pub(crate) fn push(&self, mail: Mail) -> (Option<Waker>, Result<(), CutOff>) {
        let mut state = self.state();
        if state.shut {
            return (None, Ok(()));
        }
        let (unasked, bytes) = match &mail {
            Mail::Answer(_) => (0, 0),
            Mail::Frame { bytes, frames, .. } => (*frames as usize, bytes.len()),
            Mail::Event(_) => (1, 0),
        };
        let result =
            if state.unasked + unasked > self.mails_max || state.bytes + bytes > self.bytes_max {
                state.mails = VecDeque::new();
                state.shut = true;
                state.ending = Some(Ending::Slow);
                Err(CutOff)
            } else {
                state.unasked += unasked;
                state.bytes += bytes;
                if state.mails.capacity() == 0 {
                    state.mails.reserve(MAILS_AT_FIRST);
                }
                state.mails.push_back(mail);
                Ok(())
            };
        (state.waker.take(), result)
    }

    /// Lets the connection end for this reason, after what waits. The first reason counts.
    pub(crate) fn end(&self, ending: Ending) {
        let mut state = self.state();
        if !state.shut && state.ending.is_none() {
            state.ending = Some(ending);
            wake(state);
        }
    }

    /// Ends the connection at once.
    pub(crate) fn give_up(&self) {
        let mut state = self.state();
        state.over = true;
        wake(state);
    }

    /// The connection is gone: nothing is kept for it any more.
    pub(crate) fn shut(&self) {
        let mut state = self.state();
        state.shut = true;
        state.mails = VecDeque::new();
        state.waker = None;
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.state().shut
    }

    /// What has arrived. Mail is left where it is unless `take_mail`. Whatever comes next wakes
    /// the task, unless this says that there is more, or to hang up.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, take_mail: bool) -> Poll<Arrival> {
        let mut state = self.state();
        if state.over {
            return Poll::Ready(Arrival::Over);
        }
        let mails = if take_mail { std::mem::take(&mut state.mails) } else { VecDeque::new() };
        if mails.is_empty()
            && let Some(ending) = state.ending.take()
        {
            return Poll::Ready(Arrival::Ending(ending));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => state.waker = Some(cx.waker().clone()),
        }
        if mails.is_empty() {
            return Poll::Pending;
        }
        (state.unasked, state.bytes) = (0, 0);
        Poll::Ready(Arrival::Mail { mails, more: state.ending.is_some() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds a mailbox")
    }
}

/// Wakes the connection after the lock is given back, so that it does not wake up to wait.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Mail {
        Mail::Frame { bytes: vec![0; len].into(), frames: 1, message: None }
    }

    fn answer() -> Mail {
        Mail::Answer(Box::new(Ok(core_model::Reply::Done)))
    }

    /// Puts something in, and wakes who waits for it.
    fn put(mailbox: &Mailbox, mail: Mail) -> Result<(), CutOff> {
        let (waker, result) = mailbox.push(mail);
        waker.into_iter().for_each(Waker::wake);
        result
    }

    fn look(mailbox: &Mailbox) -> Poll<Arrival> {
        mailbox.poll(&mut Context::from_waker(Waker::noop()), true)
    }

    #[test]
    fn everything_that_waits_comes_at_once_and_in_order() {
        let mailbox = Mailbox::new(10, 100);
        put(&mailbox, frame(1)).unwrap();
        put(&mailbox, answer()).unwrap();
        put(&mailbox, frame(3)).unwrap();
        let Poll::Ready(Arrival::Mail { mails, .. }) = look(&mailbox) else { panic!("no mail") };
        assert!(matches!(
            Vec::from(mails).as_slice(),
            [Mail::Frame { .. }, Mail::Answer(_), Mail::Frame { bytes, .. }] if bytes.len() == 3
        ));
        assert!(look(&mailbox).is_pending());
    }

    #[test]
    fn a_full_mailbox_cuts_off_once_and_forgets_what_waited() {
        for fill in [vec![frame(1), frame(1), frame(1)], vec![frame(60), frame(41)]] {
            let mailbox = Mailbox::new(2, 100);
            let cut_offs = fill.into_iter().filter_map(|mail| put(&mailbox, mail).err()).count();
            assert_eq!(cut_offs, 1);
            assert_eq!(put(&mailbox, frame(1)), Ok(()), "said once");
            assert!(matches!(look(&mailbox), Poll::Ready(Arrival::Ending(Ending::Slow))));
            assert!(look(&mailbox).is_pending());
        }
    }

    #[test]
    fn what_was_taken_makes_room() {
        let mailbox = Mailbox::new(1, 100);
        for _ in 0..5 {
            put(&mailbox, frame(100)).unwrap();
            assert!(matches!(look(&mailbox), Poll::Ready(Arrival::Mail { more: false, .. })));
        }
    }

    #[test]
    fn answers_never_fill_a_mailbox() {
        let mailbox = Mailbox::new(1, 1);
        for _ in 0..100 {
            put(&mailbox, answer()).unwrap();
        }
        let Poll::Ready(Arrival::Mail { mails, .. }) = look(&mailbox) else { panic!("no mail") };
        assert_eq!(mails.len(), 100);
    }

    #[test]
    fn an_ending_comes_after_the_mail_and_passes_mail_that_is_not_taken() {
        let mailbox = Mailbox::new(10, 100);
        put(&mailbox, frame(1)).unwrap();
        mailbox.end(Ending::Draining);
        assert!(matches!(look(&mailbox), Poll::Ready(Arrival::Mail { more: true, .. })));
        assert!(matches!(look(&mailbox), Poll::Ready(Arrival::Ending(Ending::Draining))));

        let mailbox = Mailbox::new(10, 100);
        put(&mailbox, frame(1)).unwrap();
        mailbox.end(Ending::Draining);
        let untaken = mailbox.poll(&mut Context::from_waker(Waker::noop()), false);
        assert!(matches!(untaken, Poll::Ready(Arrival::Ending(Ending::Draining))));
    }

    #[test]
    fn a_sleeper_is_woken_once_for_a_burst() {
        struct Count(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(count.clone());
        let mailbox = Mailbox::new(10, 100);
        assert!(mailbox.poll(&mut Context::from_waker(&waker), true).is_pending());
        put(&mailbox, frame(1)).unwrap();
        put(&mailbox, frame(1)).unwrap();
        assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[test]
    fn nothing_is_kept_for_a_connection_that_is_gone() {
        let mailbox = Mailbox::new(1, 1);
        mailbox.shut();
        assert_eq!(put(&mailbox, frame(50)), Ok(()));
        assert!(look(&mailbox).is_pending());
    }
}
