//! How a store comes to follow the log of a cluster: it begins one, takes a snapshot of one, or goes on
//! when the servers have lost theirs.
//!
//! Each step can be repeated after one that was cut short: what an earlier attempt has left is found,
//! and used.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use core_cluster::{Cluster, Error, LogId, LogInfo, Position, Snapshot};
use core_engine::{Followed, OpenError, sync_folder};

use super::error::MembershipError;
use super::snapshots::{self, with_suffix};
use super::{log_id, log_number, settings};
use crate::config::{ClusterConfig, StoreConfig};
use crate::private_folder;
use crate::store_preview::quietly;

/// What a store is to a cluster.
enum StoreState {
    Missing,
    /// It follows no log.
    Alone,
    Follows(Followed),
    /// It was found to differ from the others, at this entry.
    Diverged(u64),
    /// Its file is damaged.
    Damaged(String),
}

/// What came of [`join`].
#[derive(Debug)]
pub enum Joined {
    /// The store follows the log already, and can go on.
    GoesOn { applied: u64 },
    /// It was made from this snapshot. The former one is kept.
    From { snapshot: Snapshot, kept: Option<PathBuf> },
}

/// Makes the log, has the store follow it, and puts the store as the first snapshot. A missing store
/// is created.
pub async fn init(
    config: &ClusterConfig,
    store: &StoreConfig,
) -> Result<(LogInfo, Snapshot), MembershipError> {
    let path = &store.path;
    let cluster = Cluster::connect(settings(config)).await?;
    let state = state(store)?;
    let log = match state {
        StoreState::Missing | StoreState::Alone => {
            make_folder(path)?;
            let log = make_log(&cluster, config, Position(0)).await?;
            quietly(|| core_engine::follow_log(path, log_number(&log.id), 0))?;
            log
        }
        // An earlier attempt ended before its snapshot was there.
        StoreState::Follows(Followed { log, applied: 0, .. })
            if cluster.info().await.is_ok_and(|found| log_number(&found.id) == log) =>
        {
            cluster.info().await?
        }
        StoreState::Follows(Followed { log, applied, .. }) => {
            let log = log_id(log).to_string();
            return Err(MembershipError::Member { path: path.clone(), log, applied });
        }
        StoreState::Diverged(position) => return Err(condemned(path, position)),
        StoreState::Damaged(why) => return Err(damaged(path, why)),
    };
    let snapshot = snapshots::put_store(&cluster, store).await?;
    Ok((log, snapshot))
}

/// Makes the store from the newest snapshot, unless there is one that can go on. `replaces`: one that is
/// something else is kept under another name.
pub async fn join(
    config: &ClusterConfig,
    store: &StoreConfig,
    replaces: bool,
) -> Result<Joined, MembershipError> {
    let path = &store.path;
    let state = state(store)?;
    let cluster = Cluster::connect(settings(config)).await?;
    let log = cluster.info().await?;
    let in_the_way = |what: String| Err(MembershipError::InTheWay { path: path.clone(), what });
    let exists = !matches!(state, StoreState::Missing);
    match state {
        StoreState::Missing => (),
        StoreState::Follows(Followed { log: own, applied, .. }) if log_id(own) == log.id => {
            if applied > log.last.0 {
                return Err(Error::Rewound { applied, last: log.last.0 }.into());
            }
            if applied + 1 >= log.first.0 {
                return Ok(Joined::GoesOn { applied });
            }
            // It is behind, and has nothing that the snapshot has not.
        }
        _ if replaces => (),
        StoreState::Follows(Followed { log: own, .. }) => {
            return in_the_way(format!(
                "follows the log {}, and cluster.name = {:?} has the log {}",
                log_id(own),
                config.name,
                log.id
            ));
        }
        StoreState::Alone => return in_the_way("follows no log".into()),
        StoreState::Diverged(position) => {
            return in_the_way(format!("{DIFFERS} (at entry {position})"));
        }
        StoreState::Damaged(why) => return in_the_way(format!("is damaged ({why})")),
    }
    let snapshot = cluster.snapshots().newest(&log.id).await?;
    if snapshot.position.0 + 1 < log.first.0 {
        let (snapshot, first) = (snapshot.position.0, log.first.0);
        return Err(MembershipError::Gap { snapshot, first });
    }
    make_folder(path)?;
    let kept = with_suffix(path, ".replaced");
    if exists && kept.exists() {
        let why = "an earlier store was kept there; move it away, and join again";
        return Err(of_file(&kept)(io::Error::new(io::ErrorKind::AlreadyExists, why)));
    }
    let made = with_suffix(path, ".joining");
    snapshots::fetch(&cluster, &snapshot, store, &made).await?;
    let kept = exists.then(|| keep(path)).transpose()?;
    fs::rename(&made, path).and_then(|()| sync_folder(path)).map_err(of_file(path))?;
    Ok(Joined::From { snapshot, kept })
}

/// Makes a log that goes on after what this store has applied, and puts the store as its snapshot.
/// `discards`: a log that is there is removed.
pub async fn recover(
    config: &ClusterConfig,
    store: &StoreConfig,
    discards: bool,
) -> Result<(LogInfo, Snapshot), MembershipError> {
    let path = store.path.clone();
    let followed = match state(store)? {
        StoreState::Follows(followed) => followed,
        StoreState::Diverged(position) => return Err(condemned(&path, position)),
        StoreState::Damaged(why) => return Err(damaged(&path, why)),
        StoreState::Missing | StoreState::Alone => return Err(MembershipError::NoMember { path }),
    };
    let (own, applied) = (log_id(followed.log), followed.applied);
    let cluster = Cluster::connect(settings(config)).await?;
    let found = match found(&cluster).await {
        // Nothing mends a log whose entries may be missing.
        Err(Error::StreamSetting { .. }) if discards => {
            cluster.remove().await?;
            None
        }
        found => found?,
    };
    if let Some(found) = found {
        let (first, last, log) = (found.first.0, found.last.0, found.id.to_string());
        if found.id == own && first <= applied + 1 && last >= applied {
            if cluster.snapshots().list(&own).await?.is_empty() {
                // An earlier attempt ended before its snapshot was there.
                let snapshot = snapshots::put_store(&cluster, store).await?;
                return Ok((found, snapshot));
            }
            if !discards {
                return Err(MembershipError::Sound { path, log, applied });
            }
        }
        if !is_begun(&cluster, &found, Position(applied)).await? {
            if !discards {
                let own = own.to_string();
                return Err(MembershipError::InTheLog { path, log, first, last, own, applied });
            }
            cluster.remove().await?;
        }
    }
    let log = make_log(&cluster, config, Position(applied)).await?;
    quietly(|| core_engine::replace_log(&path, store.cache_bytes, log_number(&log.id)))?;
    let snapshot = snapshots::put_store(&cluster, store).await?;
    Ok((log, snapshot))
}

/// Has a gateway that is about to start find a store that can follow the log, if a snapshot helps:
/// there is no store, or the log has gone on without it for too long.
pub async fn prepare(config: &ClusterConfig, store: &StoreConfig) -> Result<(), MembershipError> {
    let joined = match state(store)? {
        StoreState::Missing => join(config, store, false).await?,
        StoreState::Follows(_) => match join(config, store, false).await {
            Ok(joined) => joined,
            // It opens the log once the servers are there, and says what is wrong with it.
            Err(MembershipError::Log(_)) => return Ok(()),
            Err(error) => return Err(error),
        },
        // Opening it says why it cannot go on.
        StoreState::Alone | StoreState::Diverged(_) | StoreState::Damaged(_) => return Ok(()),
    };
    if let Joined::From { snapshot: Snapshot { position, .. }, .. } = joined {
        tracing::info!(%position, "made the store from the newest snapshot of the cluster");
    }
    Ok(())
}

/// What the store of this machine is, for a report.
#[derive(Debug)]
pub enum Standing {
    /// The gateway has it open.
    InUse,
    Missing,
    Alone,
    Follows {
        log: LogId,
        applied: u64,
    },
    /// It was found to differ from the others, at this entry.
    Condemned {
        at: u64,
    },
    Unreadable(String),
}

/// Looks at a store that no process has open.
pub fn standing(store: &StoreConfig) -> Standing {
    match state(store) {
        Err(OpenError::Locked { .. }) => Standing::InUse,
        Err(error) => Standing::Unreadable(error.to_string()),
        Ok(StoreState::Missing) => Standing::Missing,
        Ok(StoreState::Alone) => Standing::Alone,
        Ok(StoreState::Follows(Followed { log, applied, .. })) => {
            Standing::Follows { log: log_id(log), applied }
        }
        Ok(StoreState::Diverged(at)) => Standing::Condemned { at },
        Ok(StoreState::Damaged(why)) => Standing::Unreadable(format!("is damaged: {why}")),
    }
}

fn state(store: &StoreConfig) -> Result<StoreState, OpenError> {
    if !store.path.exists() {
        return Ok(StoreState::Missing);
    }
    match quietly(|| core_engine::followed(&store.path, store.cache_bytes)) {
        Ok(Some(followed)) => Ok(StoreState::Follows(followed)),
        Ok(None) => Ok(StoreState::Alone),
        Err(OpenError::Diverged { position, .. }) => Ok(StoreState::Diverged(position)),
        Err(OpenError::Damaged { why, .. }) => Ok(StoreState::Damaged(why)),
        Err(error) => Err(error),
    }
}

/// The log, if there is one.
async fn found(cluster: &Cluster) -> Result<Option<LogInfo>, Error> {
    match cluster.info().await {
        Ok(info) => Ok(Some(info)),
        Err(Error::NoLog { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the log, unless an earlier attempt has.
async fn make_log(
    cluster: &Cluster,
    config: &ClusterConfig,
    after: Position,
) -> Result<LogInfo, Error> {
    match found(cluster).await {
        // It waits for servers that have just been started.
        Err(error) if error.is_passing() => cluster.init(after).await,
        Err(error) => Err(error),
        Ok(None) => cluster.init(after).await,
        Ok(Some(found)) if is_begun(cluster, &found, after).await? => Ok(found),
        Ok(Some(found)) => Err(Error::LogExists { name: config.name.clone(), id: found.id }),
    }
}

/// Whether the log was made to begin there, and nothing has come of it yet.
async fn is_begun(cluster: &Cluster, log: &LogInfo, after: Position) -> Result<bool, Error> {
    let is_empty = log.last == after && log.first.0 <= after.0 + 1 && log.bytes == 0;
    Ok(is_empty && cluster.snapshots().list(&log.id).await?.is_empty())
}

const DIFFERS: &str = "was found to differ from those of most other nodes";

fn condemned(path: &Path, position: u64) -> MembershipError {
    MembershipError::Condemned { path: path.to_owned(), what: DIFFERS, position }
}

fn damaged(path: &Path, why: String) -> MembershipError {
    MembershipError::Damaged { path: path.to_owned(), why }
}

/// Gives a store another name.
fn keep(path: &Path) -> Result<PathBuf, MembershipError> {
    let kept = with_suffix(path, ".replaced");
    core_engine::rename_new(path, &kept).map_err(of_file(&kept))?;
    Ok(kept)
}

fn make_folder(path: &Path) -> Result<(), MembershipError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    private_folder::make(folder).map_err(of_file(folder))
}

fn of_file(path: &Path) -> impl FnOnce(io::Error) -> MembershipError + '_ {
    |error| MembershipError::File { path: path.to_owned(), error }
}
