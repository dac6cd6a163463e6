//! What operators see of the gateway: metrics with their page, dashboard and alerts, and the log.

mod dashboards;
mod log;
mod metrics;

use std::collections::BTreeMap;
use std::path::PathBuf;

use gateway_tests::{Gateway, Http, program};

/// Every dialect, a webhook, and the log at debug.
const ALL: &str = "
    [server.log]
    format = \"json\"
    filter = \"info,dragoman=debug\"
    [[rooms]]
    name = \"TEST\"
    [frontends.token]
    [frontends.usr_room]
    [frontends.chatroom]
    [frontends.ourchat]
    tcp_listen = \"127.0.0.1:0\"
    [frontends.channel]
    [frontends.irc]
    listen = \"127.0.0.1:0\"
";

/// What `/metrics` says.
struct Metrics {
    text: String,
    /// The kind of each metric.
    kinds: BTreeMap<String, String>,
    /// Each sample with its labels as they are written.
    samples: BTreeMap<String, f64>,
}

impl Metrics {
    #[track_caller]
    fn of(gateway: &Gateway) -> Self {
        let response = Http::connect(gateway.address("admin", "listen")).get("/metrics");
        let text = response.text().to_owned();
        let mut kinds = BTreeMap::new();
        let mut samples = BTreeMap::new();
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                let (name, kind) = head.split_once(' ').expect("a name and a kind");
                let twice = kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(twice, None, "{name} is there twice");
            } else if !line.starts_with('#') {
                let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
                let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                let twice = samples.insert(sample.to_owned(), value);
                assert_eq!(twice, None, "{sample} is there twice");
            }
        }
        Self { text, kinds, samples }
    }

    #[track_caller]
    fn value(&self, sample: &str) -> f64 {
        let value = self.samples.get(sample).copied();
        value.unwrap_or_else(|| panic!("no {sample} in {}", self.text))
    }

    /// Asserts a sample of whole numbers.
    #[track_caller]
    fn expect(&self, sample: &str, expected: u32) {
        let value = self.value(sample);
        assert!((value - f64::from(expected)).abs() < 1e-9, "{sample} is {value}, not {expected}");
    }
}

/// A file below docs/ops.
fn ops(file: &str) -> PathBuf {
    program::workspace().join("docs/ops").join(file)
}

#[track_caller]
fn read(file: &str) -> String {
    std::fs::read_to_string(ops(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
