//! A gateway of a cluster: the log of `core-cluster` as the log of the engine.
//!
//! What is submitted to the engine goes to the [`proposer`], which writes it into entries; the engine
//! applies what the [`log`] reads back, those entries and the other gateways'. Between the two, the
//! [`Node`] keeps the tickets of own commands until their entry is applied, and gives them back in its
//! order. A command whose entry cannot be applied any more, as the run has ended, is refused.

mod error;
mod log;
pub mod membership;
mod node;
mod proposer;
mod snapshots;
mod standing;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use core_cluster::{Cluster, Error, LogId, LogInfo, Position, Reader, Settings};
use core_engine::{Done, Engine, Followed, OpenError, Options, Submitted};

use crate::config::{ClusterConfig, Sync};
use log::EngineLog;
pub use membership::prepare;
pub use node::{EntryCounts, Node};
pub use snapshots::keep;

/// Between two attempts to reach the servers.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Between two lines of the log that say why they are not reached.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(10);

/// What `core-cluster` needs of `[cluster]`.
pub fn settings(config: &ClusterConfig) -> Settings {
    config.settings()
}

/// Why a cluster is not begun or joined.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error(transparent)]
    Log(#[from] Error),
    #[error(transparent)]
    Store(#[from] OpenError),
}

/// Makes the log of a cluster, and has the store follow it from its beginning: what is in the store is
/// where the cluster begins. Another gateway has to begin with a copy of it.
pub async fn begin(config: &ClusterConfig, store: &Path) -> Result<LogInfo, MemberError> {
    let log = Cluster::connect(settings(config)).await?.init(Position(0)).await?;
    core_engine::follow_log(store, log_number(&log.id), 0)?;
    Ok(log)
}

/// Has a store follow the log of a cluster from its beginning: a copy of what the cluster has begun
/// with, or an empty one if that was empty.
pub async fn join(config: &ClusterConfig, store: &Path) -> Result<LogInfo, MemberError> {
    let log = Cluster::connect(settings(config)).await?.info().await?;
    core_engine::follow_log(store, log_number(&log.id), 0)?;
    Ok(log)
}

/// The engine's number of a log.
pub fn log_number(id: &LogId) -> u64 {
    u64::from_str_radix(id.as_str(), 16).expect("an id has 16 hexadecimal digits")
}

/// The id of the log that a store calls by this number.
pub fn log_id(number: u64) -> LogId {
    LogId::parse(&format!("{number:016x}")).expect("an id has 16 hexadecimal digits")
}

/// An engine that follows a log, before the log is open.
pub struct Joining<T> {
    node: Arc<Node<T>>,
    followed: Followed,
    submitted: Submitted<T>,
    reader: mpsc::Sender<Reader>,
}

/// As [`Engine::open_timed`], with a store that follows a log.
pub fn follow<T: Send + 'static>(
    (path, options): (&Path, Options),
    (node, sync): (Arc<Node<T>>, Sync),
    on_batch: impl FnMut() + Send + 'static,
    publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
) -> Result<(Engine<T>, Joining<T>), OpenError> {
    let (reader, coming) = mpsc::channel();
    let mut ends = None;
    let log = EngineLog::new(node.clone(), sync, coming);
    let engine = Engine::follow(path, options, on_batch, publish, |followed, submitted| {
        ends = Some((followed, submitted));
        log
    })?;
    let (followed, submitted) = ends.expect("the log was made");
    Ok((engine, Joining { node, followed, submitted, reader }))
}

impl<T: Send + 'static> Joining<T> {
    /// Opens the log, however long the servers take to be reached; what waiting does not mend is an
    /// error.
    pub async fn open(self, config: &ClusterConfig) -> Result<(), Error> {
        let Followed { log, applied, rules } = self.followed;
        let id = log_id(log);
        let mut complained: Option<Instant> = None;
        let log = loop {
            let error = match open(config, Position(applied), &id).await {
                Ok(log) => break log,
                Err(error) if error.is_passing() => error,
                Err(error) => return Err(error),
            };
            if complained.is_none_or(|at| at.elapsed() >= COMPLAINT_PERIOD) {
                tracing::warn!("the log of the cluster is awaited: {error}");
                complained = Some(Instant::now());
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        };
        let Self { node, submitted, reader, .. } = self;
        tracing::info!(cluster = config.name, node = node.name(), log = %id, applied, "follows");
        node.standing().begin(rules);
        node.opened(log.handle);
        let proposer = std::thread::Builder::new().name("cluster-proposer".into());
        let spawned = proposer.spawn(move || proposer::run(&node, &submitted));
        let what = "start a thread".to_owned();
        spawned.map_err(|error| Error::Refused { what, why: error.to_string() })?;
        // The other end is gone with an engine that was stopped.
        drop(reader.send(log.reader));
        Ok(())
    }
}

async fn open(
    config: &ClusterConfig,
    applied: Position,
    id: &LogId,
) -> Result<core_cluster::Log, Error> {
    Cluster::connect(settings(config)).await?.open(applied, Some(id)).await
}
