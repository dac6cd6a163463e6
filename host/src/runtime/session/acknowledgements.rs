//! What the readers of open sessions have acknowledged, ahead of the store.
//!
//! Each acknowledgement that is stored is a row to write, so that they are stored together, several
//! times a second, and not each by itself. Until then what is kept here keeps a message that a reader
//! has from coming again: a new session of the same reader may begin while the former one, which may
//! be dead, has not ended. After a crash of the gateway what was not stored comes again.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use core_model::{Command, ConnectionId, MessageId, Uid};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Between two times that acknowledgements are stored.
pub(crate) const STORE_PERIOD: Duration = Duration::from_millis(200);

/// Acknowledgements that are stored at a time: some milliseconds' work of the writer. With more
/// readers each waits for its turn.
pub(crate) const STORED_AT_ONCE_MAX: usize = 256;

/// Who a cursor of the store belongs to: a device of a user, or all sessions that name none.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Reader {
    pub(crate) user: Uid,
    pub(crate) device: Arc<str>,
}

/// The acknowledgements of all readers with an open session.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    readers: Mutex<Readers>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Readers {
    newest: HashMap<Reader, Newest>,
    /// Those with something that is not stored, longest first, each once; and some that have ended.
    waiting: VecDeque<Reader>,
}

/// The newest message that a reader has acknowledged.
#[derive(Clone, Copy, Debug)]
struct Newest {
    message: MessageId,
    /// A connection that is a session of the reader.
    connection: ConnectionId,
    is_waiting: bool,
}

impl Newest {
    fn command(self, reader: &Reader) -> (ConnectionId, Command) {
        let Reader { user, device } = reader.clone();
        let message = self.message;
        (self.connection, Command::Acknowledge { user, message, device: Some(device) })
    }
}

impl Acknowledgements {
    /// The reader has acknowledged the messages up to this one, on this connection.
    pub(crate) fn note(&self, reader: &Reader, connection: ConnectionId, message: MessageId) {
        let mut readers = self.readers.lock();
        let newest = Newest { message, connection, is_waiting: true };
        let was_waiting = match readers.newest.entry(reader.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(newest);
                false
            }
            Entry::Occupied(occupied) if occupied.get().message >= message => return,
            Entry::Occupied(mut occupied) => occupied.insert(newest).is_waiting,
        };
        if !was_waiting {
            readers.waiting.push_back(reader.clone());
            drop(readers);
            self.news.notify_one();
        }
    }

    /// The newest message that the reader has acknowledged in a session that has not ended.
    pub(crate) fn newest(&self, reader: &Reader) -> Option<MessageId> {
        self.readers.lock().newest.get(reader).map(|newest| newest.message)
    }

    /// The reader's session on this connection ends. What is to be stored before it has.
    pub(crate) fn end(&self, reader: &Reader, connection: ConnectionId) -> Option<Command> {
        let mut readers = self.readers.lock();
        let Entry::Occupied(occupied) = readers.newest.entry(reader.clone()) else { return None };
        if occupied.get().connection != connection {
            return None;
        }
        let newest = occupied.remove();
        newest.is_waiting.then(|| newest.command(reader).1)
    }

    /// Waits until something is to be stored.
    pub(crate) async fn wait(&self) {
        while self.readers.lock().waiting.is_empty() {
            self.news.notified().await;
        }
    }

    /// Stores what has waited longest. Under the lock, so that no session ends in between: the engine
    /// takes acknowledgements of open sessions only.
    pub(crate) fn store(&self, mut submit: impl FnMut(ConnectionId, Command)) {
        let Readers { newest, waiting } = &mut *self.readers.lock();
        let mut left = STORED_AT_ONCE_MAX;
        while left > 0
            && let Some(reader) = waiting.pop_front()
        {
            let newest = newest.get_mut(&reader).filter(|newest| newest.is_waiting);
            // None: the session has ended meanwhile.
            if let Some(newest) = newest {
                newest.is_waiting = false;
                let (connection, command) = newest.command(&reader);
                submit(connection, command);
                left -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(number: u64) -> Reader {
        Reader { user: Uid(number), device: "phone".into() }
    }

    /// User, connection and message of each that is stored.
    fn stored(acknowledgements: &Acknowledgements) -> Vec<[u64; 3]> {
        let mut stored = Vec::new();
        acknowledgements.store(|connection, command| match command {
            Command::Acknowledge { user, message, .. } => {
                stored.push([user.0, connection.0, message.0]);
            }
            other => panic!("{other:?}"),
        });
        stored
    }

    #[test]
    fn the_newest_of_each_reader_is_stored_once() {
        let acknowledgements = Acknowledgements::default();
        let note = |user, connection, message| {
            acknowledgements.note(&reader(user), ConnectionId(connection), MessageId(message));
        };
        note(1, 11, 5);
        note(2, 12, 6);
        note(1, 11, 7);
        note(1, 13, 3);
        assert_eq!(stored(&acknowledgements), [[1, 11, 7], [2, 12, 6]]);
        assert_eq!(stored(&acknowledgements), [[0; 3]; 0]);
        note(1, 13, 7);
        assert_eq!(stored(&acknowledgements), [[0; 3]; 0], "nothing is new");
        note(1, 13, 8);
        assert_eq!(stored(&acknowledgements), [[1, 13, 8]]);
        assert_eq!(acknowledgements.newest(&reader(1)), Some(MessageId(8)), "though it is stored");
    }

    #[test]
    fn what_a_session_leaves_is_stored_at_its_end() {
        let acknowledgements = Acknowledgements::default();
        let [dead, new] = [11, 12].map(ConnectionId);
        acknowledgements.note(&reader(1), dead, MessageId(5));
        assert_eq!(acknowledgements.newest(&reader(1)), Some(MessageId(5)));
        let (user, device) = (Uid(1), Some("phone".into()));
        let last = Command::Acknowledge { user, message: MessageId(5), device };
        assert_eq!(acknowledgements.end(&reader(1), new), None, "it has noted nothing");
        assert_eq!(acknowledgements.end(&reader(1), dead), Some(last));
        assert_eq!(stored(&acknowledgements), [[0; 3]; 0]);
        acknowledgements.note(&reader(1), new, MessageId(6));
        acknowledgements.note(&reader(1), new, MessageId(7));
        assert_eq!(stored(&acknowledgements), [[1, 12, 7]]);
        assert_eq!(acknowledgements.end(&reader(1), dead), None, "the other goes on");
        assert_eq!(acknowledgements.end(&reader(1), new), None, "it is stored");
        assert_eq!(acknowledgements.newest(&reader(1)), None);
    }

    #[test]
    fn many_readers_take_turns() {
        let acknowledgements = Acknowledgements::default();
        let all = STORED_AT_ONCE_MAX as u64 + 1;
        for message in [1, 2] {
            for user in 0..all {
                acknowledgements.note(&reader(user), ConnectionId(user), MessageId(message));
            }
        }
        assert_eq!(stored(&acknowledgements).len(), STORED_AT_ONCE_MAX);
        acknowledgements.note(&reader(0), ConnectionId(0), MessageId(3));
        assert_eq!(stored(&acknowledgements), [[all - 1, all - 1, 2], [0, 0, 3]]);
    }
}
