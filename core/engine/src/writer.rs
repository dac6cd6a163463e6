//! The engine's handle, and the one thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use core_model::{
    Command, ConnectionId, Outcome, Query, Recorded, Refusal, Timestamp, TokenHash, Uid, UserRef,
};
use redb::{Database, ReadableTableMetadata as _};

use crate::cache::Cache;
use crate::envelope::{Answered, Done, Envelope};
use crate::fail::Fail;
use crate::lists::{self, Lists};
use crate::look::{self, Asker};
use crate::queue::{Queue, Turned};
use crate::rows::Counters;
use crate::rules::{self, Work};
use crate::store::{self, Batch, OpenError, Snapshot, StoreError, Tables as _};
use crate::{queries, receive, rules::is_due};

/// How much the engine may use.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many commands may wait for the writer before more are turned away.
    pub queue_max: usize,
    /// redb's page cache.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { queue_max: 16_384, cache_bytes: 256 << 20 }
    }
}

/// A handle to the engine. `T` is whatever the caller needs to find its way back from an outcome.
pub struct Engine<T> {
    shared: Arc<Shared<T>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Stores that this process has opened so far.
static STORES: AtomicU64 = AtomicU64::new(0);

struct Shared<T> {
    database: Database,
    /// Its number among the stores that this process has opened.
    store: u64,
    queue: Queue<T>,
    newest: Mutex<Newest>,
}

/// What queries are answered from.
struct Newest {
    /// The newest state, if somebody has asked for it since it was committed.
    snapshot: Option<Arc<Snapshot>>,
    /// True of it, and of whatever is committed until something that they show changes; none while
    /// that is under way.
    lists: Option<Arc<Lists>>,
}

impl<T: Send + 'static> Engine<T> {
    /// Opens or creates the store and starts the writer thread. `publish` is called on it with
    /// every committed batch, in commit order.
    pub fn open(
        path: &Path,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::start(store::open(path, options.cache_bytes)?, options, publish)
    }

    /// As [`open`](Self::open), on something else than a file: for tests.
    #[doc(hidden)]
    pub fn open_with_backend(
        backend: impl redb::StorageBackend,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::start(store::open_backend(backend, options.cache_bytes)?, options, publish)
    }

    fn start(
        database: Database,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared {
            database,
            store: STORES.fetch_add(1, Ordering::Relaxed),
            queue: Queue::new(options.queue_max),
            newest: Mutex::new(Newest { snapshot: None, lists: Some(Arc::default()) }),
        });
        let writing = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("engine-writer".into())
            .spawn(move || {
                // If whoever publishes panics, nobody would answer any more.
                let written = catch_unwind(AssertUnwindSafe(|| write(&writing, publish)));
                if written.is_err() {
                    writing.queue.fail("the thread that writes the store panicked");
                }
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
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
        self.shared.queue.push(envelope, ticket, bounded).map_err(|(ticket, turned)| {
            let refusal = match turned {
                Turned::Full | Turned::Stopping => Refusal::Overloaded,
                Turned::Failed(why) => Refusal::Internal { why },
            };
            (ticket, refusal)
        })
    }

    /// Answers a query from the newest committed state, on the caller's thread.
    pub fn query(&self, at: Timestamp, connection: ConnectionId, query: &Query) -> Answered {
        let asker = Asker { now: at.0, connection: connection.0 };
        let answered = self.shared.snapshot().map_err(Fail::from).and_then(|snapshot| {
            let reply = queries::answer(&*snapshot, asker, query)?;
            Ok((reply, due(&snapshot, at, queries::token(query))?))
        });
        match answered {
            Ok((reply, refresh)) => Answered { outcome: Ok(reply), refresh },
            Err(fail) => Answered { outcome: Err(refused(fail)), refresh: None },
        }
    }

    /// The answer to a command that would change nothing, from the newest committed state on the
    /// caller's thread. None: whether it would is for the writer to say, and so to be submitted.
    ///
    /// So far that is a [`Command::Receive`] that finds nothing new.
    pub fn try_read_only(
        &self,
        at: Timestamp,
        connection: ConnectionId,
        command: &Command,
    ) -> Option<Answered> {
        if !matches!(command, Command::Receive { .. }) {
            return None;
        }
        let asker = Asker { now: at.0, connection: connection.0 };
        // What is refused, or cannot be read, the writer says.
        let snapshot = self.shared.snapshot().ok()?;
        let reply = receive::try_read_only(&*snapshot, asker, command).ok().flatten()?;
        let refresh = due(&snapshot, at, receive::token(command)).ok()?;
        Some(Answered { outcome: Ok(reply), refresh })
    }

    /// How many rooms there are: how much a query that lists or searches rooms may have to do.
    pub fn rooms(&self) -> u64 {
        let count = |snapshot: Arc<Snapshot>| Ok(snapshot.rooms()?.len()?);
        let counted: Result<u64, StoreError> = self.shared.snapshot().and_then(count);
        // A store that cannot be read says so in answer to the query.
        counted.unwrap_or(u64::MAX)
    }

    /// The user meant and the PHC string of its password; None where there is no such user,
    /// an empty string where it has no password.
    pub fn credential(
        &self,
        at: Timestamp,
        user: &UserRef,
    ) -> Result<Option<(Uid, String)>, Refusal> {
        let asker = Asker { now: at.0, connection: 0 };
        let snapshot = self.shared.snapshot().map_err(|error| refused(Fail::Broken(error)))?;
        let found = queries::credential(&*snapshot, asker, user).map_err(refused)?;
        Ok(found.map(|(uid, password)| (Uid(uid), password)))
    }

    /// When [`Command::Expire`](core_model::Command::Expire) should next be submitted, if ever.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let snapshot = self.shared.snapshot().ok()?;
        rules::next_expiry(&*snapshot).ok()?.map(Timestamp)
    }

    /// Every row of the newest committed state, as bytes: for tests that compare stores.
    #[doc(hidden)]
    pub fn dump(&self) -> Result<store::Dump, Refusal> {
        let dump = self.shared.snapshot().and_then(|snapshot| snapshot.dump());
        dump.map_err(|error| refused(Fail::Broken(error)))
    }

    /// How many commands wait for the writer.
    pub fn waiting(&self) -> usize {
        self.shared.queue.waiting()
    }

    /// Why the engine takes no more commands, if it stopped by itself.
    pub fn failure(&self) -> Option<String> {
        self.shared.queue.failure()
    }
}

impl<T> Engine<T> {
    /// Finishes what is queued, then stops the writer thread. Later commands are refused.
    pub fn stop(&self) {
        self.shared.queue.stop();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A writer that panicked has already said so through `failure`.
        writer.map(JoinHandle::join);
    }
}

impl<T> Drop for Engine<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<T> Shared<T> {
    fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = &newest.snapshot {
            return Ok(Arc::clone(snapshot));
        }
        let lists = newest.lists.clone();
        let snapshot = Arc::new(Snapshot::begin(&self.database, self.store, lists)?);
        newest.snapshot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Lists may be others with the commit that comes: a snapshot that is begun while it is under
    /// way, of which nobody knows whether it is before or after, shares none.
    fn forget_lists(&self) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).lists = None;
    }

    /// Has the next query look at what has been committed. An older snapshot must not be held for
    /// longer anyway: no page that has been replaced since would be used anew, and the file grows.
    fn forget_snapshot(&self) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.snapshot = None;
        newest.lists.get_or_insert_default();
    }
}

/// The token that was used, if it is to be refreshed.
fn due(
    snapshot: &Snapshot,
    at: Timestamp,
    token: Option<&TokenHash>,
) -> Result<Option<TokenHash>, StoreError> {
    let Some(hash) = token else { return Ok(None) };
    let row = look::token(snapshot, hash)?;
    Ok(row.is_some_and(|row| is_due(&row, at.0)).then_some(*hash))
}

fn refused(fail: Fail) -> Refusal {
    match fail {
        Fail::Refused(refusal) => refusal,
        Fail::Broken(error) => Refusal::Internal { why: error.to_string() },
    }
}

/// The writer thread: batch after batch, until stopped or until one cannot be committed.
fn write<T>(shared: &Shared<T>, mut publish: impl FnMut(Vec<Done<T>>)) {
    let mut cache = Cache::default();
    while let Some(batch) = shared.queue.next_batch() {
        // A panic in a rule leaves the transaction uncommitted: as void as a failed commit.
        let committed = catch_unwind(AssertUnwindSafe(|| {
            commit(shared, &mut cache, &batch).map_err(|error| error.to_string())
        }))
        .unwrap_or_else(|_| Err("the engine panicked".into()));
        match committed {
            Ok(results) => {
                shared.forget_snapshot();
                shared.queue.answering(batch.len());
                let tickets = batch.into_iter().map(|(_, ticket)| ticket);
                let done = tickets.zip(results).map(|(ticket, (outcome, events))| Done {
                    ticket,
                    outcome,
                    events,
                });
                publish(done.collect());
            }
            Err(why) => {
                let waiting = shared.queue.fail(&why);
                let refuse = |(_, ticket)| {
                    let outcome = Err(Refusal::Internal { why: why.clone() });
                    Done { ticket, outcome, events: Vec::new() }
                };
                publish(batch.into_iter().chain(waiting).map(refuse).collect());
                return;
            }
        }
    }
}

/// Carries out a batch in one transaction, and makes it durable if it changed anything.
fn commit<T>(
    shared: &Shared<T>,
    cache: &mut Cache,
    batch: &[(Envelope, T)],
) -> Result<Vec<(Outcome, Vec<Recorded>)>, StoreError> {
    let mut transaction = shared.database.begin_write()?;
    // Opening after a kill then takes milliseconds instead of a scan of the file.
    transaction.set_quick_repair(true);
    let tables = Batch::new(&transaction, std::mem::take(cache));
    let counters: Counters = look::counters(&tables)?;
    let mut work = Work::new(tables, counters);
    let mut results = Vec::with_capacity(batch.len());
    for (envelope, _) in batch {
        results.push(work.apply(envelope)?);
    }
    // What was refused, or only read, needs no commit: polling does not wear the disk.
    let changed = work.has_changed();
    let (tables, _) = work.finish()?;
    let relists = tables.has_written(lists::SHOWN);
    *cache = tables.into_cache();
    if changed {
        if relists {
            shared.forget_lists();
        }
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(results)
}
