//! floor-durable's store: a table keyed by (room, id), and one thread
//! that puts all waiting messages into one commit, with fsync and quick repair.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use redb::{Database, Durability, ReadableTableMetadata as _, TableDefinition};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const MESSAGES: TableDefinition<'_, (u32, u64), &[u8]> = TableDefinition::new("messages");

/// A message of a room.
pub(super) struct Posted {
    pub(super) room: u32,
    pub(super) text: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct Store {
    queue: Arc<(Mutex<Vec<Posted>>, Condvar)>,
}

impl Store {
    /// Opens a new or [`fill`]ed store. The receiver yields each batch after its commit.
    pub(super) fn open(path: &Path) -> io::Result<(Self, UnboundedReceiver<Vec<Posted>>)> {
        let database = Database::create(path).map_err(io::Error::other)?;
        let store = Self { queue: Arc::default() };
        let (committed, batches) = unbounded_channel();
        let writing = store.clone();
        std::thread::spawn(move || {
            if let Err(error) = writing.write(&database, &committed) {
                eprintln!("the store of the floor fails: {error}");
                std::process::exit(1);
            }
        });
        Ok((store, batches))
    }

    pub(super) fn push(&self, posted: Posted) {
        let (queue, filled) = &*self.queue;
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push(posted);
        if queue.len() == 1 {
            filled.notify_one();
        }
    }

    fn write(
        &self,
        database: &Database,
        committed: &UnboundedSender<Vec<Posted>>,
    ) -> Result<(), redb::Error> {
        let mut id = None;
        loop {
            let batch = self.take();
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            let mut messages = transaction.open_table(MESSAGES)?;
            let id = match &mut id {
                Some(id) => id,
                None => id.insert(messages.len()?),
            };
            for posted in &batch {
                *id += 1;
                messages.insert((posted.room, *id), posted.text.as_slice())?;
            }
            drop(messages);
            transaction.commit()?;
            if committed.send(batch).is_err() {
                return Ok(());
            }
        }
    }

    fn take(&self) -> Vec<Posted> {
        let (queue, filled) = &*self.queue;
        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |queue: &mut Vec<Posted>| queue.is_empty();
        let waited = filled.wait_while(queue, nothing);
        std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner))
    }
}

/// Rooms per commit while a store is filled.
const ROOMS_A_COMMIT: u64 = 1_000;

/// Creates a store of `messages` messages of `bytes` bytes, distributed over all rooms.
pub(crate) fn fill(path: &Path, messages: u64, rooms: u64, bytes: usize) -> io::Result<()> {
    let fill = || -> Result<(), redb::Error> {
        let database = Database::create(path)?;
        let text = vec![b'x'; bytes];
        for first in (0..rooms).step_by(ROOMS_A_COMMIT as usize) {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::None)?;
            let mut table = transaction.open_table(MESSAGES)?;
            for room in first..rooms.min(first + ROOMS_A_COMMIT) {
                for id in (room..messages).step_by(rooms as usize) {
                    table.insert((room as u32, id + 1), text.as_slice())?;
                }
            }
            drop(table);
            transaction.commit()?;
        }
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        transaction.commit()?;
        Ok(())
    };
    fill().map_err(io::Error::other)
}
