//! Reconciles the ledgers of the front ends: whatever was owed has an outcome or is under way.
//!
//! Two checks find what does not add up. Where a part of the gateway is complete by itself (a turn of
//! the fan-out, the account of a connection), the difference is exact at any time. The sum over all
//! parts is read one after the other, so it counts only while nothing moves: when two readings in a
//! row have the same figures, and the hub has delivered everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::runtime::net::ledger::Books;
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;

/// Between two reconciliations.
const PERIOD: Duration = Duration::from_secs(1);

/// What the last reconciliation found, by front end.
#[derive(Default)]
pub(crate) struct Reconciler(BTreeMap<String, Reading>);

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Reading {
    owed: u64,
    settled: u64,
    pending: u64,
    mismatch: i64,
}

impl Reading {
    /// Deliveries that are in no place, if nothing has moved since.
    fn rest(&self) -> i64 {
        self.owed.wrapping_sub(self.settled).wrapping_sub(self.pending).cast_signed()
    }
}

/// Reconciles every second until the gateway stops.
pub(crate) async fn run(state: Arc<GatewayState>) {
    let mut reconciler = Reconciler::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => (),
            () = state.shutdown.stopping() => return,
        }
        let is_idle = state.services.hub.undelivered() == 0;
        reconciler.tick(&state.registry(), is_idle);
    }
}

/// Reconciles after the last connection is gone and the hub has ended.
pub(crate) fn close(registry: &FrontendRegistry) {
    let mut reconciler = Reconciler::default();
    for _ in 0..2 {
        reconciler.tick(registry, true);
    }
}

impl Reconciler {
    /// Compares the figures of every front end. `is_idle`: the hub has delivered everything.
    pub(crate) fn tick(&mut self, registry: &FrontendRegistry, is_idle: bool) {
        let books = registry.books();
        self.0.retain(|frontend, _| books.iter().any(|books| books.frontend == *frontend));
        for books in books {
            let last = self.0.entry(books.frontend.clone()).or_default();
            *last = reconcile(&books, *last, is_idle);
        }
    }
}

fn reconcile(books: &Books, last: Reading, is_idle: bool) -> Reading {
    let (owed, settled) = books.ledger.totals();
    let is_settled = last.pending == 0 && last.mismatch == 0 && last.rest() == 0;
    if is_settled && (owed, settled) == (last.owed, last.settled) && books.ledger.lost() == 0 {
        // Nothing was under way, nor is anything: the connections need not be asked.
        return last;
    }
    let pending = books.pending();
    let now = Reading { owed, settled, pending: pending.total(), mismatch: last.mismatch };
    let mismatch = match books.lost(&pending) {
        _ if is_idle && now == last => now.rest(),
        0 => last.mismatch,
        lost => lost,
    };
    note(books, last.mismatch, mismatch, now);
    Reading { mismatch, ..now }
}

/// Publishes the result; logs when it begins or ends.
fn note(books: &Books, before: i64, mismatch: i64, now: Reading) {
    books.ledger.set_mismatch(mismatch);
    let frontend = &books.frontend;
    let Reading { owed, settled, pending, .. } = now;
    if before == 0 && mismatch != 0 {
        tracing::warn!(
            frontend,
            mismatch,
            owed,
            settled,
            pending,
            "the ledger does not add up: deliveries are missing; please report it"
        );
    } else if before != 0 && mismatch == 0 {
        tracing::info!(frontend, "the ledger adds up again");
    }
}

#[cfg(test)]
mod tests;
