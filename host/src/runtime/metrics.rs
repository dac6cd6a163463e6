//! What is counted, and how Prometheus is told.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use core_model::Timestamp;

use crate::runtime::frontends::instance::Standing;
use crate::runtime::frontends::plugin::fault_breaker::Kind;
use crate::runtime::net::registry::Roster;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted for the gateway as a whole.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Batches that became durable.
    pub(crate) commits: Counter,
    /// Commands in them, refused ones included.
    pub(crate) committed: Counter,
    pub(crate) events: Counter,
    /// Messages that were too old, or too many for their room.
    pub(crate) pruned: Counter,
    reloads: [Counter; Reloaded::ALL.len()],
    /// When, and how, the configuration was last read again.
    last_reload: Mutex<Option<(Timestamp, Reloaded)>>,
}

/// What came of reading the configuration again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reloaded {
    Applied,
    /// Something of it did not work, and is as it was or tried again.
    Incomplete,
    /// It was wrong, and nothing has changed.
    Refused,
}

impl Reloaded {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Applied, "applied"), (Self::Incomplete, "incomplete"), (Self::Refused, "refused")];
}

impl Totals {
    pub(crate) fn reloaded(&self, how: Reloaded, at: Timestamp) {
        self.reloads[how as usize].add(1);
        *self.last_reload.lock().expect("nothing panics while it holds it") = Some((at, how));
    }

    fn last_reload(&self) -> Option<(Timestamp, Reloaded)> {
        *self.last_reload.lock().expect("nothing panics while it holds it")
    }
}

/// Why a connection, a request or a command was turned away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    Connections,
    ConnectionsPerAddress,
    Requests,
    Messages,
    BodyBytes,
    MessageBytes,
    TextChars,
    Guard,
    Overloaded,
    Draining,
}

impl Limit {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Connections, "connections"),
        (Self::ConnectionsPerAddress, "connections_per_address"),
        (Self::Requests, "requests"),
        (Self::Messages, "messages"),
        (Self::BodyBytes, "body_bytes"),
        (Self::MessageBytes, "message_bytes"),
        (Self::TextChars, "text_chars"),
        (Self::Guard, "guard"),
        (Self::Overloaded, "overloaded"),
        (Self::Draining, "draining"),
    ];
}

/// What is counted for each front end.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Stream connections and HTTP connections that were let in.
    pub(crate) opened: Counter,
    /// HTTP requests.
    pub(crate) requests: Counter,
    pub(crate) commands: Counter,
    pub(crate) queries: Counter,
    /// Events that were encoded.
    pub(crate) events: Counter,
    /// Frames of events that were written to connections.
    pub(crate) frames: Counter,
    /// Connections that were cut off because they did not read.
    pub(crate) cut_off: Counter,
    pub(crate) panics: Counter,
    refused: [Counter; Limit::ALL.len()],
    plugin_faults: [Counter; Kind::ALL.len()],
}

impl Counters {
    pub(crate) fn refused(&self, limit: Limit) {
        self.refused[limit as usize].add(1);
    }

    /// What a plugin did wrong counts besides as what a linked front end would have.
    pub(crate) fn plugin_fault(&self, kind: Kind) {
        self.panics.add(1);
        self.plugin_faults[kind as usize].add(1);
    }
}

/// One metric that every front end has.
type Row = (&'static str, &'static str, &'static str, fn(&Standing) -> u64);

const ROWS: [Row; 9] = [
    ("connections", "gauge", "Open connections.", |served| u64::from(served.census.count())),
    ("connections_total", "counter", "Connections that were let in.", |served| {
        served.counters.opened.count()
    }),
    ("requests_total", "counter", "HTTP requests.", |served| served.counters.requests.count()),
    ("commands_total", "counter", "Commands given to the engine.", |served| {
        served.counters.commands.count()
    }),
    ("queries_total", "counter", "Queries put to the engine.", |served| {
        served.counters.queries.count()
    }),
    ("events_encoded_total", "counter", "Events encoded for all who watch.", |served| {
        served.counters.events.count()
    }),
    ("frames_total", "counter", "Frames of events written to connections.", |served| {
        served.counters.frames.count()
    }),
    ("cut_off_total", "counter", "Connections cut off because they did not read.", |served| {
        served.counters.cut_off.count()
    }),
    ("panics_total", "counter", "Sessions or events lost to a fault of the front end.", |served| {
        served.counters.panics.count()
    }),
];

/// All metrics in the text format of Prometheus.
pub(crate) fn render(roster: &Roster, totals: &Totals, healthy: bool) -> String {
    let mut text = String::new();
    let mut total = |name: &str, kind: &str, help: &str, value: u64| {
        head(&mut text, name, kind, help);
        line(&mut text, format_args!("dragoman_{name} {value}"));
    };
    total("healthy", "gauge", "Whether the engine takes commands.", u64::from(healthy));
    total("commits_total", "counter", "Batches made durable.", totals.commits.count());
    total("committed_total", "counter", "Commands answered.", totals.committed.count());
    total("events_total", "counter", "Events.", totals.events.count());
    total("messages_pruned_total", "counter", "Messages not kept.", totals.pruned.count());
    let dropped = crate::logging::dropped_lines();
    total("log_lines_dropped_total", "counter", "Lines of the log that were lost.", dropped);
    reloads(&mut text, totals);
    head(&mut text, "listening", "gauge", "Whether the front end listens wherever it should.");
    for served in &roster.frontends {
        let (name, listens) = (&served.name, u64::from(roster.listens(served)));
        line(&mut text, format_args!("dragoman_listening{{frontend=\"{name}\"}} {listens}"));
    }
    let frontends = &roster.by_name();
    for (name, kind, help, value) in ROWS {
        head(&mut text, name, kind, help);
        for served in frontends {
            let (frontend, value) = (&served.name, value(served));
            line(&mut text, format_args!("dragoman_{name}{{frontend=\"{frontend}\"}} {value}"));
        }
    }
    head(&mut text, "refused_total", "counter", "What was turned away, by limit.");
    for served in frontends {
        for (limit, word) in Limit::ALL {
            let (frontend, value) = (&served.name, served.counters.refused[limit as usize].count());
            line(
                &mut text,
                format_args!(
                    "dragoman_refused_total{{frontend=\"{frontend}\",limit=\"{word}\"}} {value}"
                ),
            );
        }
    }
    head(&mut text, "plugin_faults_total", "counter", "What a plugin did wrong, by kind.");
    for served in frontends.iter().filter(|served| served.is_loaded()) {
        for (kind, word) in Kind::ALL {
            let count = served.counters.plugin_faults[kind as usize].count();
            let frontend = &served.name;
            line(
                &mut text,
                format_args!(
                    "dragoman_plugin_faults_total{{frontend=\"{frontend}\",kind=\"{word}\"}} {count}"
                ),
            );
        }
    }
    text
}

fn reloads(text: &mut String, totals: &Totals) {
    head(text, "reloads_total", "counter", "How often the configuration was read again.");
    for (how, word) in Reloaded::ALL {
        let count = totals.reloads[how as usize].count();
        line(text, format_args!("dragoman_reloads_total{{result=\"{word}\"}} {count}"));
    }
    let Some((at, how)) = totals.last_reload() else { return };
    head(text, "last_reload_successful", "gauge", "Whether all of it was applied the last time.");
    let successful = u64::from(how == Reloaded::Applied);
    line(text, format_args!("dragoman_last_reload_successful {successful}"));
    head(text, "last_reload_timestamp_seconds", "gauge", "When that was, in Unix time.");
    let (secs, ms) = (at.0 / 1000, at.0 % 1000);
    line(text, format_args!("dragoman_last_reload_timestamp_seconds {secs}.{ms:03}"));
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP dragoman_{name} {help}"));
    line(text, format_args!("# TYPE dragoman_{name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_counted_by_kind_has_its_own_place() {
        for (at, (limit, _)) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, at);
        }
        for (at, (kind, _)) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
        for (at, (how, _)) in Reloaded::ALL.into_iter().enumerate() {
            assert_eq!(how as usize, at);
        }
    }
}
