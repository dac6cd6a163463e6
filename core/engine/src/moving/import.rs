//! Takes the records of an export into the store of a file, batch by batch.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use core_model::{ExportRecord, FieldFault};
use redb::{Database, Durability};

use crate::error::{StoreError, panic_message};
use crate::event_log::{WebhookRow, webhook_rows};
use crate::lookup;
use crate::open::{OpenError, Opener, close};
use crate::rows::pack;
use crate::rules::{BatchContext, ImportBatch, ImportState, RecordError};
use crate::state::Batch;

pub use crate::rules::Taken;

/// How to import.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Added to every uid, room id and message id.
    pub id_offset: u64,
    /// Whether to go on at conflicts; else the first one ends the import.
    pub skip_conflicts: bool,
    /// Whether what is imported need not outlive this process: for trials.
    pub is_trial: bool,
}

/// Why a batch was not taken. Nothing of it is in the store.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{fault}")]
    Record {
        /// The record's place in the batch.
        at: usize,
        fault: FieldFault,
    },
    #[error("{why}")]
    Conflict { at: usize, why: String },
    #[error("{0}")]
    Store(String),
}

impl<E: Into<StoreError>> From<E> for ImportError {
    fn from(error: E) -> Self {
        Self::Store(error.into().to_string())
    }
}

/// A store that records are imported into. No other process may have it open.
pub struct Import {
    /// None once it is closed.
    database: Option<Database>,
    options: ImportOptions,
    state: ImportState,
}

impl Import {
    /// Opens the store, or creates it.
    pub fn open(
        path: &Path,
        cache_bytes: usize,
        options: ImportOptions,
    ) -> Result<Self, OpenError> {
        let database = Some(Opener::file(path, cache_bytes).open_alone()?.database);
        let state = ImportState::new(options.id_offset);
        Ok(Self { database, options, state })
    }

    /// Takes records in one commit, which is durable when this returns. The records of one export
    /// are to be given in their order; all of them again, after it ended early. A batch that has
    /// failed ends the import.
    pub fn batch(&mut self, records: &[ExportRecord]) -> Result<Vec<Taken>, ImportError> {
        // redb panics where a file is damaged.
        catch_unwind(AssertUnwindSafe(|| self.try_batch(records)))
            .unwrap_or_else(|panic| Err(ImportError::Store(panic_message(&*panic))))
    }

    fn try_batch(&mut self, records: &[ExportRecord]) -> Result<Vec<Taken>, ImportError> {
        let database = self.database.as_ref().ok_or(StoreError::Closed)?;
        let mut transaction = database.begin_write()?;
        if self.options.is_trial {
            transaction.set_durability(Durability::None)?;
        } else {
            transaction.set_quick_repair(true);
        }
        let tables = Batch::new(&transaction, RefCell::default());
        let before = lookup::counters(&tables)?;
        let context = BatchContext::new(tables, before.clone(), None);
        let mut batch = ImportBatch::new(context, &mut self.state);
        let mut taken = Vec::with_capacity(records.len());
        for (at, record) in records.iter().enumerate() {
            taken.push(match batch.take(record) {
                Ok(Taken::Conflict(why)) if !self.options.skip_conflicts => {
                    return Err(ImportError::Conflict { at, why });
                }
                Ok(taken) => taken,
                Err(RecordError::Field(fault)) => return Err(ImportError::Record { at, fault }),
                Err(RecordError::Store(error)) => return Err(error.into()),
            });
        }
        let mut context = batch.finish()?;
        if !context.has_changed() && context.counters == before {
            drop(context);
            transaction.abort()?;
            return Ok(taken);
        }
        let newest = context.counters.next_message - 1;
        pass_webhooks(&mut context.batch, before.next_message - 1, newest)?;
        drop(context.finish()?);
        transaction.commit()?;
        Ok(taken)
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        if let Some(database) = self.database.take() {
            close(database);
        }
    }
}

/// Moves webhooks that had every message on to the newest one: what is imported is no event.
fn pass_webhooks(batch: &mut Batch<'_>, former: u64, newest: u64) -> Result<(), StoreError> {
    for (name, row) in webhook_rows(batch)? {
        if row.message == former && newest > former {
            let row = WebhookRow { message: newest, ..row };
            batch.webhooks_mut()?.insert(name.as_str(), pack(&row).as_slice())?;
        }
    }
    Ok(())
}
