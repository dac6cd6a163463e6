//! Histograms: what commands, requests and deliveries took.

use gateway_fanout::{FanoutMetrics, Histogram, Overflow};

use super::{escaped, head, line, sample};
use crate::runtime::metrics::GatewayMetrics;
use crate::runtime::net::registry::FrontendRegistry;

/// A histogram of the gateway as a whole: name, help, and how to find it.
type Row = (&'static str, &'static str, fn(&FanoutMetrics) -> &Histogram);

const ROWS: [Row; 4] = [
    ("batch_commands", "Commands of a batch, which are made durable together.", |of| &of.batch),
    ("command_queue_seconds", "Time that commands waited for the engine.", |of| &of.queued),
    ("command_commit_seconds", "Time from there until they were durable.", |of| &of.committed),
    (
        "command_fanout_seconds",
        "Time from there until answers and events were in the mailboxes.",
        |of| &of.delivered,
    ),
];

pub(super) fn render(text: &mut String, registry: &FrontendRegistry, metrics: &GatewayMetrics) {
    for (name, help, of) in ROWS {
        head(text, name, "histogram", help);
        histogram(text, name, "", of(&metrics.fanout));
    }
    let instances = registry.instances_by_name();
    let name = "delivery_delay_seconds";
    head(text, name, "histogram", "Time from a post until a connection has it to be written.");
    for instance in &instances {
        let labels = format!("frontend=\"{}\"", instance.name);
        histogram(text, name, &labels, instance.metrics.delivery_delay.histogram());
    }
    let name = "http_request_duration_seconds";
    head(text, name, "histogram", "Time that HTTP requests took, by operation.");
    for instance in &instances {
        for (operation, duration) in instance.metrics.http.durations() {
            let operation = escaped(&operation);
            let labels = format!("frontend=\"{}\",operation=\"{operation}\"", instance.name);
            histogram(text, name, &labels, &duration);
        }
    }
    let name = "http_responses_total";
    head(text, name, "counter", "Responses to HTTP requests, by the class of their status.");
    for instance in &instances {
        for (class, count) in instance.metrics.http.responses() {
            sample(text, name, &format!("frontend=\"{}\",code=\"{class}\"", instance.name), count);
        }
    }
    let name = "mailbox_overflows_total";
    head(text, name, "counter", "Connections cut off for a full mailbox, by which limit.");
    for instance in &instances {
        for (why, word) in Overflow::ALL {
            let labels = format!("frontend=\"{}\",reason=\"{word}\"", instance.name);
            sample(text, name, &labels, instance.metrics.overflows(why));
        }
    }
}

fn histogram(text: &mut String, name: &str, labels: &str, of: &Histogram) {
    let cumulative = of.cumulative();
    let and = if labels.is_empty() { "" } else { "," };
    for (bound, count) in &cumulative {
        let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".into() };
        line(text, format_args!("dragoman_{name}_bucket{{{labels}{and}le=\"{bound}\"}} {count}"));
    }
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let count = cumulative.last().map_or(0, |(_, count)| *count);
    line(text, format_args!("dragoman_{name}_sum{braced} {}", of.sum()));
    line(text, format_args!("dragoman_{name}_count{braced} {count}"));
}
