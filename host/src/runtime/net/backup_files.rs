//! The files of backups: made, listed, checked and removed.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use core_engine::Summary;
use core_model::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use crate::admin::types::{MadeBackup, VerifiedBackup};
use crate::config::{BackupConfig, StoreConfig};
use crate::disk_space::free_bytes;
use crate::private_folder;
use crate::runtime::limits::Pace;
use crate::runtime::net::state::GatewayState;
use crate::users::rfc3339;

pub(crate) const SUFFIX: &str = ".dragoman-backup";

/// Of a backup that was cut short.
const UNFINISHED: &str = ".dragoman-backup.unfinished";

/// The page cache of a store that is made of a backup to check it.
const CHECK_CACHE_BYTES: usize = 64 << 20;

/// Makes a backup in the configured folder, and removes the oldest. The turn is that of the one
/// backup that may be under way.
pub(crate) async fn make(
    state: &Arc<GatewayState>,
    config: &BackupConfig,
    turn: OwnedSemaphorePermit,
) -> Result<MadeBackup, String> {
    let began = Instant::now();
    let name = rfc3339(state.services.clock.now()).replace(':', "-") + SUFFIX;
    let path = config.folder.join(&name);
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
        remove_oldest(&config, &path)
            .map_err(|error| format!("cannot remove the oldest: {error}"))?;
        Ok(MadeBackup { file: name, rows, bytes, took_ms: elapsed_ms(began) })
    });
    made.await.map_err(|error| error.to_string())?
}

/// Makes a store of a backup, reads all of it and removes it. `Err`: that could not be done, or what
/// is in the file is no whole backup.
pub(crate) async fn verify(
    state: &Arc<GatewayState>,
    config: &BackupConfig,
    name: String,
    turn: OwnedSemaphorePermit,
) -> Result<VerifiedBackup, String> {
    let (state, config) = (state.clone(), config.clone());
    let verified = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let began = Instant::now();
        let path = config.folder.join(&name);
        let bytes = path.metadata().map_err(|error| error.to_string())?.len();
        prepare(&config, bytes.saturating_mul(2).max(state.services.engine.store_bytes()))?;
        // What a crash leaves of it, the next backup removes.
        let store = config.folder.join(format!("{name}.store{UNFINISHED}"));
        let checked = check(&state, &path, &store);
        drop(fs::remove_file(&store));
        let (summary, report) = checked?;
        Ok(VerifiedBackup {
            file: name,
            bytes,
            rows: summary.rows,
            as_of: rfc3339(Timestamp(summary.header.at_ms)),
            newest_message: summary.header.newest_message,
            problems: report.faults,
            problem_count: report.fault_count,
            took_ms: elapsed_ms(began),
        })
    });
    verified.await.map_err(|error| error.to_string())?
}

fn check(
    state: &GatewayState,
    backup: &Path,
    store: &Path,
) -> Result<(Summary, core_engine::Report), String> {
    let is_ending = || state.shutdown.is_draining();
    let file = File::open(backup).map_err(|error| error.to_string())?;
    let paced = BufReader::new(Paced { file, pace: Pace::begin(is_ending) });
    let restored = core_engine::restore(paced, store, CHECK_CACHE_BYTES);
    let summary = restored.map_err(|error| error.to_string())?;
    if is_ending() {
        return Err("the gateway is shutting down".into());
    }
    let report = core_engine::check(store, CHECK_CACHE_BYTES);
    Ok((summary, report.map_err(|error| error.to_string())?))
}

/// A file that is read at the pace of backups.
struct Paced<F> {
    file: File,
    pace: Pace<F>,
}

impl<F: Fn() -> bool> Read for Paced<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.pace.spend(bytes)?;
        Ok(bytes)
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
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
pub(crate) fn made(folder: &Path) -> io::Result<Vec<PathBuf>> {
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
    use std::time::Duration;

    use super::*;

    fn config(folder: &Path) -> BackupConfig {
        BackupConfig { folder: folder.into(), every: Duration::from_secs(3600), keep: 2 }
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
