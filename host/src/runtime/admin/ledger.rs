//! The answer to `dragoman ledger`.

use std::collections::BTreeMap;

use core_engine::Owed;
use gateway_fanout::{DeliveryOutcome, RoomClass, Source};

use crate::ledger::{FrontendReport, Report, RoomReport, StoreReport};
use crate::runtime::metrics::GatewayMetrics;
use crate::runtime::net::ledger::{Books, Pending};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;

pub(super) async fn report(state: &GatewayState) -> Report {
    let owed = state.services.count_owed().await;
    let store = owed.map(|owed| store(owed, &state.services.metrics));
    Report { frontends: frontends(&state.registry()), store }
}

fn store(owed: Owed, metrics: &GatewayMetrics) -> StoreReport {
    let count = |class| owed_by_store(&owed, class);
    let rooms = by_word(RoomClass::ALL.map(|(class, word)| (word, count(class))));
    let expired = by_word(RoomClass::ALL.map(|(class, word)| (word, metrics.expired(class))));
    StoreReport { readers: owed.readers, rooms, expired, complete: owed.is_complete }
}

/// The messages of one kind of room that the store owes.
pub(crate) fn owed_by_store(owed: &Owed, class: RoomClass) -> u64 {
    match class {
        RoomClass::Public => owed.public,
        RoomClass::Group => owed.group,
        RoomClass::Direct => owed.direct,
    }
}

fn frontends(registry: &FrontendRegistry) -> Vec<FrontendReport> {
    let frontends = registry.books().into_iter().map(|books| {
        let pending = books.pending();
        let rooms = RoomClass::ALL.into_iter();
        let rooms = rooms.map(|(class, word)| (word.to_owned(), room(&books, &pending, class)));
        let rooms = rooms.collect();
        let mismatch = books.mismatch(&pending);
        FrontendReport { frontend: books.frontend, mismatch, rooms }
    });
    frontends.collect()
}

fn room(books: &Books, pending: &Pending, class: RoomClass) -> RoomReport {
    let ledger = &books.ledger;
    let deliveries =
        by_word(DeliveryOutcome::ALL.map(|(outcome, word)| (word, ledger.outcome(outcome, class))));
    let owed = by_word(Source::ALL.map(|(source, word)| (word, ledger.owed(source, class))));
    let pending =
        by_word(pending.places().map(|(word, tally)| (word, u64::from(tally.count(class)))));
    let (posted, read) = (ledger.posted(class), ledger.read(class));
    RoomReport { posted, read, owed, pending, deliveries }
}

fn by_word<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(word, count)| (word.to_owned(), count)).collect()
}
