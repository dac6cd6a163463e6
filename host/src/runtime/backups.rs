//! Backups that the gateway makes on a schedule.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::config::BackupConfig;
use crate::runtime::net::backup_files::{made, make};
use crate::runtime::net::state::GatewayState;

/// How often the gateway looks whether a backup is due.
const CHECK_PERIOD: Duration = Duration::from_secs(10);

/// After a backup that failed.
const RETRY_PERIOD: Duration = Duration::from_secs(5 * 60);

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
        let Ok(turn) = state.backup_turn.clone().acquire_owned().await else { return };
        let made = make(&state, &config, turn).await;
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::runtime::net::backup_files::SUFFIX;

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
}
