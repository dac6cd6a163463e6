//! The tables, with the caches of their rows.

use std::cell::RefCell;
use std::sync::Arc;

use crate::cache::room_list::RoomListCache;
use crate::cache::writer::WriterCache;
use crate::tables::{ReadTables, Tables, WriteTables};

/// One committed state, for as long as it is held.
pub(crate) type Snapshot = ReadTables<SnapshotCaches>;

/// One write transaction, with the writer's cache.
pub(crate) type Batch<'t> = WriteTables<'t, RefCell<WriterCache>>;

pub(crate) struct SnapshotCaches {
    /// The number of the store among those that this process has opened.
    pub(crate) store: u64,
    pub(crate) room_lists: Option<Arc<RoomListCache>>,
}

/// Tables, and the caches that may be used in their place.
pub(crate) trait State: Tables {
    /// The number of the store, where everything read is committed: the key of the message cache.
    fn store(&self) -> Option<u64>;

    /// Room lists that were read before and are still true.
    fn room_lists(&self) -> Option<&RoomListCache>;

    /// Rows that the writer has decoded.
    fn writer_cache(&self) -> Option<&RefCell<WriterCache>>;
}

impl State for Snapshot {
    fn store(&self) -> Option<u64> {
        Some(self.attached.store)
    }

    fn room_lists(&self) -> Option<&RoomListCache> {
        self.attached.room_lists.as_deref()
    }

    fn writer_cache(&self) -> Option<&RefCell<WriterCache>> {
        None
    }
}

impl State for Batch<'_> {
    fn store(&self) -> Option<u64> {
        None
    }

    fn room_lists(&self) -> Option<&RoomListCache> {
        None
    }

    fn writer_cache(&self) -> Option<&RefCell<WriterCache>> {
        Some(&self.attached)
    }
}
