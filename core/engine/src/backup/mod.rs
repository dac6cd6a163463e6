//! Backups: a store as a stream of bytes, and a store file from such a stream.
//!
//! A stream is one committed state, whatever is written meanwhile:
//!
//! ```text
//! {"dragoman_backup":1,"format":4,…}\n     a `Header` as JSON
//! block*                                  u32 length of the rest; u8 length of the table's name,
//!                                         name; rows: u32 length, key, u32 length, value
//! u32 0, 32 bytes                         the end: SHA-256 of all bytes before these 32
//! ```
//!
//! Numbers are little-endian. Rows are those of redb, so a restored store equals the state that was
//! backed up row for row. A stream that was cut or changed restores nothing.

mod offline;
mod read;
mod stats;
mod write;

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;

pub use offline::back_up;
pub use read::{inspect, restore, restore_following};
pub use stats::{TableStats, stats};

pub(crate) use stats::table_stats;
pub(crate) use write::write;

/// The version of the stream's layout.
const LAYOUT: u32 = 1;

/// A block ends when its rows have as many bytes; one row may be longer.
const BLOCK_BYTES: usize = 1 << 20;

/// The longest block that a reader takes: no row comes near.
const BLOCK_BYTES_MAX: usize = 64 << 20;

const HEADER_BYTES_MAX: u64 = 64 << 10;

/// What a backup is of. The stream begins with it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Header {
    /// The version of the stream's layout.
    pub dragoman_backup: u32,
    /// The store format of the rows.
    pub format: u64,
    /// The revision of the Unicode tables that names were compared with.
    pub lookalikes: u64,
    /// The id of the newest message when the backup was begun; 0 before any.
    pub newest_message: u64,
    /// The engine's clock then, in milliseconds since 1970.
    pub at_ms: u64,
    /// Where the store stood in the log that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<FollowedHeader>,
}

/// What a store needs besides its rows to follow its log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FollowedHeader {
    /// The number of the log.
    pub log: u64,
    /// The position of the last entry that was applied.
    pub applied: u64,
    pub(crate) marks: BTreeMap<String, u64>,
}

/// What a complete stream held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    pub header: Header,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of the stream.
    pub bytes: u64,
}

/// Why a backup was not made, or not restored. The messages name no file: the caller does.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store could not be read or written.
    #[error("{0}")]
    Store(String),
    /// The other side of the stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("this is no backup of a store")]
    NotABackup,
    #[error("the backup was made by a later version: {0}")]
    TooNew(String),
    #[error(
        "the backup is of a store that follows no log, so no gateway of a cluster can begin with it"
    )]
    FollowsNoLog,
    #[error("the backup is incomplete or damaged: {0}")]
    Damaged(String),
}

impl<E: Into<StoreError>> From<E> for BackupError {
    fn from(error: E) -> Self {
        Self::Store(error.into().to_string())
    }
}
