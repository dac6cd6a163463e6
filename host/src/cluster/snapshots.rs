//! Snapshots: whole stores beside the log, for gateways that its entries alone do not help.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use core_cluster::{Cluster, LogInfo, Position, Snapshot};
use core_engine::{BackupError, Engine, Summary};

use super::error::MembershipError;
use super::{log_id, settings};
use crate::config::{ClusterConfig, StoreConfig};
use crate::disk_space::free_bytes;
use crate::store_preview::quietly;

/// A snapshot is put when the newest is this old,
const AGE_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// or when as much of the log came after it.
const LOG_BYTES_MAX: u64 = 4 << 30;

/// What a snapshot is on its way from the store to the servers, and back.
const SUFFIX: &str = ".snapshot";

/// Puts a snapshot of an engine's store if one is due, and returns its position. For one gateway of the
/// cluster, every few minutes. One is due, too, where the newest is in doubt. `pace` is that of a
/// [backup](Engine::backup_to).
pub async fn keep<T: Send + 'static>(
    config: &ClusterConfig,
    store: &StoreConfig,
    (engine, is_in_doubt): (Arc<Engine<T>>, bool),
    pace: impl FnMut(usize) -> io::Result<()> + Send + 'static,
) -> Result<Option<u64>, MembershipError> {
    let cluster = &Cluster::connect(settings(config)).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let log = cluster.info().await?;
    let newest = cluster.snapshots().list(&log.id).await?.into_iter().next();
    let limits = (config.log_age, config.log_bytes);
    if !is_in_doubt && !is_due(&log, newest.as_ref(), now, limits) {
        return Ok(None);
    }
    let file = with_suffix(&store.path, SUFFIX);
    check_space(&file, engine.store_bytes())?;
    let made = made(&file, move |file| engine.backup_to(file, pace)).await?;
    put(cluster, &file, &made).await.map(|snapshot| Some(snapshot.position.0))
}

/// A copy that fills the store's disk would stop the messages.
fn check_space(file: &Path, store_bytes: u64) -> Result<(), MembershipError> {
    let of_file = |error| MembershipError::File { path: file.to_owned(), error };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let free = free_bytes(folder.unwrap_or(Path::new("."))).map_err(of_file)?;
    let needed = store_bytes.saturating_add(StoreConfig::FREE_SPACE_MIN);
    if free < needed {
        let why = format!("{free} bytes are free, and a copy of the store may need {needed}");
        return Err(of_file(io::Error::other(why)));
    }
    Ok(())
}

/// Whether the newest snapshot is too old. `now` is since 1970, and the limits are those of the log: once
/// it has lost what came right after the snapshot, a gateway without a store cannot begin.
fn is_due(
    log: &LogInfo,
    newest: Option<&Snapshot>,
    now: Duration,
    (log_age, log_bytes): (Duration, u64),
) -> bool {
    let Some(newest) = newest else { return true };
    if log.first.0 > newest.position.0 + 1 {
        return true;
    }
    let entries = (log.last.0 + 1).saturating_sub(log.first.0);
    let since = log.last.0.saturating_sub(newest.position.0).min(entries);
    if since == 0 {
        return false;
    }
    let bytes = u128::from(log.bytes) * u128::from(since) / u128::from(entries.max(1));
    now.as_secs().saturating_sub(newest.at) >= AGE_MAX.min(log_age / 2).as_secs()
        || bytes >= u128::from(LOG_BYTES_MAX.min(log_bytes / 2))
}

/// Puts a store that no process has open.
pub(super) async fn put_store(
    cluster: &Cluster,
    store: &StoreConfig,
) -> Result<Snapshot, MembershipError> {
    let (file, store) = (with_suffix(&store.path, SUFFIX), store.clone());
    let back_up =
        move |file: &Path| quietly(|| core_engine::back_up(&store.path, store.cache_bytes, file));
    let made = made(&file, back_up).await?;
    put(cluster, &file, &made).await
}

/// Makes a store from a snapshot.
pub(super) async fn fetch(
    cluster: &Cluster,
    snapshot: &Snapshot,
    store: &StoreConfig,
    to: &Path,
) -> Result<(), MembershipError> {
    let file = with_suffix(&store.path, SUFFIX);
    let copied = copy(cluster, snapshot, &file).await;
    let restored = match copied {
        Ok(()) => {
            let (file, to, cache_bytes) = (file.clone(), to.to_owned(), store.cache_bytes);
            let restore = move || {
                // What an earlier attempt has left.
                let _ = fs::remove_file(&to);
                let stream = BufReader::with_capacity(1 << 20, File::open(&file)?);
                quietly(|| core_engine::restore_following(stream, &to, cache_bytes))
            };
            let restored = tokio::task::spawn_blocking(restore).await;
            restored.expect("restoring does not panic").map_err(of_backup(&store.path)).map(drop)
        }
        Err(error) => Err(error),
    };
    let _ = fs::remove_file(&file);
    restored
}

async fn copy(cluster: &Cluster, snapshot: &Snapshot, to: &Path) -> Result<(), MembershipError> {
    let failed = |error| MembershipError::File { path: to.to_owned(), error };
    let _ = fs::remove_file(to);
    let mut options = File::options();
    let file = options.write(true).create_new(true).mode(0o600).open(to).map_err(failed)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut data = cluster.snapshots().get(snapshot).await?;
    tokio::io::copy(&mut data, &mut file).await.map_err(failed)?;
    file.sync_all().await.map_err(failed)
}

async fn made(
    file: &Path,
    back_up: impl FnOnce(&Path) -> Result<Summary, BackupError> + Send + 'static,
) -> Result<Summary, MembershipError> {
    // What an earlier attempt has left.
    let _ = fs::remove_file(file);
    let to = file.to_owned();
    let made = tokio::task::spawn_blocking(move || back_up(&to)).await;
    made.expect("a backup does not panic").map_err(of_backup(file))
}

/// Puts a backup as the snapshot that it is, and removes the file.
async fn put(cluster: &Cluster, file: &Path, made: &Summary) -> Result<Snapshot, MembershipError> {
    let put = async {
        let followed = made.header.followed.as_ref();
        let followed = followed.ok_or(BackupError::FollowsNoLog).map_err(of_backup(file))?;
        let opened = tokio::fs::File::open(file).await;
        let mut data =
            opened.map_err(|error| MembershipError::File { path: file.to_owned(), error })?;
        let (id, position) = (log_id(followed.log), Position(followed.applied));
        Ok(cluster.snapshots().put(&id, position, &mut data).await?)
    };
    let put = put.await;
    let _ = fs::remove_file(file);
    put
}

fn of_backup(path: &Path) -> impl FnOnce(BackupError) -> MembershipError + '_ {
    |error| MembershipError::Backup { path: path.to_owned(), error }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use core_cluster::LogId;

    use super::*;

    fn log(last: u64, bytes: u64) -> LogInfo {
        LogInfo {
            id: LogId::parse("0123456789abcdef").unwrap(),
            first: Position(1),
            last: Position(last),
            bytes,
            bytes_max: 32 << 30,
            replicas: 3,
            peers: Vec::new(),
            leader: None,
            behind: Vec::new(),
        }
    }

    #[test]
    fn a_snapshot_is_due_when_the_newest_is_old_or_much_has_come_after_it() {
        let snapshot = |position| Snapshot {
            id: log(0, 0).id,
            position: Position(position),
            bytes: 1,
            at: 1_000,
        };
        let due_within = |log: &LogInfo, newest: Option<u64>, seconds: u64, limits| {
            let now = Duration::from_secs(1_000 + seconds);
            is_due(log, newest.map(snapshot).as_ref(), now, limits)
        };
        let week = Duration::from_secs(7 * 24 * 3600);
        let due = |log: &LogInfo, newest: Option<u64>, seconds: u64| {
            due_within(log, newest, seconds, (week, 32 << 30))
        };
        assert!(due(&log(0, 0), None, 0));
        assert!(!due(&log(1_000, 1 << 20), Some(900), 6 * 3600 - 1));
        assert!(due(&log(1_000, 1 << 20), Some(900), 6 * 3600));
        // Nothing has happened since.
        assert!(!due(&log(1_000, 1 << 20), Some(1_000), 7 * 3600));
        assert!(!due(&log(1_000, 8 << 30), Some(501), 0));
        assert!(due(&log(1_000, 8 << 30), Some(500), 0));
        // A log that keeps less has half of it as the bound.
        let hour = Duration::from_secs(3600);
        assert!(!due_within(&log(1_000, 1 << 20), Some(900), 1799, (hour, 1 << 30)));
        assert!(due_within(&log(1_000, 1 << 20), Some(900), 1800, (hour, 1 << 30)));
        assert!(due_within(&log(1_000, 1 << 30), Some(500), 0, (week, 1 << 30)));
        let lost = LogInfo { first: Position(902), ..log(1_000, 1 << 20) };
        assert!(due(&lost, Some(900), 0) && !due(&lost, Some(901), 0));
    }
}
