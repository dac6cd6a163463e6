//! The engine's handle.

mod follow;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use core_model::{
    Command, ConnectionId, EventPosition, Query, Refusal, RoomView, Timestamp, TokenHash, Uid,
    UserRef,
};
use redb::ReadableTableMetadata as _;

use crate::backup::{self, BackupError, Summary, TableStats};
use crate::envelope::{Answered, Deferred, Done, Envelope, Owed};
use crate::error::{Error, StoreError, panic_message};
use crate::event_log::{self, DeadLetterView, EventPage, Wanted, WebhookState};
use crate::heartbeat::Heartbeat;
use crate::log::Log;
use crate::lookup::{self, Request};
use crate::moving::{self, ExportSummary};
use crate::open::{FileId, OpenError, Opener, create_whole};
use crate::queue::{Queue, Rejected};
use crate::rules::{self, RunView, is_due};
use crate::state::Snapshot;
use crate::steady::SteadyWriter;
use crate::store::Store;
use crate::tables::{Dump, Tables as _};
use crate::writer::{Following, OnBatch, Writer};
use crate::{clock, queries, receive};

/// Messages that are counted of those that the store owes: about a second's work.
const OWED_MAX: usize = 1_000_000;

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
    /// What the last check of the store's path found wrong.
    misplaced: Mutex<Option<String>>,
}

impl<T: Send + 'static> Engine<T> {
    /// Opens or creates the store and starts the writer thread. `publish` is called on it with
    /// every committed batch, in commit order.
    pub fn open(
        path: &Path,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::open_timed(path, options, || (), publish)
    }

    /// As [`open`](Self::open); `on_batch` is called on the writer thread when it has taken a batch
    /// from the queue, before it carries the batch out. The time from there to `publish` is what a
    /// commit takes.
    pub fn open_timed(
        path: &Path,
        options: Options,
        on_batch: impl FnMut() + Send + 'static,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let opener = Opener::file(path, options.cache_bytes);
        Self::start(opener, options, Box::new(on_batch), publish)
    }

    /// As [`open`](Self::open), on a backend other than a file, whose clones share their contents:
    /// for tests.
    #[doc(hidden)]
    pub fn open_with_backend(
        backend: impl redb::StorageBackend + Clone,
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let opener = Opener::backend(backend, options.cache_bytes);
        Self::start(opener, options, Box::new(|| ()), publish)
    }

    fn start(
        opener: Opener,
        options: Options,
        on_batch: OnBatch,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let store = Store::open(opener)?;
        let queue = Arc::new(Queue::new(options.queue_max));
        let log = Arc::clone(&queue);
        Self::spawn((store, queue), log, None, on_batch, publish)
    }

    fn spawn<L: Log<T> + 'static>(
        (store, queue): (Store, Arc<Queue<T>>),
        log: L,
        following: Option<Following>,
        on_batch: OnBatch,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let store = Arc::new(store);
        let writers_store = Arc::clone(&store);
        let writers_queue = Arc::clone(&queue);
        let writer = std::thread::Builder::new()
            .name("engine-writer".into())
            .spawn(move || {
                // Without this a panic in `publish` would leave every later command unanswered.
                let writers = (&*writers_store, &*writers_queue);
                let writer = Writer::new(writers, log, following, on_batch, publish);
                if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                    writers_queue.stop();
                    writers_queue.fail("the writer thread panicked");
                }
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { store, queue, writer: Mutex::new(Some(writer)), misplaced: Mutex::default() })
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
        let request = Request { now: at.0, steady: 0, connection: connection.0 };
        let answered = self.read(|snapshot| {
            let reply = queries::answer(snapshot, request, query)?;
            Ok((reply, due(snapshot, at, queries::token(query))?))
        });
        match answered {
            Ok((reply, refresh)) => Answered { outcome: Ok(reply), refresh },
            Err(refusal) => Answered { outcome: Err(refusal), refresh: None },
        }
    }

    /// Reads the newest committed state. If the store fails, the writer opens it again.
    pub(crate) fn read<R>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<R, Error>,
    ) -> Result<R, Refusal> {
        let snapshot = match self.store.snapshot() {
            Ok(snapshot) => snapshot,
            Err(error) => {
                if !matches!(error, StoreError::Closed) {
                    self.queue.fail(&error.to_string());
                }
                return Err(Refusal::Internal { why: error.to_string() });
            }
        };
        match catch_unwind(AssertUnwindSafe(|| read(&snapshot))) {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(Error::Refused(refusal))) => Err(refusal),
            Ok(Err(Error::Store(error))) => {
                let why = error.to_string();
                if !error.is_damage() && self.store.is_current(&snapshot) {
                    self.queue.fail(&why);
                }
                Err(Refusal::Internal { why })
            }
            Err(panic) => {
                let why = format!("the query panicked: {}", panic_message(&*panic));
                Err(Refusal::Internal { why })
            }
        }
    }

    /// Answers a command that would change nothing, from the newest committed state, on the
    /// caller's thread. `Err`: the command may change something and has to be submitted, or the
    /// answer has more than `messages_max` messages.
    ///
    /// So far only a [`Command::Receive`] that finds nothing new is answered.
    pub fn try_read_only(
        &self,
        at: Timestamp,
        connection: ConnectionId,
        command: &Command,
        messages_max: usize,
    ) -> Result<Answered, Deferred> {
        if !matches!(command, Command::Receive { .. }) {
            return Err(Deferred::COMMAND);
        }
        let request = Request { now: at.0, steady: 0, connection: connection.0 };
        // The writer reports refusals and read errors.
        let found = self.read(|snapshot| {
            match receive::try_read_only(snapshot, request, command, messages_max)? {
                Ok(reply) => Ok(Ok((reply, due(snapshot, at, receive::token(command))?))),
                Err(deferred) => Ok(Err(deferred)),
            }
        });
        let (reply, refresh) = found.unwrap_or(Err(Deferred::COMMAND))?;
        Ok(Answered { outcome: Ok(reply), refresh })
    }

    /// What the store owes to users whose clients acknowledge messages. Reads the streams of all of
    /// them, so it may take long.
    pub fn owed(&self) -> Result<Owed, Refusal> {
        self.read(|snapshot| Ok(rules::owed(snapshot, OWED_MAX)?))
    }

    /// The number of rooms: a bound on the work of a query that lists or searches them.
    pub fn rooms(&self) -> u64 {
        // The query itself will report the read error.
        self.read(|snapshot| Ok(snapshot.rooms()?.len()?)).unwrap_or(u64::MAX)
    }

    /// The user that `user` names and the PHC string of its password, "" for none. `None`: no such
    /// user.
    pub fn credential(
        &self,
        at: Timestamp,
        user: &UserRef,
    ) -> Result<Option<(Uid, String)>, Refusal> {
        let request = Request { now: at.0, steady: 0, connection: 0 };
        let found = self.read(|snapshot| queries::credential(snapshot, request, user))?;
        Ok(found.map(|(uid, password)| (Uid(uid), password)))
    }

    /// The room of this name, a closed one too: for the operator, who names rooms in the configuration.
    pub fn room_named(&self, name: &str) -> Result<Option<RoomView>, Refusal> {
        self.read(|snapshot| queries::room_named(snapshot, name))
    }

    /// Whether [`Command::Expire`](core_model::Command::Expire) has something to do at this time,
    /// which is given as in an [`Envelope`].
    pub fn is_expiry_due(&self, at: Timestamp, steady_ms: u64) -> bool {
        let request = Request { now: at.0, steady: steady_ms, connection: 0 };
        self.read(|snapshot| Ok(rules::is_expiry_due(snapshot, request)?)).unwrap_or(false)
    }

    /// When the next lease or other row expires, if ever: for tests whose steady time is the clock's.
    #[doc(hidden)]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.read(|snapshot| Ok(rules::next_expiry(snapshot)?)).ok()?.map(Timestamp)
    }

    /// A sentence for the operator, if the clock is more than a day from the time of the newest
    /// change in the store. To be asked before the first command.
    pub fn clock_warning(&self, at: Timestamp) -> Option<String> {
        let newest = self.read(|snapshot| Ok(lookup::counters(snapshot)?.now)).ok()?;
        let days = at.0.abs_diff(newest) / clock::JUMP_MS;
        if newest == 0 || days == 0 {
            return None;
        }
        let what = if at.0 < newest {
            "the clock is wrong, or was when the store was written"
        } else {
            "the gateway was off for as long, or the clock is wrong; messages are removed for their \
             age, and expired tokens, only as it catches up"
        };
        let side = if at.0 < newest { "before" } else { "after" };
        Some(format!("the clock is {days} days {side} the newest change in the store: {what}"))
    }

    /// Gives the newest committed state to `sink` as the stream of a [backup](crate::restore), in
    /// pieces of about a megabyte, on the caller's thread. Commands go on meanwhile; pages that they
    /// replace stay in the file until the backup is done.
    pub fn backup(
        &self,
        sink: impl FnMut(Vec<u8>) -> std::io::Result<()>,
    ) -> Result<Summary, BackupError> {
        let snapshot = self.store.snapshot()?;
        catch_unwind(AssertUnwindSafe(|| backup::write(&snapshot, sink)))
            .unwrap_or_else(|panic| Err(BackupError::Store(panic_message(&*panic))))
    }

    /// Gives the newest committed state to `sink` as the lines of an [export](crate::Import), in
    /// pieces of about a megabyte, on the caller's thread, as [`backup`](Self::backup) does.
    pub fn export(
        &self,
        sink: impl FnMut(Vec<u8>) -> std::io::Result<()>,
    ) -> Result<ExportSummary, BackupError> {
        let snapshot = self.store.snapshot()?;
        catch_unwind(AssertUnwindSafe(|| moving::write(&snapshot, sink)))
            .unwrap_or_else(|panic| Err(BackupError::Store(panic_message(&*panic))))
    }

    /// Writes a backup to a new file, which appears at `path` when it is whole. `pace` is called with
    /// the number of bytes of each piece; it may wait, and its error ends the backup.
    pub fn backup_to(
        &self,
        path: &Path,
        mut pace: impl FnMut(usize) -> std::io::Result<()>,
    ) -> Result<Summary, BackupError> {
        create_whole(path, |file| {
            let mut writer = SteadyWriter::new(&file);
            self.backup(|piece| {
                pace(piece.len())?;
                writer.write_all(&piece)
            })
        })
    }

    /// The length of the store file; 0 without one.
    pub fn store_bytes(&self) -> u64 {
        self.store.path().metadata().map_or(0, |file| file.len())
    }

    /// What each table holds. Visits every page of the store.
    pub fn table_stats(&self) -> Result<Vec<TableStats>, Refusal> {
        self.read(|snapshot| Ok(backup::table_stats(snapshot)?))
    }

    /// The events after a place of their order that a webhook wants: at most `limit` messages and as
    /// many others, and some 4 MiB of text.
    pub fn events_after(
        &self,
        after: EventPosition,
        wanted: Wanted,
        limit: usize,
    ) -> Result<EventPage, Refusal> {
        self.read(|snapshot| Ok(event_log::after(snapshot, after, wanted, limit)?))
    }

    /// The newest place of the order of events.
    pub fn newest_event(&self) -> Result<EventPosition, Refusal> {
        self.read(|snapshot| Ok(event_log::newest(snapshot)?))
    }

    /// The runs of all gateways that share this store's log, by number; of one without a log, its own.
    pub fn runs(&self) -> Result<Vec<RunView>, Refusal> {
        self.read(|snapshot| Ok(rules::runs(snapshot)?))
    }

    /// Every webhook that was declared, by name.
    pub fn webhooks(&self) -> Result<Vec<WebhookState>, Refusal> {
        self.read(|snapshot| Ok(event_log::webhooks(snapshot)?))
    }

    /// The dead letters of a webhook after a place of the order of events, at most `limit`.
    pub fn dead_letters(
        &self,
        webhook: &str,
        after: EventPosition,
        limit: usize,
    ) -> Result<Vec<DeadLetterView>, Refusal> {
        self.read(|snapshot| Ok(event_log::dead_letters(snapshot, webhook, after, limit)?))
    }

    /// Every row of the newest committed state, as bytes: for tests that compare stores.
    #[doc(hidden)]
    pub fn dump(&self) -> Result<Dump, Refusal> {
        self.read(|snapshot| Ok(snapshot.dump()?))
    }

    /// The number of commands that wait for the writer.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Whether the writer makes progress, compared with an earlier heartbeat.
    pub fn heartbeat(&self) -> Heartbeat {
        self.queue.heartbeat()
    }

    /// Why the engine refuses commands: the store has failed, and the engine is opening it again.
    /// `None` as soon as it has.
    pub fn failure(&self) -> Option<String> {
        self.queue.failure()
    }

    /// How often the store has failed since it was opened, recovered or not.
    pub fn failures(&self) -> u64 {
        self.queue.failures()
    }

    /// Why the store failed the last time, recovered or not.
    pub fn last_failure(&self) -> Option<String> {
        self.queue.last_failure()
    }

    /// Waits until the engine has recovered from a failure, or is stopped: for tests.
    #[doc(hidden)]
    pub fn wait_for_recovery(&self) {
        self.queue.wait_for_recovery();
    }

    /// The open store file; none on a backend other than a file.
    pub fn store_file(&self) -> Option<FileId> {
        self.store.file()
    }

    /// Checks that the path of the store still names the file that is open, and returns what is
    /// wrong with the store. The writer checks it before each commit, too, and refuses commands. To be
    /// called every second.
    pub fn check_store(&self) -> Option<String> {
        let misplaced = self.store.find_file().err();
        *self.misplaced.lock().unwrap_or_else(PoisonError::into_inner) = misplaced;
        self.problem()
    }

    /// What is wrong with the store: its failure, or what the last `check_store` found.
    pub fn problem(&self) -> Option<String> {
        let misplaced = || self.misplaced.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.failure().or_else(misplaced)
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
