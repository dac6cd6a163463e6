//! The metrics of a gateway's place in its cluster. One without a cluster has no samples of them.

use core_engine::Equality;

use super::{head, line, sample};
use crate::runtime::session::services::{Membership, Services};

/// One metric of the place in a cluster.
type Row = (&'static str, &'static str, &'static str, fn(&Membership) -> u64);

const ROWS: [Row; 11] = [
    ("cluster_run", "gauge", "The number of this gateway's run, 0 for none.", |of| of.node.run()),
    ("cluster_position", "gauge", "The last entry of the log that is applied.", |of| {
        of.node.positions().map_or(0, |(applied, _)| applied)
    }),
    ("cluster_lag_entries", "gauge", "Entries of the log that are to be applied.", |of| {
        of.node.positions().map_or(0, |(applied, last)| last - applied)
    }),
    (
        "cluster_log_age_seconds",
        "gauge",
        "Time since something of the log was applied; entries come every second.",
        |of| of.node.age().as_secs(),
    ),
    (
        "cluster_cut_off",
        "gauge",
        "Whether commands are refused, as the log does not answer.",
        |of| of.node.is_cut_off().into(),
    ),
    (
        "cluster_steward",
        "gauge",
        "Whether this gateway does what one of the cluster does for all.",
        |of| (*of.stewardship().borrow()).into(),
    ),
    ("cluster_own_entries_total", "counter", "Entries of this gateway that were applied.", |of| {
        of.node.counts().own
    }),
    ("cluster_rules", "gauge", "The version of the rules that is in force.", |of| {
        of.node.rules().into()
    }),
    (
        "cluster_stores_differ",
        "gauge",
        "Whether stores of the cluster differ: 1 for others than this, 2 where no store is that of most.",
        |of| match of.node.equality() {
            Equality::Unknown | Equality::Equal => 0,
            Equality::Minority(_) => 1,
            Equality::Split(_) => 2,
        },
    ),
    (
        "cluster_checkpoint",
        "gauge",
        "The entry whose digest this gateway has told the others last.",
        |of| of.node.checkpoint().map_or(0, |(at, _)| at),
    ),
    ("cluster_resent_total", "counter", "Entries that were sent to the log again.", |of| {
        of.node.resent()
    }),
];

pub(super) fn render(text: &mut String, services: &Services) {
    let cluster = services.cluster.as_ref();
    for (name, kind, help, value) in ROWS {
        head(text, name, kind, help);
        if let Some(cluster) = cluster {
            line(text, format_args!("dragoman_{name} {}", value(cluster)));
        }
    }
    let name = "cluster_entries_total";
    head(text, name, "counter", "Entries of the log that were read, by what became of them.");
    let Some(cluster) = cluster else { return };
    let counts = cluster.node.counts();
    for (fate, value) in [
        ("applied", counts.applied),
        ("repeated", counts.repeated),
        ("early", counts.early),
        ("ended", counts.ended),
    ] {
        sample(text, name, &format!("fate=\"{fate}\""), value);
    }
}
