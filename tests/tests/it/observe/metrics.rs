//! `/metrics` and its page.

use std::collections::BTreeMap;

use gateway_tests::{Channel, Gateway, Http, Irc};
use serde_json::json;

use super::{ALL, Metrics, read};

/// The metrics of the page, by the names that they have in `/metrics`, with their kinds.
fn documented() -> BTreeMap<String, String> {
    let mut documented = BTreeMap::new();
    for line in read("metrics.md").lines() {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [name, kind, _] = cells[..] else { continue };
        let Some(name) = name.strip_prefix("| `").and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        let prefix = if name.starts_with("process_") { "" } else { "dragoman_" };
        let twice = documented.insert(format!("{prefix}{name}"), kind.to_owned());
        assert_eq!(twice, None, "{name} is on the page twice");
    }
    documented
}

#[test]
fn the_page_lists_exactly_the_metrics_that_there_are() {
    let gateway = Gateway::start(ALL);
    let metrics = Metrics::of(&gateway);
    assert_eq!(documented(), metrics.kinds);
}

#[test]
fn every_sample_has_a_head_and_histograms_ascend() {
    let gateway = Gateway::start(ALL);
    let mut ann = Channel::enroll(gateway.address("channel", "listen"), "ann");
    ann.send("TEST", "tea");
    let metrics = Metrics::of(&gateway);
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    // In the order of the text: the samples of a histogram ascend there.
    for line in metrics.text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, _) = line.rsplit_once(' ').expect("a value");
        let value = metrics.value(sample);
        let name = sample.split('{').next().expect("a name");
        let family = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            (metrics.kinds.get(family)? == "histogram").then_some(family)
        });
        assert!(metrics.kinds.contains_key(family.unwrap_or(name)), "{sample} has no head");
        if let Some((before, _)) = sample.split_once("le=\"") {
            series.entry(before.to_owned()).or_default().push(value);
        } else if name.ends_with("_count") && family.is_some() {
            let bucket = sample.replace("_count", "_bucket");
            let before = bucket.replace('}', ",");
            let before = if before.contains('{') { before } else { format!("{before}{{") };
            assert_eq!(series[&before].last(), Some(&value), "{sample} counts all of them");
        }
    }
    assert!(series.len() > 10, "{series:?}");
    for (of, counts) in series {
        assert!(counts.is_sorted(), "{of}: {counts:?}");
    }
}

#[test]
fn what_clients_do_is_timed_and_counted() {
    let gateway = Gateway::start(ALL);
    let mut bob = Irc::sign_on(gateway.address("irc", "listen"), "bob", None);
    bob.join("#TEST");
    let mut ann = Channel::enroll(gateway.address("channel", "listen"), "ann");
    let before = Metrics::of(&gateway);
    for text in ["one", "two", "three"] {
        ann.send("TEST", text);
    }
    bob.receive_until("three");
    // The answer to a request that came after the messages: they were counted before it.
    bob.drain();
    let wrong = ann.call("/login", &json!({"name": "ann", "password": "guess"}));
    assert_ne!(wrong["code"], 0);
    assert_eq!(Http::connect(gateway.address("channel", "listen")).get("/nowhere").status, 404);

    let metrics = Metrics::of(&gateway);
    let more = |sample: &str| metrics.value(sample) - before.value(sample);
    for stage in ["queue", "commit", "fanout"] {
        let count = more(&format!("dragoman_command_{stage}_seconds_count"));
        assert!(count >= 3.0, "{stage}: {count}");
        assert!(more(&format!("dragoman_command_{stage}_seconds_sum")) > 0.0, "{stage}");
    }
    let commits = more("dragoman_commits_total");
    assert!((more("dragoman_batch_commands_count") - commits).abs() < 1e-9);
    assert!((more("dragoman_batch_commands_sum") - more("dragoman_committed_total")).abs() < 1e-9);
    assert!((more("dragoman_delivery_delay_seconds_count{frontend=\"irc\"}") - 3.0).abs() < 1e-9);
    let http = |operation: &str| {
        format!(
            "dragoman_http_request_duration_seconds_count{{frontend=\"channel\",\
             operation=\"{operation}\"}}"
        )
    };
    metrics.expect(&http("POST /channel/send"), 3);
    metrics.expect(&http("other"), 1);
    metrics.expect("dragoman_http_responses_total{frontend=\"channel\",code=\"4xx\"}", 1);
    metrics.expect("dragoman_sign_ins_total{frontend=\"channel\",result=\"wrong_password\"}", 1);
    metrics.expect("dragoman_signed_in_total{frontend=\"channel\"}", 1);
    metrics.expect("dragoman_frontend_info{frontend=\"irc\",dialect=\"irc\",plugin=\"false\"}", 1);
}

#[test]
fn a_reload_of_a_key_for_the_next_start_leaves_a_restart_pending() {
    let mut gateway = Gateway::start(ALL);
    Metrics::of(&gateway).expect("dragoman_restart_pending", 0);
    gateway.reload(&format!("{ALL}\n[store]\nqueue_max = 777\n"));
    Metrics::of(&gateway).expect("dragoman_restart_pending", 1);
    gateway.reload(ALL);
    Metrics::of(&gateway).expect("dragoman_restart_pending", 0);
}

#[test]
fn the_process_and_its_store_are_measured() {
    let gateway = Gateway::start(ALL);
    let metrics = Metrics::of(&gateway);
    let store =
        std::fs::metadata(gateway.launch().folder().join("chat.redb")).expect("it is there");
    let shown = metrics.value("dragoman_store_bytes");
    #[expect(clippy::cast_precision_loss, reason = "a new store is small")]
    let len = store.len() as f64;
    assert!((shown - len).abs() <= len, "{shown} of {len} bytes");
    for name in [
        "dragoman_store_free_bytes",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_threads",
        "process_open_fds",
        "process_max_fds",
    ] {
        assert!(metrics.value(name) >= 1.0, "{name}");
    }
    assert!(metrics.value("process_cpu_seconds_total") >= 0.0);
    let started = metrics.value("process_start_time_seconds");
    let now = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs_f64();
    // Counted in hundredths of a second from the time of the boot, which is in whole seconds.
    assert!((0.0..600.0).contains(&(now - started + 2.0)), "{started} at {now}");
}
