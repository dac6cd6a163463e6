//! The hub's task and its one queue: everything that changes who hears of what goes through it,
//! first in, first out.
//!
//! A task of the network's threads, and not a thread of its own: whom it wakes runs where it ran,
//! and a message costs one hop from the engine's writer to the sockets instead of two.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use core_engine::Done;
use core_model::ConnectionId;
use tokio::task::{JoinHandle, yield_now};

use crate::runtime::bounds::{BATCHES_WAITING_MAX, COMMANDS_AT_ONCE, MAILS_AT_ONCE};
use crate::runtime::fanout::fanout::{Distributor, Ticket};
use crate::runtime::frontends::instance::Voice;

enum Note {
    Committed(Vec<Done<Ticket>>),
    Gone(ConnectionId),
    Introduced(u16, Voice),
    Retired(u16),
    Stop,
}

/// The way to the hub.
#[derive(Default)]
pub(crate) struct Hub {
    queue: Mutex<Queue>,
    caught_up: Condvar,
    /// Commands that were committed and not told of yet.
    untold: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    notes: VecDeque<Note>,
    batches: usize,
    /// The task ends, and nobody waits for it.
    stopping: bool,
    /// The task, where it waits.
    waker: Option<Waker>,
}

/// The task of the hub. However it ends, the engine's writer does not wait for it any more.
struct Task {
    hub: Arc<Hub>,
    distributor: Distributor,
}

impl Hub {
    /// A committed batch. Waits while the hub is far behind, and with it the engine's writer: that
    /// is how a flood of events becomes a refusal of commands instead of memory.
    pub(crate) fn publish(&self, batch: Vec<Done<Ticket>>) {
        let far_behind =
            |queue: &mut Queue| queue.batches >= BATCHES_WAITING_MAX && !queue.stopping;
        let waited = self.caught_up.wait_while(self.queue(), far_behind);
        let mut queue = waited.expect("nothing panics while it holds the hub's queue");
        queue.batches += 1;
        self.untold.fetch_add(batch.len(), Ordering::Relaxed);
        push(queue, Note::Committed(batch));
    }

    /// A connection is gone, and its mailbox shut.
    pub(crate) fn gone(&self, connection: ConnectionId) {
        push(self.queue(), Note::Gone(connection));
    }

    /// A front end is at this place from now on; none of its connections is there yet.
    pub(crate) fn introduce(&self, index: u16, voice: Voice) {
        push(self.queue(), Note::Introduced(index, voice));
    }

    /// The front end at this place is gone, and all of its connections before it.
    pub(crate) fn retire(&self, index: u16) {
        push(self.queue(), Note::Retired(index));
    }

    /// How many commands were committed and not told of yet.
    pub(crate) fn untold(&self) -> usize {
        self.untold.load(Ordering::Relaxed)
    }

    /// Ends the task, after what waits.
    pub(crate) fn stop(&self) {
        self.wait_for_nobody();
        push(self.queue(), Note::Stop);
    }

    /// Starts the task.
    pub(crate) fn run(self: Arc<Self>, distributor: Distributor) -> JoinHandle<()> {
        tokio::spawn(Task { hub: self, distributor }.run())
    }

    fn wait_for_nobody(&self) {
        self.queue().stopping = true;
        self.caught_up.notify_all();
    }

    /// Everything that waits.
    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<VecDeque<Note>> {
        let mut queue = self.queue();
        if queue.notes.is_empty() {
            queue.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        queue.batches = 0;
        let notes = std::mem::take(&mut queue.notes);
        drop(queue);
        self.caught_up.notify_all();
        Poll::Ready(notes)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds the hub's queue")
    }
}

/// Wakes the hub after the lock is given back, so that it does not wake up to wait.
fn push(mut queue: MutexGuard<'_, Queue>, note: Note) {
    queue.notes.push_back(note);
    let waker = queue.waker.take();
    drop(queue);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Task {
    async fn run(mut self) {
        loop {
            for note in std::future::poll_fn(|cx| self.hub.poll_take(cx)).await {
                match note {
                    Note::Committed(batch) => self.carry_out(batch).await,
                    Note::Gone(connection) => self.distributor.forget(connection),
                    Note::Introduced(index, voice) => self.distributor.introduce(index, voice),
                    Note::Retired(index) => self.distributor.retire(index),
                    Note::Stop => return,
                }
            }
        }
    }

    async fn carry_out(&mut self, batch: Vec<Done<Ticket>>) {
        self.distributor.begin(&batch);
        let (mut commands, mut mails) = (0, 0);
        let mut batch = batch.into_iter().peekable();
        while let Some((more_commands, more_mails)) = self.distributor.carry_out(&mut batch) {
            self.hub.untold.fetch_sub(more_commands, Ordering::Relaxed);
            (commands, mails) = (commands + more_commands, mails + more_mails);
            if commands >= COMMANDS_AT_ONCE || mails >= MAILS_AT_ONCE {
                (commands, mails) = (0, 0);
                self.distributor.wake();
                yield_now().await;
            }
        }
        self.distributor.wake();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.hub.wait_for_nobody();
    }
}
