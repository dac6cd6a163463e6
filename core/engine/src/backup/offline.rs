//! A backup of a store that no process has open.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::{BackupError, Summary, write};
use crate::error::panic_message;
use crate::open::{OpenError, Opener, close, create_whole};
use crate::state::{Snapshot, SnapshotCaches};
use crate::steady::SteadyWriter;

/// Writes a backup of a store that no process has open to a new file.
pub fn back_up(path: &Path, cache_bytes: usize, to: &Path) -> Result<Summary, BackupError> {
    let store = |error: OpenError| BackupError::Store(error.to_string());
    let opener = Opener::file(path, cache_bytes);
    let database = opener.reopen().map_err(store)?.database;
    let written = catch_unwind(AssertUnwindSafe(|| {
        let caches = SnapshotCaches { store: 0, room_lists: None };
        let snapshot = Snapshot::begin(&database, caches)?;
        create_whole(to, |file| {
            let mut writer = SteadyWriter::new(&file);
            write(&snapshot, |piece| writer.write_all(&piece))
        })
    }));
    close(database);
    written.unwrap_or_else(|panic| Err(BackupError::Store(panic_message(&*panic))))
}
