//! One replicated log of opaque entries on NATS JetStream, and snapshots in its object store.
//!
//! This crate knows servers, streams and consumers, and nothing of what an entry says. The host joins
//! it to the engine, whose `Log` decodes entries and decides what counts. The tests in `tests/it` kill,
//! stop and cut real servers.
//!
//! # What the log promises
//!
//! * All readers get the same entries in the same order, each with its [`Position`] and the time at
//!   which the log took it. Nothing is left out: where that cannot be kept, [`Reader::next_batch`] ends with
//!   a sentence ([`Error::Truncated`], [`Error::Rewound`], [`Error::OtherLog`]).
//! * A proposed entry comes, in the order of its node's proposals, **at least once**. Exactly once is
//!   the engine's: it applies an entry iff its number `e` is the next of its run, so that a repeat and
//!   an entry that overtook a lost one are both void. A repeat has the same bytes.
//! * What an entry's acknowledgement says is not told to the host. An entry counts when this node has
//!   read it back and applied it, which is after a majority of the servers has it.
//! * Messages that no node of this log wrote are left out by all readers alike, with an error in the
//!   log of the program.
//!
//! # How to use it
//!
//! ```no_run
//! # use core_cluster::{Cluster, Error, LogId, Position, Settings};
//! # fn applied_to() -> (Position, Option<LogId>) { (Position(0), None) }
//! # fn apply(_: &core_cluster::Entry) -> Option<u64> { None }
//! # async fn example() -> Result<(), Error> {
//! let servers = vec!["nats://a:4222".to_owned(), "nats://b:4222".to_owned()];
//! let cluster = Cluster::connect(Settings::new("chat", servers)).await?;
//! let (position, id) = applied_to(); // of the store
//! let mut log = cluster.open(position, id.as_ref()).await?;
//! let handle = log.handle.clone(); // for the threads that propose
//! std::thread::spawn(move || {
//!     // The engine's writer.
//!     while let Ok(batch) = log.reader.next_batch() {
//!         let own = batch.entries.iter().filter_map(apply).max();
//!         log.handle.applied(batch.position, own);
//!     }
//! });
//! handle.propose(1, bytes::Bytes::from_static(b"the first entry of this run"))?;
//! # Ok(()) }
//! ```
//!
//! The host owes this much:
//!
//! * It stores [`Batch::position`] and the log's id in the transaction that applies a batch, and then
//!   calls [`LogHandle::applied`], for entries without bytes too. `own` is the highest number of this node's
//!   run that the engine *applied*; void entries and repeats do not count.
//! * It proposes something at least once a second, if only an empty batch of commands: from that this
//!   crate sees that the node is not cut off ([`LogHandle::is_cut_off`]), and finds an entry that the
//!   servers have lost.
//! * It numbers the entries of a run without gaps, and calls [`LogHandle::abandon`] when it reads the
//!   end of its own run.
//! * It refuses commands while the node is cut off. At [`Link::NoLeader`] it keeps its connections; at
//!   [`Link::Gone`] it closes them.
//! * An entry that it cannot decode is [`Error::UnknownEntry`], and the end.
//! * Before it leaves, it waits until [`Health::outstanding`] is 0: dropping the reader drops what was
//!   proposed.
//! * After the end of the log it opens it again only with a store that may follow it.
//!
//! [`Reader`] blocks and is for a thread; [`LogHandle`] neither blocks nor waits, but for
//! [`LogHandle::fresh`]. What is `async` needs a tokio runtime with time and I/O, where the tasks of an
//! open log run. [`Cluster::connect`] tries each server once; [`Error::is_passing`] says whether trying
//! again makes sense. An open log goes through every trouble of the servers by itself.

mod barrier;
mod channel;
mod check;
mod connection;
mod error;
mod log;
mod names;
mod outstanding;
mod proposer;
mod reader;
mod settings;
mod snapshots;
mod state;
mod stream;

pub use channel::{Batch, Entry};
pub use check::{Report, Server};
pub use error::Error;
pub use log::{Log, LogHandle, Reader};
pub use names::{LogId, Position};
pub use settings::{Credentials, ENTRY_BYTES_MAX, Settings, Tls};
pub use snapshots::{Snapshot, Snapshots};
pub use state::{Counts, Health, Link};
pub use stream::LogInfo;

use connection::Connection;

/// The servers of a cluster, connected.
#[derive(Debug, Clone)]
pub struct Cluster {
    connection: Connection,
    settings: Settings,
}

impl Cluster {
    /// Connects to one of the servers, and sees that it is new enough and lets this gateway use
    /// JetStream.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let connection = Connection::open(&settings, &settings.servers).await?;
        Ok(Self { connection, settings })
    }

    /// Makes the log. It begins after `after`, which is 0 but for a log that follows a lost one.
    /// Waits some seconds for servers that have just been started.
    pub async fn init(&self, after: Position) -> Result<LogInfo, Error> {
        stream::create(&self.connection, &self.settings, after).await
    }

    /// Removes the log with all of its entries. The next one begins with what some store has applied, and
    /// all other nodes with its snapshot.
    pub async fn remove(&self) -> Result<(), Error> {
        stream::remove(&self.connection, &self.settings).await
    }

    /// The log as the servers have it, after a look at what must not have been changed.
    pub async fn info(&self) -> Result<LogInfo, Error> {
        stream::check_account(&self.connection).await?;
        stream::info(&self.connection, &self.settings).await
    }

    /// Follows the log after `applied`. A store that follows a log gives its id; an empty one has
    /// none, and keeps that of the handle.
    pub async fn open(&self, applied: Position, id: Option<&LogId>) -> Result<Log, Error> {
        let info = self.info().await?;
        if let Some(wanted) = id
            && *wanted != info.id
        {
            let (name, wanted) = (self.settings.name.clone(), wanted.clone());
            return Err(Error::OtherLog { name, found: info.id, wanted });
        }
        stream::check_reach(&info, applied)?;
        Ok(log::start(self.connection.clone(), self.settings.clone(), info.id, applied))
    }

    /// The name of the server at the other end, which changes with each reconnection.
    pub fn server_name(&self) -> String {
        self.connection.client.server_info().server_name
    }

    pub fn snapshots(&self) -> Snapshots {
        Snapshots::new(self.connection.clone(), self.settings.clone())
    }

    /// Asks each server by itself, and what an operator should know.
    pub async fn check(settings: &Settings) -> Result<Report, Error> {
        check::check(settings).await
    }
}
