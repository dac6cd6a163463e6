//! HTTP requests of a front end: their duration by operation, and their answers by class of status.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use frontend_api::Route;
use gateway_fanout::{Histogram, LATENCY};
use parking_lot::Mutex;

use crate::runtime::metrics::Counter;

/// The operation of requests to the documents of a front end.
const DOCUMENT: &str = "document";

/// The operation of requests that no route of the front end has, and of upgrades and preflights.
const OTHER: &str = "other";

/// Operations of one front end: more than any dialect has. Those of further ones, which only plugins
/// with ever new routes have, count as [`OTHER`].
const OPERATIONS_MAX: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct HttpMetrics {
    durations: Mutex<BTreeMap<String, Arc<Histogram>>>,
    /// By the first digit of the status, less one.
    responses: [Counter; 5],
}

impl HttpMetrics {
    /// The duration of an operation, which is made at the first look.
    fn duration(&self, operation: &str) -> Arc<Histogram> {
        let mut durations = self.durations.lock();
        if let Some(found) = durations.get(operation) {
            return found.clone();
        }
        let name = if durations.len() < OPERATIONS_MAX { operation } else { OTHER };
        let made = durations.entry(name.to_owned());
        made.or_insert_with(|| Arc::new(Histogram::new(&LATENCY))).clone()
    }

    /// The operations that were requested, by name.
    pub(crate) fn durations(&self) -> Vec<(String, Arc<Histogram>)> {
        let durations = self.durations.lock();
        let requested = durations.iter().filter(|(_, duration)| duration.count() > 0);
        requested.map(|(name, duration)| (name.clone(), duration.clone())).collect()
    }

    pub(crate) fn note_response(&self, status: u16) {
        if let Some(responses) = self.responses.get(usize::from(status / 100).wrapping_sub(1)) {
            responses.add(1);
        }
    }

    /// The responses of each class: `2xx`.
    pub(crate) fn responses(&self) -> impl Iterator<Item = (String, u64)> {
        let classes = (1..).zip(&self.responses);
        classes.map(|(class, responses)| (format!("{class}xx"), responses.count()))
    }
}

/// The operations of one listener, found by request without an allocation.
#[derive(Debug)]
pub(crate) struct Operations {
    routes: Vec<Operation>,
    document: Arc<Histogram>,
    other: Arc<Histogram>,
}

#[derive(Debug)]
struct Operation {
    path: String,
    method: String,
    duration: Arc<Histogram>,
}

impl Operations {
    pub(crate) fn new(metrics: &HttpMetrics, routes: &[Route]) -> Self {
        // Before the routes, which may be too many.
        let [document, other] = [DOCUMENT, OTHER].map(|name| metrics.duration(name));
        let each = routes.iter().flat_map(|route| route.methods.iter().map(move |it| (route, it)));
        let operation = |(route, method): (&Route, &String)| Operation {
            path: route.path.clone(),
            method: method.clone(),
            duration: metrics.duration(&format!("{method} {}", route.path)),
        };
        Self { routes: each.map(operation).collect(), document, other }
    }

    /// Notes how long a request took. A HEAD request is one of GET.
    pub(crate) fn note(&self, method: &str, path: &str, is_document: bool, took: Duration) {
        let method = if method == "HEAD" { "GET" } else { method };
        let is_it = |of: &&Operation| of.path == path && of.method == method;
        let duration = match self.routes.iter().find(is_it) {
            _ if is_document => &self.document,
            Some(operation) => &operation.duration,
            None => &self.other,
        };
        duration.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_paths_are_asked_for_the_operations_are_bounded() {
        let metrics = HttpMetrics::default();
        let route = |at: usize| Route {
            path: format!("/{at}"),
            methods: vec!["GET".into()],
            ..Route::default()
        };
        let routes: Vec<Route> = (0..1_000).map(route).collect();
        let operations = Operations::new(&metrics, &routes);
        for at in 0..2_000 {
            operations.note("GET", &format!("/{at}"), false, Duration::from_millis(1));
        }
        operations.note("HEAD", "/1", false, Duration::from_millis(1));
        operations.note("POST", "/1", false, Duration::from_millis(1));
        operations.note("GET", "/1", true, Duration::from_millis(1));
        let durations: BTreeMap<_, _> = metrics.durations().into_iter().collect();
        assert_eq!(durations.len(), OPERATIONS_MAX);
        assert_eq!(durations["GET /1"].count(), 2);
        assert_eq!(durations[DOCUMENT].count(), 1);
        let rest = (2_000 - (OPERATIONS_MAX as u64 - 2)) + 1;
        assert_eq!(durations[OTHER].count(), rest);
    }

    #[test]
    fn a_status_that_is_none_counts_nowhere() {
        let metrics = HttpMetrics::default();
        for status in [0, 99, 200, 204, 404, 599, 600] {
            metrics.note_response(status);
        }
        let counts: Vec<u64> = metrics.responses().map(|(_, count)| count).collect();
        assert_eq!(counts, [0, 2, 0, 1, 1]);
    }
}
