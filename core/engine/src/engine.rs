//! The engine's handle.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use core_model::{Command, ConnectionId, Query, Refusal, Timestamp, TokenHash, Uid, UserRef};
use redb::{Database, ReadableTableMetadata as _};

use crate::envelope::{Answered, Done, Envelope};
use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::open::{self, OpenError};
use crate::queue::{Queue, Rejected};
use crate::rules::{self, is_due};
use crate::state::Snapshot;
use crate::store::Store;
use crate::tables::{Dump, Tables as _};
use crate::{queries, receive, writer};

/// How much the engine may use.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Commands that may wait for the writer; more are refused as overload.
    pub queue_max: usize,
    /// redb's page cache.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { queue_max: 16_384, cache_bytes: 256 << 20 }
    }
}

/// A handle to the engine. `T` is the caller's ticket: it goes in with a command and comes back with
/// the outcome.
pub struct Engine<T> {
    store: Arc<Store>,
    queue: Arc<Queue<T>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Send + 'static> Engine<T> {
    /// Opens or creates the store and starts the writer thread. `publish` is called on it with
    /// every committed batch, in commit order.
    pub fn open(
        path: &Path,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::start(open::open(path, options.cache_bytes)?, options, publish)
    }

    /// As [`open`](Self::open), on a backend other than a file: for tests.
    #[doc(hidden)]
    pub fn open_with_backend(
        backend: impl redb::StorageBackend,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::start(open::open_backend(backend, options.cache_bytes)?, options, publish)
    }

    fn start(
        database: Database,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let store = Arc::new(Store::new(database));
        let queue = Arc::new(Queue::new(options.queue_max));
        let writers_store = Arc::clone(&store);
        let writers_queue = Arc::clone(&queue);
        let writer = std::thread::Builder::new()
            .name("engine-writer".into())
            .spawn(move || {
                // Without this a panic in `publish` would leave every later command unanswered.
                let run = || writer::run(&writers_store, &writers_queue, publish);
                if catch_unwind(AssertUnwindSafe(run)).is_err() {
                    writers_queue.fail("the writer thread panicked");
                }
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { store, queue, writer: Mutex::new(Some(writer)) })
    }

    /// Queues a command. `Err` gives the ticket back with the reason; then the command was not
    /// taken: [`Refusal::Overloaded`] when too many wait or the engine is stopping,
    /// [`Refusal::Internal`] when it has failed.
    pub fn submit(&self, envelope: Envelope, ticket: T) -> Result<(), (T, Refusal)> {
        self.push(envelope, ticket, true)
    }

    /// Queues a command whatever the length of the queue: for disconnects and housekeeping.
    pub fn submit_always(&self, envelope: Envelope, ticket: T) -> Result<(), (T, Refusal)> {
        self.push(envelope, ticket, false)
    }

    fn push(&self, envelope: Envelope, ticket: T, bounded: bool) -> Result<(), (T, Refusal)> {
        self.queue.push(envelope, ticket, bounded).map_err(|(ticket, rejected)| {
            let refusal = match rejected {
                Rejected::Full | Rejected::Stopping => Refusal::Overloaded,
                Rejected::Failed(why) => Refusal::Internal { why },
            };
            (ticket, refusal)
        })
    }

    /// Answers a query from the newest committed state, on the caller's thread.
    pub fn query(&self, at: Timestamp, connection: ConnectionId, query: &Query) -> Answered {
        let request = Request { now: at.0, connection: connection.0 };
        let answered = self.store.snapshot().map_err(Error::from).and_then(|snapshot| {
            let reply = queries::answer(&*snapshot, request, query)?;
            Ok((reply, due(&snapshot, at, queries::token(query))?))
        });
        match answered {
            Ok((reply, refresh)) => Answered { outcome: Ok(reply), refresh },
            Err(fail) => Answered { outcome: Err(refused(fail)), refresh: None },
        }
    }

    /// Answers a command that would change nothing, from the newest committed state, on the
    /// caller's thread. `None`: the command may change something and has to be submitted.
    ///
    /// So far only a [`Command::Receive`] that finds nothing new is answered.
    pub fn try_read_only(
        &self,
        at: Timestamp,
        connection: ConnectionId,
        command: &Command,
    ) -> Option<Answered> {
        if !matches!(command, Command::Receive { .. }) {
            return None;
        }
        let request = Request { now: at.0, connection: connection.0 };
        // The writer reports refusals and read errors.
        let snapshot = self.store.snapshot().ok()?;
        let reply = receive::try_read_only(&*snapshot, request, command).ok().flatten()?;
        let refresh = due(&snapshot, at, receive::token(command)).ok()?;
        Some(Answered { outcome: Ok(reply), refresh })
    }

    /// The number of rooms: a bound on the work of a query that lists or searches them.
    pub fn rooms(&self) -> u64 {
        let count = |snapshot: Arc<Snapshot>| Ok(snapshot.rooms()?.len()?);
        let counted: Result<u64, StoreError> = self.store.snapshot().and_then(count);
        // The query itself will report the read error.
        counted.unwrap_or(u64::MAX)
    }

    /// The user that `user` names and the PHC string of its password, "" for none. `None`: no such
    /// user.
    pub fn credential(
        &self,
        at: Timestamp,
        user: &UserRef,
    ) -> Result<Option<(Uid, String)>, Refusal> {
        let request = Request { now: at.0, connection: 0 };
        let snapshot = self.store.snapshot().map_err(|error| refused(Error::Store(error)))?;
        let found = queries::credential(&*snapshot, request, user).map_err(refused)?;
        Ok(found.map(|(uid, password)| (Uid(uid), password)))
    }

    /// When [`Command::Expire`](core_model::Command::Expire) should next be submitted, if ever.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let snapshot = self.store.snapshot().ok()?;
        rules::next_expiry(&*snapshot).ok()?.map(Timestamp)
    }

    /// Every row of the newest committed state, as bytes: for tests that compare stores.
    #[doc(hidden)]
    pub fn dump(&self) -> Result<Dump, Refusal> {
        let dump = self.store.snapshot().and_then(|snapshot| snapshot.dump());
        dump.map_err(|error| refused(Error::Store(error)))
    }

    /// The number of commands that wait for the writer.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Why the engine stopped taking commands, if it failed.
    pub fn failure(&self) -> Option<String> {
        self.queue.failure()
    }
}

impl<T> Engine<T> {
    /// Carries out the queued commands, then stops the writer thread. Later commands are refused.
    pub fn stop(&self) {
        self.queue.stop();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // `failure` already reports a panic of the writer.
        writer.map(JoinHandle::join);
    }
}

impl<T> Drop for Engine<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The token, if it is due for a refresh.
fn due(
    snapshot: &Snapshot,
    at: Timestamp,
    token: Option<&TokenHash>,
) -> Result<Option<TokenHash>, StoreError> {
    let Some(hash) = token else { return Ok(None) };
    let row = lookup::token(snapshot, hash)?;
    Ok(row.is_some_and(|row| is_due(&row, at.0)).then_some(*hash))
}

fn refused(fail: Error) -> Refusal {
    match fail {
        Error::Refused(refusal) => refusal,
        Error::Store(error) => Refusal::Internal { why: error.to_string() },
    }
}
