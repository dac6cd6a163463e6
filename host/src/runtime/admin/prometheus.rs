//! Renders the metrics in the classic text format of Prometheus, without a library.
//!
//! `prometheus-client` writes OpenMetrics only, where the gauge `dragoman_connections` and the
//! counter `dragoman_connections_total` are one family and cannot both exist; another name would
//! break the dashboards of users. The crate `prometheus` wants each sample as a tree of protobuf
//! types with a float, which is more code than the lines below that write one.

mod cluster;
mod installation;
mod latency;
mod ledger;
mod process;
mod webhooks;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::runtime::frontends::instance::FrontendInstance;
use crate::runtime::metrics::{
    FaultKind, GatewayMetrics, HookResult, Limit, ReloadResult, SignInResult,
};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;

/// One metric that every front end has.
type Row = (&'static str, &'static str, &'static str, fn(&FrontendInstance) -> u64);

const ROWS: [Row; 10] = [
    ("connections", "gauge", "Open connections.", |of| u64::from(of.connections.count())),
    ("connections_total", "counter", "Connections accepted.", |of| of.metrics.opened.count()),
    ("requests_total", "counter", "HTTP requests.", |of| of.metrics.requests.count()),
    ("commands_total", "counter", "Commands submitted to the engine.", |of| {
        of.metrics.commands.count()
    }),
    ("queries_total", "counter", "Queries answered by the engine.", |of| {
        of.metrics.queries.count()
    }),
    ("events_encoded_total", "counter", "Events encoded, once for all connections.", |of| {
        of.metrics.events.count()
    }),
    ("frames_total", "counter", "Frames of events written to connections.", |of| {
        of.metrics.frames.count()
    }),
    ("cut_off_total", "counter", "Connections cut off because the peer did not read.", |of| {
        of.metrics.cut_off.count()
    }),
    ("signed_in_total", "counter", "Sign-ins that succeeded, by any means.", |of| {
        of.metrics.signed_in.count()
    }),
    ("panics_total", "counter", "Sessions or events lost to a fault of the front end.", |of| {
        of.metrics.panics.count()
    }),
];

pub(crate) fn render(state: &GatewayState) -> String {
    let registry = &*state.registry();
    let metrics = &*state.services.metrics;
    let mut text = String::new();
    gateway(&mut text, metrics, state.services.engine.problem().is_none());
    let help = "Bytes of long replies that clients have not read.";
    head(&mut text, "unread_bytes", "gauge", help);
    let unread = state.services.unread_budget.used();
    line(&mut text, format_args!("dragoman_unread_bytes {unread}"));
    installation::render(&mut text, state);
    latency::render(&mut text, registry, metrics);
    frontends(&mut text, registry);
    ledger::render(&mut text, registry, metrics);
    api_keys(&mut text, registry);
    certificates(&mut text, &registry.certificate_expiries());
    webhooks(&mut text, state);
    cluster::render(&mut text, &state.services);
    process::render(&mut text);
    text
}

/// The metrics of each front end.
fn frontends(text: &mut String, registry: &FrontendRegistry) {
    head(text, "listening", "gauge", "Whether the front end is up and all listeners are open.");
    for frontend in &registry.frontends {
        let labels = format!("frontend=\"{}\"", frontend.name);
        sample(text, "listening", &labels, u64::from(registry.is_listening(frontend)));
    }
    let instances = registry.instances_by_name();
    for (name, kind, help, value) in ROWS {
        head(text, name, kind, help);
        for instance in &instances {
            let labels = format!("frontend=\"{}\"", instance.name);
            sample(text, name, &labels, value(instance));
        }
    }
    head(text, "refused_total", "counter", "Requests turned away, by limit.");
    for instance in &instances {
        for (limit, word) in Limit::ALL {
            let labels = format!("frontend=\"{}\",limit=\"{word}\"", instance.name);
            sample(text, "refused_total", &labels, instance.metrics.refused(limit));
        }
    }
    head(text, "sign_ins_total", "counter", "Sign-ins with a password, by result.");
    for instance in &instances {
        for (result, word) in SignInResult::ALL {
            let labels = format!("frontend=\"{}\",result=\"{word}\"", instance.name);
            sample(text, "sign_ins_total", &labels, instance.metrics.sign_ins(result));
        }
    }
    let help = "Messages with a field that readers did not see, by the field.";
    head(text, "fidelity_lost_total", "counter", help);
    for instance in &instances {
        for field in instance.losses.possible() {
            let labels = format!("to=\"{}\",field=\"{}\"", instance.name, field.name());
            sample(text, "fidelity_lost_total", &labels, instance.metrics.lost(field));
        }
    }
    head(text, "plugin_faults_total", "counter", "Faults of a plugin, by kind.");
    for instance in instances.iter().filter(|instance| instance.is_plugin()) {
        for (kind, word) in FaultKind::ALL {
            let labels = format!("frontend=\"{}\",kind=\"{word}\"", instance.name);
            sample(text, "plugin_faults_total", &labels, instance.metrics.plugin_faults(kind));
        }
    }
}

/// They have no lag while the store cannot be read.
fn webhooks(text: &mut String, state: &GatewayState) {
    let services = &state.services;
    let newest = services.engine.newest_event().unwrap_or_default().message;
    let present = webhooks::Present { now: services.clock.now(), newest };
    webhooks::render(text, &state.webhooks.all(), present);
}

fn api_keys(text: &mut String, registry: &FrontendRegistry) {
    let help = "Requests with an API key, by its name, since the keys were read.";
    head(text, "api_key_requests_total", "counter", help);
    for frontend in &registry.frontends {
        for (name, count) in frontend.api_keys.uses() {
            let labels = format!("frontend=\"{}\",key=\"{name}\"", frontend.name);
            sample(text, "api_key_requests_total", &labels, count);
        }
    }
}

fn certificates(text: &mut String, expiries: &BTreeMap<PathBuf, i64>) {
    let name = "certificate_expiry_timestamp_seconds";
    head(text, name, "gauge", "Unix time at which a served certificate expires, by its file.");
    for (path, expiry) in expiries {
        let path = escaped(&path.display().to_string());
        line(text, format_args!("dragoman_{name}{{certificate=\"{path}\"}} {expiry}"));
    }
}

fn gateway(text: &mut String, metrics: &GatewayMetrics, healthy: bool) {
    let mut total = |name: &str, kind: &str, help: &str, value: u64| {
        head(text, name, kind, help);
        line(text, format_args!("dragoman_{name} {value}"));
    };
    total("healthy", "gauge", "Whether the engine accepts commands.", u64::from(healthy));
    let fanout = &metrics.fanout;
    total("commits_total", "counter", "Batches of commands made durable.", fanout.commits.count());
    total("committed_total", "counter", "Commands in these batches.", fanout.commands.count());
    total("events_total", "counter", "Events that commands produced.", fanout.events.count());
    let pruned = metrics.pruned.count();
    total("messages_pruned_total", "counter", "Messages removed by retention.", pruned);
    let dropped = crate::logging::dropped_lines();
    total("log_lines_dropped_total", "counter", "Lines of the log that were lost.", dropped);
    head(text, "auth_hook_total", "counter", "Questions to auth.http, by result.");
    for (result, word) in HookResult::ALL {
        let labels = format!("result=\"{word}\"");
        sample(text, "auth_hook_total", &labels, metrics.hook(result));
    }
    backups(text, metrics);
    reloads(text, metrics);
}

fn backups(text: &mut String, metrics: &GatewayMetrics) {
    head(text, "backups_total", "counter", "Scheduled backups of the store, by result.");
    for (word, counter) in [("made", &metrics.backups), ("failed", &metrics.backups_failed)] {
        sample(text, "backups_total", &format!("result=\"{word}\""), counter.count());
    }
}

fn reloads(text: &mut String, metrics: &GatewayMetrics) {
    head(text, "reloads_total", "counter", "Reloads of the configuration, by result.");
    for (result, word) in ReloadResult::ALL {
        let labels = format!("result=\"{word}\"");
        sample(text, "reloads_total", &labels, metrics.reloads(result));
    }
    let last = metrics.last_reload();
    head(text, "last_reload_successful", "gauge", "Whether the last reload was applied in full.");
    if let Some((_, result)) = last {
        let successful = u64::from(result == ReloadResult::Applied);
        line(text, format_args!("dragoman_last_reload_successful {successful}"));
    }
    head(text, "last_reload_timestamp_seconds", "gauge", "Unix time of the last reload.");
    if let Some((at, _)) = last {
        let (secs, ms) = (at.0 / 1000, at.0 % 1000);
        line(text, format_args!("dragoman_last_reload_timestamp_seconds {secs}.{ms:03}"));
    }
}

/// The value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn sample(text: &mut String, name: &str, labels: &str, value: u64) {
    line(text, format_args!("dragoman_{name}{{{labels}}} {value}"));
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP dragoman_{name} {help}"));
    line(text, format_args!("# TYPE dragoman_{name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}
