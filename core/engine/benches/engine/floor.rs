//! The floor: messages straight into redb, keyed by room and id, one thread that takes whatever
//! waits into one commit, fsync and quick repair.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};

use redb::{Database, TableDefinition};

use crate::posts::{Posts, TEXT_BYTES};

const MESSAGES: TableDefinition<'_, (u32, u64), &[u8]> = TableDefinition::new("messages");

/// While a store is filled.
const ROOMS_A_COMMIT: usize = 100;

pub(crate) struct Floor {
    queue: Arc<(Mutex<Vec<Posted>>, Condvar)>,
    answered: Receiver<usize>,
}

/// A message, or the end.
type Posted = Option<(u32, Vec<u8>)>;

impl Floor {
    pub(crate) fn open(path: &Path) -> Self {
        Self::filled(path, 0, 0)
    }

    /// With `messages` messages in `rooms` rooms, all rooms in turn.
    pub(crate) fn filled(path: &Path, messages: u64, rooms: u32) -> Self {
        let database = Database::create(path).expect("the store opens");
        let text = vec![b'x'; TEXT_BYTES];
        for first in (1..=rooms).step_by(ROOMS_A_COMMIT) {
            let transaction = database.begin_write().expect("a transaction");
            let mut table = transaction.open_table(MESSAGES).expect("a table");
            for room in (first..=rooms).take(ROOMS_A_COMMIT) {
                for id in (u64::from(room)..=messages).step_by(rooms as usize) {
                    table.insert((room, id), text.as_slice()).expect("a row");
                }
            }
            drop(table);
            transaction.commit().expect("a commit");
        }
        let (committed, answered) = channel();
        let queue: Arc<(Mutex<Vec<Posted>>, Condvar)> = Arc::default();
        let waiting = Arc::clone(&queue);
        std::thread::spawn(move || {
            let mut id = messages;
            loop {
                let nothing = |queue: &mut Vec<Posted>| queue.is_empty();
                let mut queue = waiting.1.wait_while(waiting.0.lock().unwrap(), nothing).unwrap();
                let batch = std::mem::take(&mut *queue);
                drop(queue);
                let mut transaction = database.begin_write().expect("a transaction");
                transaction.set_quick_repair(true);
                let mut messages = transaction.open_table(MESSAGES).expect("a table");
                for posted in &batch {
                    let Some((room, text)) = posted else { return };
                    id += 1;
                    messages.insert((*room, id), text.as_slice()).expect("a row");
                }
                drop(messages);
                transaction.commit().expect("a commit");
                // An error means that the bench is over.
                let _ = committed.send(batch.len());
            }
        });
        Self { queue, answered }
    }

    fn push(&self, posted: Posted) {
        let (queue, filled) = &*self.queue;
        let mut queue = queue.lock().unwrap();
        queue.push(posted);
        if queue.len() == 1 {
            filled.notify_one();
        }
    }
}

impl Posts for Floor {
    fn post(&self, room: u32) {
        self.push(Some((room, vec![b'x'; TEXT_BYTES])));
    }

    fn answered(&self) -> &Receiver<usize> {
        &self.answered
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.push(None);
    }
}
