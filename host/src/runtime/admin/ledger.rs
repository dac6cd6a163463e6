//! The answer to `dragoman ledger`.

use std::collections::BTreeMap;

use core_engine::Owed;
use gateway_fanout::{DeliveryOutcome, RoomClass, Source};

use crate::ledger::{FrontendReport, Report, RoomReport, StoreReport};
use crate::runtime::net::ledger::{Books, Pending};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;

pub(super) async fn report(state: &GatewayState) -> Report {
    let services = state.services.clone();
    let owed = tokio::task::spawn_blocking(move || services.engine.owed()).await;
    let store = owed.ok().and_then(Result::ok).map(store);
    Report { frontends: frontends(&state.registry()), store }
}

fn store(owed: Owed) -> StoreReport {
    let Owed { readers, public, group, direct, is_complete } = owed;
    let count = |class| match class {
        RoomClass::Public => public,
        RoomClass::Group => group,
        RoomClass::Direct => direct,
    };
    let rooms = by_word(RoomClass::ALL.map(|(class, word)| (word, count(class))));
    StoreReport { readers, rooms, complete: is_complete }
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
