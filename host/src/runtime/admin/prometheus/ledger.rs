//! The ledgers of the front ends, as metrics.

use gateway_fanout::{DeliveryOutcome, Ledger, RoomClass, Source};

use super::{head, line, sample};
use crate::runtime::admin::ledger::owed_by_store;
use crate::runtime::metrics::GatewayMetrics;
use crate::runtime::net::ledger::{Books, Pending};
use crate::runtime::net::registry::FrontendRegistry;

/// A counter of each ledger by room class: name, help, and how to read it.
type Row = (&'static str, &'static str, fn(&Ledger, RoomClass) -> u64);

const ROWS: [Row; 2] = [
    ("messages_posted_total", "Messages posted and made durable.", Ledger::posted),
    ("messages_read_total", "Messages in answers to requests for them.", Ledger::read),
];

pub(super) fn render(text: &mut String, registry: &FrontendRegistry, metrics: &GatewayMetrics) {
    store(text, metrics);
    let books = registry.books();
    for (name, help, value) in ROWS {
        head(text, name, "counter", help);
        each(&books, |books, class, labels| {
            sample(text, name, labels, value(&books.ledger, class));
        });
    }
    // Before the outcomes: a reader then sees no more outcomes than deliveries.
    let pending: Vec<Pending> = books.iter().map(Books::pending).collect();
    let name = "deliveries_total";
    head(text, name, "counter", "Deliveries with an outcome.");
    each(&books, |books, class, labels| {
        for (outcome, word) in DeliveryOutcome::ALL {
            let labels = format!("{labels},outcome=\"{word}\"");
            sample(text, name, &labels, books.ledger.outcome(outcome, class));
        }
    });
    let name = "deliveries_owed_total";
    head(text, name, "counter", "Deliveries owed to connections, by why.");
    each(&books, |books, class, labels| {
        for (source, word) in Source::ALL {
            let labels = format!("{labels},source=\"{word}\"");
            sample(text, name, &labels, books.ledger.owed(source, class));
        }
    });
    let name = "deliveries_pending";
    head(text, name, "gauge", "Deliveries under way, by place.");
    for (books, pending) in books.iter().zip(&pending) {
        each(std::slice::from_ref(books), |_, class, labels| {
            for (word, tally) in pending.places() {
                let labels = format!("{labels},place=\"{word}\"");
                sample(text, name, &labels, tally.count(class).into());
            }
        });
    }
    let name = "ledger_mismatch";
    head(text, name, "gauge", "Deliveries that are missing from the sums; 0 when they add up.");
    for (books, pending) in books.iter().zip(&pending) {
        let (frontend, mismatch) = (&books.frontend, books.mismatch(pending));
        line(text, format_args!("dragoman_{name}{{frontend=\"{frontend}\"}} {mismatch}"));
    }
}

/// What the store owes to readers, and what retention has taken from them.
fn store(text: &mut String, metrics: &GatewayMetrics) {
    let name = "deliveries_expired_total";
    head(text, name, "counter", "Messages removed by retention, for each reader without them.");
    for (class, word) in RoomClass::ALL {
        sample(text, name, &format!("room=\"{word}\""), metrics.expired(class));
    }
    let owed = metrics.owed();
    let name = "store_readers";
    head(text, name, "gauge", "Users, or devices, that acknowledge messages; once a minute.");
    if let Some(owed) = &owed {
        line(text, format_args!("dragoman_{name} {}", owed.readers));
    }
    let name = "store_owed";
    head(text, name, "gauge", "Messages that readers have not acknowledged; once a minute.");
    for (class, word) in RoomClass::ALL {
        if let Some(owed) = &owed {
            sample(text, name, &format!("room=\"{word}\""), owed_by_store(owed, class));
        }
    }
}

/// Each front end and room class, with their labels.
fn each(books: &[Books], mut row: impl FnMut(&Books, RoomClass, &str)) {
    for books in books {
        for (class, word) in RoomClass::ALL {
            row(books, class, &format!("frontend=\"{}\",room=\"{word}\"", books.frontend));
        }
    }
}
