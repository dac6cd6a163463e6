//! The answer to `dragoman ledger`.

use std::collections::BTreeMap;

use gateway_fanout::{DeliveryOutcome, RoomClass, Source};

use crate::ledger::{FrontendReport, Report, RoomReport};
use crate::runtime::net::ledger::{Books, Pending};
use crate::runtime::net::registry::FrontendRegistry;

pub(super) fn report(registry: &FrontendRegistry) -> Report {
    let frontends = registry.books().into_iter().map(|books| {
        let pending = books.pending();
        let rooms = RoomClass::ALL.into_iter();
        let rooms = rooms.map(|(class, word)| (word.to_owned(), room(&books, &pending, class)));
        let rooms = rooms.collect();
        let mismatch = books.mismatch(&pending);
        FrontendReport { frontend: books.frontend, mismatch, rooms }
    });
    Report { frontends: frontends.collect() }
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
