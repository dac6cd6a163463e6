//! The hub's thread and its one queue: everything that changes who hears of what goes through
//! it, first in, first out.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use core_engine::Done;
use core_model::ConnectionId;

use super::bounds::BATCHES_WAITING_MAX;
use super::distribute::{Distributor, Ticket};

enum Note {
    Committed(Vec<Done<Ticket>>),
    Gone(ConnectionId),
    Stop,
}

/// The way to the hub.
#[derive(Default)]
pub(super) struct Hub {
    queue: Mutex<Queue>,
    arrived: Condvar,
    caught_up: Condvar,
}

#[derive(Default)]
struct Queue {
    notes: VecDeque<Note>,
    batches: usize,
    /// The thread ends, and nobody waits for it.
    stopping: bool,
}

impl Hub {
    /// A committed batch. Waits while the hub is far behind, and with it the engine's writer: that
    /// is how a flood of events becomes a refusal of commands instead of memory.
    pub(super) fn publish(&self, batch: Vec<Done<Ticket>>) {
        let far_behind =
            |queue: &mut Queue| queue.batches >= BATCHES_WAITING_MAX && !queue.stopping;
        let waited = self.caught_up.wait_while(self.queue(), far_behind);
        let mut queue = waited.expect("nothing panics while it holds the hub's queue");
        queue.batches += 1;
        queue.notes.push_back(Note::Committed(batch));
        drop(queue);
        self.arrived.notify_one();
    }

    /// A connection is gone, and its mailbox shut.
    pub(super) fn gone(&self, connection: ConnectionId) {
        self.push(Note::Gone(connection));
    }

    /// Ends the thread, after what waits.
    pub(super) fn stop(&self) {
        self.queue().stopping = true;
        self.caught_up.notify_all();
        self.push(Note::Stop);
    }

    /// Starts the thread.
    pub(super) fn run(self: Arc<Self>, mut distributor: Distributor) -> JoinHandle<()> {
        let name = std::thread::Builder::new().name("hub".into());
        let thread = name.spawn(move || {
            loop {
                for note in self.take() {
                    match note {
                        Note::Committed(batch) => distributor.carry_out(batch),
                        Note::Gone(connection) => distributor.forget(connection),
                        Note::Stop => return,
                    }
                }
            }
        });
        thread.expect("a gateway that cannot start a thread cannot start")
    }

    fn push(&self, note: Note) {
        self.queue().notes.push_back(note);
        self.arrived.notify_one();
    }

    /// Everything that waits; waits for it where there is nothing.
    fn take(&self) -> VecDeque<Note> {
        let nothing = |queue: &mut Queue| queue.notes.is_empty();
        let waited = self.arrived.wait_while(self.queue(), nothing);
        let mut queue = waited.expect("nothing panics while it holds the hub's queue");
        queue.batches = 0;
        let notes = std::mem::take(&mut queue.notes);
        drop(queue);
        self.caught_up.notify_all();
        notes
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds the hub's queue")
    }
}
