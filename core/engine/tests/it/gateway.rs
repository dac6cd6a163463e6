//! An engine under test: one command at a time, or several in one commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use core_engine::{Done, Engine, Envelope, FrontendSettings, Options};
use core_model::{Command, ConnectionId, Outcome, Query, Recorded, Refusal, Reply, Timestamp};
use tempfile::TempDir;

use crate::build::a_no_op;
use crate::memory::Memory;
use crate::say;

/// Where the store is.
enum StoreLocation {
    Folder(TempDir),
    File(PathBuf),
    Memory(Memory),
}

/// A gateway without sockets. Its clock stands still unless it is set.
///
/// The writer thread waits after each batch that it publishes, so that the test, not the scheduler,
/// decides which commands share a commit.
pub(crate) struct Gateway {
    location: StoreLocation,
    running: Option<Running>,
    /// The time of the next command and query.
    pub(crate) now: u64,
    /// Steady time, where it is not the same.
    pub(crate) steady: Option<u64>,
    /// The front end that commands come from.
    pub(crate) frontend: FrontendSettings,
    /// The peer that commands come from.
    pub(crate) address: Option<u128>,
}

struct Running {
    engine: Engine<usize>,
    published: Receiver<Vec<Done<usize>>>,
    /// Lets the writer go on to the next batch.
    go_on: Sender<()>,
}

impl Running {
    fn start(location: &StoreLocation) -> Self {
        let (publish, published) = channel();
        let (go_on, held) = channel::<()>();
        let publish = move |batch: Vec<Done<usize>>| {
            let _ = publish.send(batch);
            // An error means that the test is over.
            let _ = held.recv();
        };
        let options = Options { cache_bytes: 4 << 20, ..Options::default() };
        let engine = match location {
            StoreLocation::Folder(folder) => Engine::open(&store_in(folder), options, publish),
            StoreLocation::File(path) => Engine::open(path, options, publish),
            StoreLocation::Memory(memory) => {
                Engine::open_with_backend(memory.clone(), options, publish)
            }
        };
        let running = Self { engine: engine.expect("the store opens"), published, go_on };
        // From here on the writer waits for `go_on`.
        let first = Envelope {
            at: Timestamp(0),
            steady_ms: 0,
            connection: ConnectionId(0),
            address: None,
            frontend: Arc::default(),
            key: None,
            command: a_no_op(),
        };
        running.engine.submit(first, 0).expect("an engine that has just started takes a command");
        running.published.recv().expect("the writer answers");
        running
    }
}

fn store_in(folder: &TempDir) -> PathBuf {
    folder.path().join("store.redb")
}

impl Gateway {
    /// On a file.
    pub(crate) fn new() -> Self {
        Self::at(StoreLocation::Folder(tempfile::tempdir().expect("a folder for the store")))
    }

    /// On this file, which stays.
    pub(crate) fn on(store: PathBuf) -> Self {
        Self::at(StoreLocation::File(store))
    }

    /// On a file that is a copy of this one.
    pub(crate) fn on_a_copy_of(store: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the store");
        std::fs::copy(store, store_in(&folder)).expect("the store can be copied");
        Self::at(StoreLocation::Folder(folder))
    }

    /// In memory, for tests that make hundreds.
    pub(crate) fn in_memory() -> Self {
        Self::at(StoreLocation::Memory(Memory::default()))
    }

    fn at(location: StoreLocation) -> Self {
        let running = Some(Running::start(&location));
        let frontend =
            FrontendSettings { frontend: "test".into(), room_capacity: 500, ..Default::default() };
        Self { location, running, now: 1_000, steady: None, frontend, address: None }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the gateway runs")
    }

    pub(crate) fn envelope(&self, connection: u64, command: Command) -> Envelope {
        Envelope {
            at: Timestamp(self.now),
            steady_ms: self.steady.unwrap_or(self.now),
            connection: ConnectionId(connection),
            address: self.address,
            frontend: Arc::new(self.frontend.clone()),
            key: None,
            command,
        }
    }

    /// Carries out these commands in one commit.
    pub(crate) fn batch(&self, envelopes: Vec<Envelope>) -> Vec<(Outcome, Vec<Recorded>)> {
        let running = self.running();
        let count = envelopes.len();
        for (ticket, envelope) in envelopes.into_iter().enumerate() {
            running.engine.submit(envelope, ticket).expect("the engine takes the command");
        }
        running.go_on.send(()).expect("the writer waits to go on");
        let done = running.published.recv().expect("the writer answers");
        assert_eq!(done.len(), count, "the commands were in one commit");
        for (place, done) in done.iter().enumerate() {
            assert_eq!(done.ticket, Some(place), "answers come in the order of the commands");
        }
        done.into_iter().map(|done| (done.outcome, done.events)).collect()
    }

    /// Carries out one command on this connection.
    pub(crate) fn call(&self, connection: u64, command: Command) -> (Outcome, Vec<Recorded>) {
        self.call_as_is(self.envelope(connection, command))
    }

    pub(crate) fn call_as_is(&self, envelope: Envelope) -> (Outcome, Vec<Recorded>) {
        self.batch(vec![envelope]).pop().expect("one command, one answer")
    }

    /// The reply to a command that must be carried out.
    #[track_caller]
    pub(crate) fn does(&self, connection: u64, command: Command) -> Reply {
        let shown = format!("{command:?}");
        self.call(connection, command).0.unwrap_or_else(|refusal| panic!("{refusal}: {shown}"))
    }

    /// The refusal of a command that must be refused without events.
    #[track_caller]
    pub(crate) fn refuses(&self, connection: u64, command: Command) -> Refusal {
        let shown = format!("{command:?}");
        let (outcome, events) = self.call(connection, command);
        assert_eq!(events, [], "a refused command has no events: {shown}");
        outcome.err().unwrap_or_else(|| panic!("not refused: {shown}"))
    }

    /// The events of a command that must be carried out.
    #[track_caller]
    pub(crate) fn tells(&self, connection: u64, command: Command) -> Vec<String> {
        let shown = format!("{command:?}");
        let (outcome, events) = self.call(connection, command);
        assert!(outcome.is_ok(), "{outcome:?}: {shown}");
        events.iter().map(|recorded| say::event(&recorded.event)).collect()
    }

    pub(crate) fn ask(&self, query: &Query) -> Outcome {
        self.ask_on(0, query)
    }

    pub(crate) fn ask_on(&self, connection: u64, query: &Query) -> Outcome {
        self.engine().query(Timestamp(self.now), ConnectionId(connection), query).outcome
    }

    pub(crate) fn engine(&self) -> &Engine<usize> {
        &self.running().engine
    }

    /// Stops the engine, as the gateway does when it ends, and opens the store again.
    pub(crate) fn reopen(&mut self) {
        self.halt();
        self.running = Some(Running::start(&self.location));
    }

    /// As [`reopen`](Self::reopen); what the engine left must be whole.
    pub(crate) fn reopen_checked(&mut self) {
        self.halt();
        let report = match &self.location {
            StoreLocation::Folder(folder) => core_engine::check(&store_in(folder), 1 << 20),
            StoreLocation::File(path) => core_engine::check(path, 1 << 20),
            StoreLocation::Memory(memory) => core_engine::check_backend(memory.clone()),
        };
        let report = report.expect("the store opens");
        assert_eq!(report.faults, Vec::<String>::new());
        self.running = Some(Running::start(&self.location));
    }

    fn halt(&mut self) {
        let Some(Running { engine, go_on, published }) = self.running.take() else { return };
        drop(go_on);
        engine.stop();
        drop(engine);
        // The callback sends to it until the engine is gone.
        drop(published);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.halt();
    }
}
