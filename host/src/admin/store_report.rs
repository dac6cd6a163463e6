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
