//! Exports: what of a store outlives a move to another one, as JSON lines; and stores from such lines.
//!
//! [`core_model::ExportRecord`] has the lines. Not in an export is what is only true of this gateway
//! or of this run: sessions and seats, tokens, addresses, idempotency keys, quotas, tokens of the
//! admin API, webhooks and their events, and everything that can be made anew (indexes).

mod export;
mod import;

use crate::error::StoreError;

pub use import::{Import, ImportError, ImportOptions, Taken};

pub(crate) use export::write;

/// What an export held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExportSummary {
    /// Lines, without the first and the last.
    pub records: u64,
    pub bytes: u64,
    /// The id of the newest message when the export was begun; 0 before any.
    pub newest_message: u64,
}

pub(crate) fn corrupt(table: &'static str) -> StoreError {
    StoreError::Corrupt { table }
}
