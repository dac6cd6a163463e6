//! The open database, and the snapshot that queries read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::Database;

use crate::cache::room_list::RoomListCache;
use crate::error::StoreError;
use crate::state::{Snapshot, SnapshotCaches};

/// Stores that this process has opened so far.
static STORES: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Store {
    pub(crate) database: Database,
    /// Its number among the stores that this process has opened.
    number: u64,
    current: Mutex<Current>,
}

/// What queries are answered from.
struct Current {
    /// The newest committed state, if a query has asked for it.
    snapshot: Option<Arc<Snapshot>>,
    /// True of the newest committed state; none while a commit that changes room lists is under
    /// way.
    room_lists: Option<Arc<RoomListCache>>,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            number: STORES.fetch_add(1, Ordering::Relaxed),
            current: Mutex::new(Current { snapshot: None, room_lists: Some(Arc::default()) }),
        }
    }

    /// The newest committed state.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut current = self.current();
        if let Some(snapshot) = &current.snapshot {
            return Ok(Arc::clone(snapshot));
        }
        let caches = SnapshotCaches { store: self.number, room_lists: current.room_lists.clone() };
        let snapshot = Arc::new(Snapshot::begin(&self.database, caches)?);
        current.snapshot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// To be called before a commit that changes room lists: a snapshot begun while it is under way
    /// may be of either side of it, and uses no cached lists.
    pub(crate) fn invalidate_room_lists(&self) {
        self.current().room_lists = None;
    }

    /// To be called after each commit, so that the next query reads what it stored. Holding an
    /// older snapshot for longer would also keep redb from reusing pages, and the file would grow.
    pub(crate) fn release_snapshot(&self) {
        let mut current = self.current();
        current.snapshot = None;
        current.room_lists.get_or_insert_default();
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
