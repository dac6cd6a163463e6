//! Backups that the gateway makes on a schedule.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::config::{BackupConfig, StoreConfig};
use crate::disk_space::free_bytes;
use crate::private_folder;
use crate::runtime::limits::Pace;
use crate::runtime::net::state::GatewayState;
use crate::users::rfc3339;

/// How often the gateway looks whether a backup is due.
const CHECK_PERIOD: Duration = Duration::from_secs(10);

/// After a backup that failed.
const RETRY_PERIOD: Duration = Duration::from_secs(5 * 60);

const SUFFIX: &str = ".dragoman-backup";

/// Of a backup that was cut short.
const UNFINISHED: &str = ".dragoman-backup.unfinished";

/// Makes backups on schedule until the gateway drains.
pub(super) async fn run(state: Arc<GatewayState>, config: BackupConfig) {
    let mut schedule = Schedule::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHECK_PERIOD) => (),
            () = state.shutdown.draining() => return,
        }
        if !schedule.is_due(&config, Instant::now(), SystemTime::now()) {
            continue;
        }
        let made = make(&state, &config).await;
        schedule.last = Some((Instant::now(), made.is_ok()));
        if let Err(why) = made {
            state.services.metrics.backups_failed.add(1);
            let folder = config.folder.display();
            tracing::error!(
                "no backup in {folder} ([store.backup] folder): {why}; the gateway tries again in \
                 five minutes"
            );
        } else {
            state.services.metrics.backups.add(1);
        }
    }
}

/// When this run of the gateway last made a backup or failed to.
#[derive(Default)]
struct Schedule {
    last: Option<(Instant, bool)>,
}

impl Schedule {
    /// Counts elapsed time: a clock that is wrong for a while would else have a backup made again and
    /// again. Only the first of a run goes by the newest file that is not from the future.
    fn is_due(&self, config: &BackupConfig, now: Instant, clock: SystemTime) -> bool {
        match self.last {
            Some((at, true)) => now.duration_since(at) >= config.every,
            Some((at, false)) => now.duration_since(at) >= RETRY_PERIOD,
            None => {
                let found = made(&config.folder).unwrap_or_default().into_iter();
                let ages = found.filter_map(|path| {
                    clock.duration_since(path.metadata().ok()?.modified().ok()?).ok()
                });
                ages.min().is_none_or(|age| age >= config.every)
            }
        }
    }
}

async fn make(state: &Arc<GatewayState>, config: &BackupConfig) -> Result<(), String> {
    let turn = state.backup_turn.clone().acquire_owned().await.map_err(|why| why.to_string())?;
    let name = rfc3339(state.services.clock.now()).replace(':', "-");
    let path = config.folder.join(format!("{name}{SUFFIX}"));
    let (state, config) = (state.clone(), config.clone());
    let made = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let engine = &state.services.engine;
        prepare(&config, engine.store_bytes())?;
        let mut pace = Pace::begin(|| state.shutdown.is_draining());
        let made = engine.backup_to(&path, |bytes| pace.spend(bytes));
        let summary = made.map_err(|error| error.to_string())?;
        let (rows, bytes) = (summary.rows, summary.bytes);
        tracing::info!(rows, bytes, "made the backup {}", path.display());
        remove_oldest(&config, &path).map_err(|error| format!("cannot remove the oldest: {error}"))
    });
    made.await.map_err(|error| error.to_string())?
}

/// Makes the folder, removes what backups left that were cut short, and fails where there is too
/// little space: a backup that fills the store's disk would stop the messages.
fn prepare(config: &BackupConfig, store_bytes: u64) -> Result<(), String> {
    let folder = &config.folder;
    private_folder::make(folder).map_err(|error| error.to_string())?;
    for path in with_suffix(folder, UNFINISHED).map_err(|error| error.to_string())? {
        fs::remove_file(path).map_err(|error| error.to_string())?;
    }
    let free = free_bytes(folder).map_err(|error| error.to_string())?;
    let needed = store_bytes.saturating_add(StoreConfig::FREE_SPACE_MIN);
    if free < needed {
        return Err(format!("{free} bytes are free, and a backup may need {needed}; make space"));
    }
    Ok(())
}

/// The backups in a folder, the oldest first. Other files are left alone.
fn made(folder: &Path) -> io::Result<Vec<PathBuf>> {
    with_suffix(folder, SUFFIX)
}

fn with_suffix(folder: &Path, suffix: &str) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    found.retain(|path| path.as_os_str().to_string_lossy().ends_with(suffix));
    found.sort();
    Ok(found)
}

/// Removes the oldest backups, but never the newest, whatever the clock made its name.
fn remove_oldest(config: &BackupConfig, newest: &Path) -> io::Result<()> {
    let mut found = made(&config.folder)?;
    found.retain(|path| path != newest);
    found.push(newest.into());
    let superfluous = found.len().saturating_sub(config.keep as usize);
    found.iter().take(superfluous).try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path) -> BackupConfig {
        BackupConfig { folder: folder.into(), every: Duration::from_secs(3600), keep: 2 }
    }

    #[test]
    fn a_backup_is_due_when_the_newest_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let (now, clock) = (Instant::now(), SystemTime::now());
        let hour = Duration::from_secs(3600);
        let mut schedule = Schedule::default();
        assert!(schedule.is_due(&config, now, clock));
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(schedule.is_due(&config, now, clock));
        fs::write(folder.path().join(format!("2026-01-01T00-00-00Z{SUFFIX}")), "").unwrap();
        let clock = SystemTime::now();
        assert!(!schedule.is_due(&config, now, clock));
        assert!(schedule.is_due(&config, now, clock + hour + hour));
        // One from the future is no reason to make none.
        assert!(schedule.is_due(&config, now, clock - hour));
        // In a run the clock does not matter.
        schedule.last = Some((now, true));
        assert!(!schedule.is_due(&config, now, clock + hour + hour));
        assert!(schedule.is_due(&config, now + hour, clock));
        schedule.last = Some((now, false));
        assert!(!schedule.is_due(&config, now + Duration::from_secs(299), clock));
        assert!(schedule.is_due(&config, now + RETRY_PERIOD, clock));
    }

    #[test]
    fn the_oldest_backups_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let name = |day: u32| format!("2026-01-0{day}T00-00-00Z{SUFFIX}");
        for day in 1..=4 {
            fs::write(folder.path().join(name(day)), "").unwrap();
        }
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        // The one that was just made, at a time that the clock has wrong.
        remove_oldest(&config(folder.path()), &folder.path().join(name(1))).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [name(1), name(4), "notes.txt".into()]);
    }

    #[test]
    fn a_backup_that_may_not_fit_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("x{UNFINISHED}"));
        fs::write(&left, "").unwrap();
        assert!(prepare(&config(folder.path()), u64::MAX).unwrap_err().contains("make space"));
        assert!(!left.exists());
    }
}
