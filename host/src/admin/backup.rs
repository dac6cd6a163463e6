//! How much a store holds, and copies of it.

use super::endpoint::StoreStats;
use super::store::{OnStore, Store};
use super::types::{Nothing, StoreReport, TableReport};
use crate::users::Failure;

/// The media type of a backup.
pub const BACKUP_MEDIA_TYPE: &str = "application/vnd.dragoman.backup";

/// The media type of an export.
pub const EXPORT_MEDIA_TYPE: &str = "application/jsonl";

impl OnStore for StoreStats {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<StoreReport, Failure> {
        let engine = store.engine();
        let tables = engine.table_stats().map_err(Failure::of)?.into_iter();
        let tables = tables.map(|stats| TableReport {
            table: stats.table.into(),
            rows: stats.rows,
            stored_bytes: stats.stored_bytes,
            overhead_bytes: stats.overhead_bytes,
        });
        Ok(StoreReport { file_bytes: engine.store_bytes(), tables: tables.collect() })
    }
}
