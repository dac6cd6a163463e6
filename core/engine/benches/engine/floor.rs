//! The floor: messages straight into redb, keyed by room and id, one thread that takes whatever
//! waits into one commit, fsync and quick repair.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};

use redb::{Database, TableDefinition};

use crate::ingest::Posts;
use crate::subject::TEXT_BYTES;

const MESSAGES: TableDefinition<'_, (u32, u64), &[u8]> = TableDefinition::new("messages");

pub(crate) struct Floor {
    queue: Arc<(Mutex<Vec<Posted>>, Condvar)>,
    answered: Receiver<usize>,
}

/// A message, or the end.
type Posted = Option<(u32, Vec<u8>)>;

impl Floor {
    pub(crate) fn open(path: &Path) -> Self {
        let database = Database::create(path).expect("the store opens");
        let (committed, answered) = channel();
        let queue: Arc<(Mutex<Vec<Posted>>, Condvar)> = Arc::default();
        let waiting = Arc::clone(&queue);
        std::thread::spawn(move || {
            let mut id = 0;
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
                // The bench has ended where nobody receives.
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
