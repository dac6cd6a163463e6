//! An open log: the ends that the host joins to the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::barrier;
use crate::channel::{Batch, Channel};
use crate::connection::Connection;
use crate::error::Error;
use crate::names::{LogId, Position};
use crate::proposer::{self, Publisher};
use crate::reader;
use crate::settings::{ENTRY_BYTES_MAX, Settings};
use crate::state::{Counts, GONE_AFTER, Health, Link, State};

/// How often `Health` is looked at.
const HEALTH_TICK: Duration = Duration::from_millis(100);

/// The log from a position on. Dropping the reader ends all of it.
#[derive(Debug)]
pub struct Log {
    /// For the thread that applies.
    pub reader: Reader,
    /// For all others.
    pub handle: LogHandle,
}

/// The end that the engine's writer reads.
#[derive(Debug)]
pub struct Reader {
    channel: Arc<Channel>,
    tasks: Vec<JoinHandle<()>>,
}

impl Reader {
    /// Blocks until there is something, and returns all that waits, up to some megabytes. An error is
    /// the end: the log cannot be followed from here, and nothing was left out before it.
    pub fn next_batch(&mut self) -> Result<Batch, Error> {
        let batch = self.channel.next(None)?;
        Ok(batch.expect("only a bounded wait ends with nothing"))
    }

    /// As `next_batch`, but returns nothing when nothing came in this time.
    pub fn next_batch_within(&mut self, patience: Duration) -> Result<Option<Batch>, Error> {
        self.channel.next(Some(patience))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.channel.close(Error::Closed);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The end that proposes, and that knows how things are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogHandle {
    id: LogId,
    state: Arc<State>,
    channel: Arc<Channel>,
    barriers: mpsc::UnboundedSender<barrier::Request>,
    health: watch::Receiver<Health>,
}

impl LogHandle {
    pub fn id(&self) -> &LogId {
        &self.id
    }

    /// Sends an entry, and keeps it until `applied` names it. Never blocks. `e` is the number of the
    /// one before plus one; the first may be any. Fails when the entry is too large or too much
    /// waits; then the number is still free.
    pub fn propose(&self, e: u64, bytes: Bytes) -> Result<(), Error> {
        assert!(!bytes.is_empty(), "an empty entry is a barrier");
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(Error::EntryTooLarge { bytes: bytes.len(), max: ENTRY_BYTES_MAX });
        }
        let mut outstanding = self.state.outstanding.lock();
        if !outstanding.push(e, bytes) {
            let (entries, bytes) = (outstanding.len(), outstanding.bytes());
            return Err(Error::Backlog { entries, bytes });
        }
        drop(outstanding);
        self.state.proposed.notify_one();
        Ok(())
    }

    /// The engine has applied the log to `position`, and this node's entries to `own`. For each batch
    /// of the reader, after its commit.
    pub fn applied(&self, position: Position, own: Option<u64>) {
        self.state.note_applied(position, own);
    }

    /// Drops what was proposed: this node's run has ended, and its entries are void. The next entry
    /// may have any number.
    pub fn abandon(&self) {
        self.state.forget_own();
    }

    /// Returns when this node has applied all that any node had answered before the call.
    pub async fn fresh(&self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.barriers.send(answer).map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Whether no own entry was seen applied for two seconds. True until the first was.
    pub fn is_cut_off(&self) -> bool {
        self.state.is_cut_off()
    }

    /// How things are, a tenth of a second ago at most.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// For those who wait for a change.
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    pub fn counts(&self) -> Counts {
        self.state.counts()
    }

    /// Ends the log: `Reader::next_batch` returns what waits, and then `Error::Closed`.
    pub fn close(&self) {
        self.channel.close(Error::Closed);
    }
}

pub(crate) fn start(
    connection: Connection,
    settings: Settings,
    id: LogId,
    applied: Position,
) -> Log {
    let state = Arc::new(State::new(applied));
    let channel = Arc::new(Channel::default());
    let publisher = Publisher::new(connection.clone(), &settings, &id);
    let (barriers, requests) = mpsc::unbounded_channel();
    let health = watch::Sender::new(look(&connection, &state, None, &settings));
    let handle = LogHandle {
        id: id.clone(),
        state: state.clone(),
        channel: channel.clone(),
        barriers,
        health: health.subscribe(),
    };
    let reading = reader::Task {
        connection: connection.clone(),
        settings: settings.clone(),
        id,
        state: state.clone(),
        channel: channel.clone(),
        gap: (0, 0),
    };
    let proposing = proposer::Task::new(publisher.clone(), state.clone());
    let ending = channel.clone();
    let reading_ends = channel.clone();
    let tasks = vec![
        tokio::spawn(async move { reading_ends.close(reading.run().await) }),
        tokio::spawn(async move { ending.close(proposing.run().await) }),
        tokio::spawn(barrier::run(publisher, state.clone(), requests)),
        tokio::spawn(keep_looking(connection, state, health, settings)),
    ];
    Log { reader: Reader { channel, tasks }, handle }
}

async fn keep_looking(
    connection: Connection,
    state: Arc<State>,
    health: watch::Sender<Health>,
    settings: Settings,
) {
    let mut tick = tokio::time::interval(HEALTH_TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut down_since = None;
    loop {
        tick.tick().await;
        down_since =
            if connection.is_up() { None } else { down_since.or_else(|| Some(Instant::now())) };
        let now = look(&connection, &state, down_since, &settings);
        health.send_if_modified(|known| {
            let is_new = *known != now;
            *known = now;
            is_new
        });
    }
}

fn look(
    connection: &Connection,
    state: &State,
    down_since: Option<Instant>,
    settings: &Settings,
) -> Health {
    let is_cut_off = state.is_cut_off();
    let problem = if connection.is_up() {
        state.problem()
    } else {
        // What was asked last had no answer for this reason, and no other.
        let why = connection.complaint().unwrap_or_else(|| "no answer".to_owned());
        Some(Error::Unreachable { servers: settings.servers_text(), why })
    };
    let link = match down_since {
        Some(since) if since.elapsed() >= GONE_AFTER => Link::Gone,
        Some(_) => Link::Down,
        None if !connection.is_up() => Link::Down,
        None if is_cut_off && problem.is_some() => Link::NoLeader,
        None => Link::Up,
    };
    Health {
        link,
        is_cut_off,
        received: Position(state.received()),
        applied: Position(state.applied.borrow().position),
        last: Position(state.last()),
        outstanding: state.outstanding.lock().len(),
        problem,
    }
}
