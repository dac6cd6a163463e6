//! The open database, and the snapshot that queries read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, WriteTransaction};

use crate::cache::room_list::RoomListCache;
use crate::error::StoreError;
use crate::marks::{self, Marks};
use crate::migrate;
use crate::open::{FileId, OpenError, Opened, Opener, close};
use crate::state::{Snapshot, SnapshotCaches};

/// Stores that this process has opened so far. A store that is opened again counts anew, so that no
/// cache outlives a failure.
static STORES: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Store {
    opener: Opener,
    current: Mutex<Current>,
}

/// What queries are answered from.
struct Current {
    /// None after a failure, until it is open again.
    database: Option<Database>,
    file: Option<FileId>,
    /// The number of the store among those that this process has opened.
    number: u64,
    /// The newest committed state, if a query has asked for it.
    snapshot: Option<Arc<Snapshot>>,
    /// True of the newest committed state; none while a commit that changes room lists is under
    /// way.
    room_lists: Option<Arc<RoomListCache>>,
}

impl Current {
    fn new(Opened { database, file }: Opened) -> Self {
        Self {
            database: Some(database),
            file,
            number: STORES.fetch_add(1, Ordering::Relaxed),
            snapshot: None,
            room_lists: Some(Arc::default()),
        }
    }
}

impl Store {
    pub(crate) fn open(opener: Opener) -> Result<Self, OpenError> {
        let current = Mutex::new(Current::new(opener.open_alone()?));
        Ok(Self { opener, current })
    }

    /// Opens a store that follows a log, with the number of the log and the marks.
    pub(crate) fn open_following(opener: Opener) -> Result<(Self, u64, Marks), OpenError> {
        let (opened, log, marks) = opener.open_following()?;
        Ok((Self { opener, current: Mutex::new(Current::new(opened)) }, log, marks))
    }

    /// Notes that the store is not what its log makes of others, so that it is not used again.
    pub(crate) fn note_divergence(&self, position: u64) -> Result<(), StoreError> {
        let current = self.current();
        marks::note_divergence(current.database.as_ref().ok_or(StoreError::Closed)?, position)
    }

    /// Closes the database, with all that was cached of it, and opens it again.
    pub(crate) fn reopen(&self) -> Result<(), String> {
        let database = {
            let mut current = self.current();
            current.snapshot = None;
            current.database.take()
        };
        if let Some(database) = database {
            close(database);
        }
        let opened = self.opener.reopen().map_err(|error| error.to_string())?;
        if opened.file != self.file() {
            close(opened.database);
            return Err(format!("{} is another file now", self.path().display()));
        }
        let probe = || migrate::probe(&opened.database).map_err(|error| error.to_string());
        let probed = catch_unwind(AssertUnwindSafe(probe));
        if let Err(why) = probed.unwrap_or_else(|_| Err("redb panicked".into())) {
            close(opened.database);
            return Err(why);
        }
        *self.current() = Current::new(opened);
        Ok(())
    }

    pub(crate) fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        let current = self.current();
        Ok(current.database.as_ref().ok_or(StoreError::Closed)?.begin_write()?)
    }

    /// The newest committed state.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut current = self.current();
        if let Some(snapshot) = &current.snapshot {
            return Ok(Arc::clone(snapshot));
        }
        let database = current.database.as_ref().ok_or(StoreError::Closed)?;
        let room_lists = current.room_lists.clone();
        let caches = SnapshotCaches { store: current.number, room_lists };
        let snapshot = Arc::new(Snapshot::begin(database, caches)?);
        current.snapshot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Whether a failed snapshot is of the database that is open now.
    pub(crate) fn is_current(&self, snapshot: &Snapshot) -> bool {
        let current = self.current();
        current.database.is_some() && current.number == snapshot.attached.store
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

    pub(crate) fn path(&self) -> &Path {
        self.opener.path()
    }

    /// The open file; none on a backend other than a file.
    pub(crate) fn file(&self) -> Option<FileId> {
        self.current().file
    }

    /// Whether the path of the store still names the file that is open; why not. Deleted or replaced,
    /// the file takes writes as before, and they are lost with the process.
    pub(crate) fn find_file(&self) -> Result<(), String> {
        let Some(open) = self.file() else { return Ok(()) };
        let path = self.path();
        match FileId::of(path) {
            Ok(found) if found == open => Ok(()),
            Ok(_) => Err(format!("{} is no longer the store that is open", path.display())),
            Err(error) => Err(format!("the store {} is gone: {error}", path.display())),
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let mut current = self.current();
        current.snapshot = None;
        if let Some(database) = current.database.take() {
            close(database);
        }
    }
}
