//! The hub's task and its one queue: everything that changes subscriptions goes through it, first
//! in, first out.
//!
//! The hub is a task on the network threads rather than a thread of its own: the connections it
//! wakes run on the same thread, so that a message takes one hop from the engine's writer to the
//! sockets instead of two.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use core_engine::Done;
use core_model::ConnectionId;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::task::{JoinHandle, yield_now};

use crate::event_encoder::EventEncoder;
use crate::fanout::{Delivered, Fanout};
use crate::handle::ConnectionHandle;
use crate::ticket::Ticket;

/// Committed batches that may wait for the hub before the engine's writer waits for it.
const BATCHES_WAITING_MAX: usize = 64;

/// Items delivered before the hub yields to other tasks of its thread: some milliseconds' work,
/// and enough of a large room's messages that many leave in one write.
const ITEMS_PER_TURN: usize = 32_768;

/// Commands delivered before the hub yields, whatever they are.
const COMMANDS_PER_TURN: usize = 256;

/// What any one mailbox may be filled by before the hub yields, in thousandths: a quarter, so that
/// one batch does not cut off a connection that reads.
const MAILBOX_SHARE_PER_TURN: usize = 250;

enum Notice {
    Committed(Committed),
    Gone(ConnectionId),
    Fence(Arc<ConnectionHandle>),
    Added(u16, Arc<dyn EventEncoder>),
    Removed(u16),
    Stop,
}

/// Called, on a network thread, when a batch is delivered.
pub type OnDelivered = Box<dyn FnOnce() + Send>;

struct Committed {
    batch: Vec<Done<Ticket>>,
    /// When it was durable.
    since: Instant,
    then: Option<OnDelivered>,
}

/// The sending side of the hub.
#[derive(Default)]
pub struct Hub {
    queue: Mutex<Queue>,
    caught_up: Condvar,
    /// Commands that were committed and are not delivered yet.
    undelivered: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    notices: VecDeque<Notice>,
    batches: usize,
    /// The task ends; the writer no longer waits for it.
    stopping: bool,
    /// Of the task, while it waits.
    waker: Option<Waker>,
}

/// The hub's task. However it ends, the engine's writer no longer waits for it.
struct Task {
    hub: Arc<Hub>,
    fanout: Fanout,
}

impl Hub {
    /// Takes a committed batch. Blocks the engine's writer while the hub is far behind: that turns a
    /// flood of events into refused commands instead of memory.
    pub fn publish(&self, batch: Vec<Done<Ticket>>) {
        self.publish_then(batch, None);
    }

    /// As [`publish`](Self::publish), with what is to be called when the batch is delivered.
    pub fn publish_then(&self, batch: Vec<Done<Ticket>>, then: Option<OnDelivered>) {
        let since = Instant::now();
        let mut queue = self.queue.lock();
        self.caught_up.wait_while(&mut queue, |queue| {
            queue.batches >= BATCHES_WAITING_MAX && !queue.stopping
        });
        queue.batches += 1;
        self.undelivered.fetch_add(batch.len(), Ordering::Relaxed);
        push(queue, Notice::Committed(Committed { batch, since, then }));
    }

    /// Forgets a connection that is gone and whose mailbox is closed.
    pub fn forget(&self, connection: ConnectionId) {
        push(self.queue.lock(), Notice::Gone(connection));
    }

    /// Puts a [`MailboxItem::Fence`](crate::MailboxItem::Fence) into the mailbox, after all events of
    /// the commands that were answered before.
    pub fn fence(&self, connection: Arc<ConnectionHandle>) {
        push(self.queue.lock(), Notice::Fence(connection));
    }

    /// Adds a front end at this index, before its first connection.
    pub fn add_frontend(&self, index: u16, encoder: Arc<dyn EventEncoder>) {
        push(self.queue.lock(), Notice::Added(index, encoder));
    }

    /// Removes the front end at this index, after the last of its connections.
    pub fn remove_frontend(&self, index: u16) {
        push(self.queue.lock(), Notice::Removed(index));
    }

    /// How many commands were committed and are not delivered yet.
    pub fn undelivered(&self) -> usize {
        self.undelivered.load(Ordering::Relaxed)
    }

    /// Ends the task after it has delivered what waits.
    pub fn stop(&self) {
        self.release_writer();
        push(self.queue.lock(), Notice::Stop);
    }

    /// Starts the task.
    pub fn run(self: Arc<Self>, fanout: Fanout) -> JoinHandle<()> {
        tokio::spawn(Task { hub: self, fanout }.run())
    }

    fn release_writer(&self) {
        self.queue.lock().stopping = true;
        self.caught_up.notify_all();
    }

    /// Everything that waits.
    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<VecDeque<Notice>> {
        let mut queue = self.queue.lock();
        if queue.notices.is_empty() {
            queue.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        queue.batches = 0;
        let notices = std::mem::take(&mut queue.notices);
        drop(queue);
        self.caught_up.notify_all();
        Poll::Ready(notices)
    }
}

/// Wakes the hub after unlocking, so that it does not wake up only to wait for the lock.
fn push(mut queue: MutexGuard<'_, Queue>, notice: Notice) {
    queue.notices.push_back(notice);
    let waker = queue.waker.take();
    drop(queue);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Task {
    async fn run(mut self) {
        loop {
            for notice in std::future::poll_fn(|cx| self.hub.poll_take(cx)).await {
                match notice {
                    Notice::Committed(committed) => self.deliver(committed).await,
                    Notice::Fence(connection) => {
                        self.fanout.fence(&connection);
                        self.fanout.wake();
                    }
                    Notice::Gone(connection) => self.fanout.forget(connection),
                    Notice::Added(index, encoder) => self.fanout.add_frontend(index, encoder),
                    Notice::Removed(index) => self.fanout.remove_frontend(index),
                    Notice::Stop => return,
                }
            }
        }
    }

    async fn deliver(&mut self, committed: Committed) {
        let Committed { batch, since, then } = committed;
        self.fanout.begin(&batch);
        let mut turn = Delivered::default();
        let mut batch = batch.into_iter().peekable();
        while let Some(delivered) = self.fanout.deliver_next(&mut batch) {
            self.hub.undelivered.fetch_sub(delivered.commands, Ordering::Relaxed);
            turn += delivered;
            if turn.commands >= COMMANDS_PER_TURN
                || turn.items >= ITEMS_PER_TURN
                || turn.mailbox_share >= MAILBOX_SHARE_PER_TURN
            {
                self.fanout.wake();
                self.fanout.note_delivered(turn.commands, since.elapsed());
                turn = Delivered::default();
                yield_now().await;
            }
        }
        self.fanout.wake();
        if turn.commands > 0 {
            self.fanout.note_delivered(turn.commands, since.elapsed());
        }
        if let Some(then) = then {
            then();
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.hub.release_writer();
    }
}

#[cfg(test)]
mod tests {
    use core_model::{Event, MessageId, Recipient, Recorded, Reply, RoomId, RoomTag, RoomView};
    use core_model::{Message, Seq, Timestamp};
    use frontend_api::{Broadcast, Frame};

    use super::*;
    use crate::framing::Framing;
    use crate::ledger::Ledger;
    use crate::mailbox::{Mailbox, MailboxItem, MailboxPoll, Overflow};
    use crate::subscriptions::SubscriptionChange;

    /// Encodes every event as a frame of 100 bytes.
    struct Padding;

    impl EventEncoder for Padding {
        fn encode(&self, _: &Recorded) -> Option<Broadcast> {
            Some(Broadcast::Everyone(Frame::Bytes(vec![0; 100])))
        }

        fn note_cut_off(&self, _: ConnectionId, _: Overflow) {}

        fn ledger(&self) -> Arc<Ledger> {
            Arc::default()
        }
    }

    fn enter(connection: &Arc<ConnectionHandle>) -> Done<Ticket> {
        let room = RoomView { id: RoomId(1), ..RoomView::default() };
        let outcome = Ok(Reply::Entered {
            room,
            user: Arc::default(),
            again: false,
            cursor: core_model::MessageId(0),
        });
        let connection = connection.clone();
        let ticket = Ticket::connection(connection, SubscriptionChange::Seat);
        Done::of(ticket, outcome)
    }

    fn post(seq: u64) -> Done<Ticket> {
        let message = Message {
            id: MessageId(seq),
            at: Timestamp(0),
            author: Arc::default(),
            to: Recipient::Room(RoomTag { id: RoomId(1), name: "tea".into(), closed: false }),
            text: "hi".into(),
            notice: false,
        };
        let event = Event::Posted { message };
        let cause = ConnectionId(0);
        let recorded = Recorded { seq: Seq(seq), at: Timestamp(0), cause, event };
        let events = vec![recorded];
        Done { events, ..Done::of(Ticket::Discard, Ok(Reply::Done)) }
    }

    /// Nothing that is encoded, between two posts.
    fn gap() -> Done<Ticket> {
        Done::of(Ticket::Discard, Ok(Reply::Done))
    }

    #[tokio::test]
    async fn one_batch_does_not_cut_off_a_connection_that_reads() {
        let hub = Arc::<Hub>::default();
        hub.add_frontend(0, Arc::new(Padding));
        let task = hub.clone().run(Fanout::new(Arc::default()));
        let mailbox = Mailbox::new(1000, 1000);
        let ledger = Arc::default();
        let connection = ConnectionHandle::new(ConnectionId(7), 0, Framing::Tcp, mailbox, ledger);
        let connection = Arc::new(connection);
        let mut batch = vec![enter(&connection)];
        for seq in 1..=50 {
            batch.extend([post(seq), gap()]);
        }
        hub.publish(batch);
        let mut frames = 0;
        while frames < 50 {
            let poll = std::future::poll_fn(|cx| connection.mailbox.poll(cx, true)).await;
            let MailboxPoll::Items { items, .. } = poll else { panic!("cut off: {poll:?}") };
            let is_frame = |item: &&MailboxItem| matches!(item, MailboxItem::Frame { .. });
            frames += items.iter().filter(is_frame).count();
        }
        hub.stop();
        task.await.unwrap();
    }
}
