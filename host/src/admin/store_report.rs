//! What the API says of the store itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a store holds.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct StoreReport {
    /// Bytes of the file; more than its tables hold where much was deleted, until it is compacted.
    pub file_bytes: u64,
    /// The tables, the largest first.
    pub tables: Vec<TableReport>,
}

/// How much a table holds.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TableReport {
    pub table: String,
    pub rows: u64,
    /// Bytes of keys and values.
    pub stored_bytes: u64,
    /// Bytes of pages beyond those.
    pub overhead_bytes: u64,
}

/// Where the store is, how much space it has, and what is kept.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct StoreState {
    /// The path of the file.
    pub path: String,
    pub file_bytes: u64,
    /// Free space of its file system; absent where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Messages are refused below it; 0: never.
    pub free_space_min: u64,
    /// Days for which messages are kept; 0: for ever.
    pub keep_days: u32,
    /// Messages that a room keeps; 0: all.
    pub keep_messages_per_room: u32,
    /// Whether an index of messages is kept for searches.
    pub search: bool,
    /// Backups that the gateway makes by itself; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupSchedule>,
}

/// Backups that the gateway makes by itself.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct BackupSchedule {
    pub folder: String,
    pub every_s: u64,
    /// How many are kept.
    pub keep: u32,
}

/// A backup in the configured folder.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct BackupFile {
    /// The name of the file.
    pub file: String,
    pub bytes: u64,
    /// When it was written.
    pub at: String,
}

/// A backup that was made.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct MadeBackup {
    /// The name of the file.
    pub file: String,
    pub rows: u64,
    pub bytes: u64,
    pub took_ms: u64,
}

/// Which backup.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupChoice {
    /// The name of a file in the configured folder. Absent: the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What a backup holds, and what is wrong with the store that it makes.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct VerifiedBackup {
    /// The name of the file.
    pub file: String,
    pub bytes: u64,
    pub rows: u64,
    /// When it was begun.
    pub as_of: String,
    /// The id of the newest message in it.
    pub newest_message: u64,
    /// The first hundred problems; empty: it is whole.
    pub problems: Vec<String>,
    pub problem_count: u64,
    pub took_ms: u64,
}

/// The lines of an export: `schemas/admin/export.json` describes each.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ExportStream(());

impl JsonSchema for ExportStream {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ExportStream".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "The lines of an export." })
    }
}

/// The bytes of a backup: the layout is described in `core/engine/src/backup`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct BackupStream(());

impl JsonSchema for BackupStream {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BackupStream".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "The bytes of a backup." })
    }
}
