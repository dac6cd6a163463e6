//! Backups that the gateway makes on a schedule.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::config::BackupConfig;
use crate::private_folder;
use crate::runtime::limits::Pace;
use crate::runtime::net::state::GatewayState;
use crate::users::rfc3339;

/// How often the gateway looks whether a backup is due.
const CHECK_PERIOD: Duration = Duration::from_secs(10);

/// After a backup that failed.
const RETRY_PERIOD: Duration = Duration::from_secs(5 * 60);

const SUFFIX: &str = ".dragoman-backup";

/// Makes backups on schedule until the gateway drains.
pub(super) async fn run(state: Arc<GatewayState>, config: BackupConfig) {
    let mut not_before = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHECK_PERIOD) => (),
            () = state.shutdown.draining() => return,
        }
        if Instant::now() < not_before || !is_due(&config, SystemTime::now()) {
            continue;
        }
        let folder = config.folder.display();
        match make(&state, &config).await {
            Ok(()) => state.services.metrics.backups.add(1),
            Err(why) => {
                state.services.metrics.backups_failed.add(1);
                not_before = Instant::now() + RETRY_PERIOD;
                tracing::error!(
                    "no backup in {folder} ([store.backup] folder): {why}; the gateway tries again \
                     in five minutes"
                );
            }
        }
    }
}

async fn make(state: &Arc<GatewayState>, config: &BackupConfig) -> Result<(), String> {
    let turn = state.backup_turn.clone().acquire_owned().await.map_err(|why| why.to_string())?;
    let name = rfc3339(state.services.clock.now()).replace(':', "-");
    let path = config.folder.join(format!("{name}{SUFFIX}"));
    let (services, config) = (state.services.clone(), config.clone());
    let made = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        private_folder::make(&config.folder).map_err(|error| error.to_string())?;
        let mut pace = Pace::begin();
        let made = services.engine.backup_to(&path, |bytes| pace.spend(bytes));
        let summary = made.map_err(|error| error.to_string())?;
        let (rows, bytes) = (summary.rows, summary.bytes);
        tracing::info!(rows, bytes, "made the backup {}", path.display());
        remove_oldest(&config).map_err(|error| format!("cannot remove the oldest: {error}"))
    });
    made.await.map_err(|error| error.to_string())?
}

/// Whether the newest backup is as old as the schedule says. A clock that was set back makes no
/// difference of a day.
fn is_due(config: &BackupConfig, now: SystemTime) -> bool {
    let newest = made(&config.folder).unwrap_or_default().pop();
    let newest = newest.and_then(|path| path.metadata().ok()?.modified().ok());
    newest.is_none_or(|newest| match now.duration_since(newest) {
        Ok(age) => age >= config.every,
        Err(ahead) => ahead.duration() >= config.every,
    })
}

/// The backups in a folder, the oldest first. Other files are left alone.
fn made(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    found.retain(|path| path.as_os_str().to_string_lossy().ends_with(SUFFIX));
    found.sort();
    Ok(found)
}

fn remove_oldest(config: &BackupConfig) -> io::Result<()> {
    let found = made(&config.folder)?;
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
        let now = SystemTime::now();
        assert!(is_due(&config, now));
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(is_due(&config, now));
        fs::write(folder.path().join(format!("2026-01-01T00-00-00Z{SUFFIX}")), "").unwrap();
        let hour = Duration::from_secs(3600);
        assert!(!is_due(&config, now));
        assert!(is_due(&config, now + hour + hour));
        assert!(is_due(&config, now - hour - hour));
    }

    #[test]
    fn the_oldest_backups_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let name = |day: u32| format!("2026-01-0{day}T00-00-00Z{SUFFIX}");
        for day in 1..=4 {
            fs::write(folder.path().join(name(day)), "").unwrap();
        }
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        remove_oldest(&config(folder.path())).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [name(3), name(4), "notes.txt".into()]);
    }
}
