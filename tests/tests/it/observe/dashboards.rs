//! The dashboard and the alert rules: every metric in them exists, and Prometheus takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use gateway_tests::{Channel, Gateway, Irc, foreign};
use serde_json::{Value, json};

use super::{ALL, Metrics, ops, read};

/// The expressions of the dashboard, with what Grafana puts in.
fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("a list");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expression = |target: &Value| target["expr"].as_str().expect("a text").to_owned();
    let grafana = |text: String| text.replace("$__rate_interval", "5m").replace("$instance", ".*");
    targets.map(expression).map(grafana).collect()
}

/// The expressions of the rules, by alert.
fn rules() -> BTreeMap<String, String> {
    let mut rules = BTreeMap::new();
    let text = read("alerts.yml");
    for rule in text.split("- alert: ").skip(1) {
        let (name, rest) = rule.split_once('\n').expect("a name");
        let expression = rest.split_once("expr: ").expect("an expression").1;
        let end = ["\n        for:", "\n        labels:"].map(|key| expression.find(key));
        let end = end.into_iter().flatten().min().expect("something follows");
        let lines = expression[..end].trim_start_matches(">-").lines().map(str::trim);
        rules.insert(name.to_owned(), lines.collect::<Vec<_>>().join(" ").trim().to_owned());
    }
    rules
}

/// The words in an expression that are names of metrics.
fn names(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|word| word.starts_with("dragoman_") || word.starts_with("process_")).collect()
}

#[test]
fn every_metric_of_the_dashboard_and_of_the_rules_exists() {
    let metrics = Metrics::of(&Gateway::start(ALL));
    let expressions: Vec<String> = dashboard().into_iter().chain(rules().into_values()).collect();
    assert!(expressions.len() > 50, "{expressions:?}");
    for expression in &expressions {
        let names = names(expression);
        assert!(!names.is_empty() || expression.contains("up{"), "{expression}");
        for name in names {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(metrics.kinds.contains_key(family), "{name} of {expression}");
        }
    }
}

/// The page says of each alert when it fires.
#[test]
fn the_page_lists_exactly_the_alerts_that_there_are() {
    let page = read("metrics.md");
    let row = |line: &str| Some(line.strip_prefix("| `Dragoman")?.split_once('`')?.0.to_owned());
    let documented: BTreeSet<String> = page.lines().filter_map(row).collect();
    let alerts = rules().into_keys().map(|name| name.replacen("Dragoman", "", 1)).collect();
    assert_eq!(documented, alerts);
}

#[test]
fn prometheus_takes_the_metrics_and_the_rules() {
    let Some(mut promtool) = foreign::command("promtool") else { return };
    foreign::run(promtool.args(["check", "rules"]).arg(ops("alerts.yml")));
    let mut promtool = foreign::command("promtool").expect("it was there");
    foreign::run(promtool.args(["test", "rules"]).arg(ops("alerts_test.yml")));
    let mut promtool = foreign::command("promtool").expect("it was there");
    let promtool = promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut promtool = promtool.stdout(Stdio::piped()).spawn().expect("it was there");
    let text = busy();
    let mut stdin = promtool.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it ends");
    // 3: it takes them, and has an opinion on names: two are older than the conventions.
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
}

/// Each expression gives something, queried of what a busy gateway says, as if it had said so once a
/// minute, counting on.
#[test]
fn prometheus_answers_every_query_of_the_dashboard() {
    let Some(mut promtool) = foreign::command("promtool") else { return };
    let mut series = String::new();
    for line in busy().lines().filter(|line| !line.starts_with('#')) {
        let (sample, value) = line.rsplit_once(' ').expect("a value");
        let instance = "instance=\"a\",job=\"dragoman\"";
        let sample = match sample.split_once('{') {
            Some((name, labels)) => format!("{name}{{{instance},{labels}"),
            None => format!("{sample}{{{instance}}}"),
        };
        let step = if sample.contains("le=\"") || sample.contains("_total") { "+2" } else { "+0" };
        writeln!(series, "      - series: {}", json!(sample)).expect("it fits");
        writeln!(series, "        values: '{value}{step}x20'").expect("it fits");
    }
    let mut test = format!(
        "evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n{series}    \
         promql_expr_test:\n"
    );
    let optional = ["certificate", "webhook", "fidelity", "> 0", "store_owed"];
    for expression in dashboard() {
        if optional.iter().any(|word| expression.contains(word)) {
            continue;
        }
        let found = json!(format!("count({expression}) > bool 0"));
        writeln!(
            test,
            "      - expr: {found}\n        eval_time: 15m\n        exp_samples: [{{labels: '{{}}', \
             value: 1}}]"
        )
        .expect("it fits");
    }
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("queries_test.yml");
    std::fs::write(&file, test).expect("it is writable");
    foreign::run(promtool.args(["test", "rules"]).arg(file));
}

/// The metrics of a gateway in which something has happened.
fn busy() -> String {
    let gateway = Gateway::start(ALL);
    let mut bob = Irc::sign_on(gateway.address("irc", "listen"), "bob", None);
    bob.join("#TEST");
    let mut ann = Channel::enroll(gateway.address("channel", "listen"), "ann");
    ann.send("TEST", "tea");
    bob.receive_until("tea");
    bob.drain();
    Metrics::of(&gateway).text
}
