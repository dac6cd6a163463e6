//! The writer: the one thread that changes the store.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use core_model::{Outcome, Recorded, Refusal};

use crate::cache::room_list;
use crate::cache::writer::WriterCache;
use crate::envelope::{Done, Envelope};
use crate::error::StoreError;
use crate::lookup;
use crate::queue::Queue;
use crate::rules::BatchContext;
use crate::state::Batch;
use crate::store::Store;

/// Carries out batch after batch, until the queue is stopped or a commit fails. `publish` gets what
/// became of each batch.
pub(crate) fn run<T>(store: &Store, queue: &Queue<T>, mut publish: impl FnMut(Vec<Done<T>>)) {
    let mut cache = WriterCache::default();
    while let Some(batch) = queue.next_batch() {
        // A panic in a rule leaves the transaction uncommitted, like a failed commit.
        let committed = catch_unwind(AssertUnwindSafe(|| {
            commit(store, &mut cache, &batch).map_err(|error| error.to_string())
        }))
        .unwrap_or_else(|_| Err("the engine panicked".into()));
        match committed {
            Ok(results) => {
                store.release_snapshot();
                queue.answering(batch.len());
                let tickets = batch.into_iter().map(|(_, ticket)| ticket);
                let done = tickets.zip(results).map(|(ticket, (outcome, events))| Done {
                    ticket,
                    outcome,
                    events,
                });
                publish(done.collect());
            }
            Err(why) => {
                let waiting = queue.fail(&why);
                let refuse = |(_, ticket)| {
                    let outcome = Err(Refusal::Internal { why: why.clone() });
                    Done { ticket, outcome, events: Vec::new() }
                };
                publish(batch.into_iter().chain(waiting).map(refuse).collect());
                return;
            }
        }
    }
}

/// Carries out a batch in one transaction, and makes it durable if it changed anything.
fn commit<T>(
    store: &Store,
    cache: &mut WriterCache,
    batch: &[(Envelope, T)],
) -> Result<Vec<(Outcome, Vec<Recorded>)>, StoreError> {
    let mut transaction = store.database.begin_write()?;
    // Opening after a kill then takes milliseconds instead of a scan of the file.
    transaction.set_quick_repair(true);
    let tables = Batch::new(&transaction, RefCell::new(std::mem::take(cache)));
    let counters = lookup::counters(&tables)?;
    let mut context = BatchContext::new(tables, counters);
    let mut results = Vec::with_capacity(batch.len());
    for (envelope, _) in batch {
        results.push(context.apply(envelope)?);
    }
    // Commands that were refused, or only read, need no commit: polling does not wear the disk.
    let has_changed = context.has_changed();
    let tables = context.finish()?;
    let changes_room_lists = tables.has_written(room_list::SOURCES);
    *cache = tables.into_attached().into_inner();
    if has_changed {
        if changes_room_lists {
            store.invalidate_room_lists();
        }
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(results)
}
